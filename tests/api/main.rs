//! The REST API against a real Postgres: the router is called in process, each test on a database of its own.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where something is missing")]
#![allow(dead_code, unused_imports, reason = "support for tests to come")]

mod services;
mod sign_in;
mod support;
