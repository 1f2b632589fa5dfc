//! IPv4 header (RFC 791).

use std::net::Ipv4Addr;

use super::{set_u16, set_u32, u8_at, u16_at, u32_at};

/// Shortest header.
pub const MIN_HEADER: usize = 20;
/// Offset of the total length.
pub const TOTAL_LENGTH: usize = 2;
/// Offset of the identification.
pub const IDENTIFICATION: usize = 4;
/// Offset of flags and fragment offset.
pub const FRAGMENT: usize = 6;
/// Offset of the time to live.
pub const TTL: usize = 8;
/// Offset of the protocol.
pub const PROTOCOL: usize = 9;
/// Offset of the header checksum.
pub const CHECKSUM: usize = 10;
/// Offset of the source address.
pub const SOURCE: usize = 12;
/// Offset of the destination address.
pub const DESTINATION: usize = 16;
/// The don't-fragment flag in the fragment field.
pub const DONT_FRAGMENT: u16 = 0x4000;
/// The more-fragments flag in the fragment field.
pub const MORE_FRAGMENTS: u16 = 0x2000;
/// The fragment offset in the fragment field, in units of [`OFFSET_UNIT`] bytes.
pub const OFFSET_MASK: u16 = 0x1fff;
/// Bytes that the fragment offset counts by.
pub const OFFSET_UNIT: usize = 8;
/// More-fragments flag and fragment offset: any bit set means a fragment.
pub const FRAGMENT_MASK: u16 = MORE_FRAGMENTS | OFFSET_MASK;

/// Reads the version.
pub fn version(packet: &[u8]) -> u8 {
    u8_at(packet, 0) >> 4
}

/// Reads the header length in bytes.
pub fn header_length(packet: &[u8]) -> usize {
    usize::from(u8_at(packet, 0) & 0x0f) * 4
}

/// Reads the total length in bytes.
pub fn total_length(packet: &[u8]) -> usize {
    usize::from(u16_at(packet, TOTAL_LENGTH))
}

/// Whether the packet is a fragment of an IPv4 packet.
#[inline(always)]
pub fn is_fragment(packet: &[u8]) -> bool {
    version(packet) == 4 && u16_at(packet, FRAGMENT) & FRAGMENT_MASK != 0
}

/// Reads the source address.
pub fn source(packet: &[u8]) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32_at(packet, SOURCE))
}

/// Reads the destination address.
pub fn destination(packet: &[u8]) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32_at(packet, DESTINATION))
}

/// Writes the source address; the checksum is the caller's.
pub fn set_source(packet: &mut [u8], address: Ipv4Addr) {
    set_u32(packet, SOURCE, address.to_bits());
}

/// Writes the destination address; the checksum is the caller's.
pub fn set_destination(packet: &mut [u8], address: Ipv4Addr) {
    set_u32(packet, DESTINATION, address.to_bits());
}

/// Computes the header checksum and writes it.
pub fn fill_checksum(packet: &mut [u8]) {
    let length = header_length(packet);
    set_u16(packet, CHECKSUM, 0);
    let sum = super::checksum::checksum(packet.get(..length).unwrap_or_default());
    set_u16(packet, CHECKSUM, sum);
}
