//! Address and port translation: which outside endpoint stands for an inside one (RFC 4787, section 4; RFC 5382, REQ-1).

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::config::nat::{Dependence, Translation};
use crate::config::{Rule, Snapshot};
use crate::conntrack::TupleHasher;
use crate::conntrack::index::Index;
use crate::rng::Rng;
use crate::time::Timestamp;
use crate::tuple::{Protocol, Tuple};

mod account;
mod allocate;
mod block;
mod change;
mod error;
mod explicit;
mod filter;
mod key;
mod look;
mod pair;
mod pool;
mod ports;
mod shared;
mod subscriber;

use allocate::Need;
use change::Change;
use filter::Filters;
use key::{ANYBODY, flow};
use pool::Pool;
use ports::Wanted;
use subscriber::Subscribers;

pub use allocate::PortBlock;
pub use error::NatError;
pub use explicit::{Otherwise, Wish, WishError};
pub use look::SubscriberView;
pub use subscriber::SubscriberLimit;

/// A mapping's place in the table.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MappingId(u32);

impl MappingId {
    /// No mapping.
    pub(crate) const NONE: Self = Self(u32::MAX);

    /// Names the mapping at a place.
    pub(crate) const fn at(place: u32) -> Self {
        Self(place)
    }
}

/// One inside endpoint and the outside endpoint that stands for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mapping {
    /// The transport.
    pub protocol: Protocol,
    /// The inside address and port.
    pub inside: (Ipv4Addr, u16),
    /// Towards whom: an unspecified address and port 0 are anybody; for an endpoint that stays as it is, itself.
    pub remote: (Ipv4Addr, u16),
    /// The outside address and port.
    pub outside: (Ipv4Addr, u16),
    source: Source,
    /// Whether it is found by its endpoints.
    linked: bool,
    /// Sessions and pinholes that hold it.
    holders: u32,
    /// The inside host, by its slot.
    subscriber: u32,
}

/// Where an outside endpoint comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source {
    /// It took a port of the pool.
    Pool,
    /// The configuration relates the two.
    Configuration,
    /// It is an address of the pool without a port, for each host that shares the address.
    Shared,
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
    by_outside: Index,
    subscribers: Subscribers,
    filters: Filters,
    capacity: Capacity,
    pool: Pool,
    settings: Translation,
    /// The rules in force.
    rules: Option<Arc<Snapshot>>,
    /// Those whose forwards have their ports in the pool.
    reserved: Option<Arc<Snapshot>>,
    change: Option<Change>,
    notices: VecDeque<Notice>,
    hasher: TupleHasher,
    now: Timestamp,
}

/// The sizes of [`Nat`]'s tables.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Mappings.
    pub mappings: u32,
    /// Sessions that they serve.
    pub sessions: u32,
    /// Inside hosts that have them.
    pub subscribers: u32,
}

impl Nat {
    /// Takes all memory that does not depend on the configuration.
    pub fn new(capacity: Capacity, hasher: TupleHasher) -> Self {
        let entries = usize::try_from(capacity.mappings).unwrap_or(0);
        Self {
            mappings: vec![None; entries],
            free: (0..capacity.mappings).rev().collect(),
            by_inside: Index::new(entries, capacity.mappings),
            by_outside: Index::new(entries, capacity.mappings),
            subscribers: Subscribers::new(capacity.subscribers, hasher),
            filters: Filters::new(Dependence::AddressAndPort, capacity.sessions, hasher),
            capacity,
            pool: Pool::default(),
            settings: Translation::default(),
            rules: None,
            reserved: None,
            change: None,
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

    /// Finds the mapping that an outside endpoint belongs to.
    pub fn lookup_outside(&self, protocol: Protocol, outside: (Ipv4Addr, u16)) -> Option<MappingId> {
        let hash = self.hasher.endpoint(protocol, outside.0, outside.1);
        let found = self.by_outside.lookup(hash, |slot| {
            self.mapping(MappingId(slot)).is_some_and(|m| m.protocol == protocol && m.outside == outside)
        });
        found.map(MappingId)
    }

    /// Tells the time, which held blocks go by.
    pub fn set_time(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Returns the time that was told last.
    pub fn time(&self) -> Timestamp {
        self.now
    }

    /// Returns the mapping of a packet's source towards its destination, made now if there is none, held once more.
    ///
    /// All of a subscriber's mappings have one outside address (paired pooling, RFC 4787, REQ-2).
    ///
    /// # Errors
    /// When ports or room are used up; nothing changes then and no other mapping is touched (RFC 6888, REQ-11).
    pub fn obtain(&mut self, tuple: &Tuple, rng: &mut Rng) -> Result<MappingId, NatError> {
        let rule = self.rules.as_ref().map(|rules| rules.rule(tuple)).ok_or(NatError::NoPool)?;
        let inside = (tuple.source, tuple.source_port);
        match rule {
            Rule::Untranslated => self.obtain_fixed(tuple.protocol, inside, inside),
            Rule::Fixed(address, port) => self.obtain_fixed(tuple.protocol, inside, (address, port)),
            Rule::Pooled => self.obtain_pooled(tuple, rng),
            Rule::Shared => self.obtain_shared(tuple),
            Rule::Refused(why) => Err(NatError::Refused(why)),
        }
    }

    fn obtain_pooled(&mut self, tuple: &Tuple, rng: &mut Rng) -> Result<MappingId, NatError> {
        if self.waits() {
            return Err(NatError::NoPool);
        }
        let key = self.settings.mapping.key(tuple);
        if let Some(id) = self.hold_known(&key, Rule::Pooled) {
            return Ok(id);
        }
        if self.free.is_empty() {
            return Err(NatError::Full);
        }
        let wanted = match tuple.protocol {
            Protocol::Udp | Protocol::UdpLite => Wanted::like(tuple.source_port),
            Protocol::Tcp | Protocol::IcmpEcho | Protocol::Gre | Protocol::Other => Wanted::Any,
        };
        let subscriber = self.subscriber(tuple.source)?;
        let outside = self
            .check_ports(subscriber, wanted)
            .and_then(|()| self.allocate(Need { subscriber, protocol: tuple.protocol, wanted }, rng))
            .inspect_err(|_| self.subscribers.settle(subscriber))?;
        self.insert(&key, outside, Source::Pool, subscriber)
    }

    /// Returns the mapping between two endpoints that the configuration relates, held once more.
    ///
    /// # Errors
    /// When there is no room.
    pub fn obtain_fixed(
        &mut self,
        protocol: Protocol,
        inside: (Ipv4Addr, u16),
        outside: (Ipv4Addr, u16),
    ) -> Result<MappingId, NatError> {
        let towards = if inside == outside { inside } else { ANYBODY };
        let key = flow(protocol, inside, towards);
        if let Some(id) = self.hold_known(&key, Rule::Fixed(outside.0, outside.1)) {
            return Ok(id);
        }
        let subscriber = self.subscriber(inside.0)?;
        self.insert(&key, outside, Source::Configuration, subscriber)
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
        self.unlink(id);
        match ended.source {
            Source::Pool => self.give_back(ended.subscriber, ended.protocol, ended.outside),
            Source::Configuration | Source::Shared => {}
        }
        if let Some(place) = usize::try_from(id.0).ok().and_then(|at| self.mappings.get_mut(at)) {
            *place = None;
        }
        self.free.push(id.0);
        if let Some(subscriber) = self.subscribers.at_mut(ended.subscriber) {
            subscriber.mappings -= 1;
            subscriber.ports -= u32::from(ended.source == Source::Pool);
            subscriber.shared -= u32::from(ended.source == Source::Shared);
        }
        self.subscribers.settle(ended.subscriber);
    }

    /// Has a mapping no longer found by its endpoints.
    fn unlink(&mut self, id: MappingId) {
        let Some(mapping) = self.slot_mut(id.0) else { return };
        if !std::mem::replace(&mut mapping.linked, false) {
            return;
        }
        let unlinked = *mapping;
        self.by_inside.remove(self.hasher.key(&unlinked.key().into()), id.0);
        if unlinked.is_found_by_outside() {
            let (address, port) = unlinked.outside;
            self.by_outside.remove(self.hasher.endpoint(unlinked.protocol, address, port), id.0);
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

    fn lookup(&self, key: &Tuple) -> Option<MappingId> {
        let found = self.by_inside.lookup(self.hasher.key(&(*key).into()), |slot| {
            self.mapping(MappingId(slot)).is_some_and(|mapping| mapping.key() == *key)
        });
        found.map(MappingId)
    }

    /// Returns the entry of an inside host, made now if there is none.
    fn subscriber(&mut self, address: Ipv4Addr) -> Result<u32, NatError> {
        let known = self.subscribers.lookup(address);
        known.or_else(|| self.subscribers.insert(address)).ok_or(NatError::SubscribersFull)
    }

    /// Puts a mapping in; who has taken a port for it has seen that there is room.
    fn insert(
        &mut self,
        key: &Tuple,
        outside: (Ipv4Addr, u16),
        source: Source,
        subscriber: u32,
    ) -> Result<MappingId, NatError> {
        let Some(slot) = self.free.pop() else {
            self.subscribers.settle(subscriber);
            return Err(NatError::Full);
        };
        let mapping = Mapping {
            protocol: key.protocol,
            inside: (key.source, key.source_port),
            remote: (key.destination, key.destination_port),
            outside,
            source,
            linked: true,
            holders: 1,
            subscriber,
        };
        if mapping.is_found_by_outside() {
            self.clear_outside(key.protocol, outside);
        }
        let by_outside = self.hasher.endpoint(key.protocol, outside.0, outside.1);
        let inserted = self.by_inside.insert(self.hasher.key(&(*key).into()), slot)
            && (!mapping.is_found_by_outside() || self.by_outside.insert(by_outside, slot));
        debug_assert!(inserted, "the indexes have a place for each mapping");
        if let Some(place) = usize::try_from(slot).ok().and_then(|at| self.mappings.get_mut(at)) {
            *place = Some(mapping);
        }
        if let Some(subscriber) = self.subscribers.at_mut(subscriber) {
            subscriber.mappings += 1;
            subscriber.ports += u32::from(source == Source::Pool);
            subscriber.shared += u32::from(source == Source::Shared);
        }
        Ok(MappingId(slot))
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Mapping> {
        self.mappings.get_mut(usize::try_from(slot).ok()?)?.as_mut()
    }
}

#[cfg(test)]
mod tests;
