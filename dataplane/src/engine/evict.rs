//! Who goes when there is no room: only sessions that nobody has answered, the oldest first. So who floods the gateway
//! crowds out itself, and whoever has a session keeps it.

use crate::alg::CloseReason;
use crate::conntrack::SessionId;
use crate::engine::Engine;
use crate::limits::{ACTIVE, IdleTicks, PASSED_OVER};
use crate::time::Tick;
use crate::tuple::Protocol;

impl Engine {
    /// Makes room for one more half-open connection of a subscriber, where it or all have as many as they may have.
    pub(super) fn make_room_half_open(&mut self, owner: Option<u32>) {
        let Some(owner) = owner else { return };
        let waiting = self.table.waiting();
        let oldest = if waiting.half_open_of(owner) >= self.limits.half_open_per_subscriber {
            waiting.oldest_of(owner)
        } else if waiting.half_open() >= self.limits.half_open {
            waiting.oldest_half_open()
        } else {
            None
        };
        if let Some(id) = oldest.and_then(|slot| self.table.id_at(slot)) {
            self.stats.evicted_half_open += 1;
            self.end_session(id, CloseReason::Evicted);
        }
    }

    /// Has a new session wait for its answer.
    pub(super) fn wait_for_answer(&mut self, id: SessionId, protocol: Protocol, owner: Option<u32>) {
        let waiting = self.table.waiting_mut();
        match (protocol, owner) {
            (Protocol::Tcp, Some(owner)) => waiting.enter_half_open(id.slot, owner),
            (
                Protocol::Tcp
                | Protocol::Udp
                | Protocol::UdpLite
                | Protocol::IcmpEcho
                | Protocol::Gre
                | Protocol::Other,
                _,
            ) => waiting.enter_silent(id.slot),
        }
    }

    /// Makes room in a full table; `false` when every session has been answered.
    pub(super) fn make_room(&mut self, now: Tick, idle: &IdleTicks) -> bool {
        self.pass_over_active(now, idle);
        let waiting = self.table.waiting();
        let quiet = |slot: u32| {
            let id = self.table.id_at(slot)?;
            self.table.session(id).map(|session| (session.quiet_since(idle), id))
        };
        let silent = waiting.oldest_silent().and_then(quiet);
        let half_open = waiting.oldest_half_open().and_then(quiet);
        let oldest = match (silent, half_open) {
            (Some(silent), Some(half_open)) if silent.0 <= half_open.0 => Some(silent),
            (Some(_), Some(half_open)) => Some(half_open),
            (one, other) => one.or(other),
        };
        let Some((_, id)) = oldest else { return false };
        self.stats.evicted_unanswered += 1;
        self.end_session(id, CloseReason::Evicted);
        true
    }

    /// Streams that need no answer are at the end of the queue for as long as they flow; a few are looked at each time.
    fn pass_over_active(&mut self, now: Tick, idle: &IdleTicks) {
        for _ in 0..PASSED_OVER {
            let Some(slot) = self.table.waiting().oldest_silent() else { return };
            let Some(session) = self.table.id_at(slot).and_then(|id| self.table.session(id)) else { return };
            if session.quiet_since(idle).plus(Tick::after(ACTIVE)) < now {
                return;
            }
            self.table.waiting_mut().enter_silent(slot);
        }
    }
}
