//! Whole networks on virtual time: clients and servers with a real TCP, gateways between them, and a bad path.
//!
//! Everything follows from a seed, which is printed with a failure: `PINHOLE_SEED=... cargo test -p pinhole-dataplane
//! --test sim` runs the same network again, packet by packet. `PINHOLE_RUNS` says how many networks there are.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod apps;
mod ftp;
mod host;
mod intruder;
mod network;
#[path = "../engine/packets.rs"]
#[expect(dead_code, reason = "not all of what the engine's tests need is needed here")]
mod packets;
mod plan;
#[path = "../control/random.rs"]
mod random;
#[path = "../control/seeds.rs"]
mod seeds;

use network::Network;
use seeds::{Named, seeds};

/// Networks of a run.
const RUNS: u64 = 24;

#[test]
fn what_is_sent_arrives_whole_and_nothing_else_does() {
    let mut crossed = 0;
    for seed in seeds("PINHOLE_RUNS", RUNS) {
        let _named = Named(seed);
        let mut network = plan::network(seed);
        network.run();
        network.end();
        crossed += network.crossed;
    }
    let one = std::env::var_os("PINHOLE_SEED").is_some();
    assert!(one || crossed > 1_000, "{crossed} packets have crossed a gateway");
}

#[test]
fn a_seed_says_everything() {
    let trace = |seed| {
        let mut network: Network = plan::network(seed);
        network.run();
        (network.crossed, network.trace)
    };
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3).1, trace(4).1);
}
