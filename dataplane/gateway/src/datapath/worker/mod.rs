//! The datapath's thread: reads packets, asks the engine, writes packets. Nothing it does waits for anybody.

mod carrier;
mod frame;
pub(crate) mod lease;
mod train;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use pinhole_dataplane::config::Snapshot;
use pinhole_proto::v1;
use pinhole_proto::v1::findings::Outcome;
use tokio::sync::oneshot;

use crate::config::HostEcho;
use crate::datapath::local::SocketTable;
use crate::datapath::tun::TunDevice;
use crate::datapath::wake::Bell;
use crate::datapath::worker::carrier::Carrier;
use crate::events::EventSender;
use crate::export::Outlets;
use crate::live::Question;
use crate::pcp::{Epoch, Errand, Outcome as LeaseOutcome};

/// Why the datapath did not start or take a configuration.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its thread has ended.
    #[error("the datapath has ended")]
    Ended,
    /// A thread or an event file cannot be made.
    #[error("cannot start the datapath: {0}")]
    Start(std::io::Error),
}

/// What the datapath enforces from one moment on.
#[derive(Clone, Debug)]
pub(crate) struct Enforcement {
    /// For the engine.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The host's own addresses in the pool.
    pub(crate) own: BTreeSet<Ipv4Addr>,
    /// Who answers pings to them.
    pub(crate) echo: HostEcho,
    /// Who is told of events.
    pub(crate) outlets: Outlets,
    /// Whether inside hosts may have mappings of their own.
    pub(crate) leases: bool,
    /// Since when none of those was lost.
    pub(crate) epoch: Epoch,
}

enum Command {
    Apply { enforcement: Box<Enforcement>, done: oneshot::Sender<()> },
    Counters { reply: oneshot::Sender<v1::Counters> },
    Lease { errand: Box<Errand>, reply: oneshot::Sender<LeaseOutcome> },
    Look { question: Box<Question>, reply: oneshot::Sender<Outcome> },
    Stop,
}

/// Asks the worker; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct WorkerHandle {
    commands: mpsc::Sender<Command>,
    bell: Arc<Bell>,
}

impl WorkerHandle {
    fn send(&self, command: Command) -> Result<(), WorkerError> {
        self.commands.send(command).map_err(|_| WorkerError::Ended)?;
        self.bell.ring();
        Ok(())
    }

    /// Returns the counters, `None` when the worker has ended.
    pub(crate) async fn counters(&self) -> Option<v1::Counters> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Counters { reply }).ok()?;
        answer.await.ok()
    }

    /// Has something done about an inside host's own mappings; `None` when the worker has ended.
    pub(crate) async fn lease(&self, errand: Errand) -> Option<LeaseOutcome> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Lease { errand: Box::new(errand), reply }).ok()?;
        answer.await.ok()
    }

    /// Puts a question and returns the answer, or a first piece of it; `None` when the worker has ended.
    pub(crate) async fn look(&self, question: Question) -> Option<Outcome> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Look { question: Box::new(question), reply }).ok()?;
        answer.await.ok()
    }
}

#[cfg(test)]
impl WorkerHandle {
    /// Makes a handle to a thread that always returns these counters, and answers questions so.
    pub(crate) fn answering(
        counters: v1::Counters,
        look: impl Fn(&Question) -> Outcome + Send + 'static,
    ) -> Self {
        let (commands, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            while let Ok(command) = receiver.recv() {
                match command {
                    Command::Counters { reply } => drop(reply.send(counters.clone())),
                    Command::Look { question, reply } => drop(reply.send(look(&question))),
                    Command::Apply { .. } | Command::Lease { .. } | Command::Stop => {}
                }
            }
        });
        Self { commands, bell: Arc::new(Bell::new().unwrap()) }
    }
}

/// The supervisor's hold on the worker.
#[derive(Debug)]
pub(crate) struct Worker {
    handle: WorkerHandle,
    thread: Option<JoinHandle<()>>,
}

/// Rings when the worker ends, however it does.
struct Farewell(Arc<Bell>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.ring();
    }
}

impl Worker {
    /// Starts the thread; `supervisor` is rung when it ends.
    pub(crate) fn start(
        inside: TunDevice,
        outside: TunDevice,
        events: EventSender,
        supervisor: Arc<Bell>,
    ) -> Result<Self, WorkerError> {
        let (commands, receiver) = mpsc::channel();
        let start = |errno: nix::Error| WorkerError::Start(errno.into());
        let bell = Arc::new(Bell::new().map_err(start)?);
        let handle = WorkerHandle { commands, bell: Arc::clone(&bell) };
        // Here and not there, so that it is in this thread's namespace and its failure is the caller's to tell.
        let sockets = SocketTable::open().map_err(start)?;
        let thread = std::thread::Builder::new()
            .name("gateway-worker".to_owned())
            .spawn(move || {
                let _farewell = Farewell(supervisor);
                Carrier::new(inside, outside, sockets, events).run(&receiver, &bell);
            })
            .map_err(WorkerError::Start)?;
        Ok(Self { handle, thread: Some(thread) })
    }

    /// Returns a handle for others.
    pub(crate) fn handle(&self) -> WorkerHandle {
        self.handle.clone()
    }

    /// Whether the thread has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Makes the datapath enforce something else; packets after this call are under it.
    pub(crate) fn apply(&self, enforcement: Enforcement) -> Result<(), WorkerError> {
        let (done, outcome) = oneshot::channel();
        self.handle.send(Command::Apply { enforcement: Box::new(enforcement), done })?;
        outcome.blocking_recv().map_err(|_| WorkerError::Ended)
    }

    /// Ends the thread and with it the TUN devices.
    pub(crate) fn stop(&mut self) {
        let _ = self.handle.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
