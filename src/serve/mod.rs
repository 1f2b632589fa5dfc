//! `pinhole serve`: puts the controller's parts together, and takes them apart again in the right order.

pub(crate) mod database;
mod embedded;
mod https;
mod secret_key;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use pinhole::access::seal::SecretKey;
use pinhole::app::AppState;
use pinhole::app::bootstrap::FirstLogin;
use pinhole::app::keys::{self, Rotation};
use pinhole::clock::SystemClock;
use pinhole::http::{self, Gate};
use pinhole::oidc::{self, PublicUrl, RelyingParty};
use pinhole::push::{Push, PushSettings};
use pinhole::store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use self::database::Database;
use self::embedded::Embedded;
use self::https::{Certificate, Files, Https};
use crate::settings::{DatabaseSettings, KeySettings, ServeSettings};
use crate::{print, secret_file};

/// How long requests that are under way may take when the controller ends.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the controller until a signal says that it is enough.
pub(crate) async fn run(settings: &ServeSettings) -> anyhow::Result<()> {
    // Before anything is started, so that a signal that comes early is not lost.
    let mut signals = Signals::new()?;
    raise_open_files();
    let listeners = Listeners::bind(settings).await?;
    let database = tokio::select! {
        database = Database::open(&settings.database) => database?,
        () = signals.received() => return Ok(()),
    };
    let outcome = serve(settings, listeners, &database, &mut signals).await;
    database.close().await;
    outcome
}

/// Raises the limit of open files as far as this process may: each gateway and each client is one.
fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok(hard)
    });
    match raised {
        Ok(limit) => tracing::debug!(limit, "so many files may be open"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
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

/// Makes another key for access tokens, which controllers that run find out by themselves.
pub(crate) async fn rotate_keys(settings: &KeySettings) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let database = tokio::select! {
        database = Database::open(&settings.database) => database?,
        () = signals.received() => anyhow::bail!("interrupted"),
    };
    let rotate = async {
        let secret_key = secret_key::find(&settings.secret_key, &settings.database)?;
        let store = Store::connect_lazily(database.options.clone());
        database.migrate().await?;
        let stored = keys::rotate(&store, &SystemClock, &secret_key, Rotation::Now).await?;
        let newest = stored.first().context("there is no key")?;
        print(&format!("rotated key={}\n", newest.kid))?;
        Ok(())
    };
    let outcome = tokio::select! {
        outcome = rotate => outcome,
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
    let data_dir = settings.database.data_dir()?;
    let (ready_line, grpc_address) = (listeners.ready_line(), listeners.grpc_address);
    let issuer = listeners.issuer(settings)?;
    let gateway_url = listeners.gateway_url(settings);
    let (stop_http, http_stopped) = stop_channel();
    let (stop_push, push_stopped) = stop_channel();
    let gate = Gate::default();
    let mut servers = JoinSet::new();
    let mut helpers = JoinSet::new();
    match listeners.certificate {
        None => {
            let router = gate.router().into_make_service_with_connect_info::<SocketAddr>();
            let server = axum::serve(listeners.http, router).with_graceful_shutdown(http_stopped);
            servers.spawn(async move { server.await.context("the REST API failed") });
        }
        Some(certificate) => {
            let router = https::secured(gate.router()).into_make_service_with_connect_info::<https::Peer>();
            let https = Https::accept(listeners.http, &certificate)?;
            let server = axum::serve(https, router).with_graceful_shutdown(http_stopped);
            servers.spawn(async move { server.await.context("the REST API failed") });
            servers.spawn(async move { certificate.keep().await.context("no signals") });
        }
    }

    let (state, secret_key) = tokio::select! {
        state = prepare(settings, database, gateway_url, issuer) => state?,
        ended = servers.join_next() => return fault(ended),
        () = signals.received() => return Ok(()),
    };
    let push = Push::new(
        state.store.clone(),
        state.clock.clone(),
        state.authority.clone(),
        state.gateways.clone(),
        state.signals.clone(),
        PushSettings::new(settings.heartbeat_interval, settings.certificate_lifetime),
    );
    servers.spawn(async move {
        push.serve(listeners.grpc, push_stopped).await.context("the listener for gateways failed")
    });
    let (store, clock, keys) = (state.store.clone(), state.clock.clone(), state.keys.clone());
    helpers.spawn(keys::keep(store, clock, secret_key, keys));
    gate.open(http::router(state.clone()));
    let embedded = Embedded::start(&state, &settings.embedded, &data_dir, grpc_address).await;
    print(&ready_line)?;

    let outcome = tokio::select! {
        ended = servers.join_next() => fault(ended),
        () = signals.received() => Ok(()),
    };
    drop(stop_http);
    state.signals.close();
    embedded.stop().await;
    drop(stop_push);
    let drained = timeout(DRAIN_TIMEOUT, async { while servers.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!("requests that took too long were cut off");
    }
    outcome
}

/// Waits for the database and makes what needs it.
async fn prepare(
    settings: &ServeSettings,
    database: &Database,
    gateway_url: String,
    issuer: Option<(oidc::Settings, PublicUrl)>,
) -> anyhow::Result<(AppState, SecretKey)> {
    let store = Store::connect_lazily(database.options.clone());
    let announce = |login: &FirstLogin| announce(login, settings.first_login_file.as_deref());
    let secret_key = secret_key::find(&settings.secret_key, &settings.database)?;
    let started = database.prepare(&store, &secret_key, announce).await?;
    let mut state = AppState::new(store, Arc::new(SystemClock), started.keys, started.authority)?;
    state.gateway_url = gateway_url.into();
    state.rate_limit = NonZeroU32::new(settings.rate_limit);
    let party = issuer.map(|(issuer, origin)| RelyingParty::new(issuer, origin, &secret_key)).transpose();
    state.oidc = party.context("the issuer cannot be used")?;
    state.trusted_proxies = settings.trusted_proxies.clone().into();
    Ok((state, secret_key))
}

/// A server that ended by itself.
fn fault(ended: Option<Result<anyhow::Result<()>, JoinError>>) -> anyhow::Result<()> {
    ended.context("no server runs")???;
    anyhow::bail!("a server ended by itself")
}

/// What is dropped to stop something, and what that waits for.
fn stop_channel() -> (oneshot::Sender<()>, impl Future<Output = ()> + Send + 'static) {
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        // Nothing is ever sent: the channel closes.
        let _ = stopped.await;
    };
    (stop, stopped)
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
    /// What the REST API presents, unless it does without TLS.
    certificate: Option<Certificate>,
}

impl Listeners {
    async fn bind(settings: &ServeSettings) -> anyhow::Result<Self> {
        let bind = async |address: SocketAddr| {
            let listener = TcpListener::bind(address).await;
            listener.with_context(|| format!("cannot listen on {address}"))
        };
        let (http, grpc) = (bind(settings.listen).await?, bind(settings.grpc_listen).await?);
        let (http_address, grpc_address) = (http.local_addr()?, grpc.local_addr()?);
        let files = settings.tls_certificate.clone().zip(settings.tls_key.clone());
        let load = |(certificate, key)| Certificate::load(Files { certificate, key });
        let certificate = files.map(load).transpose()?;
        Ok(Self { http, grpc, http_address, grpc_address, certificate })
    }

    /// What gateways are told to connect to.
    fn gateway_url(&self, settings: &ServeSettings) -> String {
        settings
            .grpc_url
            .clone()
            .unwrap_or_else(|| format!("https://{}", embedded::reachable(self.grpc_address)))
    }

    /// The issuer to sign in with, if there is one, and where it sends browsers back to.
    fn issuer(&self, settings: &ServeSettings) -> anyhow::Result<Option<(oidc::Settings, PublicUrl)>> {
        let Some(file) = &settings.oidc else { return Ok(None) };
        let issuer = oidc::Settings::load(file).context("PINHOLE_OIDC")?;
        let here = || format!("{}://{}", self.scheme(), embedded::reachable(self.http_address));
        let url = settings.public_url.clone().unwrap_or_else(here);
        Ok(Some((issuer, PublicUrl::parse(&url).context("PINHOLE_PUBLIC_URL")?)))
    }

    fn scheme(&self) -> &'static str {
        if self.certificate.is_some() { "https" } else { "http" }
    }

    fn ready_line(&self) -> String {
        let scheme = self.scheme();
        format!("ready http={scheme}://{} grpc=https://{}\n", self.http_address, self.grpc_address)
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
