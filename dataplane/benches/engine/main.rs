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
use pinhole_dataplane::engine::{BATCH, Engine, Packet, Verdict};
use pinhole_dataplane::limits::{Limits, Timeouts};
use pinhole_dataplane::time::Timestamp;

use crate::bare::Bare;
use crate::traffic::{
    LENGTH, Order, SESSIONS_PER_HOST, write_packet, write_segment, write_syn, write_syn_ack,
};

mod bare;
mod pauses;
mod traffic;

const SESSIONS: [u32; 4] = [1_000, 100_000, 1_000_000, 10_000_000];
/// Batches of one turn.
const BATCHES: usize = 32_768;
/// Turns of each side; the fastest counts, as all that disturbs makes a turn slower.
const TURNS: usize = 9;
const POOL_ADDRESSES: u32 = 256;

/// Resident memory of this program, in bytes.
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("the kernel tells");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());
    pages.expect("the second number") * 4_096.0
}

fn configuration() -> Config {
    let ports = PortRange::new(1_024, 65_535).expect("a range");
    let pool =
        |index: u32| PoolAddress { address: Ipv4Addr::from_bits(0xcb00_7100 + index), ports, host: false };
    Config {
        inside_prefixes: vec!["10.0.0.0/8".parse().expect("a prefix")],
        pool: (0..POOL_ADDRESSES).map(pool).collect(),
        nat: Translation::default(),
        ipv6: None,
        host_addresses: vec![],
        algs: vec![],
        timeouts: Timeouts::default(),
        decrement_ttl: true,
        mtu: 1_500,
    }
}

/// An engine with room for so many sessions, and none yet.
fn empty(sessions: u32, now: Timestamp) -> Engine {
    let subscribers = sessions / SESSIONS_PER_HOST + 1;
    let limits = Limits { sessions, subscribers, ..Limits::default() };
    let mut engine = Engine::new(limits, &[7; 32], now);
    engine.apply(Arc::new(Snapshot::new(configuration()).expect("a valid configuration")), now);
    engine
}

/// A full engine, nanoseconds that opening a session took, and bytes of memory for each.
fn full(sessions: u32, now: Timestamp) -> (Engine, f64, f64) {
    let before = resident();
    let mut engine = empty(sessions, now);
    let mut buffer = [0; LENGTH];
    let start = Instant::now();
    for session in 0..sessions {
        write_packet(&mut buffer, session);
        let verdict = engine.process(&mut Packet::new(&mut buffer, LENGTH), Realm::Inside, now);
        assert_eq!(verdict, Verdict::Forward, "session {session} opens");
    }
    let opening = start.elapsed().as_nanos() as f64 / f64::from(sessions);
    (engine, opening, (resident() - before) / f64::from(sessions))
}

/// An engine full of open TCP sessions.
fn connected(sessions: u32, now: Timestamp) -> Engine {
    let mut engine = empty(sessions, now);
    let (mut syn, mut answer) = ([0; LENGTH], [0; LENGTH]);
    let mut pass = |buffer: &mut [u8; LENGTH], realm| {
        let verdict = engine.process(&mut Packet::new(buffer, LENGTH), realm, now);
        assert_eq!(verdict, Verdict::Forward, "a session opens");
    };
    for session in 0..sessions {
        write_syn(&mut syn, session);
        pass(&mut syn, Realm::Inside);
        write_syn_ack(&mut answer, &syn);
        pass(&mut answer, Realm::Outside);
        write_segment(&mut syn, session);
        pass(&mut syn, Realm::Inside);
    }
    engine
}

/// Packets as they wait in a receive ring, in an order that no cache knows.
fn ring(sessions: u32, write: fn(&mut [u8; LENGTH], u32)) -> Vec<[u8; LENGTH]> {
    let mut order = Order::new(sessions);
    let mut ring = vec![[0; LENGTH]; BATCHES * BATCH];
    for packet in &mut ring {
        write(packet, order.next());
    }
    ring
}

/// Takes every packet out of the ring, a batch at a time; returns nanoseconds per packet.
fn turn(ring: &[[u8; LENGTH]], mut process: impl FnMut(&mut [[u8; LENGTH]; BATCH])) -> f64 {
    let mut buffers = [[0; LENGTH]; BATCH];
    let start = Instant::now();
    for batch in ring.chunks_exact(BATCH) {
        buffers.copy_from_slice(batch);
        process(&mut buffers);
        black_box(&mut buffers);
    }
    start.elapsed().as_nanos() as f64 / ring.len() as f64
}

/// One turn of the engine.
fn engine_turn(engine: &mut Engine, ring: &[[u8; LENGTH]], now: Timestamp) -> f64 {
    turn(ring, |buffers| {
        let mut buffers = buffers.iter_mut();
        let mut packets: [Packet<'_>; BATCH] =
            std::array::from_fn(|_| Packet::new(buffers.next().expect("as many"), LENGTH));
        let mut verdicts = [Verdict::Hold; BATCH];
        engine.process_batch(&mut packets, Realm::Inside, now, &mut verdicts);
        debug_assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Forward));
        black_box(verdicts);
    })
}

/// The numbers of sessions that are asked for on the command line, or all. `packets` asks for nothing but this table,
/// and `pauses` for nothing but the other one.
fn asked() -> Vec<u32> {
    let asked: Vec<u32> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    if asked.is_empty() { SESSIONS.to_vec() } else { asked }
}

fn main() {
    let asked_for = |what| std::env::args().any(|word| word == what);
    if !asked_for("pauses") {
        packets();
    }
    if !asked_for("packets") {
        pauses::print();
    }
}

fn packets() {
    println!("ns per packet of an established session, taken out of a ring; fastest of {TURNS} turns");
    println!(
        "opening: ns per new session with a mapping of its own, one packet at a time; memory: all tables, bytes"
    );
    println!(
        "{:>10} {:>10} {:>10} {:>10} {:>8} {:>10} {:>10} {:>10}",
        "sessions", "taking", "bare loop", "engine", "ratio", "TCP", "opening", "memory"
    );
    let now = Timestamp::from_nanos(1_000_000_000);
    for sessions in asked() {
        let bare = Bare::new(sessions);
        let (mut engine, opening, memory) = full(sessions, now);
        let datagrams = ring(sessions, write_packet);
        let [mut nothing, mut least, mut whole, mut tcp] = [f64::MAX; 4];
        for _ in 0..TURNS {
            nothing = nothing.min(turn(&datagrams, |_| {}));
            least = least.min(turn(&datagrams, |packets| bare.process(packets)));
            whole = whole.min(engine_turn(&mut engine, &datagrams, now));
        }
        drop((engine, datagrams));
        let mut engine = connected(sessions, now);
        let segments = ring(sessions, write_segment);
        for _ in 0..TURNS {
            tcp = tcp.min(engine_turn(&mut engine, &segments, now));
        }
        let ratio = whole / least;
        println!(
            "{sessions:>10} {nothing:>10.1} {least:>10.1} {whole:>10.1} {ratio:>8.2} {tcp:>10.1} {opening:>10.0} {memory:>10.0}"
        );
    }
}
