//! Which ports of one outside address are taken, a bit each.

use crate::config::PortRange;
use crate::rng::Rng;
use crate::tuple::Protocol;

const WORDS: usize = 65_536 / 64;

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
    pub(super) fn obtain(&mut self, protocol: Protocol, range: PortRange, rng: &mut Rng) -> Option<u16> {
        let size = u32::from(range.last() - range.first()) + 1;
        let start = range.first() + u16::try_from(rng.below(size)).ok()?;
        let words = self.words(protocol);
        let port =
            first_free(words, start, range.last()).or_else(|| first_free(words, range.first(), start))?;
        let word = words.get_mut(usize::from(port / 64))?;
        *word |= 1 << (port % 64);
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

/// Returns the first free port from `first` to `last`, a word at a time.
fn first_free(words: &[u64], first: u16, last: u16) -> Option<u16> {
    let mut base = first / 64;
    loop {
        let taken = words.get(usize::from(base)).copied()?;
        let below_first = if base == first / 64 { (1_u64 << (first % 64)) - 1 } else { 0 };
        let free = !(taken | below_first);
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
