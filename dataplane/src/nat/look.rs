//! Mappings shown to people: a bounded piece of the table at a time.

use std::net::Ipv4Addr;

use crate::config::PortRange;
use crate::config::nat::Allocation;
use crate::nat::{Mapping, Nat, Source};

/// An inside host that has mappings or blocks of ports, as it is now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubscriberView {
    /// Its address.
    pub address: Ipv4Addr,
    /// The outside address that its sessions leave from, while it has any there.
    pub outside: Option<Ipv4Addr>,
    /// Its mappings.
    pub mappings: u32,
    /// Outside ports and ICMP identifiers that these take.
    pub ports: u32,
    /// Its sessions.
    pub sessions: u32,
    /// Blocks of ports that nobody else may have.
    pub blocks: u16,
    /// Sessions that it was refused since it has something, for want of anything.
    pub refused: u64,
}

impl Nat {
    /// Visits every mapping.
    pub fn iter(&self) -> impl Iterator<Item = &Mapping> {
        self.mappings.iter().flatten()
    }

    /// Returns the number of places for subscribers, free ones included.
    pub fn subscriber_places(&self) -> u32 {
        self.capacity.subscribers
    }

    /// Visits the subscribers at `count` places from `first` on, with their places.
    pub fn subscriber_range(&self, first: u32, count: u32) -> impl Iterator<Item = (u32, SubscriberView)> {
        self.subscribers.range(first, count).map(|(place, subscriber)| {
            let view = SubscriberView {
                address: subscriber.address,
                outside: subscriber.paired,
                mappings: subscriber.mappings,
                ports: subscriber.ports,
                sessions: subscriber.sessions,
                blocks: subscriber.blocks,
                refused: subscriber.refused,
            };
            (place, view)
        })
    }

    /// Counts a session that a subscriber was refused.
    pub fn count_refused(&mut self, subscriber: Ipv4Addr) {
        let known = self.subscribers.lookup(subscriber);
        if let Some(subscriber) = known.and_then(|slot| self.subscribers.at_mut(slot)) {
            subscriber.refused = subscriber.refused.saturating_add(1);
        }
    }

    /// Returns the number of places for mappings, free ones included.
    pub fn places(&self) -> u32 {
        self.capacity.mappings
    }

    /// Visits the mappings at `count` places from `first` on, with their places.
    pub fn range(&self, first: u32, count: u32) -> impl Iterator<Item = (u32, &Mapping)> {
        let start = usize::try_from(first).unwrap_or(usize::MAX);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        (first..=u32::MAX)
            .zip(self.mappings.iter().skip(start).take(count))
            .filter_map(|(place, mapping)| Some((place, mapping.as_ref()?)))
    }

    /// Returns the outside address that a subscriber's sessions leave from, while it has any there.
    pub fn paired_with(&self, subscriber: Ipv4Addr) -> Option<Ipv4Addr> {
        self.subscribers.at(self.subscribers.lookup(subscriber)?)?.paired
    }

    /// Returns the ports that are the subscriber's alone and that a mapping's is one of, where ports are given out so.
    pub fn block_of(&self, mapping: &Mapping) -> Option<PortRange> {
        if mapping.source != Source::Pool {
            return None;
        }
        let (address, port) = mapping.outside;
        match self.settings.allocation {
            Allocation::Blocks(_) => {
                let blocks = self.pool.outside(address)?.blocks.as_ref()?;
                blocks.range(blocks.number_of(port))
            }
            Allocation::Deterministic(_) => {
                let (_, ports) = self.rules.as_ref()?.deterministic()?.outside_of(mapping.inside.0)?;
                Some(ports)
            }
            Allocation::Random | Allocation::OneToOne | Allocation::Untranslated => None,
        }
    }
}

impl Mapping {
    /// Returns how many sessions and pinholes hold it.
    pub const fn holders(&self) -> u32 {
        self.holders
    }
}
