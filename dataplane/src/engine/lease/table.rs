//! The leases, found by what they are of, by their mapping and by their end. Their number is bounded and small, so ordered
//! maps serve well.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Bound;

use crate::engine::lease::{Lease, LeaseId, LeaseKey};
use crate::nat::MappingId;
use crate::time::Timestamp;
use crate::tuple::Protocol;

#[derive(Debug, Default)]
pub(in crate::engine) struct Leases {
    by_id: BTreeMap<LeaseId, Lease>,
    by_key: BTreeMap<LeaseKey, LeaseId>,
    by_deadline: BTreeSet<(Timestamp, LeaseId)>,
    by_mapping: BTreeSet<(MappingId, LeaseId)>,
    by_subscriber: BTreeMap<Ipv4Addr, u32>,
    next_id: u64,
}

impl Leases {
    pub(in crate::engine) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn of_subscriber(&self, address: Ipv4Addr) -> u32 {
        self.by_subscriber.get(&address).copied().unwrap_or(0)
    }

    pub(super) fn find(&self, key: &LeaseKey) -> Option<LeaseId> {
        self.by_key.get(key).copied()
    }

    pub(super) fn at(&self, id: LeaseId) -> Option<&Lease> {
        self.by_id.get(&id)
    }

    /// Returns the leases of an inside host for any transport or one, and any port.
    pub(super) fn of_host(
        &self,
        address: Ipv4Addr,
        protocol: Option<Protocol>,
    ) -> impl Iterator<Item = LeaseId> {
        let fits = move |lease: &&Lease| {
            lease.key.inside.0 == address
                && lease.key.peer.is_none()
                && protocol.is_none_or(|protocol| protocol == lease.key.protocol)
        };
        self.by_id.values().filter(fits).map(|lease| lease.id)
    }

    /// Returns the leases that hold a mapping.
    pub(super) fn of_mapping(&self, mapping: MappingId) -> impl Iterator<Item = &Lease> {
        let range = (mapping, LeaseId(0))..=(mapping, LeaseId(u64::MAX));
        self.by_mapping.range(range).filter_map(|(_, id)| self.by_id.get(id))
    }

    /// Puts a lease in, under a name that was never given out before.
    pub(super) fn insert(&mut self, lease: Lease) -> LeaseId {
        self.next_id += 1;
        let lease = Lease { id: LeaseId(self.next_id), ..lease };
        let id = lease.id;
        self.by_key.insert(lease.key, id);
        self.by_deadline.insert((lease.deadline, id));
        self.by_mapping.insert((lease.mapping, id));
        *self.by_subscriber.entry(lease.key.inside.0).or_default() += 1;
        self.by_id.insert(id, lease);
        id
    }

    /// Changes a lease's end, and what else `change` does.
    pub(super) fn renew(&mut self, id: LeaseId, deadline: Timestamp, change: impl FnOnce(&mut Lease)) {
        let Some(lease) = self.by_id.get_mut(&id) else { return };
        self.by_deadline.remove(&(lease.deadline, id));
        lease.deadline = deadline;
        change(lease);
        self.by_deadline.insert((deadline, id));
    }

    /// Takes a lease out; the caller releases its mapping.
    pub(super) fn remove(&mut self, id: LeaseId) -> Option<Lease> {
        let lease = self.by_id.remove(&id)?;
        self.by_key.remove(&lease.key);
        self.by_deadline.remove(&(lease.deadline, id));
        self.by_mapping.remove(&(lease.mapping, id));
        if let Some(count) = self.by_subscriber.get_mut(&lease.key.inside.0) {
            *count -= 1;
            if *count == 0 {
                self.by_subscriber.remove(&lease.key.inside.0);
            }
        }
        Some(lease)
    }

    /// Returns a lease whose time is over.
    pub(super) fn expired(&self, now: Timestamp) -> Option<LeaseId> {
        self.by_deadline.first().filter(|(deadline, _)| *deadline <= now).map(|&(_, id)| id)
    }

    /// Returns when the next lease ends.
    pub(in crate::engine) fn next_deadline(&self) -> Option<Timestamp> {
        self.by_deadline.first().map(|&(deadline, _)| deadline)
    }

    /// Visits the leases after another, oldest first.
    pub(super) fn after(&self, id: LeaseId) -> impl Iterator<Item = &Lease> {
        self.by_id.range((Bound::Excluded(id), Bound::Unbounded)).map(|(_, lease)| lease)
    }
}
