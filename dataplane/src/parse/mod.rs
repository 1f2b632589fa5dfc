//! Bytes to a [`Parsed`] packet: total, never panics, and each way to be malformed has its own reason.

mod first;
pub mod ipv6;
mod other;
mod quoted;
mod span;

use crate::engine::DropReason;
use crate::tuple::{Key, Protocol, Tuple};
use crate::wire::{self, checksum, ipv4, tcp, u8_at, u16_at, u32_at, word_at};

pub use first::{First, check_header, parse_first};
pub use span::Span;

/// An accepted packet's key and where its parts are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parsed {
    /// Addresses and ports; an ICMP error has the ports 0.
    pub key: Key,
    /// Where its parts are.
    pub span: Span,
    /// Time to live.
    pub ttl: u8,
    /// What it carries.
    pub body: Body,
}

impl Parsed {
    /// Returns addresses and ports; an ICMP error has the ports 0.
    pub const fn tuple(&self) -> Tuple {
        self.key.tuple()
    }

    /// Returns the offset of the transport header.
    pub fn transport_at(&self) -> usize {
        self.span.transport_at()
    }

    /// Returns the offset of the transport payload.
    pub fn payload_at(&self) -> usize {
        self.span.payload_at()
    }

    /// Returns the end of the packet by its total length; link padding may follow.
    pub fn end(&self) -> usize {
        self.span.end()
    }
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    /// A TCP segment.
    Tcp(TcpInfo),
    /// A UDP or UDP-Lite datagram.
    Udp,
    /// An ICMP echo.
    Echo,
    /// An ICMP echo reply.
    EchoReply,
    /// An ICMP error about the quoted packet.
    IcmpError(Quoted),
    /// A packet of a PPTP call.
    Call,
    /// Something that is not read.
    Other,
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
    pub payload: u16,
}

impl TcpInfo {
    /// Whether all of these flags are set.
    pub const fn has(self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// Returns the sequence number after this segment; SYN and FIN count one each.
    pub fn end(self) -> u32 {
        self.seq
            .wrapping_add(u32::from(self.payload))
            .wrapping_add(u32::from(self.has(tcp::SYN)))
            .wrapping_add(u32::from(self.has(tcp::FIN)))
    }
}

/// The packet that an ICMP error quotes (RFC 792; RFC 5508, section 7.1), perhaps cut off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quoted {
    at: u16,
    transport_at: u16,
    /// The quoted packet's key, as it was on the wire where it met the error.
    pub tuple: Tuple,
}

impl Quoted {
    /// Returns the offset of the quoted IP header in the whole packet.
    pub fn at(&self) -> usize {
        usize::from(self.at)
    }

    /// Returns the offset of the quoted transport header in the whole packet.
    pub fn transport_at(&self) -> usize {
        usize::from(self.transport_at)
    }
}

struct Header {
    source: u32,
    destination: u32,
    transport_at: u16,
    end: u16,
    ttl: u8,
    protocol: u8,
}

/// A transport header: its ports as they lie in the packet, its length and what it says.
struct Transport {
    protocol: Protocol,
    ports: u32,
    length: u16,
    body: Body,
}

/// Reads a packet that is no fragment.
///
/// # Errors
/// The reason to drop it.
#[inline(always)]
pub fn parse(packet: &[u8]) -> Result<Parsed, DropReason> {
    let header = parse_ipv4(packet)?;
    if ipv4::is_fragment(packet) {
        return Err(DropReason::FragmentMalformed);
    }
    let span = usize::from(header.transport_at)..usize::from(header.end);
    let bytes = packet.get(span).unwrap_or_default();
    let transport = match header.protocol {
        wire::PROTOCOL_TCP => parse_tcp(bytes)?,
        wire::PROTOCOL_UDP => parse_udp(bytes)?,
        wire::PROTOCOL_ICMP => parse_icmp(bytes, header.transport_at)?,
        wire::PROTOCOL_UDP_LITE => other::parse_udp_lite(bytes)?,
        number => other::parse_other(number, bytes),
    };
    Ok(Parsed {
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
    })
}

const UDP_HEADER: u16 = 8;
const ICMP_HEADER: u16 = 8;

#[inline(always)]
fn parse_ipv4(packet: &[u8]) -> Result<Header, DropReason> {
    match packet.first().map(|first| first >> 4) {
        None => return Err(DropReason::Truncated),
        Some(4) => {}
        Some(_) => return Err(DropReason::BadIpVersion),
    }
    // Of known length, so that no field's place has to be checked.
    let Some(fixed) = packet.first_chunk::<{ ipv4::MIN_HEADER }>() else { return Err(DropReason::Truncated) };
    let (header_length, total_length) = (ipv4::header_length(fixed), ipv4::total_length(fixed));
    if header_length < ipv4::MIN_HEADER || header_length > total_length {
        return Err(DropReason::BadIpHeader);
    }
    if total_length > packet.len() {
        return Err(DropReason::Truncated);
    }
    if header_length == ipv4::MIN_HEADER {
        if !checksum::header_is_right(fixed) {
            return Err(DropReason::BadIpChecksum);
        }
    } else {
        check_options(packet.get(..header_length).unwrap_or_default())?;
    }
    Ok(Header {
        source: word_at(fixed, ipv4::SOURCE),
        destination: word_at(fixed, ipv4::DESTINATION),
        // At most 60, and a field of 16 bits.
        transport_at: u16::try_from(header_length).unwrap_or(0),
        end: u16_at(fixed, ipv4::TOTAL_LENGTH),
        ttl: u8_at(fixed, ipv4::TTL),
        protocol: u8_at(fixed, ipv4::PROTOCOL),
    })
}

/// What is known of a packet of the kind that nearly all are: TCP or UDP with an IP header without options, whole and
/// right as far as [`parse`] checks it.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    /// Addresses and ports.
    pub key: Key,
    /// Time to live; 0 where the packet is of another kind.
    pub ttl: u32,
}

impl Plain {
    /// Another kind of packet.
    pub const NONE: Self = Self { key: Key { protocol: Protocol::Udp, words: [0; 3] }, ttl: 0 };
    /// Offset of the transport header.
    pub const TRANSPORT_AT: usize = ipv4::MIN_HEADER;

    /// Whether the packet is of the kind.
    pub const fn is_some(&self) -> bool {
        self.ttl != 0
    }

    /// Reads the TCP header; `None` for a segment that opens or closes a connection, or is malformed.
    #[inline(always)]
    pub fn segment(packet: &[u8]) -> Option<TcpInfo> {
        let (info, _) = tcp_info(packet.get(Self::TRANSPORT_AT..)?).ok()?;
        let turns = info.flags & (tcp::SYN | tcp::FIN | tcp::RST) != 0 || !info.has(tcp::ACK_FLAG);
        (!turns).then_some(info)
    }
}

/// Reads a packet if it is of the kind that nearly all are; what [`parse`] would say of any other is not known.
#[inline(always)]
pub fn peek(packet: &[u8]) -> Plain {
    const FIRST_BYTE: u8 = 0x45;
    let Some(fixed) = packet.first_chunk::<{ ipv4::MIN_HEADER + wire::UDP_HEADER }>() else {
        return Plain::NONE;
    };
    let total_length = ipv4::total_length(fixed);
    let transport_length = total_length.wrapping_sub(ipv4::MIN_HEADER);
    let (protocol, usable) = match u8_at(fixed, ipv4::PROTOCOL) {
        wire::PROTOCOL_TCP => (Protocol::Tcp, transport_length >= tcp::MIN_HEADER),
        wire::PROTOCOL_UDP => {
            let length = usize::from(u16_at(fixed, ipv4::MIN_HEADER + wire::UDP_LENGTH));
            (Protocol::Udp, length >= wire::UDP_HEADER && length <= transport_length)
        }
        _ => return Plain::NONE,
    };
    let ports = word_at(fixed, ipv4::MIN_HEADER);
    // Link padding is left to the whole pipeline as well.
    let plain = usable
        & (u8_at(fixed, 0) == FIRST_BYTE)
        & (total_length == packet.len())
        & (u16_at(fixed, ipv4::FRAGMENT) & ipv4::FRAGMENT_MASK == 0)
        & (ports & 0xffff != 0)
        & (ports >> 16 != 0)
        & fixed.first_chunk().is_some_and(checksum::header_is_right);
    if !plain {
        return Plain::NONE;
    }
    let words = [word_at(fixed, ipv4::SOURCE), word_at(fixed, ipv4::DESTINATION), ports];
    Plain { key: Key { protocol, words }, ttl: u32::from(u8_at(fixed, ipv4::TTL)) }
}

fn check_options(header: &[u8]) -> Result<(), DropReason> {
    if checksum::checksum(header) != 0 {
        return Err(DropReason::BadIpChecksum);
    }
    if has_source_route(header) { Err(DropReason::SourceRoute) } else { Ok(()) }
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

/// Reads the fields of a TCP header; also returns its length.
#[inline(always)]
fn tcp_info(segment: &[u8]) -> Result<(TcpInfo, usize), DropReason> {
    let Some(fixed) = segment.first_chunk::<{ tcp::MIN_HEADER }>() else {
        return Err(DropReason::Truncated);
    };
    let header_length = tcp::header_length(fixed);
    let payload = segment.len().checked_sub(header_length);
    let Some(payload) = payload.filter(|_| header_length >= tcp::MIN_HEADER) else {
        return Err(DropReason::BadTcpHeader);
    };
    let info = TcpInfo {
        seq: u32_at(fixed, tcp::SEQ),
        ack: u32_at(fixed, tcp::ACK),
        flags: u8_at(fixed, tcp::FLAGS),
        window: tcp::window(fixed),
        payload: u16::try_from(payload).unwrap_or(0),
    };
    Ok((info, header_length))
}

#[inline(always)]
fn parse_tcp(segment: &[u8]) -> Result<Transport, DropReason> {
    let (info, header_length) = tcp_info(segment)?;
    let contradictory = info.has(tcp::SYN) && info.flags & (tcp::FIN | tcp::RST) != 0;
    let none = info.flags & (tcp::SYN | tcp::ACK_FLAG | tcp::RST | tcp::FIN) == 0;
    if contradictory || none {
        return Err(DropReason::BadTcpFlags);
    }
    let length = u16::try_from(header_length).unwrap_or(0);
    Ok(Transport { protocol: Protocol::Tcp, ports: ports(segment)?, length, body: Body::Tcp(info) })
}

#[inline(always)]
fn parse_udp(datagram: &[u8]) -> Result<Transport, DropReason> {
    let Some(fixed) = datagram.first_chunk::<{ wire::UDP_HEADER }>() else {
        return Err(DropReason::Truncated);
    };
    let length = usize::from(u16_at(fixed, wire::UDP_LENGTH));
    if length < wire::UDP_HEADER || length > datagram.len() {
        return Err(DropReason::BadUdpLength);
    }
    Ok(Transport { protocol: Protocol::Udp, ports: ports(fixed)?, length: UDP_HEADER, body: Body::Udp })
}

#[inline(always)]
fn ports(transport: &[u8]) -> Result<u32, DropReason> {
    let ports = word_at(transport, 0);
    if ports & 0xffff == 0 || ports >> 16 == 0 { Err(DropReason::PortZero) } else { Ok(ports) }
}

fn parse_icmp(message: &[u8], transport_at: u16) -> Result<Transport, DropReason> {
    if message.len() < wire::ICMP_HEADER {
        return Err(DropReason::Truncated);
    }
    // RFC 5508, REQ-3: an error with a wrong checksum is dropped; a query's receiver would drop it anyway.
    if checksum::checksum(message) != 0 {
        return Err(DropReason::BadIcmpChecksum);
    }
    match u8_at(message, 0) {
        wire::ICMP_ECHO => Ok(query(message, Body::Echo)),
        wire::ICMP_ECHO_REPLY => Ok(query(message, Body::EchoReply)),
        wire::ICMP_UNREACHABLE | wire::ICMP_TIME_EXCEEDED | wire::ICMP_PARAMETER => {
            let quoted = message.get(wire::ICMP_HEADER..).unwrap_or_default();
            let body = Body::IcmpError(quoted::parse_quoted(quoted, transport_at + ICMP_HEADER)?);
            Ok(Transport { protocol: Protocol::IcmpEcho, ports: 0, length: ICMP_HEADER, body })
        }
        _ => Err(DropReason::IcmpTypeUnsupported),
    }
}

/// Takes an ICMP query, whose identifier stands in the place of both ports.
fn query(message: &[u8], body: Body) -> Transport {
    let [high, low] = u16_at(message, wire::ICMP_IDENTIFIER).to_be_bytes();
    let ports = u32::from_ne_bytes([high, low, high, low]);
    Transport { protocol: Protocol::IcmpEcho, ports, length: ICMP_HEADER, body }
}

#[cfg(test)]
mod tests;
