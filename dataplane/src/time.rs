//! Monotonic time, told to the engine by its caller.

use std::time::Duration;

/// Nanoseconds of a monotonic clock whose zero is the caller's choice.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The clock's zero.
    pub const ZERO: Self = Self(0);

    /// Makes a timestamp from nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the clock's zero.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns the time since `earlier`, zero when that is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Returns this time plus `duration`, at most the end of the clock.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Time in sixteenths of a second, what sessions keep: fine beside any timeout, and 32 bits of it last for eight years.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Tick(u32);

const TICK_NANOS: u64 = 1_000_000_000 / 16;

impl Tick {
    /// The clock's zero.
    pub const ZERO: Self = Self(0);

    /// Returns the first tick at or after a time.
    pub fn at(time: Timestamp) -> Self {
        Self(u32::try_from(time.as_nanos().div_ceil(TICK_NANOS)).unwrap_or(u32::MAX))
    }

    /// Returns the tick that is this long after the clock's zero, rounded up.
    pub fn after(duration: Duration) -> Self {
        Self::at(Timestamp::ZERO.saturating_add(duration))
    }

    /// Returns this tick as a time.
    pub const fn timestamp(self) -> Timestamp {
        Timestamp(self.0 as u64 * TICK_NANOS)
    }

    /// Returns this tick less what lies between the clock's zero and `other`, at least the zero.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Returns this tick plus what lies between the clock's zero and `other`.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
