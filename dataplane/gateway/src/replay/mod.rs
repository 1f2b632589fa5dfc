//! A capture through the engine: what a gateway would have made of the traffic, on the capture's own time.
//!
//! The capture is taken to be of the inside, where answers carry the inside host's own address. Before the engine sees
//! such an answer it gets the address, the port and the acknowledgement that its sender would have used outside, as
//! what went out before it says. What is for a pool address stays as it is.

mod checksums;
mod fields;
mod names;
mod summary;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pinhole_capture::{Record, link};
use pinhole_dataplane::addr::{Ipv4Prefix, Realm};
use pinhole_dataplane::config::{Config as EngineConfig, Snapshot};
use pinhole_dataplane::engine::{Engine, Event, Packet, Verdict};
use pinhole_dataplane::limits::Limits;
use pinhole_dataplane::rng::Seed;
use pinhole_dataplane::time::Timestamp;
use pinhole_dataplane::wire::{ipv4, ipv6};

use crate::config::{Config, UNPRIVILEGED};
use crate::datapath::compile::{self, CompileError};
use crate::host::addresses::HostAddresses;
use crate::host::plan::HostFacts;
use fields::Fields;
use names::Names;

pub use summary::Summary;

/// What an ALG may make a packet longer by.
const ROOM: usize = 2_048;

/// Where packets go that have crossed the gateway.
pub trait Sink {
    /// Takes a packet that leaves to a side.
    ///
    /// # Errors
    /// Whatever hinders it; the replay ends with it.
    fn take(&mut self, to: Realm, time: Duration, packet: &[u8]) -> io::Result<()>;
}

/// An engine that is fed from a capture.
#[derive(Debug)]
pub struct Replay {
    engine: Engine,
    snapshot: Arc<Snapshot>,
    names: Names,
    summary: Summary,
    /// The capture's first time, which is the engine's zero.
    start: Option<Duration>,
    now: Timestamp,
}

impl Replay {
    /// Makes an engine for a configuration, whose interfaces do not matter here. Equal seeds give equal answers.
    /// Where prefixes are given they are the inside ones instead of the configuration's.
    ///
    /// # Errors
    /// When the engine refuses the configuration, or the prefixes do not fit it.
    pub fn new(mut config: Config, inside: Vec<Ipv4Prefix>, seed: &Seed) -> Result<Self, CompileError> {
        if !inside.is_empty() {
            config.inside_prefixes = inside;
        }
        // No host: its addresses and settings are of the machine that would carry the traffic. A capture of a host
        // with offloads holds longer packets than its wire did, so none is too long.
        let facts =
            HostFacts { addresses: HostAddresses::default(), local_ports: UNPRIVILEGED, mtu: u16::MAX };
        let compiled = compile::snapshot(&config, &facts)?;
        // Nobody else counts the hop here.
        let counting = EngineConfig { decrement_ttl: true, ..compiled.config().clone() };
        let snapshot = Arc::new(Snapshot::new(counting).map_err(CompileError::Engine)?);
        let mut engine = Engine::new(Limits::default(), seed, Timestamp::ZERO);
        engine.apply(Arc::clone(&snapshot), Timestamp::ZERO);
        let names = Names::default();
        Ok(Self { engine, snapshot, names, summary: Summary::default(), start: None, now: Timestamp::ZERO })
    }

    /// Gives the engine a captured frame, and the sink what leaves for it and before it.
    ///
    /// # Errors
    /// The sink's.
    pub fn feed(&mut self, record: &Record<'_>, sink: &mut dyn Sink) -> io::Result<()> {
        self.summary.frames += 1;
        self.pass_time(record.time, sink)?;
        let packet = match link::packet(record.link, record.frame) {
            Ok(packet) => packet,
            Err(reason) => {
                self.summary.count_no_packet(reason);
                return Ok(());
            }
        };
        let mut buffer = Vec::with_capacity(packet.len() + ROOM);
        buffer.extend_from_slice(packet);
        if record.is_whole() && checksums::complete(&mut buffer) {
            self.summary.completed += 1;
        }
        self.process(buffer, sink)
    }

    /// Ends the replay: the capture says nothing about what would have come later.
    pub fn finish(self) -> Summary {
        self.summary.finished(self.engine.stats())
    }

    /// Does what the engine wanted to do until the next frame, each at its time. A capture whose times go back stands
    /// still meanwhile.
    fn pass_time(&mut self, time: Duration, sink: &mut dyn Sink) -> io::Result<()> {
        let since_start = time.saturating_sub(*self.start.get_or_insert(time));
        let until = Timestamp::ZERO.saturating_add(since_start).max(self.now);
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now);
            self.drain(sink)?;
        }
        self.now = until;
        Ok(())
    }

    fn process(&mut self, mut buffer: Vec<u8>, sink: &mut dyn Sink) -> io::Result<()> {
        // Errors and later fragments have no ports, and a source all the same.
        let is_ipv4 = ipv4::version(&buffer) == 4 && buffer.len() >= ipv4::MIN_HEADER;
        let realm = if is_ipv4 {
            self.snapshot.realm_of(ipv4::source(&buffer))
        } else if self.is_inside_ipv6(&buffer) {
            Realm::Inside
        } else {
            // The engine says what is wrong with it.
            Realm::Outside
        };
        if realm == Realm::Outside {
            self.names.readdress(&self.snapshot, &mut buffer);
        }
        let before = Fields::read(&buffer);
        let length = buffer.len();
        buffer.resize(length + ROOM, 0);
        let mut packet = Packet::new(&mut buffer, length);
        let verdict = self.engine.process(&mut packet, realm, self.now);
        let after = Fields::read(packet.bytes());
        match (realm, before, after) {
            (Realm::Inside, Some(before), Some(after)) => self.names.learn(&before, &after, verdict),
            (Realm::Outside, Some(before), Some(after)) if verdict == Verdict::Forward => {
                self.names.learn(&after.reversed(), &before.reversed(), verdict);
            }
            _ => {}
        }
        match verdict {
            Verdict::Forward => self.leave(realm.opposite(), packet.bytes(), sink)?,
            Verdict::Hairpin => self.leave(realm, packet.bytes(), sink)?,
            Verdict::DeliverIfListening => self.engine.refuse_delivery(),
            Verdict::Hold | Verdict::Drop(_) => {}
        }
        self.drain(sink)
    }

    /// Whether a packet is of IPv6 and a subscriber's; nothing of it is translated.
    fn is_inside_ipv6(&self, packet: &[u8]) -> bool {
        let rules = self.snapshot.ipv6();
        ipv6::version(packet) == 6 && rules.is_some_and(|rules| rules.is_inside(ipv6::source(packet)))
    }

    /// Passes on what the engine sends and says by itself.
    fn drain(&mut self, sink: &mut dyn Sink) -> io::Result<()> {
        while let Some(transmit) = self.engine.poll_transmit() {
            if transmit.realm == Realm::Outside
                && let Some(fields) = Fields::read(&transmit.bytes)
            {
                self.names.learn_own(&fields);
            }
            self.leave(transmit.realm, &transmit.bytes, sink)?;
        }
        while let Some(event) = self.engine.poll_event() {
            if let Event::PinholeOpened { inside, outside, .. } = &event
                && let (IpAddr::V4(inner), IpAddr::V4(outer)) = (inside.address, outside.address)
            {
                self.names.learn_pinhole((inner, inside.port), (outer, outside.port));
            }
            self.summary.note(event);
        }
        Ok(())
    }

    fn leave(&mut self, to: Realm, packet: &[u8], sink: &mut dyn Sink) -> io::Result<()> {
        match to {
            Realm::Inside => self.summary.inside += 1,
            Realm::Outside => self.summary.outside += 1,
        }
        let since_start = Duration::from_nanos(self.now.as_nanos());
        sink.take(to, self.start.unwrap_or_default().saturating_add(since_start), packet)
    }
}
