//! The engine's cost per packet of an established session, against a bare loop that finds a session in a plain array
//! and rewrites the packet. Both see the same packets in the same order, turn by turn in one run.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark measures time, prints and may fail loudly"
)]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::Translation;
use pinhole_dataplane::config::{Config, PoolAddress, PortRange, Snapshot};
use pinhole_dataplane::engine::{Engine, Packet, Verdict};
use pinhole_dataplane::limits::{Limits, Timeouts};
use pinhole_dataplane::time::Timestamp;

const SESSIONS: [u32; 3] = [1_000, 100_000, 1_000_000];
/// Packets of one turn.
const PACKETS: u32 = 1_000_000;
/// Turns of each side; the fastest counts, as all that disturbs makes a turn slower.
const TURNS: usize = 7;
/// Sessions of one inside host, as the field's CGNAT benchmarks have them.
const SESSIONS_PER_HOST: u32 = 63;
const POOL_ADDRESSES: u32 = 64;
const LENGTH: usize = 60;
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 5);

/// Writes the UDP packet of a session, its IP checksum right and no UDP checksum, as 20 + 8 + 32 bytes.
fn write_packet(buffer: &mut [u8], session: u32) {
    let source = Ipv4Addr::from_bits(0x0a00_0001 + session / SESSIONS_PER_HOST);
    let port = 1_024 + (session % SESSIONS_PER_HOST) as u16;
    buffer[..12].copy_from_slice(&[0x45, 0, 0, LENGTH as u8, 0, 0, 0x40, 0, 64, 17, 0, 0]);
    buffer[12..16].copy_from_slice(&source.octets());
    buffer[16..20].copy_from_slice(&SERVER.octets());
    buffer[20..22].copy_from_slice(&port.to_be_bytes());
    buffer[22..28].copy_from_slice(&[0, 53, 0, 40, 0, 0]);
    let sum = checksum(&buffer[..20]);
    buffer[10..12].copy_from_slice(&sum.to_be_bytes());
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    !u16::try_from(sum).expect("the sum is folded")
}

/// Visits the sessions in an order that no prefetcher guesses: a full-period generator over a power of two.
struct Order {
    at: u32,
    mask: u32,
    sessions: u32,
}

impl Order {
    fn new(sessions: u32) -> Self {
        Self { at: 1, mask: sessions.next_power_of_two() - 1, sessions }
    }

    fn next(&mut self) -> u32 {
        loop {
            self.at = self.at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) & self.mask;
            // The low bits have short periods, so the high ones are turned into them.
            let session = self.at.reverse_bits() >> (self.mask.leading_zeros());
            if session < self.sessions {
                return session;
            }
        }
    }
}

#[derive(Clone, Copy, Default)]
struct BareEntry {
    source: u32,
    destination: u32,
    ports: u32,
    new_source: u32,
    new_port: u16,
    used: bool,
}

/// The least that a NAT has to do: parse, hash, find, rewrite, mend the checksum.
struct Bare {
    entries: Vec<BareEntry>,
    mask: u32,
}

impl Bare {
    fn new(sessions: u32) -> Self {
        let size = (sessions * 2).next_power_of_two();
        let mut bare = Self { entries: vec![BareEntry::default(); size as usize], mask: size - 1 };
        let mut buffer = [0; LENGTH];
        for session in 0..sessions {
            write_packet(&mut buffer, session);
            let (source, destination, ports) = key(&buffer);
            let mut at = bare.home(source, destination, ports);
            while bare.entries[at as usize].used {
                at = (at + 1) & bare.mask;
            }
            bare.entries[at as usize] = BareEntry {
                source,
                destination,
                ports,
                new_source: 0xcb00_7101 + session / 64_000,
                new_port: 1_024 + (session % 64_000) as u16,
                used: true,
            };
        }
        bare
    }

    fn home(&self, source: u32, destination: u32, ports: u32) -> u32 {
        let mut hash = u64::from(source) << 32 | u64::from(ports);
        hash = (hash ^ u64::from(destination)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((hash >> 32) as u32) & self.mask
    }

    fn process(&self, packet: &mut [u8]) {
        let (source, destination, ports) = key(packet);
        let mut at = self.home(source, destination, ports);
        loop {
            let entry = &self.entries[at as usize];
            if entry.source == source && entry.destination == destination && entry.ports == ports {
                let old = u32::from(u16::from_be_bytes([packet[10], packet[11]]));
                packet[12..16].copy_from_slice(&entry.new_source.to_be_bytes());
                packet[20..22].copy_from_slice(&entry.new_port.to_be_bytes());
                packet[8] -= 1;
                let words = |value: u32| (value >> 16) + (value & 0xffff);
                let mut sum = (!old & 0xffff) + words(!source) + words(entry.new_source) + 0xfeff;
                sum = (sum & 0xffff) + (sum >> 16);
                sum = (sum & 0xffff) + (sum >> 16);
                packet[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
                return;
            }
            at = (at + 1) & self.mask;
        }
    }
}

fn key(packet: &[u8]) -> (u32, u32, u32) {
    let word = |at: usize| u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
    (word(12), word(16), word(20))
}

fn engine(sessions: u32, now: Timestamp) -> Engine {
    let ports = PortRange::new(1_024, 65_535).expect("a range");
    let pool =
        |index: u32| PoolAddress { address: Ipv4Addr::from_bits(0xcb00_7100 + index), ports, host: false };
    let config = Config {
        inside_prefixes: vec!["10.0.0.0/8".parse().expect("a prefix")],
        pool: (0..POOL_ADDRESSES).map(pool).collect(),
        nat: Translation::default(),
        host_addresses: vec![],
        algs: vec![],
        timeouts: Timeouts::default(),
        decrement_ttl: true,
        mtu: 1_500,
    };
    let subscribers = sessions / SESSIONS_PER_HOST + 1;
    let limits = Limits { sessions, subscribers, ..Limits::default() };
    let mut engine = Engine::new(limits, &[7; 32], now);
    engine.apply(Arc::new(Snapshot::new(config).expect("a valid configuration")), now);
    let mut buffer = [0; LENGTH];
    for session in 0..sessions {
        write_packet(&mut buffer, session);
        let verdict = engine.process(&mut Packet::new(&mut buffer, LENGTH), Realm::Inside, now);
        assert_eq!(verdict, Verdict::Forward, "session {session} opens");
    }
    engine
}

/// Returns nanoseconds per packet.
fn turn(order: &mut Order, mut process: impl FnMut(&mut [u8])) -> f64 {
    let mut buffer = [0; LENGTH];
    let start = Instant::now();
    for _ in 0..PACKETS {
        write_packet(&mut buffer, order.next());
        process(&mut buffer);
        black_box(&buffer);
    }
    start.elapsed().as_nanos() as f64 / f64::from(PACKETS)
}

fn main() {
    println!(
        "ns per packet of an established UDP session, the packet's making taken off; fastest of {TURNS} turns"
    );
    println!("{:>10} {:>10} {:>10} {:>8}", "sessions", "bare loop", "engine", "ratio");
    let now = Timestamp::from_nanos(1_000_000_000);
    for sessions in SESSIONS {
        let bare = Bare::new(sessions);
        let mut engine = engine(sessions, now);
        let mut order = Order::new(sessions);
        let [mut nothing, mut least, mut whole] = [f64::MAX; 3];
        for _ in 0..TURNS {
            nothing = nothing.min(turn(&mut order, |_| {}));
            least = least.min(turn(&mut order, |packet| bare.process(packet)));
            whole = whole.min(turn(&mut order, |packet| {
                let verdict = engine.process(&mut Packet::new(packet, LENGTH), Realm::Inside, now);
                debug_assert_eq!(verdict, Verdict::Forward);
                black_box(verdict);
            }));
        }
        let (least, whole) = (least - nothing, whole - nothing);
        println!("{sessions:>10} {least:>10.1} {whole:>10.1} {:>8.2}", whole / least);
    }
}
