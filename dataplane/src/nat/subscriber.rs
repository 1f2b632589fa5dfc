//! The inside hosts that hold something, and what each may hold.

use std::net::Ipv4Addr;

use crate::config::nat::SubscriberLimits;
use crate::conntrack::TupleHasher;
use crate::conntrack::index::Index;
use crate::nat::block::NO_BLOCK;
use crate::rate::Rate;
use crate::time::Timestamp;
use crate::tuple::Protocol;

/// An inside host with mappings or blocks of ports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subscriber {
    pub(super) address: Ipv4Addr,
    /// The outside address of all its mappings, while it has any (paired pooling, RFC 4787, REQ-2).
    pub(super) paired: Option<Ipv4Addr>,
    /// Mappings, those that take no port included.
    pub(super) mappings: u32,
    /// Ports and ICMP identifiers of the pool that its mappings take.
    pub(super) ports: u32,
    /// Mappings to its outside address without a port.
    pub(super) shared: u32,
    pub(super) sessions: u32,
    /// Blocks in its list, held ones included.
    pub(super) blocks: u16,
    /// The first block of its list, by its number in the paired address.
    pub(super) first_block: u16,
    /// Sessions that it was refused.
    pub(super) refused: u64,
    /// The sessions that it opens.
    rate: Rate,
}

/// Which limit of a subscriber is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SubscriberLimit {
    /// [`SubscriberLimits::sessions`].
    Sessions,
    /// [`SubscriberLimits::new_sessions_per_second`].
    Rate,
}

impl Subscriber {
    /// Whether it may have one more session.
    pub(super) fn check_count(&self, limits: &SubscriberLimits) -> Result<(), SubscriberLimit> {
        let full = limits.sessions.is_some_and(|most| self.sessions >= most.get());
        if full { Err(SubscriberLimit::Sessions) } else { Ok(()) }
    }

    /// Whether it may open one more session now.
    pub(super) fn check_rate(
        &self,
        limits: &SubscriberLimits,
        now: Timestamp,
    ) -> Result<(), SubscriberLimit> {
        let most = limits.new_sessions_per_second;
        if most.is_none_or(|most| self.rate.allows(most, now)) { Ok(()) } else { Err(SubscriberLimit::Rate) }
    }

    /// Counts a session that it opened.
    pub(super) fn spend(&mut self, limits: &SubscriberLimits, now: Timestamp) {
        if let Some(most) = limits.new_sessions_per_second {
            self.rate.spend(most, now);
        }
    }
}

/// The subscribers, in a table of fixed size.
#[derive(Debug)]
pub(super) struct Subscribers {
    entries: Vec<Option<Subscriber>>,
    free: Vec<u32>,
    by_address: Index,
    hasher: TupleHasher,
}

impl Subscribers {
    pub(super) fn new(capacity: u32, hasher: TupleHasher) -> Self {
        let entries = usize::try_from(capacity).unwrap_or(0);
        Self {
            entries: vec![None; entries],
            free: (0..capacity).rev().collect(),
            by_address: Index::new(entries, capacity),
            hasher,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_address.len()
    }

    pub(super) fn lookup(&self, address: Ipv4Addr) -> Option<u32> {
        let is_it = |slot| self.at(slot).is_some_and(|subscriber| subscriber.address == address);
        self.by_address.lookup(self.hash(address), is_it)
    }

    /// Visits those at `count` places from `first` on, with their places.
    pub(super) fn range(&self, first: u32, count: u32) -> impl Iterator<Item = (u32, &Subscriber)> {
        let start = usize::try_from(first).unwrap_or(usize::MAX);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        (first..=u32::MAX)
            .zip(self.entries.iter().skip(start).take(count))
            .filter_map(|(place, subscriber)| Some((place, subscriber.as_ref()?)))
    }

    pub(super) fn at(&self, slot: u32) -> Option<&Subscriber> {
        self.entries.get(usize::try_from(slot).ok()?)?.as_ref()
    }

    pub(super) fn at_mut(&mut self, slot: u32) -> Option<&mut Subscriber> {
        self.entries.get_mut(usize::try_from(slot).ok()?)?.as_mut()
    }

    /// Makes an entry for a host that has none; `None` when the table is full.
    pub(super) fn insert(&mut self, address: Ipv4Addr) -> Option<u32> {
        let slot = self.free.pop()?;
        let inserted = self.by_address.insert(self.hash(address), slot);
        debug_assert!(inserted, "the index has a place for each subscriber");
        *self.entries.get_mut(usize::try_from(slot).ok()?)? = Some(Subscriber {
            address,
            paired: None,
            mappings: 0,
            ports: 0,
            shared: 0,
            sessions: 0,
            blocks: 0,
            first_block: NO_BLOCK,
            rate: Rate::default(),
            refused: 0,
        });
        Some(slot)
    }

    /// Ends the pairing of a host that holds nothing of its outside address any more, and forgets one that holds nothing
    /// at all.
    pub(super) fn settle(&mut self, slot: u32) {
        let Some(subscriber) = self.at_mut(slot) else { return };
        if subscriber.ports == 0 && subscriber.blocks == 0 && subscriber.shared == 0 {
            subscriber.paired = None;
        }
        let subscriber = *subscriber;
        if subscriber.mappings > 0 || subscriber.blocks > 0 {
            return;
        }
        self.by_address.remove(self.hash(subscriber.address), slot);
        if let Some(place) = usize::try_from(slot).ok().and_then(|at| self.entries.get_mut(at)) {
            *place = None;
        }
        self.free.push(slot);
    }

    fn hash(&self, address: Ipv4Addr) -> u32 {
        self.hasher.endpoint(Protocol::Udp, address, 0)
    }
}
