//! Protocols without ports on an outside address that inside hosts share: the address alone stands for the host, and
//! the sessions tell by the other end whose a packet is.

use std::net::Ipv4Addr;

use crate::config::Rule;
use crate::nat::key::{ANYBODY, flow};
use crate::nat::{MappingId, Nat, NatError, Source};
use crate::tuple::{Protocol, Tuple};

impl Nat {
    /// Returns the mapping of a host to its outside address, held once more; it takes no port, and is not found by the
    /// outside endpoint, which is that of other hosts as well.
    pub(super) fn obtain_shared(&mut self, tuple: &Tuple) -> Result<MappingId, NatError> {
        if self.waits() {
            return Err(NatError::NoPool);
        }
        let key = flow(tuple.protocol, (tuple.source, tuple.source_port), ANYBODY);
        if let Some(id) = self.hold_known(&key, Rule::Shared) {
            return Ok(id);
        }
        let subscriber = self.subscriber(tuple.source)?;
        let address = self.paired(subscriber).inspect_err(|_| self.subscribers.settle(subscriber))?;
        self.insert(&key, (address, tuple.source_port), Source::Shared, subscriber)
    }

    /// Returns the outside address of a subscriber, which it is paired with from now on.
    fn paired(&mut self, slot: u32) -> Result<Ipv4Addr, NatError> {
        let subscriber = self.subscribers.at(slot).ok_or(NatError::SubscribersFull)?;
        let rules = self.rules.clone().ok_or(NatError::NoPool)?;
        let address = subscriber.address;
        if let Some(relation) = rules.deterministic() {
            return relation.outside_of(address).map(|(address, _)| address).ok_or(NatError::NoPool);
        }
        match subscriber.paired {
            Some(paired) if self.pool.contains(paired) => return Ok(paired),
            Some(paired) => self.unpair(slot, paired),
            None => {}
        }
        // The one that its first port would be taken of.
        let place = self.usual_place(address)?;
        let usual = rules.forwarded_address(address).or_else(|| self.pool.address(place));
        let address = usual.ok_or(NatError::NoPool)?;
        if let Some(subscriber) = self.subscribers.at_mut(slot) {
            subscriber.paired = Some(address);
        }
        Ok(address)
    }

    /// Returns the place in the pool that equal subscribers get as long as there is room.
    pub(super) fn usual_place(&self, subscriber: Ipv4Addr) -> Result<usize, NatError> {
        let count = u32::try_from(self.pool.len()).unwrap_or(u32::MAX);
        let hash = self.hasher.endpoint(Protocol::Udp, subscriber, 0);
        let place = hash.checked_rem(count).ok_or(NatError::NoPool)?;
        Ok(usize::try_from(place).unwrap_or(usize::MAX))
    }
}
