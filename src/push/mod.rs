//! Gives gateways what they should run. A gateway opens a stream and says what it runs; the database says what it
//! should run; a [`reconciler`] compares the two, for what has changed whenever it is woken and for all streams at
//! least every few seconds, and each [`stream`] sends what is missing. What streams ask of the database is gathered
//! ([`batch`]), so that it costs little more for ten thousand than for one.
//!
//! A notice (LISTEN/NOTIFY) only makes it faster: it carries nothing, and may get lost. Any replica may hold any
//! gateway; the newest stream of an appliance counts. What was decided (applied, rejected) is written once and then
//! stays; that an answer was not written, because the database or this program was away, is healed by asking again.

mod batch;
mod end;
mod enrolment;
mod event;
mod journal;
mod limits;
mod listener;
pub mod live;
mod message;
mod reconciler;
mod registry;
mod service;
mod signals;
mod statements;
mod stream;
mod text;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use pinhole_proto::v1::gateway_control_server::GatewayControlServer;
use pinhole_proto::v1::gateway_enrolment_server::GatewayEnrolmentServer;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::transport::Server;

use self::enrolment::Enrolment;
use self::service::Service;
use self::statements::{Desk, Queues};
use crate::access::authority::Authority;
use crate::clock::SharedClock;
use crate::error::{Error, Result};
use crate::ids::ReplicaId;
use crate::store::Store;
use crate::store::tx::SystemTx;

pub use self::event::{Counters, Event, EventKind, Flow, PortBlock};
pub use self::journal::{CounterReading, EventPage};
pub use self::registry::Registry;
pub use self::signals::{News, Signals};

/// What the push is run with.
#[derive(Debug, Clone, Copy)]
pub struct PushSettings {
    /// How often gateways are to send heartbeats.
    pub heartbeat_interval: Duration,
    /// How often the database is asked though nothing was heard.
    pub poll_interval: Duration,
    /// How long the certificates of gateways are good for. They renew them when a third of that is left.
    pub certificate_lifetime: Duration,
    /// How long a gateway may take for its first message.
    pub hello_timeout: Duration,
    /// How long a gateway may take to answer a configuration.
    pub answer_timeout: Duration,
    /// How long a message to a gateway may wait before the stream counts as broken.
    pub send_timeout: Duration,
}

impl PushSettings {
    /// Settings with that heartbeat interval and that lifetime of certificates.
    #[must_use]
    pub fn new(heartbeat_interval: Duration, certificate_lifetime: Duration) -> Self {
        Self {
            heartbeat_interval,
            poll_interval: limits::POLL_INTERVAL,
            certificate_lifetime,
            hello_timeout: limits::HELLO_TIMEOUT,
            answer_timeout: limits::ANSWER_TIMEOUT,
            send_timeout: limits::SEND_TIMEOUT,
        }
    }
}

/// Why gateways are not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The server failed.
    #[error(transparent)]
    Transport(#[from] tonic::transport::Error),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The clients' certificates cannot be checked.
    #[error("TLS: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// The push, before it serves.
pub struct Push {
    core: Core,
    desk: Desk,
}

/// What all parts of the push work with. Cheap to clone.
#[derive(Debug, Clone)]
struct Core {
    /// Names this process to the others.
    replica: ReplicaId,
    store: Store,
    clock: SharedClock,
    authority: Authority,
    registry: Registry,
    signals: Signals,
    settings: PushSettings,
    queues: Queues,
    enrolments: Arc<Semaphore>,
    /// How many streams there are, from their first message to the last word about them in the database.
    alive: Arc<watch::Sender<usize>>,
}

impl Push {
    /// A push that holds its streams in `registry` and is woken by `signals`.
    #[must_use]
    pub fn new(
        store: Store,
        clock: SharedClock,
        authority: Authority,
        registry: Registry,
        signals: Signals,
        settings: PushSettings,
    ) -> Self {
        let (queues, desk) = statements::queues();
        let core = Core {
            replica: ReplicaId::generate(),
            store,
            clock,
            authority,
            registry,
            signals,
            settings,
            queues,
            enrolments: Arc::new(Semaphore::new(limits::MAX_ENROLMENTS)),
            alive: Arc::new(watch::Sender::new(0)),
        };
        Self { core, desk }
    }

    /// Serves gateways until `stop` is done, then ends their streams and says so in the database.
    ///
    /// # Errors
    /// The server failed, or its certificate cannot be made.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        let Self { core, desk } = self;
        let tls = tls::config(&core.authority, &core.clock)?;
        let mut helpers = JoinSet::new();
        desk.serve(&core, &mut helpers);
        helpers.spawn(reconciler::follow(core.clone()));
        helpers.spawn(reconciler::sweep(core.clone()));
        helpers.spawn(live::desk::serve(core.clone()));
        helpers.spawn(listener::run(core.store.clone(), core.signals.clone()));
        let service = GatewayControlServer::new(Service::new(core.clone()))
            .max_decoding_message_size(limits::MAX_MESSAGE_BYTES);
        let server = Server::builder()
            .http2_keepalive_interval(Some(limits::KEEP_ALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(limits::KEEP_ALIVE_TIMEOUT))
            .http2_max_header_list_size(limits::MAX_HEADER_BYTES)
            .max_concurrent_streams(limits::MAX_REQUESTS_PER_CONNECTION)
            .add_service(service)
            .add_service(
                GatewayEnrolmentServer::new(Enrolment::new(core.clone()))
                    .max_decoding_message_size(limits::MAX_ENROLMENT_BYTES),
            );
        let incoming = tls::accept(listener, tls);
        let (close, closed) = oneshot::channel::<()>();
        let closed = async {
            // Nothing is ever sent: the channel closes.
            let _ = closed.await;
        };
        let serving = server.serve_with_incoming_shutdown(incoming, closed);
        tokio::pin!(serving);
        tokio::select! {
            outcome = &mut serving => return Ok(outcome?),
            () = stop => {}
        }
        core.registry.close();
        drop(close);
        let mut alive = core.alive.subscribe();
        let ended = async {
            let outcome = serving.await;
            // The sender is in `core`, so this only ends with the last stream.
            let _ = alive.wait_for(|alive| *alive == 0).await;
            outcome
        };
        match timeout(limits::END_TIMEOUT, ended).await {
            Ok(outcome) => Ok(outcome?),
            Err(_) => {
                tracing::warn!("not all gateways could be told that the controller ends; they will notice");
                Ok(())
            }
        }
    }
}

impl std::fmt::Debug for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Push").field("core", &self.core).finish_non_exhaustive()
    }
}

impl Core {
    /// Does something in the database that is about enrolment, when it is its turn.
    async fn enrolment<T>(&self, work: impl AsyncFnOnce(&mut SystemTx) -> Result<T>) -> Result<T> {
        let attempt = async {
            let _turn =
                self.enrolments.acquire().await.map_err(|error| Error::Internal(error.to_string()))?;
            self.transaction(work).await
        };
        timeout(limits::DATABASE_TIMEOUT, attempt).await.unwrap_or_else(|_| Err(took_too_long()))
    }

    async fn transaction<T>(&self, work: impl AsyncFnOnce(&mut SystemTx) -> Result<T>) -> Result<T> {
        let mut tx = self.store.system_tx().await?;
        let done = work(&mut tx).await?;
        tx.commit().await?;
        Ok(done)
    }
}

fn took_too_long() -> Error {
    Error::Unavailable("the database took too long".to_owned())
}
