//! The thread that owns the host: applies configurations whole or not at all, watches interfaces and addresses,
//! and restores everything in the end. It lives in the datapath's network namespace, as does the worker.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::{oneshot, watch};

use crate::config::Config;
use crate::datapath::compile::{self, CompileError};
use crate::datapath::tun::{TunDevice, TunError};
use crate::datapath::wake::Bell;
use crate::datapath::worker::{Enforcement, Worker, WorkerError, WorkerHandle};
use crate::datapath::{INSIDE_TUN, OUTSIDE_TUN, QUEUES};
use crate::events::EventSender;
use crate::export::Exports;
use crate::host::addresses::{self, Monitor};
use crate::host::command::{CommandError, Program, run};
use crate::host::journal::{Journal, JournalError};
use crate::host::lock::{Lock, LockError};
use crate::host::namespace::{self, NamespaceError};
use crate::host::plan::{self, HostFacts, Plan};
use crate::host::setup::{HostError, HostSetup};
use crate::host::sysctl::{self, SysctlError};
use crate::options::{NetworkNamespace, Running, Status};
use crate::pcp::{Epoch, Pcp, Wanted};

/// Settings of the TUN devices; they end with the devices, so nothing has to be restored.
const TUN_SETTINGS: [(&str, &str); 3] = [
    // What the gateway writes is routed by the kernel.
    ("forwarding", "1"),
    // Translated packets may have an address of the host as their source.
    ("accept_local", "1"),
    // The way back to a packet's source leads through another interface.
    ("rp_filter", "0"),
];

/// `IN6_ADDR_GEN_MODE_NONE` of include/uapi/linux/if_link.h.
const NO_ADDRESS: &str = "1";

/// What is asked of the supervisor.
#[derive(Debug)]
pub(crate) enum Command {
    /// Enforce this configuration instead of what is enforced now.
    Apply {
        /// The configuration.
        config: Box<Config>,
        /// Its name.
        running: Running,
        /// The outcome; on failure everything is as it was.
        reply: oneshot::Sender<Result<(), ApplyError>>,
    },
    /// Enforce this configuration, now or as soon as the host lets it, unless another comes before.
    ApplyPersistently {
        /// The configuration.
        config: Box<Config>,
        /// Its name.
        running: Running,
        /// The outcome of the first attempt.
        reply: oneshot::Sender<Result<(), ApplyError>>,
    },
    /// Undo what an earlier process has left, as there is no configuration to take it over.
    Release {
        /// The outcome.
        reply: oneshot::Sender<Result<(), ApplyError>>,
    },
    /// Restore the host and end.
    Shutdown {
        /// The outcome.
        reply: oneshot::Sender<Result<(), HostError>>,
    },
}

/// Why a configuration could not be enforced; its text is the reason of a NACK.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It does not fit this host, or the engine refuses it.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The host could not be set up.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The datapath refused it.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The gateway is shutting down.
    #[error("the gateway is shutting down")]
    Ended,
}

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its namespace cannot be used.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// Another gateway is there.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A TUN device cannot be made.
    #[error(transparent)]
    Tun(#[from] TunError),
    /// A TUN device cannot be set up.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A setting of a TUN device cannot be changed.
    #[error(transparent)]
    Setting(#[from] SysctlError),
    /// The journal cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A thread, an event file or a netlink socket cannot be made.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The last good configuration cannot be read or written.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The worker did not start.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The first configuration cannot be enforced.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The controller's address makes no sense.
    #[error("\"{0}\" is not a controller's URL such as https://192.0.2.1:7443")]
    Endpoint(String),
    /// The supervisor ended without a word.
    #[error("the gateway ended while it started")]
    Ended,
}

impl StartError {
    pub(crate) fn system(action: &'static str) -> impl FnOnce(nix::Error) -> Self {
        move |errno| Self::System { action, source: errno.into() }
    }
}

/// What the supervisor is started with.
pub(crate) struct Setup {
    pub(crate) namespace: NetworkNamespace,
    pub(crate) run_dir: PathBuf,
    pub(crate) events: EventSender,
    pub(crate) exports: Exports,
    pub(crate) status: Arc<watch::Sender<Status>>,
}

/// Talks to the supervisor; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct SupervisorHandle {
    commands: mpsc::Sender<Command>,
    bell: Arc<Bell>,
}

impl SupervisorHandle {
    /// Makes a channel to a supervisor, or to what stands in for one in tests.
    pub(crate) fn channel() -> nix::Result<(Self, mpsc::Receiver<Command>)> {
        let (commands, receiver) = mpsc::channel();
        Ok((Self { commands, bell: Arc::new(Bell::new()?) }, receiver))
    }

    fn send(&self, command: Command) -> Result<(), ApplyError> {
        self.commands.send(command).map_err(|_| ApplyError::Ended)?;
        self.bell.ring();
        Ok(())
    }

    /// Enforces a configuration, whole or not at all.
    pub(crate) async fn apply(&self, config: Config, running: Running) -> Result<(), ApplyError> {
        let (reply, outcome) = oneshot::channel();
        self.send(Command::Apply { config: Box::new(config), running, reply })?;
        outcome.await.map_err(|_| ApplyError::Ended)?
    }

    /// Enforces a configuration now, or when an interface that it needs has come.
    pub(crate) async fn apply_persistently(
        &self,
        config: Config,
        running: Running,
    ) -> Result<(), ApplyError> {
        let (reply, outcome) = oneshot::channel();
        self.send(Command::ApplyPersistently { config: Box::new(config), running, reply })?;
        outcome.await.map_err(|_| ApplyError::Ended)?
    }

    /// Undoes what an earlier process has left.
    pub(crate) async fn release(&self) -> Result<(), ApplyError> {
        let (reply, outcome) = oneshot::channel();
        self.send(Command::Release { reply })?;
        outcome.await.map_err(|_| ApplyError::Ended)?
    }

    /// Begins the shutdown; the receiver gets its outcome.
    pub(crate) fn shutdown(&self) -> Option<oneshot::Receiver<Result<(), HostError>>> {
        let (reply, outcome) = oneshot::channel();
        self.send(Command::Shutdown { reply }).ok().map(|()| outcome)
    }
}

/// A supervisor that has taken over the host.
pub(crate) struct Started {
    pub(crate) handle: SupervisorHandle,
    pub(crate) worker: WorkerHandle,
    /// The name of its namespace.
    pub(crate) identity: String,
    pub(crate) thread: JoinHandle<()>,
}

/// Starts the supervisor's thread and waits until it has taken over the host.
pub(crate) async fn start(setup: Setup) -> Result<Started, StartError> {
    let (handle, commands) = SupervisorHandle::channel().map_err(StartError::system("make an event file"))?;
    let bell = Arc::clone(&handle.bell);
    let (started, outcome) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("gateway-host".to_owned())
        .spawn(move || match Supervisor::open(setup, commands, bell) {
            Ok(mut supervisor) => {
                let known = (supervisor.worker.handle(), supervisor.identity.clone());
                if started.send(Ok(known)).is_ok() {
                    supervisor.run();
                }
            }
            Err(error) => drop(started.send(Err(error))),
        })
        .map_err(|source| StartError::System { action: "start a thread", source })?;
    let (worker, identity) = outcome.await.map_err(|_| StartError::Ended)??;
    Ok(Started { handle, worker, identity, thread })
}

/// What is enforced.
struct Enforced {
    config: Config,
    facts: HostFacts,
    plan: Plan,
}

struct Supervisor {
    commands: mpsc::Receiver<Command>,
    bell: Arc<Bell>,
    monitor: Monitor,
    host: HostSetup,
    worker: Worker,
    enforced: Option<Enforced>,
    /// What could not be enforced yet.
    pending: Option<(Config, Running)>,
    exports: Exports,
    pcp: Pcp,
    epoch: Epoch,
    status: Arc<watch::Sender<Status>>,
    /// The namespace's name.
    identity: String,
    _lock: Lock,
}

/// Whether the supervisor goes on.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Next {
    Continue,
    End,
}

impl Supervisor {
    fn open(setup: Setup, commands: mpsc::Receiver<Command>, bell: Arc<Bell>) -> Result<Self, StartError> {
        namespace::enter(&setup.namespace)?;
        let identity = namespace::identity()?;
        let lock = Lock::take(&setup.run_dir.join(format!("{identity}.lock")), "this network namespace")?;
        let inside = TunDevice::create(INSIDE_TUN, QUEUES)?;
        let outside = TunDevice::create(OUTSIDE_TUN, QUEUES)?;
        for device in [INSIDE_TUN, OUTSIDE_TUN] {
            set_up_device(device)?;
        }
        let journal = Journal::open(&setup.run_dir.join(format!("{identity}.json")))?;
        let monitor = Monitor::open().map_err(StartError::system("watch interfaces"))?;
        let worker = Worker::start(inside, outside, setup.events, Arc::clone(&bell))?;
        let host = HostSetup::new(journal);
        let (status, exports) = (setup.status, setup.exports);
        let (enforced, pending) = (None, None);
        Ok(Self {
            commands,
            bell,
            monitor,
            host,
            worker,
            enforced,
            pending,
            pcp: Pcp::new(exports.runtime()),
            epoch: Epoch::new(),
            exports,
            status,
            identity,
            _lock: lock,
        })
    }

    fn run(&mut self) {
        loop {
            let mut files = [
                PollFd::new(std::os::fd::AsFd::as_fd(self.bell.as_ref()), PollFlags::POLLIN),
                PollFd::new(std::os::fd::AsFd::as_fd(&self.monitor), PollFlags::POLLIN),
            ];
            match poll(&mut files, PollTimeout::NONE) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(errno) => {
                    tracing::error!(%errno, "cannot wait for commands: the gateway ends");
                    return;
                }
            }
            self.bell.silence();
            if self.worker.has_ended() {
                // The devices are gone with the worker and the filters drop: fails closed, as after a kill.
                tracing::error!(
                    "the datapath ended by itself; traffic is dropped until the gateway is restarted"
                );
                return;
            }
            while let Ok(command) = self.commands.try_recv() {
                if self.handle(command) == Next::End {
                    return;
                }
            }
            if self.monitor.drain() {
                self.refresh();
            }
        }
    }

    fn handle(&mut self, command: Command) -> Next {
        match command {
            Command::Apply { config, running, reply } => {
                // Nobody waits for it any more when this fails.
                let _ = reply.send(self.apply_and_tell(*config, running));
                Next::Continue
            }
            Command::ApplyPersistently { config, running, reply } => {
                let outcome = self.apply_and_tell((*config).clone(), running.clone());
                if outcome.is_err() {
                    self.pending = Some((*config, running));
                }
                let _ = reply.send(outcome);
                Next::Continue
            }
            Command::Release { reply } => {
                let _ = reply.send(self.host.trim(&Plan::default()).map_err(ApplyError::from));
                Next::Continue
            }
            Command::Shutdown { reply } => {
                let outcome = self.host.trim(&Plan::default());
                self.worker.stop();
                let outcome = outcome.and(remove_devices().map_err(HostError::from));
                let _ = reply.send(outcome);
                Next::End
            }
        }
    }

    fn apply_and_tell(&mut self, config: Config, running: Running) -> Result<(), ApplyError> {
        let outcome = self.apply(config);
        self.status.send_modify(|status| match &outcome {
            Ok(()) => {
                status.running = Some(running);
                status.fault = None;
            }
            Err(error) => status.fault = Some(error.to_string()),
        });
        outcome
    }

    /// Works out everything that a configuration wants, and changes nothing.
    fn prepare(&self, config: &Config) -> Result<(HostFacts, Plan, Enforcement), CompileError> {
        let facts = HostFacts::read(config)?;
        let snapshot = compile::snapshot(config, &facts)?;
        let plan = plan::make(config, &facts, self.host.journal())?;
        // Its other addresses the host has without the gateway's help, and only from their own side.
        let own = facts.shared(&config.pool);
        let enforcement = Enforcement {
            snapshot: Arc::new(snapshot),
            own,
            echo: config.host_echo,
            outlets: self.exports.outlets(&config.exports),
            leases: config.pcp.is_some(),
            epoch: self.epoch.clone(),
        };
        Ok((facts, plan, enforcement))
    }

    /// Enforces a configuration; on failure the host and the datapath are as before.
    fn apply(&mut self, config: Config) -> Result<(), ApplyError> {
        let (facts, plan, enforcement) = self.prepare(&config)?;
        let before = self.host.present();
        let done = self
            .host
            .extend(&plan)
            .map_err(ApplyError::from)
            .and_then(|()| Ok(self.worker.apply(enforcement)?));
        if let Err(error) = done {
            let restored = self.host.extend(&before).and_then(|()| self.host.trim(&before));
            if let Err(second) = restored {
                tracing::error!(error = %second, "the host could not be brought back after a failed change");
            }
            return Err(error);
        }
        self.serve_pcp(&config);
        if let Err(error) = self.host.trim(&plan) {
            tracing::warn!(%error, "something of the former configuration is still on the host");
        }
        self.enforced = Some(Enforced { config, facts, plan });
        self.pending = None;
        Ok(())
    }

    /// Has inside hosts' own mappings be asked for where they may be. That they cannot be leaves the rest as it is.
    fn serve_pcp(&mut self, config: &Config) {
        let wanted = config.pcp.map(|settings| {
            let addresses = addresses::of_interfaces(&config.inside)?;
            Ok(Wanted { settings, subscribers: config.inside_prefixes.clone(), addresses })
        });
        let worker = self.worker.handle();
        let configured = wanted
            .transpose()
            .map_err(|errno: nix::Error| errno.into())
            .and_then(|wanted| self.pcp.configure(wanted, &worker, &self.epoch));
        if let Err(error) = configured {
            tracing::warn!(%error, "inside hosts cannot ask for mappings of their own");
        }
    }

    /// Looks at the host anew after interfaces or addresses have changed, and brings it back to the plan.
    fn refresh(&mut self) {
        if let Some((config, running)) = self.pending.clone()
            && self.apply_and_tell(config, running).is_ok()
        {
            tracing::info!("the last good configuration is enforced now");
        }
        let Some(enforced) = self.enforced.take() else { return };
        let outcome = self.reconcile(&enforced);
        let fault = outcome.as_ref().err().map(ToString::to_string);
        if fault != self.status.borrow().fault {
            match &fault {
                Some(reason) => tracing::warn!(reason, "the host has changed, and traffic may be cut off"),
                None => tracing::info!("the host is as the configuration wants it again"),
            }
            self.status.send_modify(|status| status.fault = fault);
        }
        self.enforced = Some(match outcome {
            Ok((facts, plan)) => Enforced { facts, plan, ..enforced },
            Err(_) => enforced,
        });
    }

    fn reconcile(&mut self, enforced: &Enforced) -> Result<(HostFacts, Plan), ApplyError> {
        for device in [INSIDE_TUN, OUTSIDE_TUN] {
            set_device_settings(device).map_err(HostError::from)?;
        }
        let (facts, plan, enforcement) = self.prepare(&enforced.config)?;
        self.host.extend(&plan)?;
        if facts != enforced.facts {
            self.worker.apply(enforcement)?;
        }
        self.serve_pcp(&enforced.config);
        if plan != enforced.plan {
            self.host.trim(&plan)?;
        }
        Ok((facts, plan))
    }
}

fn set_device_settings(device: &str) -> Result<(), SysctlError> {
    for (name, value) in TUN_SETTINGS {
        // Written even when it is so already: a setting that was never written follows the default's changes.
        sysctl::write(&format!("net/ipv4/conf/{device}/{name}"), value)?;
    }
    Ok(())
}

/// Removes the TUN devices. They end with their files, but a process that is just being forked by another thread
/// has these for a moment, too.
fn remove_devices() -> Result<(), CommandError> {
    for device in [INSIDE_TUN, OUTSIDE_TUN] {
        if nix::net::if_::if_nametoindex(device).is_ok()
            && let Err(error) = run(Program::Ip, &["link", "del", "dev", device])
            && nix::net::if_::if_nametoindex(device).is_ok()
        {
            return Err(error);
        }
    }
    Ok(())
}

/// Readies a new TUN device.
fn set_up_device(device: &str) -> Result<(), StartError> {
    set_device_settings(device)?;
    // No IPv6 until a configuration wants it, and no address of its own, from which it would look for routers; where
    // the kernel has no IPv6 there are none anyway.
    for (name, value) in [("disable_ipv6", "1"), ("addr_gen_mode", NO_ADDRESS)] {
        match sysctl::write(&format!("net/ipv6/conf/{device}/{name}"), value) {
            Err(error) if !error.is_missing() => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
    }
    let (mtu, queue) = (crate::datapath::TUN_MTU.to_string(), crate::datapath::TUN_QUEUE_PACKETS.to_string());
    run(Program::Ip, &["link", "set", "dev", device, "mtu", &mtu, "txqueuelen", &queue, "up"])?;
    Ok(())
}

/// Undoes what a killed gateway left in a namespace; returns the number of changes.
pub fn cleanup(namespace: NetworkNamespace, run_dir: &std::path::Path) -> Result<usize, StartError> {
    let run_dir = run_dir.to_owned();
    // A thread of its own, as a thread that has entered a namespace does not come back.
    let thread = std::thread::spawn(move || {
        namespace::enter(&namespace)?;
        let identity = namespace::identity()?;
        let _lock = Lock::take(&run_dir.join(format!("{identity}.lock")), "this network namespace")?;
        let journal = Journal::open(&run_dir.join(format!("{identity}.json")))?;
        let count = journal.changes().len();
        HostSetup::new(journal).trim(&Plan::default()).map_err(ApplyError::from)?;
        Ok(count)
    });
    thread.join().unwrap_or(Err(StartError::Ended))
}
