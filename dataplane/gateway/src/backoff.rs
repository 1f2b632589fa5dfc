//! How long to wait before the next attempt to reach somebody.

use std::time::Duration;

use rand::{Rng, RngExt as _};

/// The longest wait after a first failure.
const FIRST: Duration = Duration::from_millis(200);
/// The longest wait ever: how long an outage outlasts its end at most.
const MOST: Duration = Duration::from_secs(10);
/// No wait is shorter, so that a peer that fails at once is not flooded.
const LEAST: Duration = Duration::from_millis(50);

/// Exponential back-off with full jitter, so that gateways that lost the same peer do not come back
/// together.
#[derive(Debug)]
pub(crate) struct Backoff<R> {
    random: R,
    ceiling: Duration,
}

impl<R: Rng> Backoff<R> {
    /// Starts anew.
    pub(crate) fn new(random: R) -> Self {
        Self { random, ceiling: FIRST }
    }

    /// Forgets the failures so far.
    pub(crate) fn reset(&mut self) {
        self.ceiling = FIRST;
    }

    /// Returns how long to wait now.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.random.random_range(LEAST..=self.ceiling);
        self.ceiling = self.ceiling.saturating_mul(2).min(MOST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn waits_grow_to_the_bound_and_start_anew_after_a_reset() {
        for seed in 0..100 {
            let mut backoff = Backoff::new(StdRng::seed_from_u64(seed));
            let mut ceiling = FIRST;
            for _ in 0..12 {
                let wait = backoff.next();
                assert!((LEAST..=ceiling).contains(&wait), "seed {seed}: {wait:?}");
                ceiling = (ceiling * 2).min(MOST);
            }
            assert_eq!(backoff.ceiling, MOST);
            backoff.reset();
            assert!(backoff.next() <= FIRST, "seed {seed}");
        }
    }

    #[test]
    fn waits_differ_between_gateways() {
        let mut waits: Vec<Duration> =
            (0..50).map(|seed| Backoff::new(StdRng::seed_from_u64(seed)).next()).collect();
        waits.sort_unstable();
        waits.dedup();
        assert!(waits.len() > 40);
    }
}
