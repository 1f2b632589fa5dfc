//! IPv6 header (RFC 8200), its extension headers, and ICMPv6 (RFC 4443).

use std::net::Ipv6Addr;

use super::{set_u8, set_u16, u8_at, u16_at};

/// Length of the fixed header.
pub const HEADER: usize = 40;
/// Offset of the payload length.
pub const PAYLOAD_LENGTH: usize = 4;
/// Offset of the next header's number.
pub const NEXT_HEADER: usize = 6;
/// Offset of the hop limit.
pub const HOP_LIMIT: usize = 7;
/// Offset of the source address.
pub const SOURCE: usize = 8;
/// Offset of the destination address.
pub const DESTINATION: usize = 24;
/// Longest packet that every link carries (RFC 8200, section 5).
pub const MIN_MTU: usize = 1_280;

/// Hop-by-hop options.
pub const HOP_BY_HOP: u8 = 0;
/// Routing header.
pub const ROUTING: u8 = 43;
/// Fragment header.
pub const FRAGMENT: u8 = 44;
/// Nothing follows.
pub const NO_NEXT_HEADER: u8 = 59;
/// Destination options.
pub const DESTINATION_OPTIONS: u8 = 60;
/// Shim6 (RFC 5533), whose payload extension header has the form of the options.
pub const SHIM6: u8 = 140;

/// Length of a fragment header.
pub const FRAGMENT_HEADER: usize = 8;
/// Offset of a fragment header's offset and more-fragments flag.
pub const FRAGMENT_OFFSET: usize = 2;
/// Fragment offset and more-fragments flag: with any bit set the packet is not whole (RFC 6946).
pub const FRAGMENT_MASK: u16 = 0xfff9;
/// The fragment offset, in bytes, in its field.
pub const OFFSET_MASK: u16 = 0xfff8;
/// The more-fragments flag in the same field.
pub const MORE_FRAGMENTS: u16 = 1;
/// Fragments but the last one are a multiple of so many bytes long.
pub const OFFSET_UNIT: usize = 8;
/// Offset of a fragment header's identification.
pub const IDENTIFICATION: usize = 4;
/// Offset of a routing header's type.
pub const ROUTING_TYPE: usize = 2;
/// Offset of a routing header's number of segments left.
pub const SEGMENTS_LEFT: usize = 3;
/// The routing header of RFC 2460, which RFC 5095 forbids.
pub const ROUTING_SOURCE_ROUTE: u8 = 0;
/// The routing header of Mobile IPv6 (RFC 6275, section 6.4).
pub const ROUTING_MOBILE: u8 = 2;

/// ICMPv6 type destination unreachable.
pub const ICMP_UNREACHABLE: u8 = 1;
/// ICMPv6 type packet too big.
pub const ICMP_TOO_BIG: u8 = 2;
/// ICMPv6 type time exceeded.
pub const ICMP_TIME_EXCEEDED: u8 = 3;
/// ICMPv6 type parameter problem.
pub const ICMP_PARAMETER: u8 = 4;
/// ICMPv6 type echo request.
pub const ICMP_ECHO: u8 = 128;
/// ICMPv6 type echo reply.
pub const ICMP_ECHO_REPLY: u8 = 129;
/// ICMPv6 code of [`ICMP_UNREACHABLE`]: communication administratively prohibited.
pub const CODE_PROHIBITED: u8 = 1;
/// ICMPv6 code of [`ICMP_UNREACHABLE`]: the source address failed an ingress or egress policy.
pub const CODE_SOURCE_POLICY: u8 = 5;

/// Reads the version.
pub fn version(packet: &[u8]) -> u8 {
    u8_at(packet, 0) >> 4
}

/// Reads the payload length in bytes: everything after the fixed header.
pub fn payload_length(packet: &[u8]) -> usize {
    usize::from(u16_at(packet, PAYLOAD_LENGTH))
}

/// Writes the payload length of a whole packet.
pub fn set_payload_length(packet: &mut [u8]) {
    let payload = packet.len().saturating_sub(HEADER);
    set_u16(packet, PAYLOAD_LENGTH, u16::try_from(payload).unwrap_or(u16::MAX));
}

/// Reads the source address.
pub fn source(packet: &[u8]) -> Ipv6Addr {
    address_at(packet, SOURCE)
}

/// Reads the destination address.
pub fn destination(packet: &[u8]) -> Ipv6Addr {
    address_at(packet, DESTINATION)
}

fn address_at(packet: &[u8], at: usize) -> Ipv6Addr {
    let bytes = packet.get(at..).and_then(<[u8]>::first_chunk::<16>);
    bytes.map_or(Ipv6Addr::UNSPECIFIED, |bytes| Ipv6Addr::from_octets(*bytes))
}

/// Writes the version, with traffic class and flow label 0.
pub fn set_version(packet: &mut [u8]) {
    set_u8(packet, 0, 0x60);
}

/// Writes the source and the destination address.
pub fn set_addresses(packet: &mut [u8], source: Ipv6Addr, destination: Ipv6Addr) {
    for (at, address) in [(SOURCE, source), (DESTINATION, destination)] {
        if let Some(target) = packet.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<16>) {
            *target = address.octets();
        }
    }
}
