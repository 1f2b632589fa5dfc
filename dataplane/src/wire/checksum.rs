//! The Internet checksum (RFC 1071), whole and incremental (RFC 1624).

use std::net::Ipv4Addr;

/// Folds a sum of 16-bit words into 16 bits.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    // After the loop the sum fits.
    u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Adds up the bytes as 16-bit words in network order; an odd last byte is padded with zero.
fn sum(bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(2);
    let mut total = 0_u64;
    for chunk in &mut chunks {
        if let &[high, low] = chunk {
            total += u64::from(u16::from_be_bytes([high, low]));
        }
    }
    if let &[last] = chunks.remainder() {
        total += u64::from(u16::from_be_bytes([last, 0]));
    }
    total
}

/// Computes the checksum of the bytes, whose checksum field is zero; over bytes with a right checksum it gives 0.
pub fn checksum(bytes: &[u8]) -> u16 {
    !fold(sum(bytes))
}

/// Adds up the pseudo header of TCP and UDP over IPv4, not complemented, folded.
pub fn pseudo_header(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: usize) -> u16 {
    let addresses = sum(&source.octets()) + sum(&destination.octets());
    fold(addresses + u64::from(protocol) + u64::try_from(length & 0xffff).unwrap_or(0))
}

/// Computes the checksum of a TCP segment or UDP datagram whose checksum field is zero; 0 over a right one.
pub fn transport(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, segment: &[u8]) -> u16 {
    let pseudo = pseudo_header(source, destination, protocol, segment.len());
    !fold(sum(segment) + u64::from(pseudo))
}

/// What a set of changed 16-bit words does to a checksum over them (RFC 1624, equation 3).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Delta(u64);

impl Delta {
    /// No change.
    pub const NONE: Self = Self(0);

    /// Notes that the word `old` became `new`.
    #[must_use]
    pub fn replace(self, old: u16, new: u16) -> Self {
        Self(self.0 + u64::from(!old) + u64::from(new))
    }

    /// Notes that the address `old` became `new`.
    #[must_use]
    pub fn replace_address(self, old: Ipv4Addr, new: Ipv4Addr) -> Self {
        let [a, b, c, d] = old.octets();
        let [e, f, g, h] = new.octets();
        self.replace(u16::from_be_bytes([a, b]), u16::from_be_bytes([e, f]))
            .replace(u16::from_be_bytes([c, d]), u16::from_be_bytes([g, h]))
    }

    /// Joins two sets of changes.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Returns the checksum after the changes.
    pub fn apply(self, checksum: u16) -> u16 {
        !fold(u64::from(!checksum) + self.0)
    }

    /// Returns the field of a packet whose checksum the kernel completes later: it holds the sum of the pseudo
    /// header, not complemented (virtio 1.2, 5.1.6.2), so only changed addresses and lengths belong in here.
    pub fn apply_partial(self, field: u16) -> u16 {
        fold(u64::from(field) + self.0)
    }
}
