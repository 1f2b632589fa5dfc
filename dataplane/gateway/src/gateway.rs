//! The gateway as its callers see it.

use std::sync::Arc;
use std::thread::JoinHandle;

use pinhole_proto::v1;
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::sync::{oneshot, watch};

use crate::config::Config;
use crate::control::{self, Control};
use crate::datapath::worker::WorkerHandle;
use crate::events::{self, EventReceiver};
use crate::export::Exports;
use crate::host::lock::Lock;
use crate::host::setup::HostError;
use crate::live;
use crate::local;
use crate::options::{ConfigSource, ControllerOptions, GatewayOptions, Link, Running, Status};
use crate::store::{Store, Stored};
use crate::supervisor::{self, ApplyError, Setup, StartError, Started, SupervisorHandle};
use crate::trust::Keeper;

/// At most this many events are logged at once where there is no controller to send them to.
const EVENT_BATCH: usize = 128;

/// A running gateway. Dropping it restores the host, too, but cannot say whether that went well; prefer
/// [`Self::shutdown`].
#[derive(Debug)]
pub struct Gateway {
    supervisor: SupervisorHandle,
    worker: WorkerHandle,
    status: Arc<watch::Sender<Status>>,
    exports: Exports,
    thread: Option<JoinHandle<()>>,
    control: Option<(oneshot::Sender<()>, tokio::task::JoinHandle<()>)>,
    _local: Option<local::Server>,
    _state_lock: Option<Lock>,
}

/// Why a gateway did not end cleanly.
#[derive(Debug, thiserror::Error)]
pub enum ShutdownError {
    /// Something on the host could not be restored; the journal keeps it for the next start.
    #[error("the host could not be restored completely: {0}")]
    Host(#[from] HostError),
    /// The gateway's threads had ended before; the journal keeps what they did for the next start.
    #[error("the gateway had ended by itself before")]
    Ended,
}

impl Gateway {
    /// Starts a gateway in the namespace of `options`; must be called in a tokio runtime, where the control
    /// stream then lives. With a fixed configuration, traffic flows when this returns; with a controller, once
    /// it or the disk has given a configuration (see [`Self::watch`]).
    pub async fn start(options: GatewayOptions) -> Result<Self, StartError> {
        let (event_sender, event_receiver) = events::channel();
        let status = Arc::new(watch::Sender::new(Status::default()));
        let exports = Exports::new();
        // What can fail without touching the host comes first.
        let prepared = match options.source {
            ConfigSource::Fixed(config) => Prepared::Fixed(config),
            ConfigSource::Controller(controller) => {
                let endpoint = Box::new(control::endpoint(&controller.endpoint)?);
                let store = Store::open(&controller.state_dir)?;
                let lock = Lock::take(&controller.state_dir.join("lock"), "this state directory")?;
                Prepared::Controller { controller, endpoint, store, lock }
            }
        };
        let Started { handle: supervisor, worker, identity, thread } = supervisor::start(Setup {
            namespace: options.namespace,
            run_dir: options.run_dir.clone(),
            events: event_sender,
            exports: exports.clone(),
            status: Arc::clone(&status),
        })
        .await?;
        let local = local::Server::start(&options.run_dir, &identity, worker.clone(), Arc::clone(&status));
        // Traffic matters more than being asked about it.
        let local = local
            .inspect_err(|error| tracing::warn!(%error, "this gateway cannot be asked on its own host"))
            .ok();
        let mut gateway = Self {
            supervisor,
            worker,
            status,
            exports,
            thread: Some(thread),
            control: None,
            _local: local,
            _state_lock: None,
        };
        match prepared {
            Prepared::Fixed(config) => {
                gateway.supervisor.apply(*config, Running::Fixed).await?;
                tokio::spawn(log_events(event_receiver));
            }
            Prepared::Controller { controller, endpoint, store, lock } => {
                gateway._state_lock = Some(lock);
                gateway.start_from_disk(&store).await?;
                gateway.start_control(controller, *endpoint, store, event_receiver);
            }
        }
        Ok(gateway)
    }

    /// Enforces the last good configuration, if there is one. That it cannot be enforced does not stop the start:
    /// the controller may know better, and an interface may still come.
    async fn start_from_disk(&self, store: &Store) -> Result<(), StartError> {
        let message = match store.load()? {
            Stored::Config(message) => message,
            Stored::Absent => {
                self.supervisor.release().await?;
                return Ok(());
            }
            Stored::Damaged { damage, aside } => {
                tracing::error!(
                    %damage,
                    file = %aside.display(),
                    "the stored configuration is damaged and was set aside; this gateway waits for its controller"
                );
                let fault = format!("the stored configuration was damaged: {damage}");
                self.status.send_modify(|status| status.fault = Some(fault));
                self.supervisor.release().await?;
                return Ok(());
            }
        };
        let outcome = match control::session::open(&message) {
            Ok((config, running)) => {
                let applied = self.supervisor.apply_persistently(config, Running::Revision(running)).await;
                applied.map_err(|error| error.to_string())
            }
            Err(reason) => Err(reason),
        };
        match outcome {
            Ok(()) => {
                tracing::info!(
                    revision = message.revision_id,
                    "enforces the last good configuration from disk"
                );
            }
            Err(reason) => {
                tracing::error!(reason, "the last good configuration cannot be enforced now");
                self.status.send_modify(|status| status.fault = Some(reason));
            }
        }
        Ok(())
    }

    fn start_control(
        &mut self,
        options: ControllerOptions,
        endpoint: tonic::transport::Endpoint,
        store: Store,
        events: EventReceiver,
    ) {
        let mut random: StdRng = rand::make_rng();
        let instance_id = format!("{:032x}", random.random::<u128>());
        self.status.send_modify(|status| status.link = Link::Disconnected);
        let keeper = Keeper::new(&options.state_dir);
        let control = Control {
            options,
            store,
            supervisor: self.supervisor.clone(),
            worker: self.worker.clone(),
            events,
            status: Arc::clone(&self.status),
            instance_id,
            keeper,
            refused_token: None,
        };
        let (stop, stopped) = oneshot::channel();
        self.control = Some((stop, tokio::spawn(control.run(endpoint, random, stopped))));
    }

    /// Replaces the configuration, whole or not at all.
    pub async fn apply(&self, config: Config) -> Result<(), ApplyError> {
        self.supervisor.apply(config, Running::Fixed).await
    }

    /// Returns the state now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Returns a receiver of all later states; it is closed when the gateway has ended by itself.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Returns the datapath's counters, `None` when it has ended.
    pub async fn counters(&self) -> Option<v1::Counters> {
        self.worker.counters().await
    }

    /// Answers a question about what there is now, or ends something.
    pub async fn inquire(&self, inquiry: v1::Inquiry) -> v1::Findings {
        live::answer(&self.worker, inquiry).await
    }

    /// Ends the control stream and the datapath and restores the host.
    pub async fn shutdown(mut self) -> Result<(), ShutdownError> {
        if let Some((stop, task)) = self.control.take() {
            drop(stop);
            // It can only have panicked, which has been said.
            let _ = task.await;
        }
        let Some(outcome) = self.supervisor.shutdown() else { return Err(ShutdownError::Ended) };
        let outcome = outcome.await.map_err(|_| ShutdownError::Ended)?;
        if let Some(thread) = self.thread.take() {
            // Its last act was the answer, so this does not block.
            let _ = thread.join();
        }
        self.exports.finish().await;
        Ok(outcome?)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = self.supervisor.shutdown();
            let _ = thread.join();
        }
    }
}

enum Prepared {
    Fixed(Box<Config>),
    Controller {
        controller: ControllerOptions,
        endpoint: Box<tonic::transport::Endpoint>,
        store: Store,
        lock: Lock,
    },
}

/// Tells the log what would be told to a controller.
async fn log_events(mut events: EventReceiver) {
    loop {
        let batch = events.take(EVENT_BATCH).await;
        if batch.events.is_empty() {
            return;
        }
        for event in batch.events.iter().filter_map(|event| event.event.as_ref()) {
            tracing::debug!(?event, "event");
        }
        if batch.lost > 0 {
            tracing::debug!(lost = batch.lost, "events came too fast");
        }
    }
}
