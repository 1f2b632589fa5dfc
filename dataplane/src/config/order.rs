//! The inside addresses counted through, and the fixed relations to outside addresses that this gives.

use std::net::Ipv4Addr;

use crate::addr::Ipv4Prefix;
use crate::config::PortRange;

/// The inside addresses in the order of their numbers, whatever order their prefixes were listed in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SubscriberOrder {
    /// Each prefix with how many addresses come before it.
    starts: Vec<(u64, Ipv4Prefix)>,
    count: u64,
}

impl SubscriberOrder {
    /// Counts through prefixes that do not overlap.
    pub fn new(prefixes: &[Ipv4Prefix]) -> Self {
        let mut sorted = prefixes.to_vec();
        sorted.sort_unstable();
        let mut count = 0_u64;
        let starts = sorted.into_iter().map(|prefix| {
            let start = count;
            count = count.saturating_add(size_of(prefix));
            (start, prefix)
        });
        let starts = starts.collect();
        Self { starts, count }
    }

    /// Returns how many addresses there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Returns how many addresses come before an inside one.
    pub fn index_of(&self, address: Ipv4Addr) -> Option<u64> {
        let after = self.starts.partition_point(|(_, prefix)| prefix.first() <= address);
        let (start, prefix) = self.starts.get(after.checked_sub(1)?)?;
        let offset = u64::from(address.to_bits()).checked_sub(u64::from(prefix.first().to_bits()))?;
        prefix.contains(address).then(|| start.saturating_add(offset))
    }

    /// Returns the address that so many come before.
    pub fn address_at(&self, index: u64) -> Option<Ipv4Addr> {
        let after = self.starts.partition_point(|(start, _)| *start <= index);
        let (start, prefix) = self.starts.get(after.checked_sub(1)?)?;
        let offset = u32::try_from(index.checked_sub(*start)?).ok()?;
        let address = Ipv4Addr::from_bits(prefix.first().to_bits().checked_add(offset)?);
        prefix.contains(address).then_some(address)
    }
}

fn size_of(prefix: Ipv4Prefix) -> u64 {
    1_u64 << 32_u8.saturating_sub(prefix.length())
}

/// Deterministic mapping (RFC 7422): whose ports are whose follows from the configuration alone, so nothing has to be
/// logged. Inside addresses in their order fill the outside addresses in theirs, each with the same number of ports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deterministic {
    order: SubscriberOrder,
    /// In order.
    pool: Vec<Ipv4Addr>,
    usable: PortRange,
    ports_per_subscriber: u16,
}

impl Deterministic {
    /// Relates inside to outside addresses of which the same ports are usable.
    pub fn new(
        order: SubscriberOrder,
        mut pool: Vec<Ipv4Addr>,
        usable: PortRange,
        ports_per_subscriber: u16,
    ) -> Self {
        pool.sort_unstable();
        Self { order, pool, usable, ports_per_subscriber }
    }

    /// Returns how many inside addresses the pool has ports for.
    pub fn capacity(&self) -> u64 {
        let addresses = u64::try_from(self.pool.len()).unwrap_or(u64::MAX);
        self.per_address().saturating_mul(addresses)
    }

    /// Returns how many inside addresses there are.
    pub const fn subscribers(&self) -> u64 {
        self.order.count()
    }

    /// Returns the outside address of an inside one, and its ports of it.
    pub fn outside_of(&self, subscriber: Ipv4Addr) -> Option<(Ipv4Addr, PortRange)> {
        let index = self.order.index_of(subscriber)?;
        let at = usize::try_from(index.checked_div(self.per_address())?).ok()?;
        let place = u16::try_from(index.checked_rem(self.per_address())?).ok()?;
        let first = place.checked_mul(self.ports_per_subscriber)?.checked_add(self.usable.first())?;
        let last = first.checked_add(self.ports_per_subscriber.checked_sub(1)?)?;
        Some((*self.pool.get(at)?, PortRange::new(first, last)?))
    }

    /// Returns the inside address that an outside address and port stand for.
    pub fn subscriber_of(&self, outside: Ipv4Addr, port: u16) -> Option<Ipv4Addr> {
        let at = u64::try_from(self.pool.binary_search(&outside).ok()?).ok()?;
        let place = u64::from(port.checked_sub(self.usable.first())?.checked_div(self.ports_per_subscriber)?);
        if place >= self.per_address() {
            return None;
        }
        self.order.address_at(at.checked_mul(self.per_address())?.checked_add(place)?)
    }

    /// Inside addresses that share one outside address.
    fn per_address(&self) -> u64 {
        u64::from(self.usable.count()).checked_div(u64::from(self.ports_per_subscriber)).unwrap_or(0)
    }
}
