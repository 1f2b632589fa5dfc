//! Address and port translation: endpoint-independent mappings (RFC 4787, REQ-1; RFC 5382, REQ-1).

use std::net::Ipv4Addr;

use crate::config::PoolAddress;
use crate::conntrack::TupleHasher;
use crate::conntrack::index::Index;
use crate::rng::Rng;
use crate::tuple::Protocol;

mod ports;

use ports::PortMap;

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
}

/// Why no mapping could be obtained.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NatError {
    /// The subscriber's outside address has no port left.
    NoPort,
    /// As many mappings exist as the engine has room for.
    Full,
    /// There is no pool.
    NoPool,
}

/// The mappings and the ports they take.
#[derive(Debug)]
pub struct Nat {
    mappings: Vec<Option<Mapping>>,
    free: Vec<u32>,
    by_inside: Index,
    pool: Vec<(PoolAddress, PortMap)>,
    hasher: TupleHasher,
}

impl Nat {
    /// Makes room for `capacity` mappings.
    pub fn new(capacity: u32, hasher: TupleHasher) -> Self {
        let entries = usize::try_from(capacity).unwrap_or(0);
        Self {
            mappings: vec![None; entries],
            free: (0..capacity).rev().collect(),
            by_inside: Index::new(entries, capacity),
            pool: Vec::new(),
            hasher,
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

    /// Returns a mapping.
    pub fn mapping(&self, id: MappingId) -> Option<&Mapping> {
        self.mappings.get(usize::try_from(id.0).ok()?)?.as_ref()
    }

    /// Changes the pool. Mappings of addresses that are no longer in it must be released by then.
    pub fn set_pool(&mut self, pool: &[PoolAddress]) {
        let mut before = std::mem::take(&mut self.pool);
        for entry in pool {
            let known = before.iter().position(|(old, _)| old.address == entry.address);
            let ports = known.map_or_else(PortMap::new, |at| before.swap_remove(at).1);
            self.pool.push((*entry, ports));
        }
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
        let paired = self.paired(inside.0).ok_or(NatError::NoPool)?;
        let slot = *self.free.last().ok_or(NatError::Full)?;
        let (entry, ports) = self.pool.get_mut(paired).ok_or(NatError::NoPool)?;
        let port = ports.obtain(protocol, entry.ports, rng).ok_or(NatError::NoPort)?;
        let outside = (entry.address, port);
        self.free.pop();
        let inserted = self.by_inside.insert(hash, slot);
        debug_assert!(inserted, "the index has a place for each mapping");
        if let Some(place) = usize::try_from(slot).ok().and_then(|at| self.mappings.get_mut(at)) {
            *place = Some(Mapping { protocol, inside, outside, holders: 1 });
        }
        Ok(MappingId(slot))
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
        if let Some((_, ports)) = self.pool.iter_mut().find(|(entry, _)| entry.address == ended.outside.0) {
            ports.release(ended.protocol, ended.outside.1);
        }
        if let Some(place) = usize::try_from(id.0).ok().and_then(|at| self.mappings.get_mut(at)) {
            *place = None;
        }
        self.free.push(id.0);
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

    /// Returns the position of the pool address that a subscriber is paired with.
    fn paired(&self, subscriber: Ipv4Addr) -> Option<usize> {
        let hash = self.hasher.endpoint(Protocol::Udp, subscriber, 0);
        usize::try_from(hash).ok()?.checked_rem(self.pool.len())
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Mapping> {
        self.mappings.get_mut(usize::try_from(slot).ok()?)?.as_mut()
    }
}

#[cfg(test)]
mod tests;
