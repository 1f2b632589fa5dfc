//! Counters.

use crate::engine::DropReason;

/// What the engine has done since it started.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Packets forwarded.
    pub forwarded: u64,
    /// Packets kept for later, by an ALG or as fragments.
    pub held: u64,
    /// Packets that left by themselves: made by the engine, or kept for a while.
    pub transmitted: u64,
    /// Packets of the engine's own that found the queue full.
    pub transmits_lost: u64,
    /// Sessions created.
    pub sessions_created: u64,
    /// Sessions ended.
    pub sessions_ended: u64,
    /// Half-open TCP connections that made room for others, because there were as many as there may be.
    pub evicted_half_open: u64,
    /// Sessions that nobody had answered and that made room for others, because the table was full.
    pub evicted_unanswered: u64,
    /// Pinholes opened.
    pub pinholes_opened: u64,
    drops: Vec<u64>,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            forwarded: 0,
            held: 0,
            transmitted: 0,
            transmits_lost: 0,
            sessions_created: 0,
            sessions_ended: 0,
            evicted_half_open: 0,
            evicted_unanswered: 0,
            pinholes_opened: 0,
            drops: vec![0; DropReason::ALL.len()],
        }
    }
}

impl Stats {
    /// Returns how often a reason dropped a packet.
    pub fn drops(&self, reason: DropReason) -> u64 {
        self.drops.get(reason.position()).copied().unwrap_or(0)
    }

    /// Returns how many packets were dropped in all.
    pub fn dropped(&self) -> u64 {
        self.drops.iter().sum()
    }

    pub(crate) fn count_drop(&mut self, reason: DropReason) {
        if let Some(counter) = self.drops.get_mut(reason.position()) {
            *counter += 1;
        }
    }
}
