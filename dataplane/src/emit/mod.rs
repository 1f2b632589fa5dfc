//! Packets out: addresses and ports rewritten in place, and segments of the engine's own.

use std::net::{IpAddr, Ipv4Addr};

mod fragment;
mod mss;
mod other;

use crate::alg::control::CraftedSegment;
use crate::engine::{ChecksumState, Packet};
use crate::parse::{Parsed, Quoted, Span};
use crate::tuple::{Direction, Flow, Key, Protocol, Tuple};
use crate::wire::checksum::{self, Delta};
use crate::wire::{self, ipv4, set_u8, set_u16, set_u32, set_word, tcp, u16_at};

pub mod ipv6;

pub use fragment::{readdress, set_identification};
pub use mss::clamp_mss;

/// Gives a packet with the transport header at `at` the addresses and ports of `new` and, if
/// `hop` says so, counts a hop; payload and options stay.
#[inline(always)]
pub fn translate(packet: &mut Packet<'_>, old: &Key, new: &Key, at: usize, hop: bool) {
    let partial = packet.checksum == ChecksumState::Partial;
    let bytes = packet.bytes_mut();
    let addresses = rewrite_addresses(bytes, old, new, hop);
    let Some(transport) = bytes.get_mut(at..) else { return };
    match old.protocol {
        Protocol::Tcp => {
            if let Some(header) = transport.first_chunk_mut::<{ tcp::MIN_HEADER }>() {
                rewrite_ports(header, tcp::CHECKSUM, old, new, addresses, partial);
            }
        }
        Protocol::Udp => {
            let Some(header) = transport.first_chunk_mut::<{ wire::UDP_HEADER }>() else { return };
            // No checksum stays no checksum (RFC 768); a computed 0 is sent as all ones.
            if partial || u16_at(header, wire::UDP_CHECKSUM) != 0 {
                rewrite_ports(header, wire::UDP_CHECKSUM, old, new, addresses, partial);
                if !partial && u16_at(header, wire::UDP_CHECKSUM) == 0 {
                    set_u16(header, wire::UDP_CHECKSUM, 0xffff);
                }
            } else {
                set_ports(header, 0, new);
            }
        }
        Protocol::IcmpEcho => {
            let identifier = new.tuple().source_port;
            let delta = Delta::NONE.replace(u16_at(transport, wire::ICMP_IDENTIFIER), identifier);
            set_u16(transport, wire::ICMP_IDENTIFIER, identifier);
            apply(transport, wire::ICMP_CHECKSUM, delta);
        }
        Protocol::UdpLite | Protocol::Gre | Protocol::Other => {
            other::translate(transport, old, new, addresses, partial);
        }
    }
}

/// Rewrites the IP header; returns what the addresses do to a checksum over the pseudo header.
#[inline(always)]
fn rewrite_addresses(bytes: &mut [u8], old: &Key, new: &Key, hop: bool) -> Delta {
    let ([old_source, old_destination, _], [source, destination, _]) = (old.words, new.words);
    let delta = Delta::NONE.replace_word(old_source, source).replace_word(old_destination, destination);
    // Of known length, so that no field's place has to be checked.
    let Some(header) = bytes.first_chunk_mut::<{ ipv4::MIN_HEADER }>() else { return delta };
    set_word(header, ipv4::SOURCE, source);
    set_word(header, ipv4::DESTINATION, destination);
    let whole = if hop { delta.and(count_hop(header)) } else { delta };
    apply(header, ipv4::CHECKSUM, whole);
    delta
}

/// Takes one from the time to live; the checksum is the caller's.
#[inline(always)]
fn count_hop(header: &mut [u8]) -> Delta {
    let old = u16_at(header, ipv4::TTL);
    let new = old.wrapping_sub(0x0100);
    set_u16(header, ipv4::TTL, new);
    Delta::NONE.replace(old, new)
}

/// Counts a hop.
pub fn decrement_ttl(bytes: &mut [u8]) {
    let delta = count_hop(bytes);
    apply(bytes, ipv4::CHECKSUM, delta);
}

#[inline(always)]
fn rewrite_ports(
    header: &mut [u8],
    checksum_at: usize,
    old: &Key,
    new: &Key,
    addresses: Delta,
    partial: bool,
) {
    set_ports(header, 0, new);
    if partial {
        change(header, checksum_at, |field| addresses.apply_partial(field));
    } else {
        let ([_, _, old_ports], [_, _, ports]) = (old.words, new.words);
        apply(header, checksum_at, addresses.replace_word(old_ports, ports));
    }
}

#[inline(always)]
fn set_ports(bytes: &mut [u8], at: usize, new: &Key) {
    let [_, _, ports] = new.words;
    set_word(bytes, at, ports);
}

#[inline(always)]
fn apply(bytes: &mut [u8], at: usize, delta: Delta) {
    change(bytes, at, |field| delta.apply(field));
}

/// Changes two bytes.
#[inline(always)]
fn change(bytes: &mut [u8], at: usize, change: impl FnOnce([u8; 2]) -> [u8; 2]) {
    if let Some(field) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<2>) {
        *field = change(*field);
    }
}

/// Where an ICMP error goes and what it quotes there.
#[derive(Clone, Copy, Debug)]
pub struct ErrorTranslation {
    /// New source of the error.
    pub source: Ipv4Addr,
    /// New destination of the error.
    pub destination: Ipv4Addr,
    /// The quoted packet as its sender knows it.
    pub quoted: Tuple,
    /// The quoted sequence number as its sender knows it, where an ALG shifts it.
    pub quoted_seq: Option<u32>,
}

/// Translates an ICMP error and the packet it quotes (RFC 5508, REQ-4 and REQ-5); all checksums are right after it,
/// the quoted transport's too where it was quoted.
pub fn translate_error(packet: &mut Packet<'_>, parsed: &Parsed, quoted: &Quoted, to: &ErrorTranslation) {
    let bytes = packet.bytes_mut();
    let outer = Delta::NONE
        .replace_address(parsed.tuple().source, to.source)
        .replace_address(parsed.tuple().destination, to.destination);
    ipv4::set_source(bytes, to.source);
    ipv4::set_destination(bytes, to.destination);
    apply(bytes, ipv4::CHECKSUM, outer);
    if let Some(inner) = bytes.get_mut(quoted.at()..parsed.end()) {
        translate_quoted(inner, quoted.transport_at() - quoted.at(), &quoted.tuple, to);
    }
    set_u16(bytes, parsed.transport_at() + wire::ICMP_CHECKSUM, 0);
    let sum = checksum::checksum(bytes.get(parsed.transport_at()..parsed.end()).unwrap_or_default());
    set_u16(bytes, parsed.transport_at() + wire::ICMP_CHECKSUM, sum);
}

fn translate_quoted(inner: &mut [u8], at: usize, old: &Tuple, to: &ErrorTranslation) {
    let addresses = rewrite_addresses(inner, &(*old).into(), &to.quoted.into(), false);
    let ports = Delta::NONE
        .replace(old.source_port, to.quoted.source_port)
        .replace(old.destination_port, to.quoted.destination_port);
    match old.protocol {
        Protocol::Tcp => {
            set_ports(inner, at, &to.quoted.into());
            let mut delta = addresses.and(ports);
            if let Some(seq) = to.quoted_seq {
                for (offset, new) in [(tcp::SEQ, (seq >> 16) & 0xffff), (tcp::SEQ + 2, seq & 0xffff)] {
                    delta = delta.replace(u16_at(inner, at + offset), u16::try_from(new).unwrap_or(0));
                }
                set_u32(inner, at + tcp::SEQ, seq);
            }
            if inner.len() >= at + tcp::CHECKSUM + 2 {
                apply(inner, at + tcp::CHECKSUM, delta);
            }
        }
        Protocol::Udp => {
            set_ports(inner, at, &to.quoted.into());
            if u16_at(inner, at + wire::UDP_CHECKSUM) != 0 {
                apply(inner, at + wire::UDP_CHECKSUM, addresses.and(ports));
            }
        }
        Protocol::IcmpEcho => {
            let identifier = to.quoted.source_port;
            let delta = Delta::NONE.replace(u16_at(inner, at + wire::ICMP_IDENTIFIER), identifier);
            set_u16(inner, at + wire::ICMP_IDENTIFIER, identifier);
            apply(inner, at + wire::ICMP_CHECKSUM, delta);
        }
        Protocol::UdpLite | Protocol::Gre | Protocol::Other => {
            let transport = inner.get_mut(at..).unwrap_or_default();
            other::translate(transport, &(*old).into(), &to.quoted.into(), addresses, false);
        }
    }
}

/// Writes lengths and checksums of a TCP packet anew, after its header or payload was changed freely.
pub fn finish_tcp(packet: &mut Packet<'_>, transport_at: usize) {
    let partial = packet.checksum == ChecksumState::Partial;
    let bytes = packet.bytes_mut();
    if wire::ipv6::version(bytes) == 6 {
        wire::ipv6::set_payload_length(bytes);
    } else {
        set_u16(bytes, ipv4::TOTAL_LENGTH, u16::try_from(bytes.len()).unwrap_or(u16::MAX));
        ipv4::fill_checksum(bytes);
    }
    set_u16(bytes, transport_at.saturating_add(tcp::CHECKSUM), 0);
    let segment = bytes.get(transport_at..).unwrap_or_default();
    let pseudo = pseudo_header(bytes, segment.len());
    let field = if partial { pseudo } else { checksum::completed(pseudo, segment) };
    set_u16(bytes, transport_at.saturating_add(tcp::CHECKSUM), field);
}

/// Adds up the pseudo header of a TCP packet of either version of IP.
fn pseudo_header(packet: &[u8], length: usize) -> u16 {
    let protocol = wire::PROTOCOL_TCP;
    if wire::ipv6::version(packet) == 6 {
        let (source, destination) = (wire::ipv6::source(packet), wire::ipv6::destination(packet));
        checksum::pseudo_header_ipv6(source, destination, protocol, length)
    } else {
        checksum::pseudo_header(ipv4::source(packet), ipv4::destination(packet), protocol, length)
    }
}

/// Whether the TCP checksum of a received packet is right, as far as it can be told.
pub fn tcp_checksum_is_right(packet: &Packet<'_>, span: &Span) -> bool {
    let bytes = packet.bytes();
    let segment = bytes.get(span.transport_at()..span.end()).unwrap_or_default();
    packet.checksum == ChecksumState::Partial
        || checksum::completed(pseudo_header(bytes, segment.len()), segment) == 0
}

/// Builds a whole packet of a segment that a control stream sends itself.
pub fn craft_tcp(flow: &Flow, segment: &CraftedSegment) -> Vec<u8> {
    let push = if segment.payload.is_empty() { 0 } else { tcp::PSH };
    let fin = if segment.fin { tcp::FIN } else { 0 };
    craft(flow, segment, tcp::ACK_FLAG | push | fin)
}

/// Builds a packet that ends a connection, as if its other end had given it up (RFC 9293, section 3.5.2).
pub fn craft_reset(flow: &Flow, direction: Direction, seq: u32) -> Vec<u8> {
    let (window, fin) = (0, false);
    let segment =
        CraftedSegment { direction, seq, ack: 0, window, fin, timestamps: None, payload: Vec::new() };
    craft(flow, &segment, tcp::RST)
}

fn craft(flow: &Flow, segment: &CraftedSegment, flags: u8) -> Vec<u8> {
    const TIMESTAMPS_LENGTH: usize = 12;
    let options = if segment.timestamps.is_some() { TIMESTAMPS_LENGTH } else { 0 };
    let header = tcp::MIN_HEADER + options;
    let mut bytes = match (flow.source.address, flow.destination.address) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => ipv4_header(source, destination),
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            ipv6::header(source, destination, wire::PROTOCOL_TCP)
        }
        // No flow is of both; nothing would come of such a packet.
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return Vec::new(),
    };
    let at = bytes.len();
    let length = at + header + segment.payload.len();
    bytes.resize(length, 0);
    set_u16(&mut bytes, at, flow.source.port);
    set_u16(&mut bytes, at + 2, flow.destination.port);
    set_u32(&mut bytes, at + tcp::SEQ, segment.seq);
    set_u32(&mut bytes, at + tcp::ACK, segment.ack);
    set_u8(&mut bytes, at + tcp::DATA_OFFSET, u8::try_from(header / 4 * 16).unwrap_or(0));
    set_u8(&mut bytes, at + tcp::FLAGS, flags);
    set_u16(&mut bytes, at + tcp::WINDOW, segment.window);
    if let Some(timestamps) = segment.timestamps {
        // NOP, NOP, kind 8, length 10 (RFC 7323, appendix A).
        set_u32(&mut bytes, at + tcp::MIN_HEADER, 0x0101_080a);
        set_u32(&mut bytes, at + tcp::MIN_HEADER + 4, timestamps.value);
        set_u32(&mut bytes, at + tcp::MIN_HEADER + 8, timestamps.echo);
    }
    if let Some(payload) = bytes.get_mut(at + header..) {
        payload.copy_from_slice(&segment.payload);
    }
    finish_tcp(&mut Packet::new(&mut bytes, length), at);
    bytes
}

/// Hops that the engine's own packets live for.
const TTL: u8 = 64;

/// Builds the IP header of a TCP packet; length and checksum are still to be set.
fn ipv4_header(source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
    let mut bytes = vec![0; ipv4::MIN_HEADER];
    set_u8(&mut bytes, 0, 0x45);
    set_u16(&mut bytes, ipv4::FRAGMENT, ipv4::DONT_FRAGMENT);
    set_u8(&mut bytes, ipv4::TTL, TTL);
    set_u8(&mut bytes, ipv4::PROTOCOL, wire::PROTOCOL_TCP);
    ipv4::set_source(&mut bytes, source);
    ipv4::set_destination(&mut bytes, destination);
    bytes
}
