//! The `pinhole` program as an operating system sees it: its output, its files, its signals, and its death.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where something is missing")]

mod bulk;
mod cli;
mod controller;
mod database;
mod embedded;
mod errors;
mod login;
#[path = "../api/push/peer.rs"]
#[expect(dead_code, reason = "what only the tests of the push say")]
mod peer;
mod private;
mod publish;
mod replicas;
mod secrets;
mod secured;
mod tls;

use std::time::Duration;

/// Far above what anything here takes; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(60);
