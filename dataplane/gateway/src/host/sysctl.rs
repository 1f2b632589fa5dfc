//! Kernel settings of the calling thread's network namespace, below `/proc/sys`.

use std::path::{Path, PathBuf};

/// Why a setting could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} the kernel setting {path}: {source}")]
pub struct SysctlError {
    action: &'static str,
    path: String,
    source: std::io::Error,
}

impl SysctlError {
    /// Whether the setting does not exist, as those of an interface that is gone.
    pub(crate) fn is_missing(&self) -> bool {
        self.source.kind() == std::io::ErrorKind::NotFound
    }
}

fn file(path: &str) -> PathBuf {
    Path::new("/proc/sys").join(path)
}

/// Reads a setting; `path` is relative to `/proc/sys`, with slashes.
pub(crate) fn read(path: &str) -> Result<String, SysctlError> {
    match std::fs::read_to_string(file(path)) {
        Ok(value) => Ok(value.trim().to_owned()),
        Err(source) => Err(SysctlError { action: "read", path: path.to_owned(), source }),
    }
}

/// Writes a setting.
pub(crate) fn write(path: &str, value: &str) -> Result<(), SysctlError> {
    // With the line end, an empty value is a write of one byte; without, the kernel would not see it at all.
    std::fs::write(file(path), format!("{value}\n")).map_err(|source| SysctlError {
        action: "write",
        path: path.to_owned(),
        source,
    })
}
