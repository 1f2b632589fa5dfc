//! The Internet checksum (RFC 1071), whole and incremental (RFC 1624).

use std::net::{Ipv4Addr, Ipv6Addr};

/// Folds a sum of 16-bit words, or of longer ones made of them, into 16 bits.
#[inline(always)]
const fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let [.., high, low] = ((sum >> 16) + (sum & 0xffff)).to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// Adds up the bytes as 16-bit words in network order, folded; an odd last byte is padded with zero.
#[inline(always)]
fn sum(bytes: &[u8]) -> u64 {
    // The sum of swapped words is the swapped sum (RFC 1071, section 2), so the machine's own order does, four bytes
    // at a time.
    let (chunks, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    for (target, source) in last.iter_mut().zip(rest) {
        *target = *source;
    }
    let whole: u64 = chunks.iter().map(|chunk| u64::from(u32::from_ne_bytes(*chunk))).sum();
    u64::from(fold(whole + u64::from(u32::from_ne_bytes(last))).to_be())
}

/// Whether the checksum of an IPv4 header without options is right.
#[inline(always)]
pub fn header_is_right(header: &[u8; 20]) -> bool {
    sum(header) == 0xffff
}

/// Computes the checksum of the bytes, whose checksum field is zero; over bytes with a right checksum it gives 0.
#[inline]
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
    completed(pseudo_header(source, destination, protocol, segment.len()), segment)
}

/// Adds up the pseudo header of TCP, UDP and ICMPv6 over IPv6 (RFC 8200, section 8.1), not complemented, folded.
pub fn pseudo_header_ipv6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, length: usize) -> u16 {
    let addresses = sum(&source.octets()) + sum(&destination.octets());
    fold(addresses + u64::from(protocol) + u64::try_from(length & 0xffff).unwrap_or(0))
}

/// Computes the checksum of what follows the headers of IPv6 and whose checksum field is zero; 0 over a right one.
pub fn transport_ipv6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, segment: &[u8]) -> u16 {
    completed(pseudo_header_ipv6(source, destination, protocol, segment.len()), segment)
}

/// Completes the checksum of bytes whose checksum field is zero, and of a pseudo header that was added up; 0 over right
/// ones.
pub fn completed(pseudo: u16, segment: &[u8]) -> u16 {
    !fold(sum(segment) + u64::from(pseudo))
}

/// What a set of changed 16-bit words does to a checksum over them (RFC 1624, equation 3). Kept in the machine's own
/// order, as sums are the same in any (RFC 1071, section 2).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Delta(u64);

impl Delta {
    /// No change.
    pub const NONE: Self = Self(0);

    /// Notes that the number `old` became `new`.
    #[must_use]
    pub fn replace(self, old: u16, new: u16) -> Self {
        Self(self.0 + u64::from(!old.to_be()) + u64::from(new.to_be()))
    }

    /// Notes that four bytes of the packet, as they are, became others: two words at once, which fold into their sum.
    #[must_use]
    #[inline(always)]
    pub fn replace_word(self, old: u32, new: u32) -> Self {
        Self(self.0 + u64::from(!old) + u64::from(new))
    }

    /// Notes that the address `old` became `new`.
    #[must_use]
    pub fn replace_address(self, old: Ipv4Addr, new: Ipv4Addr) -> Self {
        self.replace_word(u32::from_ne_bytes(old.octets()), u32::from_ne_bytes(new.octets()))
    }

    /// Joins two sets of changes.
    #[must_use]
    #[inline(always)]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Returns the checksum after the changes; both are two bytes of the packet as they are.
    #[inline(always)]
    pub fn apply(self, field: [u8; 2]) -> [u8; 2] {
        (!fold(u64::from(!u16::from_ne_bytes(field)) + self.0)).to_ne_bytes()
    }

    /// Returns the field of a packet whose checksum the kernel completes later: it holds the sum of the pseudo
    /// header, not complemented (virtio 1.2, 5.1.6.2), so only changed addresses and lengths belong in here.
    pub fn apply_partial(self, field: [u8; 2]) -> [u8; 2] {
        fold(u64::from(u16::from_ne_bytes(field)) + self.0).to_ne_bytes()
    }
}
