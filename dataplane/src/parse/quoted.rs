//! The packet that an ICMP error quotes.

use super::{Quoted, other};
use crate::engine::DropReason;
use crate::tuple::{Protocol, Tuple};
use crate::wire::{self, checksum, ipv4, u8_at, u16_at};

/// Reads the quoted packet: its IP header must be whole and right, and eight bytes of its transport be there.
pub(super) fn parse_quoted(quoted: &[u8], at: u16) -> Result<Quoted, DropReason> {
    const QUOTED_TRANSPORT: usize = 8;
    let header_length = ipv4::header_length(quoted);
    let usable = ipv4::version(quoted) == 4
        && header_length >= ipv4::MIN_HEADER
        && quoted.len() >= header_length + QUOTED_TRANSPORT
        && ipv4::total_length(quoted) >= header_length + QUOTED_TRANSPORT;
    let Some(header) = quoted.get(..header_length).filter(|_| usable) else {
        return Err(DropReason::BadQuotedPacket);
    };
    // RFC 5508, REQ-3a.
    if checksum::checksum(header) != 0 || u16_at(quoted, ipv4::FRAGMENT) & 0x1fff != 0 {
        return Err(DropReason::BadQuotedPacket);
    }
    let transport = quoted.get(header_length..).unwrap_or_default();
    let (source, destination) = (ipv4::source(quoted), ipv4::destination(quoted));
    let (protocol, source_port, destination_port) = match u8_at(quoted, ipv4::PROTOCOL) {
        wire::PROTOCOL_TCP => (Protocol::Tcp, u16_at(transport, 0), u16_at(transport, 2)),
        wire::PROTOCOL_UDP => (Protocol::Udp, u16_at(transport, 0), u16_at(transport, 2)),
        wire::PROTOCOL_ICMP if matches!(u8_at(transport, 0), wire::ICMP_ECHO | wire::ICMP_ECHO_REPLY) => {
            let identifier = u16_at(transport, wire::ICMP_IDENTIFIER);
            (Protocol::IcmpEcho, identifier, identifier)
        }
        // RFC 1122, 3.2.2: no error is sent about an error.
        wire::PROTOCOL_ICMP => return Err(DropReason::BadQuotedPacket),
        number => other::quoted_ports(number, transport),
    };
    let tuple = Tuple { protocol, source, source_port, destination, destination_port };
    Ok(Quoted { at, transport_at: at + u16::try_from(header_length).unwrap_or(0), tuple })
}
