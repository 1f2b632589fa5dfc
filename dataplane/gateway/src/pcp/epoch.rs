//! Since when no mapping was lost, which clients of PCP and NAT-PMP go by (RFC 6887, section 8.5).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A clock of seconds that begins anew when mappings are lost; shared by reference.
#[derive(Clone, Debug)]
pub(crate) struct Epoch {
    started: Instant,
    /// Milliseconds after the start.
    lost_at: Arc<AtomicU64>,
}

impl Epoch {
    /// Begins now: whatever an earlier process had is lost.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), lost_at: Arc::default() }
    }

    /// Begins anew.
    pub(crate) fn reset(&self) {
        self.lost_at.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    /// Returns how long no mapping was lost.
    pub(crate) fn seconds(&self) -> u32 {
        let since = self.elapsed_ms().saturating_sub(self.lost_at.load(Ordering::Relaxed));
        u32::try_from(since / 1_000).unwrap_or(u32::MAX)
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
