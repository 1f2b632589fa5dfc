//! Mappings that an inside host asks for by name (RFC 6887), with the outside endpoint that it would like.

use std::net::Ipv4Addr;

use crate::config::nat::{Allocation, Dependence};
use crate::config::{PortRange, Rule};
use crate::nat::allocate::Need;
use crate::nat::block::{BlockState, NO_BLOCK};
use crate::nat::ports::Wanted;
use crate::nat::{ANYBODY, MappingId, Nat, NatError, Source, flow};
use crate::rng::Rng;
use crate::tuple::Protocol;

/// The outside endpoint that somebody would like.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wish {
    /// The address; `None` is any.
    pub address: Option<Ipv4Addr>,
    /// The port; `None` is any.
    pub port: Option<u16>,
    /// What happens when it cannot be had.
    pub otherwise: Otherwise,
}

/// What happens when a wish cannot be granted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Otherwise {
    /// Another endpoint will do.
    #[default]
    Another,
    /// None at all, and whatever the mapping is that the inside endpoint has already.
    KnownOnly,
    /// None at all.
    Nothing,
}

/// Why there is no explicit mapping.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WishError {
    /// As with any other mapping.
    Nat(NatError),
    /// The outside endpoint cannot be had.
    Taken,
    /// Outside endpoints depend on the destination here, so that none stands for an inside one alone.
    Dependent,
}

impl Wish {
    /// Whether an existing mapping with another outside endpoint is no use.
    pub(crate) fn must_be_granted(&self) -> bool {
        self.otherwise == Otherwise::Nothing
    }

    /// Whether an outside endpoint is what is wished for.
    pub(crate) fn is_granted_by(&self, (address, port): (Ipv4Addr, u16)) -> bool {
        self.address.is_none_or(|wanted| wanted == address) && self.port.is_none_or(|wanted| wanted == port)
    }
}

impl Nat {
    /// Returns the outside address that a host's sessions leave from, or would if it had any.
    pub fn outside_address_of(&self, host: Ipv4Addr) -> Option<Ipv4Addr> {
        let rules = self.rules.as_deref().filter(|rules| rules.is_inside(host))?;
        // Any port will do: what a forward leads to leaves from the same address.
        match rules.rule(&flow(Protocol::Udp, (host, 0), ANYBODY)) {
            Rule::Untranslated => Some(host),
            Rule::Fixed(address, _) => Some(address),
            Rule::Pooled => match rules.deterministic() {
                Some(relation) => relation.outside_of(host).map(|(address, _)| address),
                None => self.paired_with(host).or_else(|| self.home_of(host)),
            },
            // Not of what has ports.
            Rule::Shared | Rule::Refused(_) => None,
        }
    }

    /// Returns the mapping of an inside endpoint towards everybody, made now if there is none, held once more.
    ///
    /// # Errors
    /// When it cannot be made, or not as wished; nothing changes then.
    pub fn obtain_explicit(
        &mut self,
        protocol: Protocol,
        inside: (Ipv4Addr, u16),
        wish: &Wish,
        rng: &mut Rng,
    ) -> Result<MappingId, WishError> {
        let key = flow(protocol, inside, ANYBODY);
        let rule =
            self.rules.as_ref().map(|rules| rules.rule(&key)).ok_or(WishError::Nat(NatError::NoPool))?;
        let id = match rule {
            Rule::Untranslated => self.obtain_fixed(protocol, inside, inside).map_err(WishError::Nat)?,
            Rule::Fixed(address, port) => {
                self.obtain_fixed(protocol, inside, (address, port)).map_err(WishError::Nat)?
            }
            Rule::Refused(why) => return Err(WishError::Nat(NatError::Refused(why))),
            // One host at a time has it towards one address, so it stands for nobody alone.
            Rule::Shared => return Err(WishError::Dependent),
            Rule::Pooled if self.waits() => return Err(WishError::Nat(NatError::NoPool)),
            Rule::Pooled if self.settings.mapping != Dependence::Independent => {
                return Err(WishError::Dependent);
            }
            Rule::Pooled => match self.hold_known(&key, Rule::Pooled) {
                Some(id) => id,
                None => return self.make_explicit(protocol, inside, wish, rng),
            },
        };
        let granted = self.mapping(id).is_some_and(|mapping| wish.is_granted_by(mapping.outside));
        match wish.otherwise {
            Otherwise::Nothing if !granted => {
                self.release(id);
                Err(WishError::Taken)
            }
            Otherwise::Nothing | Otherwise::KnownOnly | Otherwise::Another => Ok(id),
        }
    }

    fn make_explicit(
        &mut self,
        protocol: Protocol,
        inside: (Ipv4Addr, u16),
        wish: &Wish,
        rng: &mut Rng,
    ) -> Result<MappingId, WishError> {
        if self.free.is_empty() {
            return Err(WishError::Nat(NatError::Full));
        }
        let subscriber = self.subscriber(inside.0).map_err(WishError::Nat)?;
        let need = Need { subscriber, protocol, wanted: Wanted::Any };
        let outside = self
            .check_ports(subscriber, Wanted::Any)
            .map_err(WishError::Nat)
            .and_then(|()| self.allocate_as_wished(need, wish, rng))
            .inspect_err(|_| self.subscribers.settle(subscriber))?;
        let key = flow(protocol, inside, ANYBODY);
        self.insert(&key, outside, Source::Pool, subscriber).map_err(WishError::Nat)
    }

    fn allocate_as_wished(
        &mut self,
        need: Need,
        wish: &Wish,
        rng: &mut Rng,
    ) -> Result<(Ipv4Addr, u16), WishError> {
        if let Some(port) = wish.port
            && let Some(outside) = self.allocate_exactly(need, wish.address, port, rng)
        {
            return Ok(outside);
        }
        match wish.otherwise {
            Otherwise::Another => self.allocate(need, rng).map_err(WishError::Nat),
            Otherwise::KnownOnly | Otherwise::Nothing if wish.port.is_some() => Err(WishError::Taken),
            Otherwise::KnownOnly | Otherwise::Nothing => {
                let outside = self.allocate(need, rng).map_err(WishError::Nat)?;
                if wish.is_granted_by(outside) {
                    return Ok(outside);
                }
                self.give_back(need.subscriber, need.protocol, outside);
                Err(WishError::Taken)
            }
        }
    }

    /// Takes exactly this port, where it is among those that the subscriber may have and nobody has it.
    fn allocate_exactly(
        &mut self,
        need: Need,
        address: Option<Ipv4Addr>,
        port: u16,
        rng: &mut Rng,
    ) -> Option<(Ipv4Addr, u16)> {
        let only = PortRange::new(port, port)?;
        let subscriber = *self.subscribers.at(need.subscriber)?;
        let rules = self.rules.as_deref()?;
        if let Some(relation) = rules.deterministic() {
            let (own, range) = relation.outside_of(subscriber.address)?;
            let fits = range.contains(port) && address.is_none_or(|wanted| wanted == own);
            return fits.then(|| self.take_port(need, own, only, rng)).flatten().map(|port| (own, port));
        }
        // All of a subscriber's mappings have one outside address, whatever it would like, as long as that is of the pool.
        if let Some(left) = subscriber.paired.filter(|paired| !self.pool.contains(*paired)) {
            self.unpair(need.subscriber, left);
        }
        let subscriber = *self.subscribers.at(need.subscriber)?;
        let own = subscriber.paired.or(address).or_else(|| self.home_of(subscriber.address))?;
        if address.is_some_and(|wanted| wanted != own) || !self.pool.contains(own) {
            return None;
        }
        let taken = match self.settings.allocation {
            Allocation::Random => {
                let usable = self.pool.outside_mut(own)?.config.ports;
                usable.contains(port).then(|| self.take_port(need, own, only, rng)).flatten()
            }
            Allocation::Blocks(_) => self.take_of_own_blocks(need, own, only, rng),
            Allocation::Deterministic(_) | Allocation::OneToOne | Allocation::Untranslated => None,
        }?;
        self.subscribers.at_mut(need.subscriber)?.paired = Some(own);
        Some((own, taken))
    }

    /// Returns the outside address that a subscriber without any is paired with first.
    fn home_of(&self, subscriber: Ipv4Addr) -> Option<Ipv4Addr> {
        let count = u32::try_from(self.pool.len()).ok()?;
        let place = self.hasher.endpoint(Protocol::Udp, subscriber, 0).checked_rem(count)?;
        let forwarded = self.rules.as_deref()?.forwarded_address(subscriber);
        forwarded.or_else(|| self.pool.address(usize::try_from(place).ok()?))
    }

    /// Takes exactly this port, where it is in a block that the subscriber has: a block is not given out for a wish.
    fn take_of_own_blocks(
        &mut self,
        need: Need,
        address: Ipv4Addr,
        only: PortRange,
        rng: &mut Rng,
    ) -> Option<u16> {
        let mut number = self.subscribers.at(need.subscriber)?.first_block;
        while number != NO_BLOCK {
            let (block, range) = self.block(address, number)?;
            let own = match block.state {
                BlockState::Active | BlockState::Held => range.contains(only.first()),
                BlockState::Free => false,
            };
            if own {
                let port = self.take_port(need, address, only, rng)?;
                return self.count_in(need, address, number, port);
            }
            number = block.next;
        }
        None
    }
}
