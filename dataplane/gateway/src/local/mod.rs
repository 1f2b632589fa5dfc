//! The gateway's own socket: what its host's administrator asks it. Nobody else may connect.

mod client;
mod server;

use std::path::{Path, PathBuf};

pub use client::{Client, LocalError};
pub(crate) use server::Server;

/// Returns where the socket of a namespace's gateway is.
fn path(run_dir: &Path, identity: &str) -> PathBuf {
    run_dir.join(format!("{identity}.sock"))
}
