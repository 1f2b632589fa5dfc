//! How long packets wait while something happens to a million sessions: the longest single call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pinhole_dataplane::config::nat::{Allocation, Dependence, PortBlocks, Translation};
use pinhole_dataplane::config::{Config, Snapshot};
use pinhole_dataplane::engine::Engine;
use pinhole_dataplane::time::Timestamp;

use crate::{configuration, full};

const SESSIONS: u32 = 1_000_000;
/// Equal runs; of each call the fastest counts, as all that disturbs makes a call slower.
const RUNS: usize = 5;
const NOW: Timestamp = Timestamp::from_nanos(1_000_000_000);

/// Microseconds of calls one after the other, between any two of which packets may pass.
#[derive(Default)]
struct Calls(Vec<f64>);

impl Calls {
    fn time(&mut self, call: impl FnOnce()) {
        let start = Instant::now();
        call();
        self.0.push(start.elapsed().as_nanos() as f64 / 1_000.0);
    }

    fn finish(&mut self, engine: &mut Engine, now: Timestamp) {
        while engine.poll_timeout().is_some_and(|at| at <= now) {
            self.time(|| engine.handle_timeout(now));
        }
    }

    fn fastest(mut self, other: &Self) -> Self {
        assert_eq!(self.0.len(), other.0.len(), "runs are equal");
        for (time, other) in self.0.iter_mut().zip(&other.0) {
            *time = time.min(*other);
        }
        self
    }
}

/// Something that happens to a full engine.
struct Happening {
    name: &'static str,
    happen: fn(&mut Engine, &mut Calls),
}

const HAPPENINGS: [Happening; 5] = [
    Happening {
        name: "the same configuration",
        happen: |engine, calls| apply(configuration(), engine, calls),
    },
    Happening {
        name: "another filter",
        happen: |engine, calls| {
            let nat = Translation { filtering: Dependence::Address, ..Translation::default() };
            apply(Config { nat, ..configuration() }, engine, calls);
        },
    },
    Happening {
        name: "half of the pool",
        happen: |engine, calls| {
            let mut config = configuration();
            config.pool.truncate(config.pool.len() / 2);
            apply(config, engine, calls);
        },
    },
    Happening {
        name: "ports in blocks",
        happen: |engine, calls| {
            let allocation = Allocation::Blocks(PortBlocks::default());
            let nat = Translation { allocation, ..Translation::default() };
            apply(Config { nat, ..configuration() }, engine, calls);
        },
    },
    Happening {
        name: "all expire at once",
        happen: |engine, calls| calls.finish(engine, NOW.saturating_add(Duration::from_secs(3_600))),
    },
];

fn apply(config: Config, engine: &mut Engine, calls: &mut Calls) {
    let snapshot = Arc::new(Snapshot::new(config).expect("a valid configuration"));
    calls.time(|| engine.apply(snapshot, NOW));
    calls.finish(engine, NOW);
}

pub(crate) fn print() {
    println!(
        "microseconds that packets wait for what happens to {SESSIONS} sessions; fastest of {RUNS} runs"
    );
    println!(
        "{:>24} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}",
        "", "first", "median", "99.9 %", "longest", "calls", "all, ms", "left"
    );
    for Happening { name, happen } in HAPPENINGS {
        let mut left = 0;
        let run = |left: &mut usize| {
            let (mut engine, _, _) = full(SESSIONS, NOW);
            let mut calls = Calls::default();
            happen(&mut engine, &mut calls);
            *left = engine.session_count();
            calls
        };
        let first_run = run(&mut left);
        let Calls(mut times) = (1..RUNS).fold(first_run, |fastest, _| fastest.fastest(&run(&mut left)));
        let (first, all, count) = (times[0], times.iter().sum::<f64>() / 1_000.0, times.len());
        times.sort_by(f64::total_cmp);
        let rank = |share: f64| times[((count - 1) as f64 * share) as usize];
        println!(
            "{name:>24} {first:>8.1} {:>8.1} {:>8.1} {:>8.1} {count:>8} {all:>9.0} {left:>9}",
            rank(0.5),
            rank(0.999),
            rank(1.0),
        );
    }
}
