//! Which ports of one outside address are taken, a bit each.

use crate::config::PortRange;
use crate::rng::Rng;
use crate::tuple::Protocol;

const WORDS: usize = 65_536 / 64;
/// The even ports of a word: word boundaries are even.
const EVEN: u64 = 0x5555_5555_5555_5555;

/// Which ports are wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// Any.
    Any,
    /// Even ones.
    Even,
    /// Odd ones.
    Odd,
    /// An even one and the one above it, of which the even one is returned.
    Pair,
}

impl Wanted {
    /// Returns the ports of the same parity as this one (RFC 4787, REQ-4).
    pub(super) const fn like(port: u16) -> Self {
        if port.is_multiple_of(2) { Self::Even } else { Self::Odd }
    }

    const fn filter(self, free: u64) -> u64 {
        match self {
            Self::Any => free,
            Self::Even => free & EVEN,
            Self::Odd => free & !EVEN,
            // The port above an even one is in the same word.
            Self::Pair => free & (free >> 1) & EVEN,
        }
    }

    /// Returns how many ports are taken at once.
    pub(super) const fn ports(self) -> u16 {
        match self {
            Self::Any | Self::Even | Self::Odd => 1,
            Self::Pair => 2,
        }
    }
}

/// The taken ports of one address, per protocol; memory is taken with the first port. Protocols of which there is little share
/// with another one.
#[derive(Debug, Default)]
pub(super) struct PortMap {
    tcp: Vec<u64>,
    udp: Vec<u64>,
    icmp: Vec<u64>,
}

impl PortMap {
    /// Takes a free port of the range: the first at or after a random one, so that ports are hard to guess
    /// (RFC 6056, algorithm 2; RFC 6888, REQ-15).
    pub(super) fn obtain(
        &mut self,
        protocol: Protocol,
        range: PortRange,
        wanted: Wanted,
        rng: &mut Rng,
    ) -> Option<u16> {
        let start = range.first() + u16::try_from(rng.below(range.count())).ok()?;
        let words = self.words(protocol);
        let port = first_free(words, start, range.last(), wanted)
            .or_else(|| first_free(words, range.first(), range.last(), wanted))?;
        for taken in port..=port + (wanted.ports() - 1) {
            set(words, taken);
        }
        Some(port)
    }

    /// Whether the range has a port to obtain, of the other parity if need be.
    pub(super) fn has(&mut self, protocol: Protocol, range: PortRange, wanted: Wanted) -> bool {
        let wanted = match wanted {
            Wanted::Any | Wanted::Even | Wanted::Odd => Wanted::Any,
            Wanted::Pair => Wanted::Pair,
        };
        first_free(self.words(protocol), range.first(), range.last(), wanted).is_some()
    }

    /// Takes ports of which none is given out until they are released.
    pub(super) fn reserve(&mut self, protocol: Protocol, range: PortRange) {
        let words = self.words(protocol);
        for port in range.first()..=range.last() {
            set(words, port);
        }
    }

    pub(super) fn release(&mut self, protocol: Protocol, port: u16) {
        if let Some(word) = self.words(protocol).get_mut(usize::from(port / 64)) {
            *word &= !(1 << (port % 64));
        }
    }

    fn words(&mut self, protocol: Protocol) -> &mut [u64] {
        let words = match protocol {
            Protocol::Tcp => &mut self.tcp,
            Protocol::Udp | Protocol::UdpLite => &mut self.udp,
            // What is not read takes none.
            Protocol::IcmpEcho | Protocol::Gre | Protocol::Other => &mut self.icmp,
        };
        if words.is_empty() {
            words.resize(WORDS, 0);
        }
        words
    }
}

fn set(words: &mut [u64], port: u16) {
    if let Some(word) = words.get_mut(usize::from(port / 64)) {
        *word |= 1 << (port % 64);
    }
}

/// Returns the first free port from `first` to `last` that is wanted, a word at a time.
fn first_free(words: &[u64], first: u16, last: u16, wanted: Wanted) -> Option<u16> {
    let mut base = first / 64;
    loop {
        let taken = words.get(usize::from(base)).copied()?;
        let below_first = if base == first / 64 { (1_u64 << (first % 64)) - 1 } else { 0 };
        let above_last = if base == last / 64 { (!1_u64) << (last % 64) } else { 0 };
        let free = wanted.filter(!(taken | below_first | above_last));
        if free != 0 {
            return Some(base * 64 + u16::try_from(free.trailing_zeros()).ok()?);
        }
        if base == last / 64 {
            return None;
        }
        base += 1;
    }
}
