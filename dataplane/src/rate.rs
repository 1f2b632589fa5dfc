//! How much may happen in a second.

use std::num::NonZeroU32;

use crate::time::Timestamp;

const SECOND: u64 = 1_000_000_000;

/// A token bucket of one second's tokens, told by when it will be full again; it starts full.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rate {
    full_at: Timestamp,
}

impl Rate {
    /// Whether a token is left at a rate.
    pub fn allows(&self, per_second: NonZeroU32, now: Timestamp) -> bool {
        let missing = self.full_at.as_nanos().saturating_sub(now.as_nanos());
        missing.saturating_add(SECOND / u64::from(per_second.get())) <= SECOND
    }

    /// Takes a token, whether there is one or not.
    pub fn spend(&mut self, per_second: NonZeroU32, now: Timestamp) {
        let from = self.full_at.max(now).as_nanos();
        self.full_at = Timestamp::from_nanos(from.saturating_add(SECOND / u64::from(per_second.get())));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_holds_as_many_as_the_rate_says() {
        let (mut rate, per_second) = (Rate::default(), NonZeroU32::new(100).unwrap());
        let start = Timestamp::from_nanos(5 * SECOND);
        let mut taken = 0;
        for now in (0..200).map(|step| start.saturating_add(Duration::from_millis(step * 10))) {
            for _ in 0..3 {
                if rate.allows(per_second, now) {
                    rate.spend(per_second, now);
                    taken += 1;
                }
            }
        }
        // A full bucket, and two seconds' worth.
        assert!((298..=300).contains(&taken), "{taken}");
    }
}
