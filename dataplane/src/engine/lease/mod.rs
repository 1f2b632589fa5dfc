//! Mappings that inside hosts ask for by name and for a time (RFC 6887): leases. A lease holds a mapping as a session does,
//! and lets in whom it names, as a static forward does.

mod table;

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::addr::Ipv4Prefix;
use crate::config::Snapshot;
use crate::engine::{Engine, Event, Kill};
use crate::limits::MAX_FILTERS_PER_LEASE;
use crate::nat::{MappingId, NatError, Wish, WishError};
use crate::time::Timestamp;
use crate::tuple::{Protocol, Tuple};

pub(super) use table::Leases;

/// A lease's name; each is given out once.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LeaseId(pub u64);

/// What a lease is of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LeaseKey {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The inside endpoint.
    pub inside: (Ipv4Addr, u16),
    /// The one other end that it is for (RFC 6887, PEER); `None` is anybody (MAP).
    pub peer: Option<(Ipv4Addr, u16)>,
}

/// Who has a lease, in whatever way its protocol tells its clients apart; nobody else changes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owner {
    /// PCP: who knows this (RFC 6887, section 11.2).
    Nonce([u8; 12]),
    /// NAT-PMP: the inside host itself.
    Host,
}

/// Whom a lease lets in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeaseFilter {
    /// From where.
    pub prefix: Ipv4Prefix,
    /// From which port; 0 is any.
    pub port: u16,
}

/// A lease.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// What it is of.
    pub key: LeaseKey,
    /// What stands for the inside endpoint.
    pub outside: (Ipv4Addr, u16),
    /// Whose it is.
    pub owner: Owner,
    /// Whom it lets in; empty is everybody that [`LeaseKey::peer`] does not exclude.
    pub filters: Vec<LeaseFilter>,
    /// When it ends unless it is asked for again.
    pub deadline: Timestamp,
    mapping: MappingId,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// What the lease is to be of.
    pub key: LeaseKey,
    /// Who asks.
    pub owner: Owner,
    /// The outside endpoint that it would like.
    pub wish: Wish,
    /// How long.
    pub lifetime: Duration,
    /// Whom to let in from now on; `None` leaves that as it is.
    pub filters: Option<Vec<LeaseFilter>>,
}

/// Why there is no lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LeaseError {
    /// It is somebody else's, and lasts so long.
    #[error("the lease is somebody else's")]
    NotOwner(Duration),
    /// The inside endpoint is no subscriber's.
    #[error("the inside address is no subscriber's")]
    NotInside,
    /// The subscriber has as many ports or leases as it may have.
    #[error("the subscriber has as much as it may have")]
    Quota,
    /// There is no port or no room.
    #[error("there is no port or no room")]
    NoResources,
    /// The outside endpoint cannot be had.
    #[error("the outside endpoint cannot be had")]
    Taken,
    /// More filters than a lease may have.
    #[error("a lease has no so many filters")]
    Filters,
    /// The configuration leaves no room for leases.
    #[error("the configuration makes outside endpoints depend on destinations")]
    Unsupported,
}

/// Why a lease ended.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum LeaseEnd {
    /// It was not asked for again in time.
    Expired,
    /// Its owner gave it back.
    Released,
    /// A new configuration no longer allows it.
    Policy,
    /// An administrator ended it.
    Killed,
}

impl LeaseEnd {
    /// Returns the name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Released => "released",
            Self::Policy => "policy",
            Self::Killed => "killed",
        }
    }
}

impl Lease {
    /// Whether somebody outside may come in by it.
    fn admits(&self, (address, port): (Ipv4Addr, u16)) -> bool {
        let admits =
            |filter: &LeaseFilter| filter.prefix.contains(address) && [0, port].contains(&filter.port);
        self.key.peer.is_none_or(|peer| peer == (address, port))
            && (self.filters.is_empty() || self.filters.iter().any(admits))
    }
}

impl Engine {
    /// Gives a lease, or makes one that its owner has last longer. It counts among the subscriber's ports as any mapping
    /// does.
    ///
    /// # Errors
    /// When it cannot be given; what there was stays then.
    pub fn lease(&mut self, request: &LeaseRequest, now: Timestamp) -> Result<Lease, LeaseError> {
        self.nat.set_time(now);
        let snapshot = self.snapshot.clone().ok_or(LeaseError::NoResources)?;
        let inside = request.key.inside;
        if !snapshot.is_inside(inside.0) || snapshot.is_host(inside.0) || inside.1 == 0 {
            return Err(LeaseError::NotInside);
        }
        if request.filters.as_ref().is_some_and(|filters| filters.len() > MAX_FILTERS_PER_LEASE) {
            return Err(LeaseError::Filters);
        }
        let deadline = now.saturating_add(request.lifetime);
        if let Some(id) = self.leases.find(&request.key)
            && self.keep_lease(&snapshot, id)
        {
            return self.renew(id, request, deadline, now);
        }
        if self.leases.of_subscriber(inside.0) >= self.limits.leases_per_subscriber {
            return Err(LeaseError::Quota);
        }
        if self.leases.len() >= usize::try_from(self.limits.leases).unwrap_or(0) {
            return Err(LeaseError::NoResources);
        }
        let (protocol, wish) = (request.key.protocol, &request.wish);
        let mapping = self.nat.obtain_explicit(protocol, inside, wish, &mut self.rng).map_err(refusal)?;
        self.tell();
        let outside =
            self.nat.mapping(mapping).map(|mapping| mapping.outside).ok_or(LeaseError::NoResources)?;
        let filters = request.filters.clone().unwrap_or_default();
        let (key, owner) = (request.key, request.owner);
        let unnamed = Lease { id: LeaseId(0), key, outside, owner, filters, deadline, mapping };
        let id = self.leases.insert(unnamed);
        let lease = self.leases.at(id).cloned().ok_or(LeaseError::NoResources)?;
        self.events.push(Event::LeaseGiven(lease.clone()));
        Ok(lease)
    }

    fn renew(
        &mut self,
        id: LeaseId,
        request: &LeaseRequest,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Lease, LeaseError> {
        let lease = self.leases.at(id).ok_or(LeaseError::NoResources)?;
        if lease.owner != request.owner {
            return Err(LeaseError::NotOwner(lease.deadline.saturating_since(now)));
        }
        if request.wish.must_be_granted() && !request.wish.is_granted_by(lease.outside) {
            return Err(LeaseError::Taken);
        }
        self.leases.renew(id, deadline, |lease| {
            if let Some(filters) = &request.filters {
                lease.filters.clone_from(filters);
            }
        });
        self.leases.at(id).cloned().ok_or(LeaseError::NoResources)
    }

    /// Takes a lease back that its owner has no more use for; that there is none is as good. Sessions by it stay.
    ///
    /// # Errors
    /// [`LeaseError::NotOwner`].
    pub fn release_lease(&mut self, key: &LeaseKey, owner: Owner, now: Timestamp) -> Result<(), LeaseError> {
        self.nat.set_time(now);
        let Some(lease) = self.leases.find(key).and_then(|id| self.leases.at(id)) else { return Ok(()) };
        if lease.owner != owner {
            return Err(LeaseError::NotOwner(lease.deadline.saturating_since(now)));
        }
        self.end_lease(lease.id, LeaseEnd::Released);
        Ok(())
    }

    /// Takes back all leases without a peer that an owner has of an inside host and a transport, or of any.
    pub fn release_leases(
        &mut self,
        host: Ipv4Addr,
        protocol: Option<Protocol>,
        owner: Owner,
        now: Timestamp,
    ) {
        self.nat.set_time(now);
        let all: Vec<LeaseId> = self.leases.of_host(host, protocol).collect();
        for id in all {
            if self.leases.at(id).is_some_and(|lease| lease.owner == owner) {
                self.end_lease(id, LeaseEnd::Released);
            }
        }
    }

    /// Ends a lease; sessions by it stay.
    pub fn kill_lease(&mut self, id: LeaseId) -> Kill {
        if self.leases.at(id).is_none() {
            return Kill::Absent;
        }
        self.end_lease(id, LeaseEnd::Killed);
        Kill::Done
    }

    /// Ends all leases, as nobody may have any from now on.
    pub fn end_leases(&mut self, reason: LeaseEnd) {
        let all: Vec<LeaseId> = self.leases.after(LeaseId(0)).map(|lease| lease.id).collect();
        for id in all {
            self.end_lease(id, reason);
        }
    }

    /// Visits the leases that were given after another, oldest first.
    pub fn leases_after(&self, id: LeaseId) -> impl Iterator<Item = &Lease> {
        self.leases.after(id)
    }

    /// Returns the lease of a mapping, by its place, that lasts longest.
    pub fn longest_lease_of(&self, place: u32) -> Option<&Lease> {
        self.leases.of_mapping(MappingId::at(place)).max_by_key(|lease| lease.deadline)
    }

    /// Returns the number of leases.
    pub fn lease_count(&self) -> usize {
        self.leases.len()
    }

    /// Holds the lease after another one against the configuration in force, and ends it if that does not allow it; returns
    /// its name, or `None` when there is none.
    pub(super) fn judge_lease(&mut self, snapshot: &Snapshot, after: LeaseId) -> Option<LeaseId> {
        let id = self.leases.after(after).next().map(|lease| lease.id)?;
        self.keep_lease(snapshot, id);
        Some(id)
    }

    /// Whether a lease may stay; it has ended if not.
    fn keep_lease(&mut self, snapshot: &Snapshot, id: LeaseId) -> bool {
        let nobody = (Ipv4Addr::UNSPECIFIED, 0);
        let allowed =
            self.leases.at(id).is_some_and(|lease| self.nat.allows(snapshot, lease.mapping, nobody));
        if !allowed {
            self.end_lease(id, LeaseEnd::Policy);
        }
        allowed
    }

    /// Ends one lease whose time is over; `false` when there is none.
    pub(super) fn expire_lease(&mut self, now: Timestamp) -> bool {
        let Some(id) = self.leases.expired(now) else { return false };
        self.end_lease(id, LeaseEnd::Expired);
        true
    }

    /// Whether a packet from outside may come in by a mapping's leases.
    pub(super) fn is_leased_to(&self, mapping: MappingId, tuple: &Tuple) -> bool {
        let remote = (tuple.source, tuple.source_port);
        self.leases.of_mapping(mapping).any(|lease| lease.admits(remote))
    }

    fn end_lease(&mut self, id: LeaseId, reason: LeaseEnd) {
        if let Some(lease) = self.leases.remove(id) {
            self.nat.release(lease.mapping);
            self.events.push(Event::LeaseEnded { lease, reason });
            self.tell();
        }
    }
}

const fn refusal(error: WishError) -> LeaseError {
    match error {
        WishError::Nat(NatError::PortLimit) => LeaseError::Quota,
        WishError::Nat(NatError::NoPort | NatError::Full | NatError::SubscribersFull | NatError::NoPool) => {
            LeaseError::NoResources
        }
        WishError::Taken => LeaseError::Taken,
        WishError::Dependent | WishError::Nat(NatError::Refused(_)) => LeaseError::Unsupported,
    }
}
