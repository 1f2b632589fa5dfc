//! The engine: packet and time in, verdict and rewritten packet out.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use crate::addr::Realm;
use crate::alg::CloseReason;
use crate::config::Snapshot;
use crate::conntrack::expectation::{Expectations, Pinhole};
use crate::conntrack::{Family, Session, SessionId, Table, TupleHasher};
use crate::engine::announced::Announcements;
use crate::engine::controls::Controls;
use crate::engine::event::Events;
use crate::engine::ipv6::Ipv6State;
use crate::engine::lease::Leases;
use crate::engine::limit::Notices;
use crate::engine::sweep::Sweep;
use crate::fragment::Fragments;
use crate::limits::{EXPIRIES_PER_CALL, Limits};
use crate::nat::{Capacity, Mapping, Nat, Notice};
use crate::rng::{Rng, Seed};
use crate::time::Timestamp;
use crate::tuple::{Direction, Protocol, Tuple};

mod announced;
mod batch;
mod call;
mod context;
mod control;
mod controls;
mod decider;
mod drop_reason;
mod event;
mod evict;
mod fragments;
mod hairpin;
mod ipv6;
mod lease;
mod limit;
mod live;
mod open;
mod packet;
mod process;
mod record;
mod rewrite;
mod stats;
mod sweep;

pub use announced::Announcement;
pub use batch::BATCH;
pub use drop_reason::DropReason;
pub use event::{EndReason, Event, Interest};
pub use lease::{Lease, LeaseEnd, LeaseError, LeaseFilter, LeaseId, LeaseKey, LeaseRequest, Owner};
pub use limit::{LimitReached, Scarce};
pub use live::Kill;
pub use packet::{ChecksumState, Packet, Transmit};
pub use record::SessionRecord;
pub use stats::Stats;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It goes on, rewritten in place; the caller lets the kernel route it.
    Forward,
    /// It goes back to the side that it came from, rewritten in place: an inside host sent it to an outside endpoint that
    /// stands for another one (RFC 4787, REQ-9).
    Hairpin,
    /// Nothing the engine knows expects it, and its destination is the gateway's own host: the caller delivers it
    /// unchanged if the host has a socket for it, and otherwise calls [`Engine::refuse_delivery`].
    DeliverIfListening,
    /// Its bytes are kept, by an ALG or until other fragments have come; they leave later through
    /// [`Engine::poll_transmit`].
    Hold,
    /// It is dropped and counted.
    Drop(DropReason),
}

/// NAT, firewall and ALGs over one set of tables; one thread's own.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    snapshot: Option<Arc<Snapshot>>,
    table: Table,
    nat: Nat,
    ipv6: Option<Box<Ipv6State>>,
    hasher: TupleHasher,
    expectations: Expectations,
    leases: Leases,
    controls: Controls,
    /// The control messages that announced sessions, while these last.
    announcements: Announcements,
    fragments: Fragments,
    /// PPTP's calls by their packets as they leave.
    calls: BTreeMap<Tuple, (SessionId, Direction)>,
    sweep: Sweep,
    rng: Rng,
    events: Events,
    interest: Interest,
    notices: Notices,
    transmits: VecDeque<Transmit>,
    stats: Stats,
    /// When sessions are looked at for expiry next.
    next_sweep: Timestamp,
}

/// Sessions expire by the second.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl Engine {
    /// Takes all memory of the tables. Until a snapshot is applied every packet is dropped.
    pub fn new(limits: Limits, seed: &Seed, now: Timestamp) -> Self {
        let hasher = TupleHasher::new(seed);
        let mut rng = Rng::new(seed);
        Self {
            limits,
            snapshot: None,
            table: Table::new(limits.sessions, limits.subscribers.saturating_mul(2), hasher, now),
            nat: Nat::new(
                Capacity {
                    // One more, which a new session has before an old one makes room for it.
                    mappings: limits
                        .sessions
                        .saturating_add(limits.pinholes)
                        .saturating_add(limits.leases)
                        .saturating_add(1),
                    sessions: limits.sessions,
                    subscribers: limits.subscribers,
                },
                hasher,
            ),
            ipv6: None,
            hasher,
            expectations: Expectations::default(),
            leases: Leases::default(),
            controls: Controls::default(),
            announcements: Announcements::default(),
            calls: BTreeMap::new(),
            fragments: Fragments::new(limits.fragmented_datagrams, hasher, &mut rng),
            sweep: Sweep::new(limits.sessions),
            rng,
            events: Events::new(limits.events),
            interest: Interest::default(),
            notices: Notices::new(hasher),
            transmits: VecDeque::new(),
            stats: Stats::default(),
            next_sweep: now.saturating_add(SWEEP_INTERVAL),
        }
    }

    /// Changes the configuration, whole, from the next packet on. Sessions that it still allows go on untouched, others end
    /// with an event: at their next packet, which does not pass, or before, in [`Self::handle_timeout`]. Control sessions
    /// whose ALG is off now are no longer read, and their unused pinholes close. Takes no time by the number of sessions.
    pub fn apply(&mut self, snapshot: Arc<Snapshot>, now: Timestamp) {
        self.nat.set_time(now);
        self.nat.configure(&snapshot);
        self.configure_ipv6(&snapshot);
        self.snapshot = Some(snapshot);
        self.start_sweep(now);
        self.tell();
    }

    /// Whether a configuration would let a session be.
    fn allows(&self, snapshot: &Snapshot, id: SessionId, session: &Session) -> bool {
        match session.family() {
            Family::V4 => self.nat.allows(snapshot, session.mapping(), remote_of(session)),
            Family::V6 => self.allows_ipv6(snapshot, id, session),
        }
    }

    fn allows_pinhole(&self, snapshot: &Snapshot, pinhole: &Pinhole) -> bool {
        match (pinhole.inside.address, pinhole.peer.address) {
            (IpAddr::V6(inside), _) => snapshot.ipv6().is_some_and(|rules| rules.is_subscriber(inside)),
            (IpAddr::V4(_), IpAddr::V4(peer)) => {
                self.nat.allows(snapshot, pinhole.mapping, (peer, pinhole.peer.port))
            }
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
        }
    }

    /// Passes on what the translation has to tell.
    fn tell(&mut self) {
        while let Some(notice) = self.nat.poll_notice() {
            self.events.push(match notice {
                Notice::BlockAllocated(block) => Event::PortBlockAllocated(block),
                Notice::BlockReleased(block) => Event::PortBlockReleased(block),
            });
        }
    }

    /// Counts a packet that [`Verdict::DeliverIfListening`] left to the host and the host has no socket for.
    pub fn refuse_delivery(&mut self) {
        self.stats.count_drop(DropReason::NotExpected);
    }

    /// Does what is due by `now`, a bounded piece at a time: while [`Self::poll_timeout`] still answers a time that
    /// has passed, call again between packets.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.nat.set_time(now);
        self.continue_sweep();
        self.expire(now);
        self.tell();
    }

    fn expire(&mut self, now: Timestamp) {
        let mut budget = EXPIRIES_PER_CALL;
        while budget > 0 && self.nat.expire() {
            budget -= 1;
        }
        while budget > 0 && self.expire_lease(now) {
            budget -= 1;
        }
        while budget > 0 {
            let Some(id) = self.expectations.expired(now) else { break };
            self.close_pinhole(id, CloseReason::Expired);
            budget -= 1;
        }
        self.refuse_waiting(now, &mut budget);
        self.expire_gatherings(now, &mut budget);
        self.handle_control_timeouts(now, &mut budget);
        self.expire_fragments(now, &mut budget);
        if now < self.next_sweep {
            return;
        }
        while let Some(id) = self.table.pop_expired(now, &mut budget) {
            self.end_session(id, CloseReason::ControlEnded);
        }
        if budget > 0 {
            self.next_sweep = now.saturating_add(SWEEP_INTERVAL);
        }
    }

    /// Returns when [`Self::handle_timeout`] wants to be called; `None` when nothing waits.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let sweep = (!self.table.is_empty()).then_some(self.next_sweep);
        let deadlines = [
            self.sweep.since(),
            sweep,
            self.expectations.next_deadline(),
            self.leases.next_deadline(),
            self.controls.next_deadline(),
            self.nat.next_deadline(),
            self.fragments.next_deadline(),
            self.ipv6.as_ref().and_then(|state| state.next_deadline()),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Returns the next packet that the engine itself sends.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        loop {
            let transmit = self.transmits.pop_front()?;
            if let Some(transmit) = self.turn_back(transmit) {
                return Some(transmit);
            }
        }
    }

    /// Returns the oldest event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Returns how many events found the queue full since the start.
    pub fn events_lost(&self) -> u64 {
        self.events.lost()
    }

    /// Returns the counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Returns the number of sessions.
    pub fn session_count(&self) -> usize {
        self.table.len()
    }

    /// Returns the number of pinholes.
    pub fn pinhole_count(&self) -> usize {
        self.expectations.len()
    }

    /// Returns the number of datagrams of which not every fragment has come.
    pub fn fragmented_count(&self) -> usize {
        self.fragments.len() + self.ipv6.as_ref().map_or(0, |state| state.fragmented_count())
    }

    /// Returns the number of inside hosts that have mappings or blocks of ports, and of /64s that have sessions.
    pub fn subscriber_count(&self) -> usize {
        let sites = self.ipv6.as_ref().map_or(0, |state| state.site_count());
        self.nat.subscriber_count().saturating_add(sites)
    }

    /// Visits every session.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.table.iter()
    }

    /// Visits every pinhole, oldest first.
    pub fn pinholes(&self) -> impl Iterator<Item = &Pinhole> {
        self.expectations.iter()
    }

    /// Visits every mapping.
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.nat.iter()
    }

    /// The one way out for a session: its mapping, its control stream and its unused pinholes go with it.
    fn end_session(&mut self, id: SessionId, reason: CloseReason) {
        let ipv6 = self.table.ipv6_key(id).copied();
        let told = self.told_at_end(id, reason);
        let Some(session) = self.table.remove(id) else { return };
        match ipv6 {
            Some(key) => self.leave_ipv6(id, &key, session.originator()),
            None => {
                self.forget_call(&session);
                self.leave_sweep(id, &session);
                self.nat.uncount_session(session.mapping());
                self.nat.release(session.mapping());
            }
        }
        if let Some(slot) = session.control() {
            self.controls.remove(slot);
        }
        if session.master().is_some() {
            self.announcements.remove(id);
        }
        self.close_announced_by(id, reason);
        if let Some(told) = told {
            self.events.push(told);
        }
        self.stats.sessions_ended += 1;
    }

    fn close_pinholes_of(&mut self, master: SessionId, reason: CloseReason) {
        let open: Vec<_> = self.expectations.of_master(master).collect();
        for id in open {
            self.close_pinhole(id, reason);
        }
    }

    /// Ends what a control session leaves behind.
    fn close_announced_by(&mut self, master: SessionId, reason: CloseReason) {
        self.close_pinholes_of(master, reason);
        self.end_calls_of(master, reason);
    }

    /// A call of PPTP lives no longer than its control connection (RFC 2637, section 1.3); other announced sessions do.
    fn end_calls_of(&mut self, master: SessionId, reason: CloseReason) {
        let announced = self.announcements.of_master(master);
        let is_call = |id: &SessionId| self.table.session(*id).is_some_and(|s| s.protocol() == Protocol::Gre);
        let calls: Vec<_> = announced.filter(is_call).collect();
        for id in calls {
            self.end_session(id, reason);
        }
    }

    fn close_pinhole(&mut self, id: crate::alg::PinholeId, reason: CloseReason) {
        if let Some(pinhole) = self.expectations.remove(id) {
            self.nat.release(pinhole.mapping);
            self.events.push(closed_event(&pinhole, reason));
        }
    }

    fn transmit(&mut self, realm: Realm, bytes: Vec<u8>) {
        if self.transmits.len() < self.limits.transmits {
            self.transmits.push_back(Transmit { realm, bytes });
            self.stats.transmitted += 1;
        } else {
            self.stats.transmits_lost += 1;
        }
    }
}

/// Returns the outside end of a session.
fn remote_of(session: &Session) -> (Ipv4Addr, u16) {
    let original = session.tuple(Direction::Original);
    match session.originator() {
        Realm::Inside => (original.destination, original.destination_port),
        Realm::Outside => (original.source, original.source_port),
    }
}

fn closed_event(pinhole: &Pinhole, reason: CloseReason) -> Event {
    Event::PinholeClosed {
        id: pinhole.id,
        protocol: pinhole.alg,
        transport: pinhole.protocol,
        peer: pinhole.peer,
        outside: pinhole.outside,
        inside: pinhole.inside,
        reason,
    }
}
