//! Bytes to a [`Parsed`] packet: total, never panics, and each way to be malformed has its own reason.

use std::net::Ipv4Addr;

use crate::engine::DropReason;
use crate::tuple::{Protocol, Tuple};
use crate::wire::{self, checksum, ipv4, tcp, u8_at, u16_at, u32_at};

/// Where the parts of an accepted packet are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parsed {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// Offset of the transport header.
    pub transport_at: usize,
    /// Offset of the transport payload.
    pub payload_at: usize,
    /// End of the packet by its total length; link padding may follow.
    pub end: usize,
    /// Time to live.
    pub ttl: u8,
    /// What it carries.
    pub body: Body,
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    /// A TCP segment.
    Tcp(Tuple, TcpInfo),
    /// A UDP datagram.
    Udp(Tuple),
    /// An ICMP echo.
    Echo(Tuple),
    /// An ICMP echo reply.
    EchoReply(Tuple),
    /// An ICMP error about the quoted packet.
    IcmpError(Quoted),
}

/// The TCP fields that conntrack reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TcpInfo {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Flags, as in [`tcp`].
    pub flags: u8,
    /// Window, unscaled.
    pub window: u16,
    /// Bytes of payload.
    pub payload: usize,
}

impl TcpInfo {
    /// Whether all of these flags are set.
    pub const fn has(self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// Returns the sequence number after this segment; SYN and FIN count one each.
    pub fn end(self) -> u32 {
        let length = u32::try_from(self.payload).unwrap_or(0);
        self.seq
            .wrapping_add(length)
            .wrapping_add(u32::from(self.has(tcp::SYN)))
            .wrapping_add(u32::from(self.has(tcp::FIN)))
    }
}

/// The packet that an ICMP error quotes (RFC 792; RFC 5508, section 7.1), perhaps cut off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quoted {
    /// Offset of the quoted IP header in the whole packet.
    pub at: usize,
    /// Offset of the quoted transport header in the whole packet.
    pub transport_at: usize,
    /// The quoted packet's key, as it was on the wire where it met the error.
    pub tuple: Tuple,
}

struct Header {
    transport_at: usize,
    end: usize,
    protocol: u8,
}

/// Reads a packet.
///
/// # Errors
/// The reason to drop it.
pub fn parse(packet: &[u8]) -> Result<Parsed, DropReason> {
    let header = parse_ipv4(packet)?;
    let transport = packet.get(header.transport_at..header.end).unwrap_or_default();
    let (source, destination) = (ipv4::source(packet), ipv4::destination(packet));
    let (body, header_length) = match header.protocol {
        wire::PROTOCOL_TCP => parse_tcp(source, destination, transport)?,
        wire::PROTOCOL_UDP => parse_udp(source, destination, transport)?,
        wire::PROTOCOL_ICMP => parse_icmp(source, destination, packet, &header)?,
        _ => return Err(DropReason::ProtocolUnsupported),
    };
    Ok(Parsed {
        source,
        destination,
        transport_at: header.transport_at,
        payload_at: header.transport_at + header_length,
        end: header.end,
        ttl: u8_at(packet, ipv4::TTL),
        body,
    })
}

fn parse_ipv4(packet: &[u8]) -> Result<Header, DropReason> {
    if packet.is_empty() {
        return Err(DropReason::Truncated);
    }
    match ipv4::version(packet) {
        4 => {}
        6 => return Err(DropReason::Ipv6Unsupported),
        _ => return Err(DropReason::BadIpVersion),
    }
    let (header_length, total_length) = (ipv4::header_length(packet), ipv4::total_length(packet));
    if packet.len() < ipv4::MIN_HEADER {
        return Err(DropReason::Truncated);
    }
    if header_length < ipv4::MIN_HEADER || header_length > total_length {
        return Err(DropReason::BadIpHeader);
    }
    let Some(header) = packet.get(..header_length).filter(|_| total_length <= packet.len()) else {
        return Err(DropReason::Truncated);
    };
    if checksum::checksum(header) != 0 {
        return Err(DropReason::BadIpChecksum);
    }
    if has_source_route(header) {
        return Err(DropReason::SourceRoute);
    }
    if u16_at(packet, ipv4::FRAGMENT) & ipv4::FRAGMENT_MASK != 0 {
        return Err(DropReason::Fragment);
    }
    Ok(Header { transport_at: header_length, end: total_length, protocol: u8_at(packet, ipv4::PROTOCOL) })
}

/// Loose and strict source routes let the sender steer around the firewall (RFC 7126, sections 4.3 and 4.4).
fn has_source_route(header: &[u8]) -> bool {
    const END: u8 = 0;
    const NOP: u8 = 1;
    const LOOSE: u8 = 131;
    const STRICT: u8 = 137;
    let mut at = ipv4::MIN_HEADER;
    while at < header.len() {
        match u8_at(header, at) {
            END => return false,
            NOP => at += 1,
            LOOSE | STRICT => return true,
            _ => at += usize::from(u8_at(header, at + 1)).max(2),
        }
    }
    false
}

fn parse_tcp(source: Ipv4Addr, destination: Ipv4Addr, segment: &[u8]) -> Result<(Body, usize), DropReason> {
    if segment.len() < tcp::MIN_HEADER {
        return Err(DropReason::Truncated);
    }
    let header_length = tcp::header_length(segment);
    if header_length < tcp::MIN_HEADER || header_length > segment.len() {
        return Err(DropReason::BadTcpHeader);
    }
    let info = TcpInfo {
        seq: u32_at(segment, tcp::SEQ),
        ack: u32_at(segment, tcp::ACK),
        flags: u8_at(segment, tcp::FLAGS),
        window: tcp::window(segment),
        payload: segment.len() - header_length,
    };
    let contradictory = info.has(tcp::SYN) && info.flags & (tcp::FIN | tcp::RST) != 0;
    let none = info.flags & (tcp::SYN | tcp::ACK_FLAG | tcp::RST | tcp::FIN) == 0;
    if contradictory || none {
        return Err(DropReason::BadTcpFlags);
    }
    let tuple = ports(Protocol::Tcp, source, destination, segment)?;
    Ok((Body::Tcp(tuple, info), header_length))
}

fn parse_udp(source: Ipv4Addr, destination: Ipv4Addr, datagram: &[u8]) -> Result<(Body, usize), DropReason> {
    if datagram.len() < wire::UDP_HEADER {
        return Err(DropReason::Truncated);
    }
    let length = usize::from(u16_at(datagram, wire::UDP_LENGTH));
    if length < wire::UDP_HEADER || length > datagram.len() {
        return Err(DropReason::BadUdpLength);
    }
    Ok((Body::Udp(ports(Protocol::Udp, source, destination, datagram)?), wire::UDP_HEADER))
}

fn ports(
    protocol: Protocol,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    transport: &[u8],
) -> Result<Tuple, DropReason> {
    let (source_port, destination_port) = (u16_at(transport, 0), u16_at(transport, 2));
    if source_port == 0 || destination_port == 0 {
        return Err(DropReason::PortZero);
    }
    Ok(Tuple { protocol, source, source_port, destination, destination_port })
}

fn parse_icmp(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    packet: &[u8],
    header: &Header,
) -> Result<(Body, usize), DropReason> {
    let message = packet.get(header.transport_at..header.end).unwrap_or_default();
    if message.len() < wire::ICMP_HEADER {
        return Err(DropReason::Truncated);
    }
    // RFC 5508, REQ-3: an error with a wrong checksum is dropped; a query's receiver would drop it anyway.
    if checksum::checksum(message) != 0 {
        return Err(DropReason::BadIcmpChecksum);
    }
    let identifier = u16_at(message, wire::ICMP_IDENTIFIER);
    let tuple = Tuple {
        protocol: Protocol::IcmpEcho,
        source,
        source_port: identifier,
        destination,
        destination_port: identifier,
    };
    let body = match u8_at(message, 0) {
        wire::ICMP_ECHO => Body::Echo(tuple),
        wire::ICMP_ECHO_REPLY => Body::EchoReply(tuple),
        wire::ICMP_UNREACHABLE | wire::ICMP_TIME_EXCEEDED | wire::ICMP_PARAMETER => {
            Body::IcmpError(parse_quoted(packet, header.transport_at + wire::ICMP_HEADER, header.end)?)
        }
        _ => return Err(DropReason::IcmpTypeUnsupported),
    };
    Ok((body, wire::ICMP_HEADER))
}

/// Reads the quoted packet: its IP header must be whole and right, and eight bytes of its transport be there.
fn parse_quoted(packet: &[u8], at: usize, end: usize) -> Result<Quoted, DropReason> {
    const QUOTED_TRANSPORT: usize = 8;
    let quoted = packet.get(at..end).unwrap_or_default();
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
        // RFC 1122, 3.2.2: no error is sent about an error; other protocols have no sessions.
        _ => return Err(DropReason::BadQuotedPacket),
    };
    let tuple = Tuple { protocol, source, source_port, destination, destination_port };
    Ok(Quoted { at, transport_at: at + header_length, tuple })
}

#[cfg(test)]
mod tests;
