//! Why a private Postgres does not start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

/// Why a private Postgres does not start; each text is one line and says what can be done.
#[derive(Debug, Error)]
pub enum PostgresError {
    /// There are no server binaries.
    #[error(
        "Postgres is not installed: no server binaries under /usr/lib/postgresql or on PATH; install the package \
         postgresql, or set DATABASE_URL to use a running server"
    )]
    NotInstalled,
    /// The data were made by a version that is not installed.
    #[error(
        "{} was made by Postgres {wanted}, and only {installed} is installed; install the package \
         postgresql-{wanted}, or choose another data directory", directory.display()
    )]
    WrongVersion {
        /// The data.
        directory: PathBuf,
        /// The major version that made them.
        wanted: u32,
        /// The major versions that there are.
        installed: String,
    },
    /// The program runs as root, and there is nobody else to run Postgres as.
    #[error(
        "Postgres refuses to run as root, and there is no user \"postgres\" to run it as; install the package \
         postgresql, or run this program as another user"
    )]
    NoUser,
    /// The same, in a user namespace that has nobody but its root.
    #[error(
        "Postgres refuses to run as root, and this user namespace has no other user; keep your own user in it \
         (unshare --map-current-user), or set DATABASE_URL"
    )]
    NoUserHere,
    /// Postgres's user cannot get to its directory.
    #[error("the user \"{user}\", whom Postgres runs as, cannot enter {}; choose another data directory", directory.display())]
    NoPassage {
        /// The user.
        user: String,
        /// The directory that is closed to it.
        directory: PathBuf,
    },
    /// The kernel takes no longer path for a socket.
    #[error(
        "the path {} is {excess} bytes too long for the directory of a Unix socket; choose a shorter data directory",
        directory.display()
    )]
    PathTooLong {
        /// The cluster's directory.
        directory: PathBuf,
        /// By how much.
        excess: usize,
    },
    /// Another controller uses the directory.
    #[error("another controller{holder} already uses {}", directory.display())]
    Locked {
        /// ` (process 123)`, as far as known.
        holder: String,
        /// The cluster's directory.
        directory: PathBuf,
    },
    /// A file or directory cannot be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A program of Postgres failed.
    #[error("{program} failed: {reason}")]
    Program {
        /// Which.
        program: &'static str,
        /// The last thing it said.
        reason: String,
    },
    /// It started and does not answer.
    #[error("Postgres did not answer within {} s; the last thing it said: {last_line}", after.as_secs())]
    Silent {
        /// How long was waited.
        after: Duration,
        /// The last line of its log.
        last_line: String,
    },
    /// The controller's database cannot be made in it.
    #[error("cannot create the database in the private Postgres: {0}")]
    Database(sqlx::Error),
    /// The thread that keeps it ended without a word.
    #[error("the private Postgres ended while it started")]
    Ended,
}

impl PostgresError {
    pub(super) fn file(action: &'static str, path: &Path, source: impl Into<std::io::Error>) -> Self {
        Self::File { action, path: path.to_owned(), source: source.into() }
    }
}
