//! The first fragment of a datagram, whose transport header has to be whole.

use super::{Body, Parsed, Span, Transport, UDP_HEADER, other, parse_ipv4, ports, tcp_info};
use crate::engine::DropReason;
use crate::tuple::{Key, Protocol};
use crate::wire::{self, u8_at, u16_at};

/// What a first fragment is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum First {
    /// It says what becomes of the others.
    Telling(Parsed),
    /// What becomes of the datagram cannot be said without the others.
    Silent,
}

/// Reads the header of a fragment, whose own length and checksum have to be right.
///
/// # Errors
/// The reason to drop it.
pub fn check_header(packet: &[u8]) -> Result<(), DropReason> {
    parse_ipv4(packet).map(|_| ())
}

/// Reads the first fragment of a datagram. The checksums, and what the transport says of its length, are about the
/// whole, so they are left to the receiver.
///
/// # Errors
/// The reason to drop it.
pub fn parse_first(packet: &[u8]) -> Result<First, DropReason> {
    let header = parse_ipv4(packet)?;
    let span = usize::from(header.transport_at)..usize::from(header.end);
    let bytes = packet.get(span).unwrap_or_default();
    let transport = match header.protocol {
        wire::PROTOCOL_TCP => {
            // How far the segment goes decides about its session.
            tcp_info(bytes).map_err(|_| DropReason::FragmentTiny)?;
            return Ok(First::Silent);
        }
        wire::PROTOCOL_UDP => udp(bytes)?,
        wire::PROTOCOL_ICMP => match icmp(bytes)? {
            Some(transport) => transport,
            None => return Ok(First::Silent),
        },
        wire::PROTOCOL_UDP_LITE => udp_lite(bytes)?,
        number => other::parse_other(number, bytes),
    };
    Ok(First::Telling(Parsed {
        key: Key {
            protocol: transport.protocol,
            words: [header.source, header.destination, transport.ports],
        },
        span: Span {
            transport_at: header.transport_at,
            payload_at: header.transport_at + transport.length,
            end: header.end,
        },
        ttl: header.ttl,
        body: transport.body,
    }))
}

fn udp(bytes: &[u8]) -> Result<Transport, DropReason> {
    let fixed = bytes.first_chunk::<{ wire::UDP_HEADER }>().ok_or(DropReason::FragmentTiny)?;
    if usize::from(u16_at(fixed, wire::UDP_LENGTH)) < wire::UDP_HEADER {
        return Err(DropReason::BadUdpLength);
    }
    Ok(Transport { protocol: Protocol::Udp, ports: ports(fixed)?, length: UDP_HEADER, body: Body::Udp })
}

fn udp_lite(bytes: &[u8]) -> Result<Transport, DropReason> {
    let fixed = bytes.first_chunk::<{ wire::UDP_HEADER }>().ok_or(DropReason::FragmentTiny)?;
    let coverage = usize::from(u16_at(fixed, wire::UDP_LITE_COVERAGE));
    if (1..wire::UDP_HEADER).contains(&coverage) || u16_at(fixed, wire::UDP_CHECKSUM) == 0 {
        return Err(DropReason::BadUdpLiteHeader);
    }
    Ok(Transport { protocol: Protocol::UdpLite, ports: ports(fixed)?, length: UDP_HEADER, body: Body::Udp })
}

/// Reads an ICMP query; `None` where it is an error, whose quotation has to be whole to be translated.
fn icmp(bytes: &[u8]) -> Result<Option<Transport>, DropReason> {
    let fixed = bytes.first_chunk::<{ wire::ICMP_HEADER }>().ok_or(DropReason::FragmentTiny)?;
    let body = match u8_at(fixed, 0) {
        wire::ICMP_ECHO => Body::Echo,
        wire::ICMP_ECHO_REPLY => Body::EchoReply,
        wire::ICMP_UNREACHABLE | wire::ICMP_TIME_EXCEEDED | wire::ICMP_PARAMETER => return Ok(None),
        _ => return Err(DropReason::IcmpTypeUnsupported),
    };
    Ok(Some(super::query(fixed, body)))
}
