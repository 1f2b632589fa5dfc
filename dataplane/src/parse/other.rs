//! Transports beside TCP, UDP and ICMP.

use super::{Body, Transport, UDP_HEADER, ports};
use crate::engine::DropReason;
use crate::tuple::Protocol;
use crate::wire::{self, u16_at};

/// Reads a UDP-Lite header. Addresses and ports are always among what its checksum covers, as the length of the
/// pseudo header is the packet's and never changes (RFC 3828, section 3.1).
#[inline(never)]
pub(super) fn parse_udp_lite(datagram: &[u8]) -> Result<Transport, DropReason> {
    let Some(fixed) = datagram.first_chunk::<{ wire::UDP_HEADER }>() else {
        return Err(DropReason::Truncated);
    };
    let coverage = usize::from(u16_at(fixed, wire::UDP_LITE_COVERAGE));
    let covers = coverage == 0 || (wire::UDP_HEADER..=datagram.len()).contains(&coverage);
    // A checksum there must be: 0 is sent as all ones.
    if !covers || u16_at(fixed, wire::UDP_CHECKSUM) == 0 {
        return Err(DropReason::BadUdpLiteHeader);
    }
    Ok(Transport { protocol: Protocol::UdpLite, ports: ports(fixed)?, length: UDP_HEADER, body: Body::Udp })
}

/// Takes a packet whose transport is not read.
pub(super) fn unread(number: u8) -> Transport {
    Transport { protocol: Protocol::Other, ports: in_both_ports(number), length: 0, body: Body::Other }
}

/// Returns the ports of an unread transport as they would lie in a packet.
const fn in_both_ports(number: u8) -> u32 {
    u32::from_ne_bytes([0, number, 0, number])
}

/// Returns the ports that stand for the transport that a quoted packet has.
pub(super) fn quoted_ports(number: u8, transport: &[u8]) -> (Protocol, u16, u16) {
    if number == wire::PROTOCOL_UDP_LITE {
        (Protocol::UdpLite, u16_at(transport, 0), u16_at(transport, 2))
    } else {
        (Protocol::Other, u16::from(number), u16::from(number))
    }
}
