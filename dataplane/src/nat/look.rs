//! Mappings shown to people: a bounded piece of the table at a time.

use std::net::Ipv4Addr;

use crate::config::PortRange;
use crate::config::nat::Allocation;
use crate::nat::{Mapping, Nat, Source};

impl Nat {
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
