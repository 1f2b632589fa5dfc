//! Whom the inside endpoints have sent to, and so who may send to them (RFC 4787, section 5).

use std::net::Ipv4Addr;

use crate::config::nat::Dependence;
use crate::conntrack::TupleHasher;
use crate::conntrack::index::Index;
use crate::limits::BUCKETS_PER_CALL;
use crate::tuple::{Protocol, Tuple};

/// Sessions from a mapping towards an address.
#[derive(Clone, Copy, Debug)]
struct Entry {
    mapping: u32,
    remote: Ipv4Addr,
    sessions: u32,
}

/// The addresses that mappings have sessions with, as far as filtering goes by them; at most one for each session.
#[derive(Debug)]
pub(super) struct Filters {
    by: Dependence,
    /// As many as were ever needed at once.
    entries: Vec<Option<Entry>>,
    capacity: u32,
    /// Places of `entries` that are free again.
    free: Vec<u32>,
    index: Index,
    hasher: TupleHasher,
}

impl Filters {
    /// Starts with none, and without a place for any until [`Self::prepare`] says so: it takes little time whatever the
    /// number of sessions. Where filtering goes by sessions themselves there is nothing to remember.
    pub(super) fn new(by: Dependence, sessions: u32, hasher: TupleHasher) -> Self {
        let capacity = match by {
            Dependence::Independent | Dependence::Address => sessions,
            Dependence::AddressAndPort => 0,
        };
        let entries = usize::try_from(capacity).unwrap_or(0);
        Self {
            by,
            entries: Vec::with_capacity(entries),
            capacity,
            free: Vec::with_capacity(entries),
            index: Index::planned(entries, capacity),
            hasher,
        }
    }

    /// Makes some of the room for them; whether that is all.
    pub(super) fn prepare(&mut self) -> bool {
        self.index.grow(BUCKETS_PER_CALL)
    }

    /// Whether there is room.
    pub(super) fn is_ready(&self) -> bool {
        self.index.is_whole()
    }

    /// Counts a session that a mapping's inside endpoint opened.
    pub(super) fn count(&mut self, mapping: u32, remote: Ipv4Addr) {
        let Some(remote) = self.key(remote).filter(|_| self.is_ready()) else { return };
        let hash = self.hash(mapping, remote);
        if let Some(slot) = self.lookup(hash, mapping, remote) {
            if let Some(entry) = self.slot_mut(slot) {
                entry.sessions += 1;
            }
            return;
        }
        let Some(slot) = self.free.pop().or_else(|| self.one_more()) else { return };
        let inserted = self.index.insert(hash, slot);
        debug_assert!(inserted, "the index has a place for each session");
        if let Some(place) = usize::try_from(slot).ok().and_then(|at| self.entries.get_mut(at)) {
            *place = Some(Entry { mapping, remote, sessions: 1 });
        }
    }

    fn one_more(&mut self) -> Option<u32> {
        let slot = u32::try_from(self.entries.len()).ok().filter(|&slot| slot < self.capacity)?;
        self.entries.push(None);
        Some(slot)
    }

    /// Counts such a session as ended.
    pub(super) fn uncount(&mut self, mapping: u32, remote: Ipv4Addr) {
        let Some(remote) = self.key(remote) else { return };
        let hash = self.hash(mapping, remote);
        let Some(slot) = self.lookup(hash, mapping, remote) else { return };
        let Some(entry) = self.slot_mut(slot) else { return };
        entry.sessions -= 1;
        if entry.sessions > 0 {
            return;
        }
        self.index.remove(hash, slot);
        if let Some(place) = usize::try_from(slot).ok().and_then(|at| self.entries.get_mut(at)) {
            *place = None;
        }
        self.free.push(slot);
    }

    /// Whether a packet from an address that belongs to no session may come in through a mapping.
    pub(super) fn admit(&self, mapping: u32, remote: Ipv4Addr) -> bool {
        self.key(remote)
            .is_some_and(|remote| self.lookup(self.hash(mapping, remote), mapping, remote).is_some())
    }

    /// Returns what of a remote address counts; `None` when only whole sessions do.
    const fn key(&self, remote: Ipv4Addr) -> Option<Ipv4Addr> {
        match self.by {
            Dependence::Independent => Some(Ipv4Addr::UNSPECIFIED),
            Dependence::Address => Some(remote),
            Dependence::AddressAndPort => None,
        }
    }

    fn lookup(&self, hash: u32, mapping: u32, remote: Ipv4Addr) -> Option<u32> {
        self.index.lookup(hash, |slot| {
            let entry = usize::try_from(slot).ok().and_then(|at| self.entries.get(at)?.as_ref());
            entry.is_some_and(|entry| entry.mapping == mapping && entry.remote == remote)
        })
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(slot).ok()?)?.as_mut()
    }

    fn hash(&self, mapping: u32, remote: Ipv4Addr) -> u32 {
        let pair = Tuple {
            protocol: Protocol::Udp,
            source: Ipv4Addr::from_bits(mapping),
            source_port: 0,
            destination: remote,
            destination_port: 0,
        };
        self.hasher.key(&pair.into())
    }
}
