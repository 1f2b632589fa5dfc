//! The packet loop. For packets of established sessions it allocates nothing.

use std::os::fd::AsFd as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::{ChecksumState, Engine, Packet, Verdict};
use pinhole_dataplane::limits::Limits;
use pinhole_dataplane::time::Timestamp;

use crate::datapath::QUEUES;
use crate::datapath::delivery::{Delivery, HostDelivery};
use crate::datapath::local::SocketTable;
use crate::datapath::report::{self, Tally};
use crate::datapath::tun::header::{Checksum, Gso, HEADER_BYTES, VirtioNetHeader};
use crate::datapath::tun::{MAX_PACKET_BYTES, TunDevice, TunQueue};
use crate::datapath::wake::Bell;
use crate::datapath::worker::Command;
use crate::events::EventSender;

/// Packets that are taken from one queue before the others have their turn.
const BATCH: usize = 64;
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
    tally: Tally,
    started: Instant,
    /// One packet behind its header, as the devices give and take it.
    frame: Vec<u8>,
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
            tally: Tally::default(),
            started: Instant::now(),
            frame: vec![0; HEADER_BYTES + MAX_PACKET_BYTES],
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
                    self.engine.apply(enforcement.snapshot, now);
                    self.delivery.configure(enforcement.own, enforcement.echo);
                    self.send_own();
                    // Whoever asked may have gone; it is enforced all the same.
                    let _ = done.send(());
                }
                Command::Counters { reply } => drop(reply.send(report::counters(&self.engine, &self.tally))),
                Command::Stop => return Next::Stop,
            }
        }
        Next::Continue
    }

    /// Carries what waits in one queue, at most [`BATCH`] packets.
    fn serve(&mut self, realm: Realm, index: usize, events: EpollFlags) -> Result<(), Failure> {
        let device = self.device(realm).name();
        let lost = |source| Failure::DeviceLost { device, source };
        if events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP) {
            return Err(lost(std::io::ErrorKind::NotConnected.into()));
        }
        let now = self.now();
        for _ in 0..BATCH {
            let (from, to) = match realm {
                Realm::Inside => (&self.inside, &self.outside),
                Realm::Outside => (&self.outside, &self.inside),
            };
            // A packet leaves by the queue of the same place, so that the device steers the answers to that one.
            let (Some(from), Some(to)) = (from.queues().get(index), to.queues().get(index)) else { break };
            let Some(length) = from.read(&mut self.frame).map_err(lost)? else { break };
            let Some(target) = judge(
                &mut self.frame,
                length,
                realm,
                now,
                &mut self.engine,
                &mut self.delivery,
                &mut self.tally,
            ) else {
                self.send_own();
                continue;
            };
            let (queue, frame) = match target {
                Target::Onward(end) => (to, self.frame.get(..end)),
                Target::Back(end) => (from, self.frame.get(..end)),
            };
            write(queue, frame.unwrap_or_default(), &mut self.tally);
            self.send_own();
        }
        Ok(())
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
        while let Some(event) = self.engine.poll_event() {
            if let Some(event) = report::event(event) {
                self.events.send(event);
            }
        }
        let lost = self.engine.events_lost();
        self.events.count_lost(lost.saturating_sub(self.events_lost));
        self.events_lost = lost;
    }
}

/// Where a frame goes, and where it ends in the buffer.
enum Target {
    /// To the other side.
    Onward(usize),
    /// Back to the side that it came from: to the host, or to another host there.
    Back(usize),
}

/// Has the engine decide on the frame in `buffer` and readies it for writing; `None` when nothing is written.
fn judge(
    buffer: &mut [u8],
    length: usize,
    realm: Realm,
    now: Timestamp,
    engine: &mut Engine,
    delivery: &mut HostDelivery<SocketTable>,
    tally: &mut Tally,
) -> Option<Target> {
    let header = match VirtioNetHeader::decode(buffer.get(..length).unwrap_or_default()) {
        Ok((header, _)) => header,
        Err(error) => {
            tracing::debug!(%error, "a packet's header from the device makes no sense");
            tally.bad_header = tally.bad_header.saturating_add(1);
            return None;
        }
    };
    let (room, rest) = buffer.split_first_chunk_mut::<HEADER_BYTES>()?;
    let mut packet = Packet::new(rest, length.saturating_sub(HEADER_BYTES));
    packet.checksum = match header.checksum {
        Checksum::Partial { .. } => ChecksumState::Partial,
        Checksum::Unverified | Checksum::Verified => ChecksumState::Complete,
    };
    packet.segment_size = header.gso.map_or(0, |gso| gso.segment_size);
    match engine.process(&mut packet, realm, now) {
        verdict @ (Verdict::Forward | Verdict::Hairpin) => {
            let end = HEADER_BYTES.saturating_add(packet.bytes().len());
            *room = onward(header, &packet).encode();
            Some(if verdict == Verdict::Forward { Target::Onward(end) } else { Target::Back(end) })
        }
        Verdict::DeliverIfListening => match delivery.decide(packet.bytes(), now) {
            Delivery::Deliver => {
                tally.delivered = tally.delivered.saturating_add(1);
                // As it came, header included.
                Some(Target::Back(HEADER_BYTES.saturating_add(packet.bytes().len())))
            }
            Delivery::NotLocal | Delivery::Unwanted => {
                engine.refuse_delivery();
                None
            }
            Delivery::Limited => {
                tally.delivery_limited = tally.delivery_limited.saturating_add(1);
                None
            }
        },
        Verdict::Hold | Verdict::Drop(_) => None,
    }
}

/// Returns the header of a packet as the engine has left it.
fn onward(header: VirtioNetHeader, packet: &Packet<'_>) -> VirtioNetHeader {
    let checksum = match (packet.checksum, header.checksum) {
        (ChecksumState::Partial, partial @ Checksum::Partial { .. }) => partial,
        (ChecksumState::Complete, Checksum::Verified) => Checksum::Verified,
        (ChecksumState::Partial | ChecksumState::Complete, _) => Checksum::Unverified,
    };
    let length = u16::try_from(packet.bytes().len()).unwrap_or(u16::MAX);
    let gso = header.gso.filter(|_| packet.segment_size > 0).map(|gso| Gso {
        segment_size: packet.segment_size,
        // A hint for the kernel, which must not be longer than the packet.
        header_length: gso.header_length.min(length),
        ..gso
    });
    VirtioNetHeader { checksum, gso }
}

fn write(queue: &TunQueue, frame: &[u8], tally: &mut Tally) {
    if let Err(error) = queue.write_framed(frame) {
        tracing::debug!(%error, "the kernel did not take a packet");
        tally.write_failed = tally.write_failed.saturating_add(1);
    }
}
