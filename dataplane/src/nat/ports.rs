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
        }
    }
}

/// The taken ports of one address, per protocol.
#[derive(Debug)]
pub(super) struct PortMap {
    tcp: Vec<u64>,
    udp: Vec<u64>,
    icmp: Vec<u64>,
}

impl PortMap {
    pub(super) fn new() -> Self {
        Self { tcp: vec![0; WORDS], udp: vec![0; WORDS], icmp: vec![0; WORDS] }
    }

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
            .or_else(|| first_free(words, range.first(), start, wanted))?;
        set(words, port);
        Some(port)
    }

    pub(super) fn release(&mut self, protocol: Protocol, port: u16) {
        if let Some(word) = self.words(protocol).get_mut(usize::from(port / 64)) {
            *word &= !(1 << (port % 64));
        }
    }

    fn words(&mut self, protocol: Protocol) -> &mut [u64] {
        match protocol {
            Protocol::Tcp => &mut self.tcp,
            Protocol::Udp => &mut self.udp,
            Protocol::IcmpEcho => &mut self.icmp,
        }
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
        let free = wanted.filter(!(taken | below_first));
        if free != 0 {
            let port = base * 64 + u16::try_from(free.trailing_zeros()).ok()?;
            return (port <= last).then_some(port);
        }
        if base == last / 64 {
            return None;
        }
        base += 1;
    }
}
