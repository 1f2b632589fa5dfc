//! An engine, and packets that an input decides on.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::{Config, Snapshot};
use pinhole_dataplane::engine::{Engine, Packet, Verdict};
use pinhole_dataplane::limits::Limits;
use pinhole_dataplane::time::Timestamp;

use crate::input::Input;
use crate::packet::{self, End};
use crate::settings::{HOSTS, REMOTES, is_inside, pool};

/// Sessions, pinholes and subscribers: so few that their tables fill.
const SESSIONS: u32 = 48;
const PINHOLES: u32 = 6;
const SUBSCRIBERS: u32 = 3;
/// What an ALG may make a packet longer by.
const ROOM: usize = 2_048;
/// Packets of a batch.
const BATCH: usize = 40;
const PORTS: [u16; 10] = [21, 20, 53, 1_024, 1_025, 1_030, 2_000, 40_000, 0, 65_535];
const FLAGS: [u8; 10] = [2, 18, 16, 24, 17, 4, 20, 0, 63, 3];

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
    /// Whether nothing of the inside may be seen outside: everybody is translated.
    pub(crate) hides: bool,
    /// Whether a packet with a wrong checksum has been sent, which may leave later.
    damaged: bool,
    /// Where packets have left from, to be answered.
    left: Vec<(u8, End, End)>,
}

impl World {
    pub(crate) fn new() -> Self {
        let now = Timestamp::from_nanos(5);
        let limits = Limits {
            sessions: SESSIONS,
            subscribers: SUBSCRIBERS,
            half_open: 12,
            half_open_per_subscriber: 6,
            pinholes: PINHOLES,
            pinholes_per_master: 3,
            pinholes_per_subscriber: 4,
            control_streams: 4,
            leases: 4,
            fragmented_datagrams: 9,
            events: 16,
            transmits: 8,
            ..Limits::default()
        };
        Self { engine: Engine::new(limits, &[9; 32], now), now, hides: false, damaged: false, left: vec![] }
    }

    /// Applies a configuration if it is a good one.
    pub(crate) fn apply(&mut self, config: Config) {
        if let Ok(snapshot) = Snapshot::new(config) {
            self.engine.apply(Arc::new(snapshot), self.now);
        }
    }

    /// Does one of the things that can happen.
    pub(crate) fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 8 {
            0..=4 => {
                let (realm, packet) = self.packet(input);
                self.send(realm, packet);
            }
            5 => {
                let realm = if input.bool() { Realm::Inside } else { Realm::Outside };
                let length = usize::from(input.byte());
                self.send(realm, input.bytes(length).to_vec());
            }
            6 => {
                let millis = u64::from(input.short()) * input.pick(&[1, 100, 10_000]);
                self.advance(Duration::from_millis(millis));
            }
            _ if input.bool() => self.batch(input),
            _ => self.fragments(input),
        }
    }

    /// Sends a packet in pieces, some of which may be missing, repeated or in another order.
    fn fragments(&mut self, input: &mut Input<'_>) {
        let (realm, whole) = self.packet(input);
        let size = usize::from(input.byte() % 6 + 1) * 8;
        let pieces = packet::fragments(&whole, size, input.short());
        for _ in 0..=input.byte() % 8 {
            let piece = pieces[usize::from(input.byte()) % pieces.len()].clone();
            self.send(realm, piece);
        }
    }

    pub(crate) fn advance(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
        self.settle();
    }

    /// Has the engine do what is due. A time that has passed must not stay due for ever.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            self.drain();
            if self.engine.poll_timeout().is_none_or(|due| due > self.now) {
                return;
            }
            self.engine.handle_timeout(self.now);
        }
        panic!("what is due at {:?} stays due: {:?}", self.now, self.engine.poll_timeout());
    }

    fn drain(&mut self) {
        while self.engine.poll_event().is_some() {}
        while let Some(transmit) = self.engine.poll_transmit() {
            packet::check(&transmit.bytes);
            assert!(self.damaged || packet::transport_is_right(&transmit.bytes), "{transmit:?}");
            self.check_sides(transmit.realm, &transmit.bytes);
        }
        let most = [SESSIONS, PINHOLES, SUBSCRIBERS].map(|most| usize::try_from(most).unwrap());
        let [sessions, pinholes, subscribers] = most;
        assert!(self.engine.session_count() <= sessions && self.engine.pinhole_count() <= pinholes);
        assert!(self.engine.subscriber_count() <= subscribers);
    }

    /// What leaves must not name an inside host outside, and does name one inside.
    fn check_sides(&self, to: Realm, bytes: &[u8]) {
        match to {
            Realm::Outside if self.hides => {
                assert!(!is_inside(packet::source(bytes)), "a private address is outside: {bytes:?}");
                assert!(!is_inside(packet::destination(bytes)), "a private address is outside: {bytes:?}");
            }
            Realm::Inside if self.hides => {
                assert!(is_inside(packet::destination(bytes)), "it is for nobody inside: {bytes:?}");
            }
            Realm::Outside | Realm::Inside => {}
        }
    }

    fn send(&mut self, realm: Realm, bytes: Vec<u8>) {
        self.damaged |= !packet::transport_is_right(&bytes);
        let (before, length) = (bytes.clone(), bytes.len());
        let mut buffer = bytes;
        buffer.resize(length + ROOM, 0);
        let mut packet = Packet::new(&mut buffer, length);
        let verdict = self.engine.process(&mut packet, realm, self.now);
        let after = packet.bytes().to_vec();
        self.judge(realm, &before, verdict, &after);
        self.settle();
    }

    fn judge(&mut self, realm: Realm, before: &[u8], verdict: Verdict, after: &[u8]) {
        let to = match verdict {
            Verdict::Forward => realm.opposite(),
            Verdict::Hairpin => {
                assert_eq!(realm, Realm::Inside);
                realm
            }
            Verdict::DeliverIfListening => {
                // Of a datagram in pieces the last one to come is delivered with the others.
                let whole = !packet::is_fragment(before);
                assert!(!whole || before.starts_with(after), "what is the host's stays as it is");
                return self.engine.refuse_delivery();
            }
            Verdict::Hold | Verdict::Drop(_) => return,
        };
        packet::check(after);
        // Padding behind a packet is not looked at.
        let total = usize::from(u16::from_be_bytes([before[2], before[3]]));
        if packet::transport_is_right(&before[..total]) {
            assert!(packet::transport_is_right(after), "it was right before: {before:?} {after:?}");
        }
        self.check_sides(to, after);
        if to == Realm::Outside && self.left.len() < 64 {
            let at = packet::header_length(after);
            let port =
                |at: usize| after.get(at..at + 2).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]));
            let (from, to) = (packet::source(after), packet::destination(after));
            self.left.push((after[9], (from, port(at)), (to, port(at + 2))));
        }
    }

    fn batch(&mut self, input: &mut Input<'_>) {
        let realm = if input.bool() { Realm::Inside } else { Realm::Outside };
        let mut buffers: Vec<Vec<u8>> = Vec::new();
        for _ in 0..input.byte() % 48 {
            buffers.push(self.packet(input).1);
        }
        buffers.truncate(BATCH);
        let before = buffers.clone();
        self.damaged |= before.iter().any(|bytes| !packet::transport_is_right(bytes));
        for buffer in &mut buffers {
            buffer.resize(buffer.len() + ROOM, 0);
        }
        let mut packets: Vec<Packet<'_>> = buffers
            .iter_mut()
            .zip(&before)
            .map(|(buffer, before)| Packet::new(buffer, before.len()))
            .collect();
        let mut verdicts = vec![Verdict::Hold; packets.len()];
        self.engine.process_batch(&mut packets, realm, self.now, &mut verdicts);
        let after: Vec<Vec<u8>> = packets.iter().map(|packet| packet.bytes().to_vec()).collect();
        for ((before, verdict), after) in before.iter().zip(verdicts).zip(after) {
            self.judge(realm, before, verdict, &after);
        }
        self.settle();
    }

    /// A packet that is likely to mean something, sometimes damaged.
    fn packet(&mut self, input: &mut Input<'_>) -> (Realm, Vec<u8>) {
        let realm = if input.bool() { Realm::Inside } else { Realm::Outside };
        let answered = self.left.get(usize::from(input.byte()) % self.left.len().max(1)).copied();
        let (from, to) = match (realm, answered) {
            (Realm::Outside, Some((_, outside, remote))) if input.byte() > 60 => (remote, outside),
            (Realm::Inside, Some((_, outside, _))) if input.byte() % 8 == 1 => {
                ((input.pick(&HOSTS), input.pick(&PORTS)), outside)
            }
            (Realm::Inside, _) => ((input.pick(&HOSTS), input.pick(&PORTS)), self.remote(input)),
            (Realm::Outside, _) => (self.remote(input), (pool(input.byte() % 4), input.pick(&PORTS))),
        };
        let length = usize::from(input.byte() % 64);
        let mut bytes = match input.byte() % 7 {
            0 | 1 => packet::udp(from, to, input.bytes(length)),
            2 | 3 => {
                let numbers = (input.pick(&[999, 1_000, 5_000, 0]), input.pick(&[5_000, 1_000, 0, u32::MAX]));
                packet::tcp(from, to, numbers, input.pick(&FLAGS), input.bytes(length))
            }
            6 => packet::other(input.pick(&[136, 47, 50, 51, 132, 33, 89]), from, to, input.bytes(length)),
            4 => {
                let identifier = u32::from(if realm == Realm::Inside { from.1 } else { to.1 }) << 16;
                packet::icmp(input.pick(&[8, 0, 13]), 0, identifier, from.0, to.0, b"ping")
            }
            _ => {
                let quoted =
                    if input.bool() { packet::udp(to, from, b"x") } else { packet::udp(from, to, b"") };
                packet::icmp(input.pick(&[3, 11, 12, 4]), input.byte() % 16, 1_400, from.0, to.0, &quoted)
            }
        };
        let damage = input.byte();
        if damage > 220 {
            for _ in 0..=damage % 3 {
                let at = usize::from(input.byte()) % bytes.len();
                bytes[at] ^= input.byte();
            }
            if input.bool() {
                packet::complete(&mut bytes);
            }
        }
        (realm, bytes)
    }

    fn remote(&self, input: &mut Input<'_>) -> End {
        let address = match input.byte() % 8 {
            0..=5 => input.pick(&REMOTES),
            6 => pool(input.byte() % 4),
            _ => Ipv4Addr::from_bits(input.long()),
        };
        (address, input.pick(&PORTS))
    }

    /// Ends it all: whatever there was, nothing is kept for ever.
    pub(crate) fn finish(mut self) {
        // Blocks are held from when the engine looks at what was in them.
        self.advance(Duration::from_secs(1_000_000));
        self.advance(Duration::from_secs(1_000_000));
        let left = (self.engine.session_count(), self.engine.pinhole_count(), self.engine.mappings().count());
        assert_eq!((left, self.engine.subscriber_count()), ((0, 0, 0), 0), "something is left");
    }
}
