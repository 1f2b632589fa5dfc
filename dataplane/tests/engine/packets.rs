//! Packets built and read from their RFCs, without the engine's own code where it would check itself.

use std::net::Ipv4Addr;

pub(crate) type Address = (Ipv4Addr, u16);

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

/// The Internet checksum, as RFC 1071 section 1 words it.
pub(crate) fn checksum(words: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for bytes in words {
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        }
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

pub(crate) fn ip(protocol: u8, source: Ipv4Addr, destination: Ipv4Addr, transport: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, protocol, 0, 0];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    let length = u16::try_from(20 + transport.len()).unwrap();
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    let sum = checksum(&[&packet]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(transport);
    packet
}

/// Gives a packet another time to live.
pub(crate) fn with_ttl(mut packet: Vec<u8>, ttl: u8) -> Vec<u8> {
    packet[8] = ttl;
    packet[10..12].fill(0);
    let sum = checksum(&[&packet[..20]]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

pub(crate) fn pseudo(protocol: u8, source: Ipv4Addr, destination: Ipv4Addr, length: usize) -> Vec<u8> {
    let mut bytes = Vec::from(source.octets());
    bytes.extend(destination.octets());
    bytes.extend([0, protocol]);
    bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
    bytes
}

pub(crate) fn udp(from: Address, to: Address, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let mut datagram = Vec::new();
    for field in [from.1, to.1, length, 0] {
        datagram.extend(field.to_be_bytes());
    }
    datagram.extend(payload);
    let sum = checksum(&[&pseudo(17, from.0, to.0, datagram.len()), &datagram]);
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    ip(17, from.0, to.0, &datagram)
}

pub(crate) fn tcp(from: Address, to: Address, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    segment(from, to, Fields { seq, ack, flags, window: 0x1000, options: &[] }, payload)
}

/// What a TCP header says; the options' length is a multiple of four.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    pub(crate) options: &'a [u8],
}

pub(crate) fn segment(from: Address, to: Address, fields: Fields<'_>, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(from.1.to_be_bytes());
    segment.extend(to.1.to_be_bytes());
    segment.extend(fields.seq.to_be_bytes());
    segment.extend(fields.ack.to_be_bytes());
    segment.extend([0x50 + u8::try_from(fields.options.len() * 4).unwrap(), fields.flags]);
    segment.extend(fields.window.to_be_bytes());
    segment.extend([0; 4]);
    segment.extend(fields.options);
    segment.extend(payload);
    let sum = checksum(&[&pseudo(6, from.0, to.0, segment.len()), &segment]);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ip(6, from.0, to.0, &segment)
}

/// An ICMP message; `rest` is what its header holds behind the checksum.
pub(crate) fn icmp(kind: u8, code: u8, rest: u32, from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest.to_be_bytes());
    message.extend(payload);
    let sum = checksum(&[&message]);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ip(1, from, to, &message)
}

pub(crate) fn echo(from: Ipv4Addr, to: Ipv4Addr, identifier: u16) -> Vec<u8> {
    icmp(8, 0, u32::from(identifier) << 16 | 1, from, to, b"ping")
}

pub(crate) fn echo_reply(from: Ipv4Addr, to: Ipv4Addr, identifier: u16) -> Vec<u8> {
    icmp(0, 0, u32::from(identifier) << 16 | 1, from, to, b"ping")
}

/// Destination unreachable (type 3) that quotes `quoted`.
pub(crate) fn unreachable(code: u8, from: Ipv4Addr, to: Ipv4Addr, quoted: &[u8]) -> Vec<u8> {
    icmp(3, code, 0, from, to, quoted)
}

/// A packet taken apart, with every checksum verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) ttl: u8,
    pub(crate) payload: Vec<u8>,
}

/// Reads a packet and panics where a checksum or length is wrong. For ICMP the port is the identifier.
pub(crate) fn read(packet: &[u8]) -> Seen {
    let header = usize::from(packet[0] & 15) * 4;
    assert_eq!(checksum(&[&packet[..header]]), 0, "IP header checksum");
    assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len(), "total length");
    let address = |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
    let (source, destination) = (address(12), address(16));
    let transport = &packet[header..];
    let word = |at: usize| u16::from_be_bytes([transport[at], transport[at + 1]]);
    let (ports, skip) = match packet[9] {
        6 => ((word(0), word(2)), usize::from(transport[12] >> 4) * 4),
        17 => ((word(0), word(2)), 8),
        _ => ((word(4), word(4)), 8),
    };
    if packet[9] == 1 {
        assert_eq!(checksum(&[transport]), 0, "ICMP checksum");
    } else {
        let pseudo = pseudo(packet[9], source, destination, transport.len());
        assert_eq!(checksum(&[&pseudo, transport]), 0, "transport checksum");
    }
    Seen {
        from: (source, ports.0),
        to: (destination, ports.1),
        ttl: packet[8],
        payload: transport[skip..].to_vec(),
    }
}

/// Reads a TCP packet's sequence and acknowledgement numbers.
pub(crate) fn sequence(packet: &[u8]) -> (u32, u32) {
    let transport = usize::from(packet[0] & 15) * 4;
    let word = |at: usize| u32::from_be_bytes(packet[transport + at..transport + at + 4].try_into().unwrap());
    (word(4), word(8))
}

/// Reads a TCP packet's flags.
pub(crate) fn flags(packet: &[u8]) -> u8 {
    packet[usize::from(packet[0] & 15) * 4 + 13]
}
