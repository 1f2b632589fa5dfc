//! Packets built and read from their RFCs, without the engine's own code where it would check itself.

use std::net::Ipv6Addr;

pub(crate) type Address = (Ipv6Addr, u16);

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

pub(crate) const ECHO: u8 = 128;
pub(crate) const ECHO_REPLY: u8 = 129;

/// The sum over the pseudo header of RFC 8200, section 8.1, and over a payload; 0 when its checksum is right.
fn checksum(from: Ipv6Addr, to: Ipv6Addr, protocol: u8, payload: &[u8]) -> u16 {
    let mut bytes = Vec::from(from.octets());
    bytes.extend(to.octets());
    bytes.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    bytes.extend(payload);
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// A packet whose payload begins with a header of the number `next`.
pub(crate) fn ip(from: Ipv6Addr, to: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    packet.extend([next, 64]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(payload);
    packet
}

/// Puts an extension header with the number `kind` before the payload of a packet; its first byte is filled in.
pub(crate) fn extended(packet: &[u8], kind: u8, header: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let mut header = header.to_vec();
    header[0] = std::mem::replace(&mut packet[6], kind);
    packet.splice(40..40, header);
    let length = u16::try_from(packet.len() - 40).unwrap();
    packet[4..6].copy_from_slice(&length.to_be_bytes());
    packet
}

pub(crate) fn with_hop_limit(mut packet: Vec<u8>, hops: u8) -> Vec<u8> {
    packet[7] = hops;
    packet
}

pub(crate) fn tcp(from: Address, to: Address, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(from.1.to_be_bytes());
    segment.extend(to.1.to_be_bytes());
    segment.extend(seq.to_be_bytes());
    segment.extend(ack.to_be_bytes());
    segment.extend([0x50, flags, 0x10, 0, 0, 0, 0, 0]);
    segment.extend(payload);
    let sum = checksum(from.0, to.0, 6, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ip(from.0, to.0, 6, &segment)
}

/// A SYN with four bytes of options.
pub(crate) fn syn(from: Address, to: Address, options: [u8; 4]) -> Vec<u8> {
    let mut packet = tcp(from, to, 999, 0, SYN, &options);
    let segment = &mut packet[40..];
    segment[12] = 0x60;
    segment[16..18].fill(0);
    let sum = checksum(from.0, to.0, 6, segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    packet
}

pub(crate) fn udp(from: Address, to: Address, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let mut datagram = Vec::new();
    for field in [from.1, to.1, length, 0] {
        datagram.extend(field.to_be_bytes());
    }
    datagram.extend(payload);
    let sum = checksum(from.0, to.0, 17, &datagram);
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    ip(from.0, to.0, 17, &datagram)
}

/// A packet of another protocol with ports in its first four bytes.
pub(crate) fn ported(protocol: u8, from: Address, to: Address, rest: &[u8]) -> Vec<u8> {
    let mut payload = Vec::from(from.1.to_be_bytes());
    payload.extend(to.1.to_be_bytes());
    payload.extend(rest);
    ip(from.0, to.0, protocol, &payload)
}

pub(crate) fn icmp(kind: u8, code: u8, rest: u32, from: Ipv6Addr, to: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest.to_be_bytes());
    message.extend(payload);
    let sum = checksum(from, to, 58, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ip(from, to, 58, &message)
}

pub(crate) fn echo(kind: u8, from: Ipv6Addr, to: Ipv6Addr, identifier: u16) -> Vec<u8> {
    icmp(kind, 0, u32::from(identifier) << 16 | 1, from, to, b"ping")
}

/// An error of a type about a packet.
pub(crate) fn error(kind: u8, from: Ipv6Addr, to: Ipv6Addr, quoted: &[u8]) -> Vec<u8> {
    icmp(kind, 0, 1_280, from, to, quoted)
}

/// The part of a packet without extension headers that has these bytes of its payload; the last one goes to the end.
pub(crate) fn fragment(packet: &[u8], identification: u32, part: std::ops::Range<usize>) -> Vec<u8> {
    let payload = &packet[40..];
    let more = part.end < payload.len();
    let mut header = vec![packet[6], 0];
    header.extend((u16::try_from(part.start).unwrap() | u16::from(more)).to_be_bytes());
    header.extend(identification.to_be_bytes());
    header.extend(&payload[part.start..part.end.min(payload.len())]);
    let mut fragment = packet[..40].to_vec();
    fragment[6] = 44;
    fragment[4..6].copy_from_slice(&u16::try_from(header.len()).unwrap().to_be_bytes());
    fragment.extend(header);
    fragment
}

/// A packet in fragments with so many bytes of its payload each.
pub(crate) fn fragments(packet: &[u8], identification: u32, length: usize) -> Vec<Vec<u8>> {
    let starts = (0..packet.len() - 40).step_by(length);
    starts.map(|start| fragment(packet, identification, start..start + length)).collect()
}

/// A packet without extension headers taken apart, with its checksum verified.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) from: Ipv6Addr,
    pub(crate) to: Ipv6Addr,
    pub(crate) protocol: u8,
    pub(crate) hops: u8,
    /// Everything after the header.
    pub(crate) payload: Vec<u8>,
}

/// Reads a packet and panics where its length or checksum is wrong.
pub(crate) fn read(packet: &[u8]) -> Seen {
    assert_eq!(packet[0] >> 4, 6, "version");
    assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len() - 40, "payload length");
    let address = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).unwrap());
    let (from, to, protocol, payload) = (address(8), address(24), packet[6], packet[40..].to_vec());
    if [6, 17, 58].contains(&protocol) {
        assert_eq!(checksum(from, to, protocol, &payload), 0, "checksum");
    }
    Seen { from, to, protocol, hops: packet[7], payload }
}

/// Reads what a TCP segment carries; it has no options.
pub(crate) fn text(seen: &Seen) -> &[u8] {
    &seen.payload[20..]
}
