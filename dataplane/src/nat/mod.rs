//! Address and port translation: endpoint-independent mappings (RFC 4787, REQ-1; RFC 5382, REQ-1).

use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;

use crate::config::nat::{Allocation, Translation};
use crate::config::{PoolAddress, Snapshot};
use crate::conntrack::TupleHasher;
use crate::conntrack::index::Index;
use crate::rng::Rng;
use crate::time::Timestamp;
use crate::tuple::Protocol;

mod allocate;
mod block;
mod pool;
mod ports;
mod subscriber;

use allocate::Need;
use pool::Pool;
use ports::Wanted;
use subscriber::Subscribers;

pub use allocate::PortBlock;
pub use subscriber::SubscriberLimit;

/// A mapping's place in the table.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MappingId(u32);

impl MappingId {
    /// No mapping.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// One inside endpoint and the outside endpoint that stands for it towards everybody.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mapping {
    /// The transport.
    pub protocol: Protocol,
    /// The inside address and port.
    pub inside: (Ipv4Addr, u16),
    /// The outside address and port.
    pub outside: (Ipv4Addr, u16),
    /// Sessions and pinholes that hold it.
    holders: u32,
    /// The inside host, by its slot.
    subscriber: u32,
}

/// Why no mapping could be obtained.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NatError {
    /// The subscriber's outside address, or its blocks of it, have no port left.
    NoPort,
    /// The subscriber has as many ports as it may have.
    PortLimit,
    /// As many mappings exist as the engine has room for.
    Full,
    /// As many subscribers have something as the engine has room for.
    SubscribersFull,
    /// There is no pool.
    NoPool,
}

/// Something about a subscriber's ports that the world is to be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Notice {
    /// A block is its from now on.
    BlockAllocated(PortBlock),
    /// It has given a block back.
    BlockReleased(PortBlock),
}

/// The mappings, the ports they take, and the subscribers that have them.
#[derive(Debug)]
pub struct Nat {
    mappings: Vec<Option<Mapping>>,
    free: Vec<u32>,
    by_inside: Index,
    subscribers: Subscribers,
    pool: Pool,
    settings: Translation,
    notices: VecDeque<Notice>,
    hasher: TupleHasher,
    now: Timestamp,
}

impl Nat {
    /// Makes room for `capacity` mappings of `subscribers` inside hosts.
    pub fn new(capacity: u32, subscribers: u32, hasher: TupleHasher) -> Self {
        let entries = usize::try_from(capacity).unwrap_or(0);
        Self {
            mappings: vec![None; entries],
            free: (0..capacity).rev().collect(),
            by_inside: Index::new(entries, capacity),
            subscribers: Subscribers::new(subscribers, hasher),
            pool: Pool::default(),
            settings: Translation::default(),
            notices: VecDeque::new(),
            hasher,
            now: Timestamp::ZERO,
        }
    }

    /// Returns the number of mappings.
    pub fn len(&self) -> usize {
        self.by_inside.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of inside hosts that have mappings or blocks of ports.
    pub fn subscriber_count(&self) -> usize {
        self.subscribers.len()
    }

    /// Returns a mapping.
    pub fn mapping(&self, id: MappingId) -> Option<&Mapping> {
        self.mappings.get(usize::try_from(id.0).ok()?)?.as_ref()
    }

    /// Tells the time, which held blocks go by.
    pub fn set_time(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Changes pool and rules. Mappings that [`Self::allows`] not under them must be released by then.
    pub fn configure(&mut self, pool: &[PoolAddress], settings: &Translation) {
        if settings.allocation.scheme() != self.settings.allocation.scheme() {
            self.drop_blocks(|_| true);
        }
        let kept: BTreeSet<Ipv4Addr> = pool.iter().map(|entry| entry.address).collect();
        self.drop_blocks(|address| !kept.contains(&address));
        self.pool.configure(pool, settings.allocation);
        self.settings = settings.clone();
    }

    /// Whether a mapping is one that the rules of a new configuration could have made.
    pub fn allows(&self, snapshot: &Snapshot, id: MappingId) -> bool {
        let Some(mapping) = self.mapping(id) else { return false };
        let scheme = snapshot.config().nat.allocation.scheme();
        snapshot.is_inside(mapping.inside.0)
            && snapshot.pool_address(mapping.outside.0).is_some()
            && scheme == self.settings.allocation.scheme()
    }

    /// Returns the mapping of an inside endpoint, made now if there is none, held once more.
    ///
    /// All of a subscriber's mappings have one outside address (paired pooling, RFC 4787, REQ-2).
    ///
    /// # Errors
    /// When ports or room are used up; nothing changes then and no other mapping is touched (RFC 6888, REQ-11).
    pub fn obtain(
        &mut self,
        protocol: Protocol,
        inside: (Ipv4Addr, u16),
        rng: &mut Rng,
    ) -> Result<MappingId, NatError> {
        let hash = self.hasher.endpoint(protocol, inside.0, inside.1);
        if let Some(slot) = self.lookup(hash, protocol, inside) {
            if let Some(mapping) = self.slot_mut(slot) {
                mapping.holders += 1;
            }
            return Ok(MappingId(slot));
        }
        let slot = *self.free.last().ok_or(NatError::Full)?;
        let known = self.subscribers.lookup(inside.0);
        let subscriber =
            known.or_else(|| self.subscribers.insert(inside.0)).ok_or(NatError::SubscribersFull)?;
        let outside = self.outside_for(subscriber, protocol, inside.1, rng).inspect_err(|_| {
            self.subscribers.settle(subscriber);
        })?;
        self.free.pop();
        let inserted = self.by_inside.insert(hash, slot);
        debug_assert!(inserted, "the index has a place for each mapping");
        if let Some(place) = usize::try_from(slot).ok().and_then(|at| self.mappings.get_mut(at)) {
            *place = Some(Mapping { protocol, inside, outside, holders: 1, subscriber });
        }
        if let Some(subscriber) = self.subscribers.at_mut(subscriber) {
            subscriber.mappings += 1;
        }
        Ok(MappingId(slot))
    }

    fn outside_for(
        &mut self,
        subscriber: u32,
        protocol: Protocol,
        inside_port: u16,
        rng: &mut Rng,
    ) -> Result<(Ipv4Addr, u16), NatError> {
        let held = self.subscribers.at(subscriber).map_or(0, |subscriber| subscriber.mappings);
        if self.settings.limits.ports.is_some_and(|most| held >= most.get()) {
            return Err(NatError::PortLimit);
        }
        let wanted = match protocol {
            Protocol::Udp => Wanted::like(inside_port),
            Protocol::Tcp | Protocol::IcmpEcho => Wanted::Any,
        };
        self.allocate(Need { subscriber, protocol, wanted }, rng)
    }

    /// Holds a mapping once more.
    pub fn hold(&mut self, id: MappingId) {
        if let Some(mapping) = self.slot_mut(id.0) {
            mapping.holders += 1;
        }
    }

    /// Lets go of a mapping; with its last holder it ends and its port is free again.
    pub fn release(&mut self, id: MappingId) {
        let Some(mapping) = self.slot_mut(id.0) else { return };
        mapping.holders -= 1;
        if mapping.holders > 0 {
            return;
        }
        let ended = *mapping;
        self.by_inside.remove(self.hasher.endpoint(ended.protocol, ended.inside.0, ended.inside.1), id.0);
        self.give_back(ended.subscriber, ended.protocol, ended.outside);
        if let Some(place) = usize::try_from(id.0).ok().and_then(|at| self.mappings.get_mut(at)) {
            *place = None;
        }
        self.free.push(id.0);
        if let Some(subscriber) = self.subscribers.at_mut(ended.subscriber) {
            subscriber.mappings -= 1;
        }
        self.subscribers.settle(ended.subscriber);
    }

    /// Whether an inside host may open one more session.
    ///
    /// # Errors
    /// The limit that it has reached.
    pub fn check_session(&self, address: Ipv4Addr) -> Result<(), SubscriberLimit> {
        let subscriber = self.subscribers.lookup(address).and_then(|slot| self.subscribers.at(slot));
        subscriber.map_or(Ok(()), |subscriber| subscriber.check(&self.settings.limits, self.now))
    }

    /// Counts a session of an inside host that a mapping serves.
    pub fn count_session(&mut self, id: MappingId) {
        let (limits, now) = (self.settings.limits, self.now);
        if let Some(subscriber) = self.subscriber_of(id) {
            subscriber.sessions += 1;
            subscriber.spend(&limits, now);
        }
    }

    /// Counts a session as ended, before its mapping is released.
    pub fn uncount_session(&mut self, id: MappingId) {
        if let Some(subscriber) = self.subscriber_of(id) {
            subscriber.sessions = subscriber.sessions.saturating_sub(1);
        }
    }

    /// Makes one held block free whose time has come; `false` when there is none.
    pub fn expire(&mut self) -> bool {
        let Some(due) = self.pool.pop_due(self.now) else { return false };
        if let Some((address, number)) = due {
            self.free_block(address, number);
        }
        true
    }

    /// Returns when [`Self::expire`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.pool.next_deadline()
    }

    /// Returns what there is to tell next.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Visits every mapping.
    pub fn iter(&self) -> impl Iterator<Item = &Mapping> {
        self.mappings.iter().flatten()
    }

    fn lookup(&self, hash: u32, protocol: Protocol, inside: (Ipv4Addr, u16)) -> Option<u32> {
        self.by_inside.lookup(hash, |slot| {
            self.mapping(MappingId(slot)).is_some_and(|m| m.protocol == protocol && m.inside == inside)
        })
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Mapping> {
        self.mappings.get_mut(usize::try_from(slot).ok()?)?.as_mut()
    }

    fn subscriber_of(&mut self, id: MappingId) -> Option<&mut subscriber::Subscriber> {
        let slot = self.mapping(id)?.subscriber;
        self.subscribers.at_mut(slot)
    }

    /// Takes the held blocks of some addresses from those who have given them back.
    fn drop_blocks(&mut self, goes: impl Fn(Ipv4Addr) -> bool) {
        let mut dropped = Vec::new();
        for outside in self.pool.iter().filter(|outside| goes(outside.config.address)) {
            let Some(blocks) = &outside.blocks else { continue };
            let held = (0_u16..)
                .zip(blocks.iter())
                .filter(|(_, block)| block.state == block::BlockState::Held)
                .map(|(number, _)| (outside.config.address, number));
            dropped.extend(held);
        }
        for (address, number) in dropped {
            self.free_block(address, number);
        }
    }
}

impl Allocation {
    /// What has to stay for mappings to outlive a change of the configuration: the way that ports are cut.
    const fn scheme(self) -> Option<crate::config::nat::BlockSize> {
        match self {
            Self::Random => None,
            Self::Blocks(rule) => Some(rule.size),
        }
    }
}

#[cfg(test)]
mod tests;
