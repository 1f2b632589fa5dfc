//! The subscribers of IPv6, each with all addresses of a /64, and what each may hold.

use std::net::Ipv6Addr;

use super::book::Book;
use crate::addr::{Realm, site_of};
use crate::config::nat::SubscriberLimits;
use crate::conntrack::TupleHasher;
use crate::engine::DropReason;
use crate::rate::Rate;
use crate::time::Timestamp;

/// A subscriber with sessions.
#[derive(Debug, Default)]
struct Site {
    sessions: u32,
    /// The sessions that it opens.
    rate: Rate,
}

/// The subscribers that have sessions.
#[derive(Debug)]
pub(crate) struct Sites {
    sites: Book<u64, Site>,
    capacity: usize,
}

impl Sites {
    pub(crate) fn new(capacity: u32, hasher: TupleHasher) -> Self {
        Self { sites: Book::new(capacity, hasher), capacity: usize::try_from(capacity).unwrap_or(0) }
    }

    /// Returns how many there are.
    pub(crate) fn len(&self) -> usize {
        self.sites.len()
    }

    /// Whether the subscriber of an inside address may have one more session; those that it has stay whatever the
    /// answer.
    pub(crate) fn check(
        &self,
        inside: Ipv6Addr,
        originator: Realm,
        limits: &SubscriberLimits,
        now: Timestamp,
    ) -> Result<(), DropReason> {
        let Some(site) = self.sites.find(&site_of(inside)) else {
            return if self.sites.len() < self.capacity { Ok(()) } else { Err(DropReason::SubscribersFull) };
        };
        if limits.sessions.is_some_and(|most| site.sessions >= most.get()) {
            return Err(DropReason::SubscriberSessions);
        }
        let most = limits.new_sessions_per_second.filter(|_| originator == Realm::Inside);
        if most.is_some_and(|most| !site.rate.allows(most, now)) {
            return Err(DropReason::SubscriberRate);
        }
        Ok(())
    }

    /// Counts a session that [`Self::check`] has allowed.
    pub(crate) fn count(
        &mut self,
        inside: Ipv6Addr,
        originator: Realm,
        limits: &SubscriberLimits,
        now: Timestamp,
    ) {
        let site = site_of(inside);
        if self.sites.find(&site).is_none() {
            let inserted = self.sites.insert(site, Site::default());
            debug_assert!(inserted, "there was room");
        }
        let Some(site) = self.sites.find_mut(&site) else { return };
        site.sessions += 1;
        if let (Realm::Inside, Some(most)) = (originator, limits.new_sessions_per_second) {
            site.rate.spend(most, now);
        }
    }

    /// Returns the place of the subscriber of an inside address.
    pub(crate) fn place(&self, inside: Ipv6Addr) -> Option<u32> {
        self.sites.place(&site_of(inside))
    }

    /// Counts a session as ended.
    pub(crate) fn uncount(&mut self, inside: Ipv6Addr) {
        let number = site_of(inside);
        let Some(site) = self.sites.find_mut(&number) else { return };
        site.sessions = site.sessions.saturating_sub(1);
        if site.sessions == 0 {
            self.sites.remove(&number);
        }
    }
}
