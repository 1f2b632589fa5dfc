//! Sessions as the translation sees them: how many a subscriber has, and whom it has sent to.

use std::net::Ipv4Addr;

use crate::addr::Realm;
use crate::nat::ports::Wanted;
use crate::nat::{MappingId, Nat, NatError, SubscriberLimit};

impl Nat {
    /// Whether an inside host may have one more session; the rate counts those that it opens itself.
    ///
    /// # Errors
    /// The limit that it has reached.
    pub fn check_session(&self, address: Ipv4Addr, originator: Realm) -> Result<(), SubscriberLimit> {
        let subscriber = self.subscribers.lookup(address).and_then(|slot| self.subscribers.at(slot));
        subscriber.map_or(Ok(()), |subscriber| {
            subscriber.check_count(&self.settings.limits)?;
            match originator {
                Realm::Inside => subscriber.check_rate(&self.settings.limits, self.now),
                Realm::Outside => Ok(()),
            }
        })
    }

    /// Returns the inside host of a mapping, by its slot, which is its own while the mapping is held.
    pub fn subscriber_of(&self, id: MappingId) -> Option<u32> {
        self.mapping(id).map(|mapping| mapping.subscriber)
    }

    /// Counts a session that a mapping serves, with the other end's address.
    pub fn count_session(&mut self, id: MappingId, originator: Realm, remote: Ipv4Addr) {
        let (limits, now) = (self.settings.limits, self.now);
        let Some(slot) = self.mapping(id).map(|mapping| mapping.subscriber) else { return };
        let Some(subscriber) = self.subscribers.at_mut(slot) else { return };
        subscriber.sessions += 1;
        match originator {
            Realm::Inside => {
                subscriber.spend(&limits, now);
                self.filters.count(id.0, remote);
            }
            Realm::Outside => {}
        }
    }

    /// Counts such a session as ended, before its mapping is released.
    pub fn uncount_session(&mut self, id: MappingId) {
        let Some(slot) = self.mapping(id).map(|mapping| mapping.subscriber) else { return };
        if let Some(subscriber) = self.subscribers.at_mut(slot) {
            subscriber.sessions = subscriber.sessions.saturating_sub(1);
        }
    }

    /// Forgets for such a session that its originator has sent to an address, where that was counted.
    pub fn uncount_sent(&mut self, id: MappingId, originator: Realm, remote: Ipv4Addr) {
        match originator {
            Realm::Inside => self.filters.uncount(id.0, remote),
            Realm::Outside => {}
        }
    }

    /// Whether a packet from outside that belongs to no session may come in through a mapping.
    pub fn admits(&self, id: MappingId, remote: Ipv4Addr) -> bool {
        self.filters.admit(id.0, remote)
    }

    /// Whether a subscriber may take the ports that it wants (RFC 6888, REQ-4).
    pub(super) fn check_ports(&self, subscriber: u32, wanted: Wanted) -> Result<(), NatError> {
        let more = u32::from(wanted.ports());
        let held = self.subscribers.at(subscriber).map_or(0, |subscriber| subscriber.ports);
        let most = self.settings.limits.ports;
        if most.is_some_and(|most| held.saturating_add(more) > most.get()) {
            Err(NatError::PortLimit)
        } else {
            Ok(())
        }
    }
}
