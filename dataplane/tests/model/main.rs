//! The engine against a plain model of what a NAT is: maps, and nothing clever.
//!
//! Random scripts of packets and waits go through both. The model says what has to become of each packet; where the
//! engine may choose, of ports above all, it holds the engine to what it has chosen. A script that fails is made as
//! short as it can be and printed with its seed: `PINHOLE_SEED=... cargo test -p pinhole-dataplane --test model` runs
//! it again, `PINHOLE_RUNS` says how many scripts run.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod blocks;
mod changes;
mod connection;
mod driver;
mod flow;
#[path = "../engine/packets.rs"]
#[expect(dead_code, reason = "not all of what the engine's tests need is needed here")]
mod packets;
mod ports;
#[path = "../control/random.rs"]
mod random;
mod reference;
mod script;
mod settings;
mod shrink;

use random::Random;
use script::Script;

/// Scripts of a run.
const RUNS: u64 = 150;
/// Steps of a script.
const STEPS: usize = 150;

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match number("PINHOLE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("PINHOLE_RUNS").unwrap_or(RUNS),
    }
}

/// Runs a script, and panics with the shortest one that fails.
fn hold(script: Script, seed: u64, reached: &mut driver::Reached) {
    let Err(failure) = driver::run(&script, reached) else { return };
    let fails = |script: &Script| driver::run(script, &mut driver::Reached::default()).is_err();
    let script = shrink::shortest(script, fails);
    let shortest = driver::run(&script, &mut driver::Reached::default()).unwrap_err();
    panic!(
        "{failure}\n\nThe shortest script that fails ({shortest}):\n{script}\nrun it again with PINHOLE_SEED={seed}"
    );
}

#[test]
fn a_change_of_the_configuration_reaches_many_sessions() {
    // They are many steps, and each is looked at by hundreds of sessions.
    let mut reached = driver::Reached::default();
    for seed in seeds().step_by(100) {
        hold(Script::crowded(&mut Random(seed), 4 * STEPS), seed, &mut reached);
    }
    assert!(reached.sessions > 2 * pinhole_dataplane::limits::JUDGED_PER_CALL, "{reached:?}");
}

#[test]
fn the_engine_does_what_the_model_says() {
    let mut reached = driver::Reached::default();
    for seed in seeds() {
        hold(Script::random(&mut Random(seed), STEPS), seed, &mut reached);
    }
    // A generator that reaches nothing would prove nothing.
    if std::env::var_os("PINHOLE_SEED").is_none() {
        reached.check();
    }
}
