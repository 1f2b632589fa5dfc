//! A new configuration reaches the sessions one by one: each at its next packet, or when its turn comes in between.
//!
//! So a change takes no longer for being applied to a million sessions than to one, and nothing passes that it forbids.
//! What a session holds comes free when its turn has come: until then a new one may find no port. Of two changes in a row
//! a session meets the one that is in force at its turn.

use crate::alg::{CloseReason, PinholeId};
use crate::config::Snapshot;
use crate::conntrack::expectation::Pinhole;
use crate::conntrack::ipv6::Ipv6Key;
use crate::conntrack::{Family, Session, SessionId};
use crate::engine::{Engine, LeaseId, remote_of};
use crate::limits::{JUDGED_PER_CALL, PLACES_PER_CALL};
use crate::time::Timestamp;
use crate::tuple::{Direction, Flow, Key, Tuple};

/// Which sessions and pinholes the configuration in force has still to be held against.
#[derive(Debug)]
pub(super) struct Sweep {
    /// A bit for each place: whether there is a session.
    used: Vec<u64>,
    /// A bit for each place: whether its session is still to be judged.
    unjudged: Vec<u64>,
    /// All words of `unjudged` before this one are 0.
    at: usize,
    /// The last pinhole that was judged; those that opened later have later names.
    pinhole: PinholeId,
    /// The last lease that was judged, likewise.
    lease: LeaseId,
    /// When the configuration came; `None` once everything is judged.
    since: Option<Timestamp>,
}

impl Sweep {
    pub(super) fn new(places: u32) -> Self {
        let words = usize::try_from(places.div_ceil(u64::BITS)).unwrap_or(0);
        Self {
            used: vec![0; words],
            unjudged: vec![0; words],
            at: 0,
            pinhole: PinholeId(0),
            lease: LeaseId(0),
            since: None,
        }
    }

    fn start(&mut self, now: Timestamp) {
        self.unjudged.copy_from_slice(&self.used);
        self.at = 0;
        self.pinhole = PinholeId(0);
        self.lease = LeaseId(0);
        self.since = Some(now);
    }

    /// Returns since when there is something to judge.
    pub(super) const fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// Whether the session at a place is still to be judged.
    #[inline(always)]
    pub(super) fn is_unjudged(&self, slot: u32) -> bool {
        self.since.is_some() && self.unjudged.get(word_of(slot)).is_some_and(|word| word & bit_of(slot) != 0)
    }

    fn set_judged(&mut self, slot: u32) {
        if let Some(word) = self.unjudged.get_mut(word_of(slot)) {
            *word &= !bit_of(slot);
        }
    }

    fn set_unjudged(&mut self, slot: u32) {
        if let Some(word) = self.unjudged.get_mut(word_of(slot)) {
            *word |= bit_of(slot);
        }
    }

    /// There is a session at a place from now on.
    fn enter(&mut self, slot: u32) {
        if let Some(word) = self.used.get_mut(word_of(slot)) {
            *word |= bit_of(slot);
        }
    }

    /// There is none any more.
    fn leave(&mut self, slot: u32) {
        self.set_judged(slot);
        if let Some(word) = self.used.get_mut(word_of(slot)) {
            *word &= !bit_of(slot);
        }
    }

    /// Whether no session is left to judge.
    fn has_judged_sessions(&self) -> bool {
        self.at == self.unjudged.len()
    }

    /// Returns a place whose session is still to be judged, looking at no more than so many words.
    fn next(&mut self, words: &mut usize) -> Option<u32> {
        while *words > 0 {
            let word = *self.unjudged.get(self.at)?;
            if word != 0 {
                let first = u32::try_from(self.at).ok()?.checked_mul(u64::BITS)?;
                return Some(first + word.trailing_zeros());
            }
            self.at += 1;
            *words -= 1;
        }
        None
    }
}

fn word_of(slot: u32) -> usize {
    usize::try_from(slot / u64::BITS).unwrap_or(usize::MAX)
}

const fn bit_of(slot: u32) -> u64 {
    1 << (slot % u64::BITS)
}

impl Engine {
    /// Holds everything against the configuration that has just come: what is little at once, the rest bit by bit.
    pub(super) fn start_sweep(&mut self, now: Timestamp) {
        self.sweep.start(now);
        self.continue_sweep();
    }

    /// Judges a few more sessions and pinholes.
    pub(super) fn continue_sweep(&mut self) {
        if self.sweep.since.is_none() {
            return;
        }
        let Some(snapshot) = self.snapshot.take() else { return };
        if self.judge_some(&snapshot) {
            self.sweep.since = None;
        }
        self.snapshot = Some(snapshot);
    }

    /// Whether everything is judged.
    fn judge_some(&mut self, snapshot: &Snapshot) -> bool {
        if !self.nat.prepare_count() {
            return false;
        }
        let (mut budget, mut words) = (JUDGED_PER_CALL, PLACES_PER_CALL);
        while budget > 0 {
            let Some(slot) = self.sweep.next(&mut words) else { break };
            budget -= 1;
            if let Some(id) = self.table.id_at(slot) {
                self.judge(snapshot, id);
            }
        }
        if !self.sweep.has_judged_sessions() {
            return false;
        }
        while budget > 0 {
            budget -= 1;
            let pinhole = self.expectations.after(self.sweep.pinhole).next().copied();
            if let Some(pinhole) = pinhole {
                self.judge_pinhole(snapshot, &pinhole);
                self.sweep.pinhole = pinhole.id;
            } else if let Some(lease) = self.judge_lease(snapshot, self.sweep.lease) {
                self.sweep.lease = lease;
            } else {
                return self.nat.finish_change();
            }
        }
        false
    }

    /// Finds the session that an arriving packet belongs to, if the configuration in force allows it.
    #[inline(always)]
    pub(super) fn find_allowed(&mut self, snapshot: &Snapshot, key: &Key) -> Option<(SessionId, Direction)> {
        let found = self.table.find(key)?;
        let (id, _) = found;
        self.goes_on(snapshot, id).then_some(found)
    }

    /// Finds the session of IPv6 that an arriving packet belongs to, if the configuration in force allows it.
    pub(super) fn find_allowed_ipv6(&mut self, snapshot: &Snapshot, key: &Ipv6Key) -> Option<SessionId> {
        let id = self.table.find_ipv6(key)?;
        self.goes_on(snapshot, id).then_some(id)
    }

    /// Whether a session is still there, and the configuration in force allows it.
    pub(super) fn is_allowed(&mut self, snapshot: &Snapshot, id: SessionId) -> bool {
        self.table.session(id).is_some() && self.goes_on(snapshot, id)
    }

    #[inline(always)]
    fn goes_on(&mut self, snapshot: &Snapshot, id: SessionId) -> bool {
        !self.sweep.is_unjudged(id.slot) || self.judge(snapshot, id)
    }

    /// Finds the pinhole that a new packet from outside fits, if the configuration in force allows it.
    pub(super) fn find_pinhole(&mut self, snapshot: &Snapshot, flow: &Flow) -> Option<Pinhole> {
        let pinhole = *self.expectations.lookup(flow)?;
        self.is_pinhole_allowed(snapshot, &pinhole).then_some(pinhole)
    }

    /// Whether the configuration in force allows a pinhole that was found; it is closed if not.
    pub(super) fn is_pinhole_allowed(&mut self, snapshot: &Snapshot, pinhole: &Pinhole) -> bool {
        self.sweep.since.is_none() || self.judge_pinhole(snapshot, pinhole)
    }

    /// Makes way for a new session whose packets have these tuples, if who has one of them is no longer allowed.
    pub(super) fn judge_rivals(&mut self, snapshot: &Snapshot, tuples: [Tuple; 2]) -> bool {
        let before = self.table.len();
        for tuple in tuples {
            self.find_allowed(snapshot, &tuple.into());
        }
        self.table.len() < before
    }

    /// Whether a session may go on; it has ended if not.
    #[inline(never)]
    pub(super) fn judge(&mut self, snapshot: &Snapshot, id: SessionId) -> bool {
        let Some(session) = self.table.session(id) else { return false };
        let (mapping, originator, remote) = (session.mapping(), session.originator(), remote_of(session));
        let (allowed, family) = (self.allows(snapshot, id, session), session.family());
        if !allowed {
            self.end_session(id, CloseReason::Policy);
            return false;
        }
        match family {
            Family::V4 if !self.nat.keep(mapping, originator, remote.0) => {}
            Family::V4 => self.sweep.set_judged(id.slot),
            Family::V6 => {
                self.recount_ipv6(id, originator);
                self.sweep.set_judged(id.slot);
            }
        }
        self.judge_control(snapshot, id);
        true
    }

    /// Stops reading a control session whose ALG is off now; its unused pinholes close.
    fn judge_control(&mut self, snapshot: &Snapshot, id: SessionId) {
        let Some(slot) = self.table.session(id).and_then(Session::control) else { return };
        let listening = self.controls.listening(slot, snapshot);
        if listening.is_none() || listening != self.controls.protocol(slot) {
            self.disable_control(snapshot, id, slot);
        }
    }

    /// Whether a pinhole may stay; it is closed if not.
    fn judge_pinhole(&mut self, snapshot: &Snapshot, pinhole: &Pinhole) -> bool {
        if self.sweep.is_unjudged(pinhole.master.slot) {
            // Its pinholes close with it, or with its ALG.
            self.judge(snapshot, pinhole.master);
        }
        if !self.expectations.contains(pinhole.id) {
            return false;
        }
        let allowed = self.allows_pinhole(snapshot, pinhole);
        if !allowed {
            self.close_pinhole(pinhole.id, CloseReason::Policy);
        }
        allowed
    }

    /// A session has opened, under the configuration in force.
    pub(super) fn enter_sweep(&mut self, id: SessionId) {
        self.sweep.enter(id.slot);
        if self.nat.counts() {
            self.sweep.set_judged(id.slot);
        } else {
            // To be counted later.
            self.sweep.set_unjudged(id.slot);
        }
    }

    /// A session of IPv6 has opened, under the configuration in force, and is counted.
    pub(super) fn enter_sweep_ipv6(&mut self, id: SessionId) {
        self.sweep.enter(id.slot);
        self.sweep.set_judged(id.slot);
    }

    /// A session of IPv6 has ended; returns whether it was still to be judged.
    pub(super) fn leave_sweep_ipv6(&mut self, id: SessionId) -> bool {
        let unjudged = self.sweep.is_unjudged(id.slot);
        self.sweep.leave(id.slot);
        unjudged
    }

    /// A session has ended whose mapping is still held.
    pub(super) fn leave_sweep(&mut self, id: SessionId, session: &Session) {
        if !self.nat.recounts() || !self.sweep.is_unjudged(id.slot) {
            self.nat.uncount_sent(session.mapping(), session.originator(), remote_of(session).0);
        }
        self.sweep.leave(id.slot);
    }
}
