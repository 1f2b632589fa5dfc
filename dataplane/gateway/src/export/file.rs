//! A file that records are appended to. It is put aside when it is large, and made anew when somebody else put it aside.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Subscribers' addresses are nobody else's business.
const MODE: u32 = 0o600;

/// What became of a file before it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Prepared {
    /// It is the one that was written before.
    Same,
    /// It is a new one.
    Fresh,
}

/// The file, open.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    rotate_bytes: u64,
    keep: u8,
    file: File,
}

impl RotatingFile {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Also when it is there and no regular file.
    pub(super) fn open(path: &Path, rotate_bytes: u64, keep: u8) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), rotate_bytes, keep, file: open(path)? })
    }

    /// Sees to it that what is written next goes to a file of this path that is not too large.
    pub(super) fn prepare(&mut self) -> io::Result<Prepared> {
        let own = self.file.metadata()?;
        let there = match fs::metadata(&self.path) {
            Ok(there) => (there.dev(), there.ino()) == (own.dev(), own.ino()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if there && own.len() < self.rotate_bytes {
            return Ok(Prepared::Same);
        }
        if there {
            self.put_aside()?;
        }
        self.file = open(&self.path)?;
        Ok(Prepared::Fresh)
    }

    /// Appends bytes, all or none.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        self.file.write_all(bytes).inspect_err(|_| {
            // Half a record would spoil the one after it. That it cannot be taken back is the lesser trouble.
            let _ = self.file.set_len(before);
        })
    }

    /// Renames the file to `<path>.1`, that one to `<path>.2` and so on; the oldest one is lost.
    fn put_aside(&self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            match fs::rename(self.aside(number), self.aside(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        fs::rename(&self.path, self.aside(1))
    }

    fn aside(&self, number: u8) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Opening a pipe that nobody reads must not wait.
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(MODE).custom_flags(nix::libc::O_NONBLOCK);
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}
