//! Packets of IPv6: a hop counted, and errors of the engine's own.

use std::net::Ipv6Addr;

use super::TTL;
use crate::wire::{self, checksum, ipv6, set_u8, set_u16, u8_at};

/// Counts a hop.
pub fn count_hop(bytes: &mut [u8]) {
    let left = u8_at(bytes, ipv6::HOP_LIMIT);
    set_u8(bytes, ipv6::HOP_LIMIT, left.saturating_sub(1));
}

/// Builds a header; its payload length is still to be set.
pub(super) fn header(source: Ipv6Addr, destination: Ipv6Addr, next: u8) -> Vec<u8> {
    let mut bytes = vec![0; ipv6::HEADER];
    ipv6::set_version(&mut bytes);
    set_u8(&mut bytes, ipv6::NEXT_HEADER, next);
    set_u8(&mut bytes, ipv6::HOP_LIMIT, TTL);
    ipv6::set_addresses(&mut bytes, source, destination);
    bytes
}

/// An ICMPv6 error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IcmpError {
    /// Its type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// Who reports it.
    pub source: Ipv6Addr,
    /// Who is told.
    pub destination: Ipv6Addr,
}

/// Returns as much of a packet as an error about it quotes (RFC 4443, section 2.4 c).
pub fn quotation(packet: &[u8]) -> &[u8] {
    const MOST: usize = ipv6::MIN_MTU - ipv6::HEADER - wire::ICMP_HEADER;
    packet.get(..MOST).unwrap_or(packet)
}

/// Builds an error about a packet, of which [`quotation`] is left.
pub fn craft_error(error: &IcmpError, quoted: &[u8]) -> Vec<u8> {
    let mut bytes = header(error.source, error.destination, wire::PROTOCOL_ICMPV6);
    let at = bytes.len();
    bytes.resize(at + wire::ICMP_HEADER, 0);
    set_u8(&mut bytes, at, error.kind);
    set_u8(&mut bytes, at + 1, error.code);
    bytes.extend_from_slice(quoted);
    ipv6::set_payload_length(&mut bytes);
    let message = bytes.get(at..).unwrap_or_default();
    let sum = checksum::transport_ipv6(error.source, error.destination, wire::PROTOCOL_ICMPV6, message);
    set_u16(&mut bytes, at + wire::ICMP_CHECKSUM, sum);
    bytes
}
