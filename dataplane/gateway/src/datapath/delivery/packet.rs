//! What has to be known of a packet to tell whether the host wants it. The packet is a stranger's: nothing in it
//! is trusted to be there.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::datapath::local::{SocketKind, SocketTuple};

/// IPv4 protocol numbers.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// ICMP types (RFC 792).
const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const ECHO_REQUEST: u8 = 8;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;
/// Bytes before the packet that an ICMP error quotes.
const ICMP_HEADER_BYTES: usize = 8;

/// What to find out about a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Question {
    /// Whether the host has this socket.
    Socket(SocketTuple),
    /// Whether it answers pings.
    EchoRequest,
    /// An answer to a ping.
    EchoReply,
    /// Nothing that the host takes.
    Other,
}

/// The fields of an IPv4 header that matter here, and what follows the header.
struct Ipv4<'a> {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    first_fragment: bool,
    payload: &'a [u8],
}

fn ipv4(packet: &[u8]) -> Option<Ipv4<'_>> {
    let header = packet.first_chunk::<20>()?;
    let [version_length, _, _, _, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    if version_length >> 4 != 4 {
        return None;
    }
    let payload = packet.get(usize::from(version_length & 0x0f).checked_mul(4)?.max(20)..)?;
    Some(Ipv4 {
        source: Ipv4Addr::new(s0, s1, s2, s3),
        destination: Ipv4Addr::new(d0, d1, d2, d3),
        protocol,
        first_fragment: u16::from_be_bytes([f0, f1]) & 0x1fff == 0,
        payload,
    })
}

/// Returns the ports of a TCP or UDP header, of which four bytes suffice.
fn ports(payload: &[u8]) -> Option<(u16, u16)> {
    let [s0, s1, d0, d1] = *payload.first_chunk::<4>()?;
    Some((u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])))
}

/// Returns a packet's destination and what to find out; `None` where it is no IPv4 packet.
pub(super) fn read(packet: &[u8]) -> Option<(Ipv4Addr, Question)> {
    let outer = ipv4(packet)?;
    let question = if outer.first_fragment {
        match outer.protocol {
            ICMP => icmp(&outer),
            protocol => match (kind(protocol), ports(outer.payload)) {
                (Some(kind), Some((source, destination))) => Question::Socket(SocketTuple {
                    kind,
                    local: SocketAddrV4::new(outer.destination, destination),
                    remote: SocketAddrV4::new(outer.source, source),
                }),
                (Some(_) | None, Some(_) | None) => Question::Other,
            },
        }
    } else {
        Question::Other
    };
    Some((outer.destination, question))
}

const fn kind(protocol: u8) -> Option<SocketKind> {
    match protocol {
        TCP => Some(SocketKind::Tcp),
        UDP => Some(SocketKind::Udp),
        _ => None,
    }
}

fn icmp(outer: &Ipv4<'_>) -> Question {
    match outer.payload.first() {
        Some(&ECHO_REQUEST) => Question::EchoRequest,
        Some(&ECHO_REPLY) => Question::EchoReply,
        Some(&(UNREACHABLE | TIME_EXCEEDED | PARAMETER_PROBLEM)) => error(outer).unwrap_or(Question::Other),
        Some(_) | None => Question::Other,
    }
}

/// An ICMP error is for the socket that sent what it quotes.
fn error(outer: &Ipv4<'_>) -> Option<Question> {
    let quoted = ipv4(outer.payload.get(ICMP_HEADER_BYTES..)?)?;
    if quoted.source != outer.destination || !quoted.first_fragment {
        return None;
    }
    if quoted.protocol == ICMP {
        return (quoted.payload.first() == Some(&ECHO_REQUEST)).then_some(Question::EchoReply);
    }
    let (source, destination) = ports(quoted.payload)?;
    Some(Question::Socket(SocketTuple {
        kind: kind(quoted.protocol)?,
        local: SocketAddrV4::new(quoted.source, source),
        remote: SocketAddrV4::new(quoted.destination, destination),
    }))
}
