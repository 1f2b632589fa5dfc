//! The datapath's thread: reads packets, asks the engine, writes packets. Nothing it does waits for anybody.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pinhole_proto::v1;
use tokio::sync::oneshot;

use crate::config::Config;
use crate::datapath::tun::header::HEADER_BYTES;
use crate::datapath::tun::{MAX_PACKET_BYTES, TunDevice};
use crate::datapath::wake::Bell;
use crate::events::EventSender;
use crate::host::plan::HostFacts;

/// Packets that are taken from one queue before the next has its turn.
const BATCH: usize = 64;

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

enum Command {
    Apply { config: Box<Config>, reply: oneshot::Sender<Result<(), WorkerError>> },
    Counters { reply: oneshot::Sender<v1::Counters> },
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
}

#[cfg(test)]
impl WorkerHandle {
    /// Makes a handle to a thread that always returns these counters.
    pub(crate) fn answering(counters: v1::Counters) -> Self {
        let (commands, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            while let Ok(command) = receiver.recv() {
                if let Command::Counters { reply } = command {
                    let _ = reply.send(counters.clone());
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
        let bell = Arc::new(Bell::new().map_err(|errno| WorkerError::Start(errno.into()))?);
        let handle = WorkerHandle { commands, bell: Arc::clone(&bell) };
        let thread = std::thread::Builder::new()
            .name("gateway-worker".to_owned())
            .spawn(move || {
                let _farewell = Farewell(supervisor);
                Loop { inside, outside, events, commands: receiver, bell }.run();
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

    /// Hands a configuration to the engine.
    pub(crate) fn apply(&self, config: &Config, _facts: &HostFacts) -> Result<(), WorkerError> {
        let (reply, outcome) = oneshot::channel();
        self.handle.send(Command::Apply { config: Box::new(config.clone()), reply })?;
        outcome.blocking_recv().map_err(|_| WorkerError::Ended)?
    }

    /// Ends the thread and with it the TUN devices.
    pub(crate) fn stop(&mut self) {
        let _ = self.handle.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The worker's own state, on its own thread.
struct Loop {
    inside: TunDevice,
    outside: TunDevice,
    events: EventSender,
    commands: mpsc::Receiver<Command>,
    bell: Arc<Bell>,
}

impl Loop {
    fn run(mut self) {
        let mut buffer = vec![0_u8; HEADER_BYTES + MAX_PACKET_BYTES];
        let mut counters = v1::Counters::default();
        loop {
            {
                let queues = self.inside.queues().iter().chain(self.outside.queues());
                let mut files: Vec<PollFd<'_>> = queues
                    .map(AsFd::as_fd)
                    .chain([self.bell.as_fd()])
                    .map(|file| PollFd::new(file, PollFlags::POLLIN))
                    .collect();
                let _ = poll(&mut files, PollTimeout::NONE);
            }
            self.bell.silence();
            while let Ok(command) = self.commands.try_recv() {
                match command {
                    Command::Apply { config: _, reply } => drop(reply.send(Ok(()))),
                    Command::Counters { reply } => drop(reply.send(counters.clone())),
                    Command::Stop => return,
                }
            }
            for queue in self.inside.queues().iter().chain(self.outside.queues()) {
                for _ in 0..BATCH {
                    match queue.read(&mut buffer) {
                        Ok(Some(_)) => counters.packets_dropped = counters.packets_dropped.saturating_add(1),
                        Ok(None) => break,
                        Err(_) => return,
                    }
                }
            }
            let _ = &mut self.events;
        }
    }
}
