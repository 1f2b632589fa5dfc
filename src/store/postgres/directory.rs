//! The cluster's directory: its lock, its version, and what a controller that was killed left in it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::PORT;
use super::error::PostgresError;

/// The longest path of a Unix socket, in bytes: `sun_path` of unix(7) without its terminating zero.
const MAX_SOCKET_PATH: usize = 107;

/// Where the data are.
pub(super) fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

/// Where new data are made, to be renamed when they are whole.
pub(super) fn new_data(directory: &Path) -> PathBuf {
    directory.join("data.new")
}

/// Checks that a socket fits into the directory.
pub(super) fn check_length(directory: &Path) -> Result<(), PostgresError> {
    let socket = directory.join(format!(".s.PGSQL.{PORT}"));
    match socket.as_os_str().len().saturating_sub(MAX_SOCKET_PATH) {
        0 => Ok(()),
        excess => Err(PostgresError::PathTooLong { directory: directory.to_owned(), excess }),
    }
}

/// The right to use the directory, held as long as this value lives. The file stays, as removing it would race.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Takes it, or says who has it.
    pub(super) fn take(directory: &Path) -> Result<Self, PostgresError> {
        let path = directory.with_extension("lock");
        let failed = |source| PostgresError::file("lock", &path, source);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|source| PostgresError::file("make", parent, source))?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                // The process id is for the message of whoever finds the lock taken.
                file.set_len(0).map_err(failed)?;
                file.rewind().map_err(failed)?;
                writeln!(file, "{}", std::process::id()).map_err(failed)?;
                Ok(Self { _file: file })
            }
            Err((mut file, nix::Error::EWOULDBLOCK)) => {
                let mut holder = String::new();
                let known = file.read_to_string(&mut holder).is_ok() && holder.trim().parse::<u32>().is_ok();
                let holder = if known { format!(" (process {})", holder.trim()) } else { String::new() };
                Err(PostgresError::Locked { holder, directory: directory.to_owned() })
            }
            Err((_, errno)) => Err(failed(errno.into())),
        }
    }
}

/// The major version that made the data, `None` if there are none.
pub(super) fn version(data: &Path) -> Result<Option<u32>, PostgresError> {
    let path = data.join("PG_VERSION");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(PostgresError::file("read", &path, error)),
    };
    let major = text.trim().split('.').next().and_then(|major| major.parse().ok());
    let broken = || std::io::Error::new(std::io::ErrorKind::InvalidData, "it names no version");
    major.map(Some).ok_or_else(|| PostgresError::file("read", &path, broken()))
}

/// What `postmaster.pid` says of the server that wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Residue {
    /// There is none, or it has ended; a new server clears up after it.
    None,
    /// It still runs, although the controller that it belonged to does not: the lock is ours.
    Orphan(Pid),
    /// Its number belongs to another program now, which a new server would take for the old one.
    Reused,
}

/// Finds what a killed controller left.
pub(super) fn residue(data: &Path) -> Residue {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else { return Residue::None };
    let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok()) else {
        return Residue::None;
    };
    if pid <= 0 || kill(Pid::from_raw(pid), None) == Err(nix::Error::ESRCH) {
        return Residue::None;
    }
    // Readable also where another user's /proc/<pid>/cwd is not.
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let wanted = data.as_os_str().as_encoded_bytes();
    if command_line.split(|byte| *byte == 0).any(|argument| argument == wanted) {
        Residue::Orphan(Pid::from_raw(pid))
    } else {
        Residue::Reused
    }
}

/// Removes the file that names a server that is no more.
pub(super) fn forget_server(data: &Path) -> Result<(), PostgresError> {
    let path = data.join("postmaster.pid");
    fs::remove_file(&path).map_err(|source| PostgresError::file("remove", &path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_used_once() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("postgres");
        let lock = Lock::take(&directory).unwrap();
        let refused = Lock::take(&directory).unwrap_err().to_string();
        let expected = format!("another controller (process {}) already uses", std::process::id());
        assert!(refused.starts_with(&expected), "{refused}");
        drop(lock);
        Lock::take(&directory).unwrap();
    }

    #[test]
    fn a_socket_has_to_fit() {
        // "/.s.PGSQL.5432" takes 14 of the 107 bytes.
        check_length(Path::new(&format!("/{}", "x".repeat(92)))).unwrap();
        let long = check_length(Path::new(&format!("/{}", "x".repeat(95)))).unwrap_err();
        assert!(long.to_string().contains("is 3 bytes too long"), "{long}");
    }

    #[test]
    fn the_datas_version_is_read() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(version(data.path()).unwrap(), None);
        for (text, expected) in [("15\n", Some(15)), ("9.6\n", Some(9)), ("soon\n", None)] {
            fs::write(data.path().join("PG_VERSION"), text).unwrap();
            assert_eq!(version(data.path()).ok().flatten(), expected);
        }
    }

    #[test]
    fn servers_that_are_no_more_are_told_from_strangers_and_orphans() {
        let data = tempfile::tempdir().unwrap();
        let write = |text: &str| fs::write(data.path().join("postmaster.pid"), text).unwrap();
        assert_eq!(residue(data.path()), Residue::None);
        for gone in ["", "x\n", "-1\n", "0\n", &format!("{}\n", i32::MAX)] {
            write(gone);
            assert_eq!(residue(data.path()), Residue::None, "{gone}");
        }
        write(&format!("{}\n", std::process::id()));
        assert_eq!(residue(data.path()), Residue::Reused);
        forget_server(data.path()).unwrap();
        assert_eq!(residue(data.path()), Residue::None);

        // Stands in for an orphan: a process that has the directory among its arguments.
        let mut orphan = std::process::Command::new("sh")
            .args(["-c", "echo && read line", "sh"])
            .arg(data.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Before it says something it may not be the shell yet.
        orphan.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        write(&format!("{}\n", orphan.id()));
        assert_eq!(residue(data.path()), Residue::Orphan(Pid::from_raw(orphan.id().cast_signed())));
        drop(orphan.stdin.take());
        orphan.wait().unwrap();
        assert_eq!(residue(data.path()), Residue::None);
    }
}
