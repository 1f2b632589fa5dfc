//! The packet loop. For packets of established sessions it allocates nothing.

use std::os::fd::AsFd as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::{BATCH, Engine, Interest, LeaseEnd, Packet, Verdict};
use pinhole_dataplane::limits::Limits;
use pinhole_dataplane::time::Timestamp;

use crate::datapath::QUEUES;
use crate::datapath::delivery::{Delivery, HostDelivery};
use crate::datapath::local::SocketTable;
use crate::datapath::look;
use crate::datapath::report::{self, Tally};
use crate::datapath::tun::header::{HEADER_BYTES, VirtioNetHeader};
use crate::datapath::tun::{MAX_PACKET_BYTES, TunDevice, TunQueue};
use crate::datapath::wake::Bell;
use crate::datapath::worker::frame::{Frame, Left, Target};
use crate::datapath::worker::{Command, lease, train};
use crate::events::EventSender;
use crate::export::Outlets;
use crate::export::record::{Record, What, wall_ms};
use crate::live::Life;
use pinhole_dataplane::config::nat::export::{EventKind, EventKinds};

/// Bytes that are taken from one queue before the others have their turn, and a packet more: large ones are written
/// while they are near.
const BATCH_BYTES: usize = 128 << 10;
/// Files that one wait can report: every queue of both devices, and the bell.
const FILES: usize = 2 * QUEUES + 1;

/// Whether the loop goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    Continue,
    Stop,
}

/// Why the loop ended by itself.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot wait for packets: {0}")]
    Wait(nix::Error),
    #[error("the device {device} is gone: {source}")]
    DeviceLost { device: &'static str, source: std::io::Error },
}

/// A file that has something to read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source {
    Queue(Realm, usize),
    Bell,
}

impl Source {
    /// Every source; its place in this order is its name in epoll.
    fn all() -> impl Iterator<Item = Self> {
        let queues = |realm| (0..QUEUES).map(move |index| Self::Queue(realm, index));
        queues(Realm::Inside).chain(queues(Realm::Outside)).chain([Self::Bell])
    }

    fn named(name: u64) -> Option<Self> {
        Self::all().nth(usize::try_from(name).ok()?)
    }
}

/// Everything that carrying a packet takes.
pub(super) struct Carrier {
    inside: TunDevice,
    outside: TunDevice,
    engine: Engine,
    delivery: HostDelivery<SocketTable>,
    events: EventSender,
    events_lost: u64,
    outlets: Outlets,
    tally: Tally,
    life: Life,
    started: Instant,
    /// The packets under way.
    frames: Vec<Frame>,
    /// Several of them, as one.
    joined: Vec<u8>,
}

impl Carrier {
    pub(super) fn new(
        inside: TunDevice,
        outside: TunDevice,
        sockets: SocketTable,
        events: EventSender,
    ) -> Self {
        Self {
            inside,
            outside,
            engine: Engine::new(Limits::default(), &rand::random(), Timestamp::ZERO),
            delivery: HostDelivery::new(sockets, Timestamp::ZERO),
            events,
            events_lost: 0,
            outlets: Outlets::default(),
            tally: Tally::default(),
            life: Life(rand::random()),
            started: Instant::now(),
            frames: std::iter::repeat_with(Frame::new).take(BATCH).collect(),
            joined: Vec::with_capacity(HEADER_BYTES + MAX_PACKET_BYTES),
        }
    }

    /// Carries packets until it is told to stop or cannot.
    pub(super) fn run(&mut self, commands: &mpsc::Receiver<Command>, bell: &Bell) {
        if let Err(failure) = self.carry(commands, bell) {
            tracing::error!(%failure, "the datapath ends");
        }
    }

    fn carry(&mut self, commands: &mpsc::Receiver<Command>, bell: &Bell) -> Result<(), Failure> {
        let epoll = self.register(bell).map_err(Failure::Wait)?;
        let mut ready = [EpollEvent::empty(); FILES];
        loop {
            let count = match epoll.wait(&mut ready, self.timeout()) {
                Ok(count) => count,
                Err(nix::Error::EINTR) => 0,
                Err(errno) => return Err(Failure::Wait(errno)),
            };
            for event in ready.iter().take(count) {
                match Source::named(event.data()) {
                    Some(Source::Queue(realm, index)) => self.serve(realm, index, event.events())?,
                    Some(Source::Bell) => {
                        bell.silence();
                        if self.obey(commands) == Next::Stop {
                            return Ok(());
                        }
                    }
                    None => {}
                }
            }
            self.keep_time();
            self.report_events();
        }
    }

    fn register(&self, bell: &Bell) -> nix::Result<Epoll> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (name, source) in (0_u64..).zip(Source::all()) {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, name);
            match source {
                Source::Bell => epoll.add(bell.as_fd(), event)?,
                Source::Queue(realm, index) => {
                    if let Some(queue) = self.device(realm).queues().get(index) {
                        epoll.add(queue.as_fd(), event)?;
                    }
                }
            }
        }
        Ok(epoll)
    }

    const fn device(&self, realm: Realm) -> &TunDevice {
        match realm {
            Realm::Inside => &self.inside,
            Realm::Outside => &self.outside,
        }
    }

    fn now(&self) -> Timestamp {
        let nanos = self.started.elapsed().as_nanos();
        Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Returns how long to wait for packets: until the engine wants to be called.
    fn timeout(&self) -> EpollTimeout {
        let Some(deadline) = self.engine.poll_timeout() else { return EpollTimeout::NONE };
        // Rounded up, so that the deadline has passed when the wait is over.
        let wait = deadline.saturating_since(self.now()).saturating_add(Duration::from_micros(999));
        EpollTimeout::try_from(wait).unwrap_or(EpollTimeout::MAX)
    }

    /// Does what is due, a bounded piece; the loop comes back for the rest.
    fn keep_time(&mut self) {
        let now = self.now();
        if self.engine.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.engine.handle_timeout(now);
            self.send_own();
        }
    }

    fn obey(&mut self, commands: &mpsc::Receiver<Command>) -> Next {
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Apply { enforcement, done } => {
                    let now = self.now();
                    let leases = self.engine.lease_count();
                    self.engine.apply(enforcement.snapshot, now);
                    if !enforcement.leases {
                        self.engine.end_leases(LeaseEnd::Policy);
                    }
                    if self.engine.lease_count() < leases {
                        enforcement.epoch.reset();
                    }
                    // What the change itself ends is told to those who were told that it began.
                    self.report_events();
                    self.outlets = enforcement.outlets;
                    self.engine.set_interest(interest(self.outlets.kinds()));
                    self.delivery.configure(enforcement.own, enforcement.echo);
                    self.send_own();
                    // Whoever asked may have gone; it is enforced all the same.
                    let _ = done.send(());
                }
                Command::Look { question, reply } => {
                    let now = self.now();
                    let outcome = look::answer(&mut self.engine, &question, self.life, now);
                    self.send_own();
                    let _ = reply.send(outcome);
                }
                Command::Lease { errand, reply } => {
                    let now = self.now();
                    drop(reply.send(lease::run(&mut self.engine, &errand, now)));
                }
                Command::Counters { reply } => {
                    drop(reply.send(report::counters(&self.engine, &self.tally, &self.outlets)))
                }
                Command::Stop => return Next::Stop,
            }
        }
        Next::Continue
    }

    /// Carries what waits in one queue, at most a batch of packets.
    fn serve(&mut self, realm: Realm, index: usize, events: EpollFlags) -> Result<(), Failure> {
        let device = self.device(realm).name();
        let lost = |source| Failure::DeviceLost { device, source };
        if events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP) {
            return Err(lost(std::io::ErrorKind::NotConnected.into()));
        }
        let count = self.read(realm, index).map_err(lost)?;
        self.judge(count, realm);
        self.write(count, realm, index);
        self.send_own();
        Ok(())
    }

    /// Fills the frames from a queue; returns how many there are.
    fn read(&mut self, realm: Realm, index: usize) -> std::io::Result<usize> {
        let from = match realm {
            Realm::Inside => &self.inside,
            Realm::Outside => &self.outside,
        };
        let Some(queue) = from.queues().get(index) else { return Ok(0) };
        let (mut count, mut bytes) = (0, 0);
        while let Some(frame) = self.frames.get_mut(count).filter(|_| bytes < BATCH_BYTES) {
            let Some(length) = queue.read(frame.room())? else { break };
            bytes += length;
            match frame.take(length) {
                Ok(()) => count += 1,
                Err(error) => {
                    tracing::debug!(%error, "a packet's header from the device makes no sense");
                    self.tally.bad_header = self.tally.bad_header.saturating_add(1);
                }
            }
        }
        Ok(count)
    }

    /// Has the engine decide on the first `count` frames and readies them for writing.
    fn judge(&mut self, count: usize, realm: Realm) {
        let now = self.now();
        let mut verdicts = [Verdict::Hold; BATCH];
        let mut left = [Left::NOTHING; BATCH];
        {
            let mut frames = self.frames.iter_mut();
            let mut packets: [Packet<'_>; BATCH] =
                std::array::from_fn(|_| frames.next().map_or_else(|| Packet::new(&mut [], 0), Frame::lend));
            let packets = packets.get_mut(..count).unwrap_or_default();
            self.engine.process_batch(packets, realm, now, verdicts.get_mut(..count).unwrap_or_default());
            for (packet, left) in packets.iter().zip(&mut left) {
                *left = Left::from(packet);
            }
        }
        for ((frame, verdict), left) in self.frames.iter_mut().zip(verdicts).zip(left).take(count) {
            match verdict {
                Verdict::Forward => frame.leave(left, Target::Onward),
                Verdict::Hairpin => frame.leave(left, Target::Back),
                Verdict::DeliverIfListening => {
                    // As it came, header included; a fragment may have become the whole that it was the last one of.
                    frame.leave(left, Target::Nowhere);
                    match self.delivery.decide(frame.packet(), now) {
                        Delivery::Deliver => {
                            self.tally.delivered = self.tally.delivered.saturating_add(1);
                            frame.target = Target::Back;
                        }
                        Delivery::NotLocal | Delivery::Unwanted => self.engine.refuse_delivery(),
                        Delivery::Limited => {
                            self.tally.delivery_limited = self.tally.delivery_limited.saturating_add(1);
                        }
                    }
                }
                Verdict::Hold | Verdict::Drop(_) => {}
            }
        }
    }

    /// Writes the first `count` frames where they go.
    fn write(&mut self, count: usize, realm: Realm, index: usize) {
        let (from, to) = match realm {
            Realm::Inside => (&self.inside, &self.outside),
            Realm::Outside => (&self.outside, &self.inside),
        };
        // A packet leaves by the queue of the same place, so that the device steers the answers to that one.
        let (Some(from), Some(to)) = (from.queues().get(index), to.queues().get(index)) else { return };
        let mut rest = self.frames.get_mut(..count).unwrap_or_default();
        while !rest.is_empty() {
            let cars = if to.cuts_datagrams() { train::length(rest) } else { 1 };
            let (leaving, after) = rest.split_at_mut(cars);
            rest = after;
            if let [frame] = leaving {
                match frame.target {
                    Target::Nowhere => {}
                    Target::Onward => write(to, frame.encoded(), &mut self.tally),
                    Target::Back => write(from, frame.encoded(), &mut self.tally),
                }
            } else {
                train::join(leaving, &mut self.joined);
                write(to, &self.joined, &mut self.tally);
            }
        }
    }

    /// Sends the packets that the engine itself has made.
    fn send_own(&mut self) {
        while let Some(transmit) = self.engine.poll_transmit() {
            let Some(queue) = self.device(transmit.realm).queues().first() else { continue };
            if let Err(error) = queue.write(VirtioNetHeader::PLAIN, &transmit.bytes) {
                tracing::debug!(%error, "the kernel did not take a packet");
                self.tally.write_failed = self.tally.write_failed.saturating_add(1);
            }
        }
    }

    fn report_events(&mut self) {
        let mut at_ms = None;
        while let Some(event) = self.engine.poll_event() {
            if let Some((kind, what)) = What::of(&event) {
                let at_ms = *at_ms.get_or_insert_with(wall_ms);
                self.outlets.offer(kind, Record { at_ms, what });
            }
            if let Some(event) = report::event(event) {
                self.events.send(event);
            }
        }
        let lost = self.engine.events_lost();
        self.events.count_lost(lost.saturating_sub(self.events_lost));
        self.outlets.count_dropped(lost.saturating_sub(self.events_lost));
        self.events_lost = lost;
    }
}

/// Returns what the engine has to tell for kinds of events to be exported.
const fn interest(kinds: EventKinds) -> Interest {
    Interest { sessions: kinds.contains(EventKind::Sessions), limits: kinds.contains(EventKind::Quota) }
}

fn write(queue: &TunQueue, frame: &[u8], tally: &mut Tally) {
    if let Err(error) = queue.write_framed(frame) {
        tracing::debug!(%error, "the kernel did not take a packet");
        tally.write_failed = tally.write_failed.saturating_add(1);
    }
}
