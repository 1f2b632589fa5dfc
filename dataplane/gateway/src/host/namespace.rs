//! Network namespaces: entering one, and telling them apart.

use std::fs::File;
use std::path::Path;

use nix::sched::{CloneFlags, setns};

use crate::options::NetworkNamespace;

/// Why a namespace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// Its file cannot be opened.
    #[error("cannot open the network namespace {path}: {source}")]
    Open {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be entered.
    #[error("cannot enter the network namespace: {0}")]
    Enter(nix::Error),
    /// The kernel does not tell which one this is.
    #[error("cannot identify the network namespace: {0}")]
    Identify(nix::Error),
}

/// Moves the calling thread into a namespace; threads and processes that it starts from then on are there, too.
pub(crate) fn enter(namespace: &NetworkNamespace) -> Result<(), NamespaceError> {
    match namespace {
        NetworkNamespace::Current => Ok(()),
        NetworkNamespace::Path(path) => {
            let file = open(path)?;
            setns(file, CloneFlags::CLONE_NEWNET).map_err(NamespaceError::Enter)
        }
        NetworkNamespace::Descriptor(descriptor) => {
            setns(descriptor, CloneFlags::CLONE_NEWNET).map_err(NamespaceError::Enter)
        }
    }
}

fn open(path: &Path) -> Result<File, NamespaceError> {
    File::open(path).map_err(|source| NamespaceError::Open { path: path.display().to_string(), source })
}

/// Returns a name for the calling thread's namespace that no other namespace gets before the next boot.
pub(crate) fn identity() -> Result<String, NamespaceError> {
    let cookie = crate::sys::namespace_cookie().map_err(NamespaceError::Identify)?;
    Ok(format!("netns-{cookie:x}"))
}
