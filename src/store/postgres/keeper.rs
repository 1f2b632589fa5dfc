//! The thread that keeps the server running: makes its data, starts it, starts it again, and stops it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use super::binaries::{self, Binaries};
use super::directory::{self, Lock, Residue};
use super::error::PostgresError;
use super::owner::Owner;
use super::{ClusterSettings, DATABASE, Durability, MAINTENANCE_DATABASE, SUPERUSER};

/// How long a start may take, recovery from a crash included.
const START_DEADLINE: Duration = Duration::from_secs(120);
/// How long a server that ends while it starts is tried again: processes of the one before may hold its memory for
/// a moment.
const RETRY_DEADLINE: Duration = Duration::from_secs(10);
/// How often a server that starts is asked whether it is ready, and how long an answer may take.
const PROBE_INTERVAL: Duration = Duration::from_millis(30);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// The pauses before a server that ended by itself is started again: doubled each time up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a server may take to end its connections and write its data; then how long to end without that.
const FAST_SHUTDOWN: Duration = Duration::from_secs(10);
const IMMEDIATE_SHUTDOWN: Duration = Duration::from_secs(5);
/// Lines that belong to the one before.
const CONTINUATIONS: [&str; 6] = ["HINT", "DETAIL", "CONTEXT", "STATEMENT", "LOCATION", "\t"];

/// The place of the server, ready for it to run in.
#[derive(Debug)]
struct Place {
    settings: ClusterSettings,
    owner: Owner,
    binaries: Binaries,
    _lock: Lock,
}

/// A server process.
#[derive(Debug)]
struct Server {
    process: Child,
    last_line: watch::Receiver<String>,
}

/// Keeps the server until `stopped` says so or is closed; reports the first start, with where its programs are.
pub(super) fn run(
    settings: &ClusterSettings,
    report: oneshot::Sender<Result<PathBuf, PostgresError>>,
    stopped: oneshot::Receiver<()>,
) {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(keep(settings, report, stopped)),
        Err(source) => {
            let _ = report.send(Err(PostgresError::file("start a thread for", &settings.directory, source)));
        }
    }
}

async fn keep(
    settings: &ClusterSettings,
    report: oneshot::Sender<Result<PathBuf, PostgresError>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let (place, mut server) = match first_start(settings, &mut stopped).await {
        Ok(Some(started)) => started,
        Ok(None) => return,
        Err(error) => {
            // Whoever waited for it knows why, if there is anybody.
            let _ = report.send(Err(error));
            return;
        }
    };
    if report.send(Ok(place.binaries.directory.clone())).is_err() {
        return server.stop().await;
    }
    loop {
        tokio::select! {
            _ = server.process.wait() => {}
            _ = &mut stopped => return server.stop().await,
        }
        let reason = server.last_line.borrow().clone();
        tracing::error!(reason, "the private Postgres ended by itself and is started again");
        let Some(next) = place.start_again(&mut stopped).await else { return };
        server = next;
        tracing::info!("the private Postgres is back");
    }
}

/// Starts the server and makes the database; `None` when told to stop before that was done.
async fn first_start(
    settings: &ClusterSettings,
    stopped: &mut oneshot::Receiver<()>,
) -> Result<Option<(Place, Server)>, PostgresError> {
    let place = tokio::select! {
        place = Place::prepare(settings) => place?,
        _ = &mut *stopped => return Ok(None),
    };
    let begin = Instant::now();
    let mut server = loop {
        match place.start(stopped).await {
            Ok(Some(server)) => break server,
            Ok(None) => return Ok(None),
            Err(PostgresError::Program { .. }) if begin.elapsed() < RETRY_DEADLINE => {
                sleep(FIRST_PAUSE).await
            }
            Err(error) => return Err(error),
        }
    };
    if let Err(error) = place.create_database().await {
        server.stop().await;
        return Err(PostgresError::Database(error));
    }
    Ok(Some((place, server)))
}

impl Place {
    /// Finds or makes everything that the server needs.
    async fn prepare(settings: &ClusterSettings) -> Result<Self, PostgresError> {
        let directory = &settings.directory;
        directory::check_length(directory)?;
        let owner = Owner::determine()?;
        let lock = Lock::take(directory)?;
        owner.prepare(directory)?;
        let data = directory::data(directory);
        let version = directory::version(&data)?;
        let binaries = binaries::choose(&binaries::installed(), &data, version)?;
        let place = Self { settings: settings.clone(), owner, binaries, _lock: lock };
        if version.is_none() {
            place.make_data().await?;
        }
        Ok(place)
    }

    /// Makes the data directory, whole or not at all.
    async fn make_data(&self) -> Result<(), PostgresError> {
        let directory = &self.settings.directory;
        let (data, new) = (directory::data(directory), directory::new_data(directory));
        match std::fs::remove_dir_all(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(PostgresError::file("remove", &new, error));
            }
            Ok(()) | Err(_) => {}
        }
        let failed = |reason: String| PostgresError::Program { program: "initdb", reason };
        let mut initdb = self.owner.command(&self.binaries.directory.join("initdb"), "KILL");
        initdb.arg("-D").arg(&new).args(["-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8"]);
        initdb.args(["--auth-local=trust", "--auth-host=reject"]);
        if self.settings.durability == Durability::Disposable {
            initdb.arg("--no-sync");
        }
        let output = initdb.kill_on_drop(true).stdin(Stdio::null()).output().await;
        let output = output.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(last_line(&String::from_utf8_lossy(&output.stderr), output.status)));
        }
        std::fs::rename(&new, &data).map_err(|source| PostgresError::file("rename", &new, source))
    }

    /// Starts the server and waits until it answers; `None` when told to stop before.
    async fn start(&self, stopped: &mut oneshot::Receiver<()>) -> Result<Option<Server>, PostgresError> {
        tokio::select! {
            cleared = self.clear_residue() => cleared?,
            _ = &mut *stopped => return Ok(None),
        }
        let mut server = self.spawn()?;
        let ready = tokio::select! {
            ready = self.until_ready(&mut server) => Some(ready),
            _ = stopped => None,
        };
        match ready {
            Some(Ok(())) => Ok(Some(server)),
            Some(Err(error)) => {
                server.stop().await;
                Err(error)
            }
            None => {
                server.stop().await;
                Ok(None)
            }
        }
    }

    /// Starts the server as often as it takes; `None` when told to stop before.
    async fn start_again(&self, stopped: &mut oneshot::Receiver<()>) -> Option<Server> {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::select! {
                () = sleep(pause) => {}
                _ = &mut *stopped => return None,
            }
            match self.start(stopped).await {
                Ok(server) => return server,
                Err(error) => tracing::error!(%error, "the private Postgres cannot be started again"),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn until_ready(&self, server: &mut Server) -> Result<(), PostgresError> {
        let begin = Instant::now();
        while self.connect().await.is_err() {
            if begin.elapsed() > START_DEADLINE {
                let last_line = server.last_line.borrow().clone();
                return Err(PostgresError::Silent { after: START_DEADLINE, last_line });
            }
            if let Some(status) = server.ended_within(PROBE_INTERVAL).await {
                let reason = last_line(&server.last_line.borrow(), status);
                return Err(PostgresError::Program { program: "postgres", reason });
            }
        }
        Ok(())
    }

    fn spawn(&self) -> Result<Server, PostgresError> {
        let directory = &self.settings.directory;
        let mut command = self.owner.command(&self.binaries.directory.join("postgres"), "INT");
        command.arg("-D").arg(directory::data(directory)).arg("-k").arg(directory);
        command.args(["-p", &super::PORT.to_string()]);
        for setting in self.server_settings() {
            command.args(["-c", &setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command
            .spawn()
            .map_err(|error| PostgresError::Program { program: "setpriv", reason: error.to_string() })?;
        let (sender, last_line) = watch::channel(String::new());
        if let Some(log) = process.stderr.take() {
            tokio::spawn(pass_on(log, sender));
        }
        Ok(Server { process, last_line })
    }

    fn server_settings(&self) -> Vec<String> {
        let mut settings = vec![
            "listen_addresses=".to_owned(),
            "unix_socket_permissions=0700".to_owned(),
            format!("max_connections={}", self.settings.max_connections),
            // What a statement got wrong is its sender's to log.
            "log_min_messages=fatal".to_owned(),
            "log_destination=stderr".to_owned(),
            "logging_collector=off".to_owned(),
            "log_line_prefix=".to_owned(),
            "lc_messages=C".to_owned(),
        ];
        match self.settings.durability {
            Durability::Durable => {}
            Durability::Disposable => settings.extend(
                ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=64MB"]
                    .map(str::to_owned),
            ),
        }
        settings
    }

    /// Ends or forgets the server of a controller that was killed.
    async fn clear_residue(&self) -> Result<(), PostgresError> {
        let data = directory::data(&self.settings.directory);
        let begin = Instant::now();
        loop {
            match directory::residue(&data) {
                Residue::None => return Ok(()),
                Residue::Reused => return directory::forget_server(&data),
                Residue::Orphan(pid) if begin.elapsed() > FAST_SHUTDOWN + IMMEDIATE_SHUTDOWN => {
                    let reason = format!("process {pid} of a controller that is no more does not end");
                    return Err(PostgresError::Program { program: "postgres", reason });
                }
                Residue::Orphan(pid) if begin.elapsed() > FAST_SHUTDOWN => signal(pid, Signal::SIGQUIT),
                // Its parent's death has told it already, unless it had only just been started then.
                Residue::Orphan(pid) => signal(pid, Signal::SIGINT),
            }
            sleep(PROBE_INTERVAL).await;
        }
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let options = super::options(&self.settings.directory, MAINTENANCE_DATABASE);
        let attempt = timeout(PROBE_TIMEOUT, PgConnection::connect_with(&options)).await;
        attempt.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn create_database(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.connect().await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            let create = format!("CREATE DATABASE {DATABASE}");
            connection.execute(sqlx::raw_sql(AssertSqlSafe(create))).await?;
        }
        connection.close().await
    }
}

impl Server {
    /// Waits for the process's end, but no longer than that.
    async fn ended_within(&mut self, limit: Duration) -> Option<std::process::ExitStatus> {
        timeout(limit, self.process.wait()).await.ok().and_then(Result::ok)
    }

    /// Ends the server: with all data written, or at least surely.
    async fn stop(&mut self) {
        for (how, limit) in [(Signal::SIGINT, FAST_SHUTDOWN), (Signal::SIGQUIT, IMMEDIATE_SHUTDOWN)] {
            let Some(pid) = self.process.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
            signal(Pid::from_raw(pid), how);
            if self.ended_within(limit).await.is_some() {
                return;
            }
        }
        tracing::error!("the private Postgres does not end and is killed; its next start will take longer");
        // It fails only for a process that has ended.
        let _ = self.process.kill().await;
    }
}

/// Signals a process that may be about to end already.
fn signal(pid: Pid, signal: Signal) {
    let _ = kill(pid, signal);
}

/// Passes the server's log on, and remembers the last thing it said.
async fn pass_on(log: ChildStderr, last: watch::Sender<String>) {
    let mut lines = BufReader::new(log).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tracing::debug!(line, "the private Postgres says");
        if !line.is_empty() && !CONTINUATIONS.iter().any(|start| line.starts_with(start)) {
            last.send_replace(line);
        }
    }
}

/// The last line of what a program said, or at least how it ended.
fn last_line(said: &str, status: std::process::ExitStatus) -> String {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.next_back().map_or_else(|| status.to_string(), str::to_owned)
}
