//! Which outside port a subscriber gets.

use std::net::Ipv4Addr;

use crate::config::PortRange;
use crate::config::nat::{Allocation, PortBlocks};
use crate::nat::block::{Block, BlockState, NO_BLOCK, NOBODY};
use crate::nat::pool::Outside;
use crate::nat::ports::Wanted;
use crate::nat::{Nat, NatError, Notice};
use crate::rng::Rng;
use crate::tuple::Protocol;

/// Outside addresses that are tried for a subscriber that has none: a full one must not shut it out.
const PAIRING_PROBES: u32 = 8;

/// What a port is wanted for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    pub(super) subscriber: u32,
    pub(super) protocol: Protocol,
    pub(super) wanted: Wanted,
}

impl Nat {
    /// Takes an outside port for a subscriber: of its paired address, or of one that it is paired with now.
    pub(super) fn allocate(&mut self, need: Need, rng: &mut Rng) -> Result<(Ipv4Addr, u16), NatError> {
        let rules = self.rules.clone().ok_or(NatError::NoPool)?;
        let subscriber = self.subscribers.at(need.subscriber).ok_or(NatError::SubscribersFull)?;
        if let Some(relation) = rules.deterministic() {
            let (address, range) = relation.outside_of(subscriber.address).ok_or(NatError::NoPool)?;
            let port = self.take_port(need, address, range, rng).ok_or(NatError::NoPort)?;
            return Ok((address, port));
        }
        match subscriber.paired {
            Some(paired) if self.pool.contains(paired) => return self.allocate_at(need, paired, rng),
            // The address has left the pool, and takes what is left of its blocks along.
            Some(paired) => self.unpair(need.subscriber, paired),
            None => {}
        }
        let Some(subscriber) = self.subscribers.at(need.subscriber) else {
            return Err(NatError::SubscribersFull);
        };
        let count = u32::try_from(self.pool.len()).unwrap_or(u32::MAX);
        let mut place = self.usual_place(subscriber.address)?;
        // Who is reached at an address by a static forward also leaves from there.
        let mut forwarded = rules.forwarded_address(subscriber.address);
        for _ in 0..PAIRING_PROBES {
            let address = forwarded.take().or_else(|| self.pool.address(place)).ok_or(NatError::NoPool)?;
            if let Ok(outside) = self.allocate_at(need, address, rng) {
                if let Some(subscriber) = self.subscribers.at_mut(need.subscriber) {
                    subscriber.paired = Some(address);
                }
                return Ok(outside);
            }
            place = usize::try_from(rng.below(count)).unwrap_or(usize::MAX);
        }
        Err(NatError::NoPort)
    }

    fn allocate_at(
        &mut self,
        need: Need,
        address: Ipv4Addr,
        rng: &mut Rng,
    ) -> Result<(Ipv4Addr, u16), NatError> {
        let port = match self.settings.allocation {
            Allocation::Random => {
                let usable = self.pool.outside_mut(address).ok_or(NatError::NoPool)?.config.ports;
                self.take_port(need, address, usable, rng)
            }
            Allocation::Blocks(rule) => self.take_port_of_blocks(need, address, rule, rng),
            // The first is found by the subscriber, the others take no port.
            Allocation::Deterministic(_) | Allocation::OneToOne | Allocation::Untranslated => None,
        };
        Ok((address, port.ok_or(NatError::NoPort)?))
    }

    /// Takes a port of a range, one that is wanted if there is one.
    pub(super) fn take_port(
        &mut self,
        need: Need,
        address: Ipv4Addr,
        range: PortRange,
        rng: &mut Rng,
    ) -> Option<u16> {
        let ports = &mut self.pool.outside_mut(address)?.ports;
        let port = ports.obtain(need.protocol, range, need.wanted, rng);
        match need.wanted {
            Wanted::Any | Wanted::Pair => port,
            Wanted::Even | Wanted::Odd => {
                port.or_else(|| ports.obtain(need.protocol, range, Wanted::Any, rng))
            }
        }
    }

    /// Takes a port of a block that the subscriber uses, else of one that it has given back and nobody else may have
    /// yet, else of a new one.
    fn take_port_of_blocks(
        &mut self,
        need: Need,
        address: Ipv4Addr,
        rule: PortBlocks,
        rng: &mut Rng,
    ) -> Option<u16> {
        for state in [BlockState::Active, BlockState::Held] {
            let mut number = self.subscribers.at(need.subscriber)?.first_block;
            while number != NO_BLOCK {
                let (block, range) = self.block(address, number)?;
                if block.state == state
                    && let Some(port) = self.take_port(need, address, range, rng)
                {
                    return self.count_in(need, address, number, port);
                }
                number = block.next;
            }
        }
        let subscriber = *self.subscribers.at(need.subscriber)?;
        if subscriber.blocks >= rule.per_subscriber {
            return None;
        }
        let Outside { ports, blocks, .. } = self.pool.outside_mut(address)?;
        let blocks = blocks.as_mut()?;
        let number = blocks.take(need.subscriber, subscriber.first_block, rng, |range| {
            ports.has(need.protocol, range, need.wanted)
        })?;
        let range = blocks.range(number)?;
        let subscriber = self.subscribers.at_mut(need.subscriber)?;
        subscriber.first_block = number;
        subscriber.blocks += 1;
        self.notify_block(need.subscriber, address, number, Notice::BlockAllocated);
        let port = self.take_port(need, address, range, rng)?;
        self.count_in(need, address, number, port)
    }

    /// Parts a subscriber from an outside address. Nobody has its blocks there until their last mapping ends.
    pub(super) fn unpair(&mut self, slot: u32, address: Ipv4Addr) {
        let Some(subscriber) = self.subscribers.at_mut(slot) else { return };
        let mut number = std::mem::replace(&mut subscriber.first_block, NO_BLOCK);
        subscriber.blocks = 0;
        subscriber.paired = None;
        let Some(blocks) = self.pool.outside_mut(address).and_then(|outside| outside.blocks.as_mut()) else {
            return;
        };
        while let Some(block) = blocks.block_mut(number) {
            block.owner = NOBODY;
            number = std::mem::replace(&mut block.next, NO_BLOCK);
        }
    }

    pub(super) fn block(&mut self, address: Ipv4Addr, number: u16) -> Option<(Block, PortRange)> {
        let blocks = self.pool.outside_mut(address)?.blocks.as_ref()?;
        Some((*blocks.block(number)?, blocks.range(number)?))
    }

    /// Counts what was taken of a block, which is in use from then on.
    pub(super) fn count_in(&mut self, need: Need, address: Ipv4Addr, number: u16, port: u16) -> Option<u16> {
        let block = self.pool.outside_mut(address)?.blocks.as_mut()?.block_mut(number)?;
        block.used += need.wanted.ports();
        if block.state == BlockState::Held {
            block.state = BlockState::Active;
            self.notify_block(need.subscriber, address, number, Notice::BlockAllocated);
        }
        Some(port)
    }

    /// Gives a port back, and its block with the last one of it.
    pub(super) fn give_back(&mut self, subscriber: u32, protocol: Protocol, outside: (Ipv4Addr, u16)) {
        let (address, port) = outside;
        let Some(entry) = self.pool.outside_mut(address) else { return };
        if self.reserved.as_ref().is_none_or(|rules| rules.forward_to(protocol, outside).is_none()) {
            entry.ports.release(protocol, port);
        }
        let Allocation::Blocks(rule) = self.settings.allocation else { return };
        let Some(blocks) = entry.blocks.as_mut() else { return };
        let number = blocks.number_of(port);
        let Some(block) = blocks.block_mut(number) else { return };
        block.used = block.used.saturating_sub(1);
        if block.used > 0 {
            return;
        }
        block.state = BlockState::Held;
        block.held_until = self.now.saturating_add(rule.hold);
        self.notify_block(subscriber, address, number, Notice::BlockReleased);
        self.pool.wait(address, number);
    }

    /// Makes a block whose time as a held one is over free for everybody.
    pub(super) fn free_block(&mut self, address: Ipv4Addr, number: u16) {
        let Some(blocks) = self.pool.outside_mut(address).and_then(|outside| outside.blocks.as_mut()) else {
            return;
        };
        let Some(&Block { owner, next, .. }) = blocks.block(number) else { return };
        if let Some(subscriber) = self.subscribers.at_mut(owner) {
            subscriber.blocks = subscriber.blocks.saturating_sub(1);
            if subscriber.first_block == number {
                subscriber.first_block = next;
            } else {
                unlink(blocks, subscriber.first_block, number, next);
            }
        }
        blocks.put_back(number);
        self.subscribers.settle(owner);
    }

    fn notify_block(
        &mut self,
        subscriber: u32,
        address: Ipv4Addr,
        number: u16,
        notice: fn(PortBlock) -> Notice,
    ) {
        let Some((_, ports)) = self.block(address, number) else { return };
        if let Some(subscriber) = self.subscribers.at(subscriber) {
            self.notices.push_back(notice(PortBlock {
                subscriber: subscriber.address,
                outside: address,
                ports,
            }));
        }
    }
}

/// Takes a block out of its owner's list, whose first one it is not.
fn unlink(blocks: &mut super::block::Blocks, first: u16, number: u16, next: u16) {
    let mut at = first;
    while let Some(block) = blocks.block_mut(at) {
        if block.next == number {
            block.next = next;
            return;
        }
        at = block.next;
    }
}

/// A block of ports and whose it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PortBlock {
    /// The inside address.
    pub subscriber: Ipv4Addr,
    /// The outside address.
    pub outside: Ipv4Addr,
    /// The ports, of every protocol.
    pub ports: PortRange,
}
