//! A private Postgres: made from the installed server binaries in a directory of the controller's, reachable over
//! a Unix socket only, and ended with the controller, however that ends.
//!
//! The socket lies in the cluster's directory, which only its owner may enter (mode 0700): whoever gets there owns
//! the data, so the server trusts its connections and there is no password to keep. A socket's path is bounded by
//! the kernel, which bounds the directory's, see [`PostgresError::PathTooLong`].

mod binaries;
mod directory;
mod error;
mod keeper;
mod owner;

use std::path::{Path, PathBuf};
use std::thread;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::sync::oneshot;

pub use self::error::PostgresError;

/// The database that the controller uses.
pub const DATABASE: &str = "pinhole";
/// The cluster's superuser, who owns the database.
const SUPERUSER: &str = "pinhole";
/// The database that every cluster has.
const MAINTENANCE_DATABASE: &str = "postgres";
/// Names the socket's file; nothing listens on the port.
const PORT: u16 = 5432;

/// What a private Postgres is started with.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// Where its data and its socket are kept; made if absent. Beside it, with the extension `lock`, lies a file
    /// that keeps a second controller out.
    pub directory: PathBuf,
    /// Whether the data are to survive a crash of the machine.
    pub durability: Durability,
    /// The most connections at once.
    pub max_connections: u16,
}

/// Whether data survive a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// They do.
    Durable,
    /// They do not, and everything is faster; for tests.
    Disposable,
}

/// A running private Postgres. It ends when this value is dropped; [`Cluster::stop`] also waits for the end.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    binaries: PathBuf,
    /// Dropped to stop.
    stop: oneshot::Sender<()>,
    /// Closed when Postgres has ended.
    ended: oneshot::Receiver<()>,
}

impl Cluster {
    /// Makes the cluster if there is none, starts it, and waits until it answers and has its database. From then
    /// on it is started again whenever it ends by itself.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub async fn start(settings: ClusterSettings) -> Result<Self, PostgresError> {
        let (stop, stopped) = oneshot::channel();
        let (report, started) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let directory = settings.directory.clone();
        // A thread of its own: the parent-death signal comes when the thread that started a process ends, and
        // threads of the runtime's pools come and go.
        thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || {
                keeper::run(&settings, report, stopped);
                drop(end);
            })
            .map_err(|source| PostgresError::file("start a thread for", &directory, source))?;
        let binaries = started.await.unwrap_or(Err(PostgresError::Ended))?;
        Ok(Self { directory, binaries, stop, ended })
    }

    /// How to connect to a database of it as its owner.
    #[must_use]
    pub fn options(&self, database: &str) -> PgConnectOptions {
        options(&self.directory, database)
    }

    /// Where its programs lie.
    #[must_use]
    pub fn binaries(&self) -> &Path {
        &self.binaries
    }

    /// Stops it. Open connections are ended, what was committed is kept.
    pub async fn stop(self) {
        drop(self.stop);
        // Nothing is ever sent: the channel closes with the thread.
        let _ = self.ended.await;
    }
}

/// How to connect to a database of the cluster in `directory`.
fn options(directory: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(&directory.to_string_lossy())
        .port(PORT)
        .username(SUPERUSER)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

#[cfg(test)]
mod tests;
