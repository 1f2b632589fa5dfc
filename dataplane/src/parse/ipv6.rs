//! IPv6 (RFC 8200): the chain of extension headers within bounds, and what follows it.

use std::net::Ipv6Addr;

use super::{Body, Span, TcpInfo, parse_tcp, parse_udp};
use crate::addr::Realm;
use crate::conntrack::ipv6::Ipv6Key;
use crate::engine::DropReason;
use crate::limits::{MAX_EXTENSION_BYTES, MAX_EXTENSION_HEADERS, MAX_PACKET};
use crate::wire::{self, checksum, ipv6, tcp, u8_at, u16_at, u32_at};

/// An accepted packet's addresses, what it carries, and where its parts are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parsed {
    /// Addresses, protocol and ports.
    pub flow: RawFlow,
    /// Where its parts are.
    pub span: Span,
    /// Hop limit.
    pub hop_limit: u8,
    /// What it carries.
    pub body: Ipv6Body,
}

/// Addresses, protocol and ports as they are on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RawFlow {
    /// Source address.
    pub source: Ipv6Addr,
    /// Destination address.
    pub destination: Ipv6Addr,
    /// IP protocol number of what follows the extension headers.
    pub protocol: u8,
    /// Source port, or ICMP identifier; 0 for protocols without ports.
    pub source_port: u16,
    /// Destination port, or ICMP identifier; 0 for protocols without ports.
    pub destination_port: u16,
}

impl RawFlow {
    /// Returns the key of the session that the packet is of when it comes from a side.
    pub const fn key(&self, from: Realm) -> Ipv6Key {
        let Self { source, destination, protocol, source_port, destination_port } = *self;
        match from {
            Realm::Inside => Ipv6Key {
                inside: source,
                outside: destination,
                inside_port: source_port,
                outside_port: destination_port,
                protocol,
            },
            Realm::Outside => Ipv6Key {
                inside: destination,
                outside: source,
                inside_port: destination_port,
                outside_port: source_port,
                protocol,
            },
        }
    }
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ipv6Body {
    /// A TCP segment.
    Tcp(TcpInfo),
    /// A packet of any other protocol that is not listed here.
    Datagram,
    /// An ICMPv6 echo request.
    Echo,
    /// An ICMPv6 echo reply.
    EchoReply,
    /// An ICMPv6 error about the quoted packet.
    Error(Ipv6Quoted),
    /// An ICMPv6 message that concerns a link and its hosts only: it is never forwarded (RFC 4890, section 4.3.3).
    LinkLocal,
}

/// The packet that an ICMPv6 error quotes, perhaps cut off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ipv6Quoted {
    /// Its addresses and ports.
    pub flow: RawFlow,
    /// Its sequence number, if it is of TCP.
    pub seq: Option<u32>,
}

/// Reads a packet.
///
/// # Errors
/// The reason to drop it.
pub fn parse(packet: &[u8]) -> Result<Parsed, DropReason> {
    if packet.len() < ipv6::HEADER {
        return Err(DropReason::Truncated);
    }
    if ipv6::version(packet) != 6 {
        return Err(DropReason::BadIpVersion);
    }
    let end = ipv6::HEADER + ipv6::payload_length(packet);
    let whole = packet.get(..end).ok_or(DropReason::Truncated)?;
    let chain = walk(whole)?;
    if chain.fragment {
        // Only the whole is read.
        return Err(DropReason::FragmentMalformed);
    }
    let (source, destination) = (ipv6::source(packet), ipv6::destination(packet));
    let payload = whole.get(chain.transport_at..).unwrap_or_default();
    let protocol = chain.protocol;
    let (ports, length, body) = match protocol {
        wire::PROTOCOL_TCP => {
            let transport = parse_tcp(payload)?;
            let Body::Tcp(info) = transport.body else { return Err(DropReason::BadTcpHeader) };
            (ports(payload)?, usize::from(transport.length), Ipv6Body::Tcp(info))
        }
        wire::PROTOCOL_UDP => {
            // Without a checksum it is passed: whether that is allowed its receiver knows (RFC 6936, section 5).
            parse_udp(payload)?;
            (ports(payload)?, wire::UDP_HEADER, Ipv6Body::Datagram)
        }
        wire::PROTOCOL_UDP_LITE | wire::PROTOCOL_SCTP | wire::PROTOCOL_DCCP => {
            (ports(payload)?, PORTS, Ipv6Body::Datagram)
        }
        wire::PROTOCOL_ICMPV6 => {
            if checksum::transport_ipv6(source, destination, protocol, payload) != 0 {
                return Err(DropReason::BadIcmpChecksum);
            }
            let (identifier, body) = parse_icmp(payload)?;
            ((identifier, identifier), wire::ICMP_HEADER, body)
        }
        ipv6::NO_NEXT_HEADER => return Err(DropReason::ProtocolUnsupported),
        _ => ((0, 0), 0, Ipv6Body::Datagram),
    };
    let offset = |at: usize| u16::try_from(at).map_err(|_| DropReason::BadIpHeader);
    Ok(Parsed {
        flow: RawFlow { source, destination, protocol, source_port: ports.0, destination_port: ports.1 },
        span: Span {
            transport_at: offset(chain.transport_at)?,
            payload_at: offset(chain.transport_at + length)?,
            end: offset(end)?,
        },
        hop_limit: u8_at(packet, ipv6::HOP_LIMIT),
        body,
    })
}

/// A fragment of a datagram, and where its parts are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ipv6Fragment {
    /// Source address.
    pub source: Ipv6Addr,
    /// Destination address.
    pub destination: Ipv6Addr,
    /// The sender's number of the datagram.
    pub identification: u32,
    /// Where its payload begins in the datagram's, in bytes; a multiple of 8.
    pub start: u16,
    /// Whether others come after it.
    pub more: bool,
    /// Hop limit.
    pub hop_limit: u8,
    /// What the fragment header says that it precedes.
    pub next: u8,
    /// Offset of the number that names the fragment header.
    pub next_at: usize,
    /// Offset of the fragment header.
    pub fragment_at: usize,
    /// Offset of the payload.
    pub payload_at: usize,
    /// The end of the packet; link padding may follow.
    pub end: usize,
}

/// Whether a packet is a fragment; what is wrong with it otherwise is not known.
pub fn is_fragment(packet: &[u8]) -> bool {
    let end = ipv6::HEADER + ipv6::payload_length(packet);
    packet.get(..end).is_some_and(|whole| walk(whole).is_ok_and(|chain| chain.fragment))
}

/// Reads a fragment (RFC 8200, section 4.5).
///
/// # Errors
/// When no datagram can have such a fragment.
pub fn parse_fragment(packet: &[u8]) -> Result<Ipv6Fragment, DropReason> {
    let end = ipv6::HEADER + ipv6::payload_length(packet);
    let whole = packet.get(..end).ok_or(DropReason::Truncated)?;
    let Chain { transport_at: at, next_at, .. } = walk(whole)?;
    let payload_at = at + ipv6::FRAGMENT_HEADER;
    let field = u16_at(whole, at + ipv6::FRAGMENT_OFFSET);
    let (start, more) = (field & ipv6::OFFSET_MASK, field & ipv6::MORE_FRAGMENTS != 0);
    let length = end.saturating_sub(payload_at);
    if length == 0 || more && !length.is_multiple_of(ipv6::OFFSET_UNIT) {
        return Err(DropReason::FragmentMalformed);
    }
    if usize::from(start) + length > MAX_PACKET {
        return Err(DropReason::FragmentTooLong);
    }
    Ok(Ipv6Fragment {
        source: ipv6::source(packet),
        destination: ipv6::destination(packet),
        identification: u32_at(whole, at + ipv6::IDENTIFICATION),
        start,
        more,
        hop_limit: u8_at(packet, ipv6::HOP_LIMIT),
        next: u8_at(whole, at),
        next_at,
        fragment_at: at,
        payload_at,
        end,
    })
}

/// Whether a first fragment has all headers of its datagram, that of the transport included.
pub fn is_whole_chain(packet: &[u8], fragment: &Ipv6Fragment) -> bool {
    let mut alone = packet.to_vec();
    // As if it were all of the datagram.
    wire::set_u16(&mut alone, fragment.fragment_at + ipv6::FRAGMENT_OFFSET, 0);
    let Ok(chain) = walk(&alone) else { return false };
    let there = alone.len().saturating_sub(chain.transport_at);
    there
        >= match chain.protocol {
            wire::PROTOCOL_TCP => {
                tcp::header_length(alone.get(chain.transport_at..).unwrap_or_default()).max(tcp::MIN_HEADER)
            }
            wire::PROTOCOL_UDP | wire::PROTOCOL_UDP_LITE | wire::PROTOCOL_ICMPV6 => wire::UDP_HEADER,
            _ => 1,
        }
}

/// Bytes that two ports take.
const PORTS: usize = 4;

/// Where the chain of extension headers ends, and in what.
struct Chain {
    protocol: u8,
    transport_at: usize,
    /// Where the number is that names what is at `transport_at`.
    next_at: usize,
    /// Whether the packet is not whole.
    fragment: bool,
}

/// Walks along the extension headers (RFC 8200, section 4). Hop-by-hop options come first if at all, and each header
/// but destination options at most once (section 4.1); what is routed elsewhere than where it seems to go is refused.
fn walk(packet: &[u8]) -> Result<Chain, DropReason> {
    let mut next = u8_at(packet, ipv6::NEXT_HEADER);
    let (mut at, mut next_at) = (ipv6::HEADER, ipv6::NEXT_HEADER);
    let mut seen: Option<u8> = None;
    let (mut routed, mut fragmented) = (false, false);
    for _ in 0..=MAX_EXTENSION_HEADERS {
        let length = match next {
            ipv6::HOP_BY_HOP if seen.is_some() => return Err(DropReason::ExtensionHeaders),
            ipv6::HOP_BY_HOP | ipv6::DESTINATION_OPTIONS | ipv6::SHIM6 => option_length(packet, at),
            ipv6::ROUTING => {
                if std::mem::replace(&mut routed, true) {
                    return Err(DropReason::ExtensionHeaders);
                }
                check_routing(packet, at)?;
                option_length(packet, at)
            }
            ipv6::FRAGMENT => {
                if std::mem::replace(&mut fragmented, true) {
                    return Err(DropReason::ExtensionHeaders);
                }
                if u16_at(packet, at + ipv6::FRAGMENT_OFFSET) & ipv6::FRAGMENT_MASK != 0 {
                    return Ok(Chain { protocol: next, transport_at: at, next_at, fragment: true });
                }
                ipv6::FRAGMENT_HEADER
            }
            protocol => return Ok(Chain { protocol, transport_at: at, next_at, fragment: false }),
        };
        let header = packet.get(at..at.saturating_add(length)).ok_or(DropReason::Truncated)?;
        seen = Some(next);
        next = u8_at(header, 0);
        next_at = at;
        at += length;
        if at > ipv6::HEADER + MAX_EXTENSION_BYTES {
            return Err(DropReason::ExtensionHeaders);
        }
    }
    Err(DropReason::ExtensionHeaders)
}

/// Returns the length of a header that states it in units of eight bytes beyond the first.
fn option_length(packet: &[u8], at: usize) -> usize {
    (usize::from(u8_at(packet, at + 1)) + 1) * 8
}

/// A routing header that has been followed is harmless; one that still leads elsewhere is not, but for that of Mobile
/// IPv6, which leads to another address of the same host (RFC 6275, section 6.4; RFC 6092, REC-27).
fn check_routing(packet: &[u8], at: usize) -> Result<(), DropReason> {
    let left = u8_at(packet, at + ipv6::SEGMENTS_LEFT);
    match u8_at(packet, at + ipv6::ROUTING_TYPE) {
        ipv6::ROUTING_SOURCE_ROUTE => Err(DropReason::RoutingHeader),
        ipv6::ROUTING_MOBILE if left <= 1 => Ok(()),
        _ if left == 0 => Ok(()),
        _ => Err(DropReason::RoutingHeader),
    }
}

fn ports(transport: &[u8]) -> Result<(u16, u16), DropReason> {
    if transport.len() < PORTS {
        return Err(DropReason::Truncated);
    }
    match (u16_at(transport, 0), u16_at(transport, 2)) {
        (0, _) | (_, 0) => Err(DropReason::PortZero),
        ports => Ok(ports),
    }
}

/// Reads an ICMPv6 message; returns its identifier and what it is.
fn parse_icmp(message: &[u8]) -> Result<(u16, Ipv6Body), DropReason> {
    if message.len() < wire::ICMP_HEADER {
        return Err(DropReason::Truncated);
    }
    let identifier = u16_at(message, wire::ICMP_IDENTIFIER);
    match u8_at(message, 0) {
        ipv6::ICMP_ECHO => Ok((identifier, Ipv6Body::Echo)),
        ipv6::ICMP_ECHO_REPLY => Ok((identifier, Ipv6Body::EchoReply)),
        ipv6::ICMP_UNREACHABLE | ipv6::ICMP_TOO_BIG | ipv6::ICMP_TIME_EXCEEDED | ipv6::ICMP_PARAMETER => {
            let quoted = message.get(wire::ICMP_HEADER..).unwrap_or_default();
            Ok((0, Ipv6Body::Error(parse_quoted(quoted)?)))
        }
        // Multicast listeners (RFC 3810), neighbours and routers (RFC 4861), and what is trusted by its hop limit only
        // (RFC 3122, RFC 3971, RFC 4286).
        130..=138 | 141..=143 | 148..=149 | 151..=153 => Ok((0, Ipv6Body::LinkLocal)),
        _ => Err(DropReason::IcmpTypeUnsupported),
    }
}

/// Reads the quoted packet: its headers must be whole, and the ports of its transport be there. It was whole or the
/// first fragment, since only that has ports.
fn parse_quoted(quoted: &[u8]) -> Result<Ipv6Quoted, DropReason> {
    if quoted.len() < ipv6::HEADER || ipv6::version(quoted) != 6 {
        return Err(DropReason::BadQuotedPacket);
    }
    let chain = walk(quoted).map_err(|_| DropReason::BadQuotedPacket)?;
    let (protocol, at) = if chain.fragment {
        first_of(quoted, chain.transport_at)?
    } else {
        (chain.protocol, chain.transport_at)
    };
    let transport = quoted.get(at..).unwrap_or_default();
    let (source_port, destination_port) = match protocol {
        wire::PROTOCOL_TCP
        | wire::PROTOCOL_UDP
        | wire::PROTOCOL_UDP_LITE
        | wire::PROTOCOL_SCTP
        | wire::PROTOCOL_DCCP => ports(transport).map_err(|_| DropReason::BadQuotedPacket)?,
        wire::PROTOCOL_ICMPV6 => match u8_at(transport, 0) {
            ipv6::ICMP_ECHO | ipv6::ICMP_ECHO_REPLY if transport.len() >= wire::ICMP_HEADER => {
                let identifier = u16_at(transport, wire::ICMP_IDENTIFIER);
                (identifier, identifier)
            }
            // No error is sent about an error (RFC 4443, section 2.4 e); other messages have no sessions.
            _ => return Err(DropReason::BadQuotedPacket),
        },
        ipv6::NO_NEXT_HEADER => return Err(DropReason::BadQuotedPacket),
        _ => (0, 0),
    };
    let (source, destination) = (ipv6::source(quoted), ipv6::destination(quoted));
    let flow = RawFlow { source, destination, protocol, source_port, destination_port };
    let has_seq = protocol == wire::PROTOCOL_TCP && transport.len() >= tcp::SEQ + 4;
    Ok(Ipv6Quoted { flow, seq: has_seq.then(|| u32_at(transport, tcp::SEQ)) })
}

/// Returns protocol and offset of what follows the fragment header of a first fragment.
fn first_of(packet: &[u8], at: usize) -> Result<(u8, usize), DropReason> {
    if u16_at(packet, at + ipv6::FRAGMENT_OFFSET) & ipv6::OFFSET_MASK != 0 {
        return Err(DropReason::BadQuotedPacket);
    }
    Ok((u8_at(packet, at), at + ipv6::FRAGMENT_HEADER))
}

#[cfg(test)]
mod tests;
