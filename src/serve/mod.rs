//! `pinhole serve`: puts the controller's parts together, and takes them apart again in the right order.

mod database;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use pinhole::app::AppState;
use pinhole::app::bootstrap::FirstLogin;
use pinhole::clock::SystemClock;
use pinhole::http::{self, Gate};
use pinhole::store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::database::Database;
use crate::settings::{DatabaseSettings, ServeSettings};
use crate::{print, secret_file};

/// How long requests that are under way may take when the controller ends.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the controller until a signal says that it is enough.
pub(crate) async fn run(settings: &ServeSettings) -> anyhow::Result<()> {
    // Before anything is started, so that a signal that comes early is not lost.
    let mut signals = Signals::new()?;
    let listeners = Listeners::bind(settings).await?;
    let database = tokio::select! {
        database = Database::open(&settings.database) => database?,
        () = signals.received() => return Ok(()),
    };
    let outcome = serve(settings, listeners, &database, &mut signals).await;
    database.close().await;
    outcome
}

/// Brings the database's schema up to date.
pub(crate) async fn migrate(settings: &DatabaseSettings) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let database = tokio::select! {
        database = Database::open(settings) => database?,
        () = signals.received() => anyhow::bail!("interrupted"),
    };
    let outcome = tokio::select! {
        migrated = database.migrate() => migrated,
        () = signals.received() => Err(anyhow::anyhow!("interrupted")),
    };
    database.close().await;
    outcome
}

async fn serve(
    settings: &ServeSettings,
    listeners: Listeners,
    database: &Database,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let (stop, stopped) = watch::channel(false);
    let store = Store::connect_lazily(database.options.clone());
    let gate = Gate::default();
    let mut servers = JoinSet::new();
    let ready_line = listeners.ready_line();
    // Held, so that its address is this controller's; nobody is let in yet.
    let _grpc = listeners.grpc;
    let (router, closing) = (gate.router(), until(stopped.clone()));
    servers.spawn(async move {
        axum::serve(listeners.http, router).with_graceful_shutdown(closing).await.context("the REST API")
    });

    let outcome = tokio::select! {
        outcome = work(settings, database, store, &gate, &ready_line) => outcome,
        ended = servers.join_next() => ended.context("a server ended by itself").and_then(|ended| ended?),
        () = signals.received() => Ok(()),
    };
    stop.send_replace(true);
    let drained = timeout(DRAIN_TIMEOUT, async { while servers.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!("requests that took too long were cut off");
    }
    outcome
}

/// Everything that needs the database; ends only when something is wrong.
async fn work(
    settings: &ServeSettings,
    database: &Database,
    store: Store,
    gate: &Gate,
    ready_line: &str,
) -> anyhow::Result<()> {
    let announce = |login: &FirstLogin| announce(login, settings.first_login_file.as_deref());
    let started = database.prepare(&store, announce).await?;
    let state = AppState::new(store, Arc::new(SystemClock), started.keys)?;
    gate.open(http::router(state));
    print(ready_line)?;
    std::future::pending().await
}

/// Hands out the first login.
fn announce(login: &FirstLogin, file: Option<&Path>) -> std::io::Result<()> {
    let (username, password) = (&login.username, login.password.reveal());
    match file {
        Some(file) => secret_file::write(file, &format!("username={username}\npassword={password}\n")),
        None => print(&format!("login username={username} password={password}\n")),
    }
}

/// What the controller listens on.
#[derive(Debug)]
struct Listeners {
    http: TcpListener,
    grpc: TcpListener,
    http_address: SocketAddr,
    grpc_address: SocketAddr,
}

impl Listeners {
    async fn bind(settings: &ServeSettings) -> anyhow::Result<Self> {
        let bind = async |address: SocketAddr| {
            let listener = TcpListener::bind(address).await;
            listener.with_context(|| format!("cannot listen on {address}"))
        };
        let (http, grpc) = (bind(settings.listen).await?, bind(settings.grpc_listen).await?);
        let (http_address, grpc_address) = (http.local_addr()?, grpc.local_addr()?);
        Ok(Self { http, grpc, http_address, grpc_address })
    }

    fn ready_line(&self) -> String {
        format!("ready http=http://{} grpc=http://{}\n", self.http_address, self.grpc_address)
    }
}

/// The signals that end the program.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits until the value is true or the sender is gone.
async fn until(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
