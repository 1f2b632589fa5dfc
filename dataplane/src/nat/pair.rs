//! Two adjacent ports for RTP and RTCP (RFC 3550, section 11; RFC 4787, section 4.2.3).

use std::net::Ipv4Addr;

use crate::config::Rule;
use crate::nat::allocate::Need;
use crate::nat::ports::Wanted;
use crate::nat::{MappingId, Nat, NatError, Source};
use crate::rng::Rng;
use crate::tuple::Tuple;

impl Nat {
    /// Returns the mappings of a packet's source and of the port above it, each held once more, whose outside ports are
    /// an even one and the one above. An ALG asks for them before the hosts send from there.
    ///
    /// # Errors
    /// When ports or room are used up, or one of the two is mapped elsewhere already; nothing changes then.
    pub fn obtain_pair(&mut self, tuple: &Tuple, rng: &mut Rng) -> Result<[MappingId; 2], NatError> {
        let above = tuple.source_port.checked_add(1).ok_or(NatError::NoPort)?;
        let second = Tuple { source_port: above, ..*tuple };
        let rules = self.rules.as_ref().ok_or(NatError::NoPool)?;
        let pooled = [rules.rule(tuple), rules.rule(&second)].map(|rule| rule == Rule::Pooled);
        let keys = [tuple, &second].map(|tuple| self.settings.mapping.key(tuple));
        let known = [self.lookup(&keys[0]), self.lookup(&keys[1])];
        if self.waits() {
            return Err(NatError::NoPool);
        }
        if pooled != [true; 2] || known != [None; 2] {
            return self.obtain_adjacent(tuple, &second, rng);
        }
        if self.free.len() < 2 {
            return Err(NatError::Full);
        }
        let subscriber = self.subscriber(tuple.source)?;
        let need = Need { subscriber, protocol: tuple.protocol, wanted: Wanted::Pair };
        let (address, port) = self
            .check_ports(subscriber, Wanted::Pair)
            .and_then(|()| self.allocate(need, rng))
            .inspect_err(|_| self.subscribers.settle(subscriber))?;
        let first = self.insert(&keys[0], (address, port), Source::Pool, subscriber)?;
        let second = self.insert(&keys[1], (address, port | 1), Source::Pool, subscriber)?;
        Ok([first, second])
    }

    /// Takes what one by one would be given, if it happens to be adjacent.
    fn obtain_adjacent(
        &mut self,
        first: &Tuple,
        second: &Tuple,
        rng: &mut Rng,
    ) -> Result<[MappingId; 2], NatError> {
        let first = self.obtain(first, rng)?;
        let second = self.obtain(second, rng).inspect_err(|_| self.release(first))?;
        let outside = |nat: &Self, id| nat.mapping(id).map(|mapping| mapping.outside);
        let adjacent = |(first, second): ((Ipv4Addr, u16), (Ipv4Addr, u16))| {
            first.0 == second.0 && first.1.checked_add(1) == Some(second.1)
        };
        if outside(self, first).zip(outside(self, second)).is_some_and(adjacent) {
            return Ok([first, second]);
        }
        self.release(first);
        self.release(second);
        Err(NatError::NoPort)
    }
}
