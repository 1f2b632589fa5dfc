//! What was changed on the host and not yet undone, on disk before it happens.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The journal's format; a file of another one is not read.
const FORMAT: u32 = 1;
/// Another value at each boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// One change to the host and what is needed to undo it. Routes and settings of the TUN devices are missing
/// here, as they end with the devices, and these with the process.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Change {
    /// A kernel setting got another value.
    Sysctl {
        /// Relative to `/proc/sys`.
        path: String,
        /// Before the first change.
        previous: String,
        /// What the gateway wrote, or was about to: another value is somebody else's and stays.
        ours: Vec<String>,
    },
    /// An interface got a place for filters (clsact).
    Hook {
        /// Its name.
        interface: String,
        /// Its index, to know it from a later one of the same name.
        index: u32,
    },
    /// An interface got filters.
    Filters {
        /// Its name.
        interface: String,
        /// Its index.
        index: u32,
        /// The preference that they were installed with.
        preference: u16,
    },
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    format: u32,
    boot_id: String,
    changes: Vec<Change>,
}

/// Why the journal cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("cannot keep the journal {}: {source}", path.display())]
    File {
        /// The journal.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The journal of one network namespace.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    boot_id: String,
    changes: Vec<Change>,
}

impl Journal {
    /// Opens the journal at `path`, with what an earlier process has left in it since the last boot.
    pub(crate) fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::File { path: path.to_owned(), source };
        let boot_id = std::fs::read_to_string(BOOT_ID).map_err(failed)?.trim().to_owned();
        let changes = match std::fs::read(path) {
            Ok(bytes) => match parse(&bytes, &boot_id) {
                Ok(changes) => changes,
                Err(reason) => {
                    let aside = path.with_extension("corrupt");
                    std::fs::rename(path, &aside).map_err(failed)?;
                    tracing::error!(
                        journal = %aside.display(),
                        reason,
                        "the journal of an earlier gateway is not readable and was set aside: what it changed on \
                         this host is not undone"
                    );
                    Vec::new()
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { path: path.to_owned(), boot_id, changes })
    }

    /// Returns what is to be undone, in the order in which it was done.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Notes a change that is about to be made.
    pub(crate) fn record(&mut self, change: Change) -> Result<(), JournalError> {
        if self.changes.contains(&change) {
            return Ok(());
        }
        self.changes.push(change);
        self.write()
    }

    /// Notes that a kernel setting is about to get `value`; of several changes the first previous value counts.
    pub(crate) fn record_sysctl(
        &mut self,
        path: &str,
        previous: &str,
        value: &str,
    ) -> Result<(), JournalError> {
        for change in &mut self.changes {
            if let Change::Sysctl { path: known, ours, .. } = change
                && known == path
            {
                if ours.iter().any(|written| written == value) {
                    return Ok(());
                }
                ours.push(value.to_owned());
                return self.write();
            }
        }
        self.record(Change::Sysctl {
            path: path.to_owned(),
            previous: previous.to_owned(),
            ours: vec![value.to_owned()],
        })
    }

    /// Returns the value of a setting from before the gateway's first change, `None` when it made none.
    pub(crate) fn original(&self, setting: &str) -> Option<&str> {
        self.changes.iter().find_map(|change| match change {
            Change::Sysctl { path, previous, .. } if path == setting => Some(previous.as_str()),
            Change::Sysctl { .. } | Change::Hook { .. } | Change::Filters { .. } => None,
        })
    }

    /// Strikes a change out that has been undone.
    pub(crate) fn strike(&mut self, change: &Change) -> Result<(), JournalError> {
        self.changes.retain(|known| known != change);
        self.write()
    }

    /// Replaces the file as a whole, so that no kill leaves half of it; an empty journal has no file. It need
    /// not survive a loss of power, after which there is nothing to undo.
    fn write(&self) -> Result<(), JournalError> {
        let failed = |source| JournalError::File { path: self.path.clone(), source };
        if self.changes.is_empty() {
            return match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
                Ok(()) | Err(_) => Ok(()),
            };
        }
        let contents =
            Contents { format: FORMAT, boot_id: self.boot_id.clone(), changes: self.changes.clone() };
        let temporary = self.path.with_extension("new");
        let mut file = std::fs::File::create(&temporary).map_err(failed)?;
        serde_json::to_writer_pretty(&mut file, &contents).map_err(|error| failed(error.into()))?;
        file.flush().map_err(failed)?;
        std::fs::rename(&temporary, &self.path).map_err(failed)
    }
}

/// Returns the changes of a journal, none when it is of an earlier boot.
fn parse(bytes: &[u8], boot_id: &str) -> Result<Vec<Change>, String> {
    let contents: Contents = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if contents.format != FORMAT {
        return Err(format!("its format is {}, known is {FORMAT}", contents.format));
    }
    Ok(if contents.boot_id == boot_id { contents.changes } else { Vec::new() })
}

#[cfg(test)]
mod tests;
