//! The time of day, from the system or from a test.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, SubsecRound, Utc};

/// A moment, in UTC.
pub type Timestamp = DateTime<Utc>;

/// Digits of a second that the database keeps; times are cut to them so that what is stored is what was answered.
const SUBSECOND_DIGITS: u16 = 6;

/// Tells the time.
pub trait Clock: Debug + Send + Sync {
    /// The time now, to the microsecond.
    fn now(&self) -> Timestamp;
}

/// A clock that any part of the program can hold.
pub type SharedClock = Arc<dyn Clock>;

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Utc::now().trunc_subsecs(SUBSECOND_DIGITS)
    }
}

/// The system's clock, shifted by what a test asks for.
#[derive(Debug, Default)]
pub struct ShiftedClock {
    shift: Mutex<Duration>,
}

impl ShiftedClock {
    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        let mut shift = self.shift.lock().unwrap_or_else(PoisonError::into_inner);
        *shift += by;
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let shift = *self.shift.lock().unwrap_or_else(PoisonError::into_inner);
        (Utc::now() + shift).trunc_subsecs(SUBSECOND_DIGITS)
    }
}
