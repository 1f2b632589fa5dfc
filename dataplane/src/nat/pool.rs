//! The outside addresses: which ports of each are taken, and by whose blocks.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use crate::config::nat::Allocation;
use crate::config::{PoolAddress, PortRange};
use crate::nat::block::{BlockState, Blocks};
use crate::nat::ports::PortMap;
use crate::time::Timestamp;
use crate::tuple::Protocol;

/// One outside address.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) config: PoolAddress,
    pub(super) ports: PortMap,
    /// `None` where ports are not given out in blocks.
    pub(super) blocks: Option<Blocks>,
}

/// A block that waits until its time as a held one is over.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    until: Timestamp,
    address: Ipv4Addr,
    number: u16,
}

/// The outside addresses, found by address.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// In order.
    addresses: Vec<Ipv4Addr>,
    /// In the order of `addresses`.
    entries: Vec<Outside>,
    /// Addresses that are no longer of the pool and whose ports are still to be given back, in order.
    retired: Vec<Outside>,
    /// Held blocks, each at most once. One that was taken again and given back meanwhile stands too far in front, and
    /// moves to the end when its turn comes.
    waiting: VecDeque<Waiting>,
}

impl Pool {
    /// Changes the addresses. Those that stay keep what is taken of them, and those that leave are retired.
    pub(super) fn configure(&mut self, pool: &[PoolAddress], allocation: Allocation) {
        let mut sorted: Vec<PoolAddress> = pool.to_vec();
        sorted.sort_unstable_by_key(|entry| entry.address);
        let mut before: Vec<Outside> = std::mem::take(&mut self.entries);
        before.append(&mut self.retired);
        before.sort_unstable_by_key(|entry| entry.config.address);
        // From the end, so that each is found at the end of what is left.
        let mut entries: Vec<Outside> = Vec::with_capacity(sorted.len());
        for &config in sorted.iter().rev() {
            while let Some(old) = before.pop_if(|old| old.config.address > config.address) {
                self.retired.push(old);
            }
            let known = before.pop_if(|old| old.config.address == config.address);
            entries.push(configured(config, known, allocation));
        }
        entries.reverse();
        self.retired.extend(before.into_iter().rev());
        self.retired.reverse();
        self.addresses = entries.iter().map(|entry| entry.config.address).collect();
        self.entries = entries;
    }

    /// Whether ports of an address may be given out.
    pub(super) fn contains(&self, address: Ipv4Addr) -> bool {
        self.addresses.binary_search(&address).is_ok()
    }

    /// Returns an address that is no longer of the pool.
    pub(super) fn retired(&self) -> Option<Ipv4Addr> {
        self.retired.last().map(|outside| outside.config.address)
    }

    /// Forgets the address that [`Self::retired`] returns.
    pub(super) fn forget_retired(&mut self) {
        self.retired.pop();
    }

    pub(super) fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Returns the address at a place in the order.
    pub(super) fn address(&self, at: usize) -> Option<Ipv4Addr> {
        self.addresses.get(at).copied()
    }

    /// Returns an address of the pool, or one that was.
    pub(super) fn outside(&self, address: Ipv4Addr) -> Option<&Outside> {
        match self.addresses.binary_search(&address) {
            Ok(at) => self.entries.get(at),
            Err(_) => self.retired.get(self.retired_at(address)?),
        }
    }

    /// Returns an address of the pool, or one that was, to change what is taken of it.
    pub(super) fn outside_mut(&mut self, address: Ipv4Addr) -> Option<&mut Outside> {
        match self.addresses.binary_search(&address) {
            Ok(at) => self.entries.get_mut(at),
            Err(_) => {
                let at = self.retired_at(address)?;
                self.retired.get_mut(at)
            }
        }
    }

    fn retired_at(&self, address: Ipv4Addr) -> Option<usize> {
        self.retired.binary_search_by_key(&address, |outside| outside.config.address).ok()
    }

    /// Keeps ports of an address from being given out.
    pub(super) fn reserve(&mut self, protocol: Protocol, address: Ipv4Addr, ports: PortRange) {
        if let Some(outside) = self.outside_mut(address) {
            outside.ports.reserve(protocol, ports);
        }
    }

    /// Lets reserved ports be given out again.
    pub(super) fn unreserve(&mut self, protocol: Protocol, address: Ipv4Addr, ports: PortRange) {
        let Some(outside) = self.outside_mut(address) else { return };
        for port in ports.first()..=ports.last() {
            outside.ports.release(protocol, port);
        }
    }

    /// Visits the addresses of the pool, and those that were.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Outside> {
        self.entries.iter().chain(&self.retired)
    }

    /// Has a held block wait for its time.
    pub(super) fn wait(&mut self, address: Ipv4Addr, number: u16) {
        let Some(block) =
            self.outside_mut(address).and_then(|outside| outside.blocks.as_mut()?.block_mut(number))
        else {
            return;
        };
        if !block.queued {
            block.queued = true;
            let until = block.held_until;
            self.waiting.push_back(Waiting { until, address, number });
        }
    }

    /// Returns when the next block may become free.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.waiting.front().map(|waiting| waiting.until)
    }

    /// Takes out one block that waits and whose turn has come: its address and number if it is to become free.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<Option<(Ipv4Addr, u16)>> {
        let &Waiting { address, number, .. } = self.waiting.front().filter(|front| front.until <= now)?;
        self.waiting.pop_front();
        let blocks = self.outside_mut(address).and_then(|outside| outside.blocks.as_mut());
        let Some(block) = blocks.and_then(|blocks| blocks.block_mut(number)) else { return Some(None) };
        block.queued = false;
        match block.state {
            BlockState::Free | BlockState::Active => Some(None),
            BlockState::Held if block.held_until > now => {
                self.wait(address, number);
                Some(None)
            }
            BlockState::Held => Some(Some((address, number))),
        }
    }
}

fn configured(config: PoolAddress, known: Option<Outside>, allocation: Allocation) -> Outside {
    let (ports, before) = match known {
        Some(known) => (known.ports, known.blocks),
        None => (PortMap::default(), None),
    };
    let blocks = match allocation {
        Allocation::Random
        | Allocation::Deterministic(_)
        | Allocation::OneToOne
        | Allocation::Untranslated => None,
        Allocation::Blocks(rule) => match before.filter(|before| before.size() == rule.size) {
            Some(mut before) => {
                before.set_usable(config.ports);
                Some(before)
            }
            None => Some(Blocks::new(rule.size, config.ports)),
        },
    };
    Outside { config, ports, blocks }
}
