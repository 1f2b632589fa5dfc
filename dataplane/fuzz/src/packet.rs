//! IPv4 packets made and looked at by their RFCs, without the engine's own code, where it would check itself.

use std::net::Ipv4Addr;

pub(crate) type End = (Ipv4Addr, u16);

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMP: u8 = 1;

/// The Internet checksum, as RFC 1071 section 1 words it.
pub(crate) fn checksum(pieces: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for pair in pieces.iter().flat_map(|piece| piece.chunks(2)) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

fn word(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |pair| u16::from_be_bytes([pair[0], pair[1]]))
}

pub(crate) fn header_length(packet: &[u8]) -> usize {
    usize::from(packet.first().copied().unwrap_or(0) & 15) * 4
}

pub(crate) fn source(packet: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(packet[12], packet[13], packet[14], packet[15])
}

pub(crate) fn destination(packet: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19])
}

fn ip(protocol: u8, from: Ipv4Addr, to: Ipv4Addr, transport: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, protocol, 0, 0];
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(transport);
    complete(&mut packet);
    packet
}

pub(crate) fn udp(from: End, to: End, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let header: Vec<u8> = [from.1, to.1, length, 1].into_iter().flat_map(u16::to_be_bytes).collect();
    ip(UDP, from.0, to.0, &[&header, payload].concat())
}

pub(crate) fn tcp(from: End, to: End, numbers: (u32, u32), flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(from.1.to_be_bytes());
    segment.extend(to.1.to_be_bytes());
    segment.extend(numbers.0.to_be_bytes());
    segment.extend(numbers.1.to_be_bytes());
    segment.extend([0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    segment.extend(payload);
    ip(TCP, from.0, to.0, &segment)
}

pub(crate) fn icmp(kind: u8, code: u8, rest: u32, from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest.to_be_bytes());
    message.extend(payload);
    ip(ICMP, from, to, &message)
}

/// A packet of a protocol that begins with ports, or with what stands in their place.
pub(crate) fn other(protocol: u8, from: End, to: End, payload: &[u8]) -> Vec<u8> {
    let ports = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
    ip(protocol, from.0, to.0, &[&ports, payload].concat())
}

/// Cuts a packet into fragments of so many bytes, a multiple of eight.
pub(crate) fn fragments(packet: &[u8], size: usize, identification: u16) -> Vec<Vec<u8>> {
    let header = header_length(packet).clamp(20, packet.len());
    let pieces: Vec<&[u8]> = packet[header..].chunks(size).collect();
    let fragment = |(number, piece): (usize, &&[u8])| {
        let mut bytes = [&packet[..header], piece].concat();
        let more = if number + 1 < pieces.len() { 0x2000 } else { 0 };
        let place = u16::try_from(number * size / 8).unwrap() | more;
        bytes[4..6].copy_from_slice(&identification.to_be_bytes());
        bytes[6..8].copy_from_slice(&place.to_be_bytes());
        let total = u16::try_from(bytes.len()).unwrap();
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        bytes[10..12].fill(0);
        let sum = checksum(&[&bytes[..header]]);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes
    };
    if pieces.is_empty() { vec![packet.to_vec()] } else { pieces.iter().enumerate().map(fragment).collect() }
}

/// Writes lengths and checksums, as far as the packet has room for them.
pub(crate) fn complete(packet: &mut [u8]) {
    let header = header_length(packet);
    if packet.len() < 20 || header < 20 || packet.len() < header {
        return;
    }
    let total = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    packet[10..12].fill(0);
    let sum = checksum(&[&packet[..header]]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let at = match packet[9] {
        TCP => 16,
        UDP => 6,
        ICMP => 2,
        _ => return,
    };
    if packet.len() < header + at + 2 || packet[9] == UDP && word(packet, header + at) == 0 {
        return;
    }
    packet[header + at..header + at + 2].fill(0);
    let sum = transport_sum(packet);
    let sum = if packet[9] == UDP && sum == 0 { u16::MAX } else { sum };
    packet[header + at..header + at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Returns the checksum of the transport, which over a right one is 0.
fn transport_sum(packet: &[u8]) -> u16 {
    let transport = &packet[header_length(packet)..];
    let length = u16::try_from(transport.len()).unwrap();
    let pseudo = [&packet[12..20], &[0, packet[9]], &length.to_be_bytes()].concat();
    if packet[9] == ICMP { checksum(&[transport]) } else { checksum(&[&pseudo, transport]) }
}

pub(crate) fn is_fragment(packet: &[u8]) -> bool {
    word(packet, 6) & 0x3fff != 0
}

/// Whether the transport's checksum is right, or none.
pub(crate) fn transport_is_right(packet: &[u8]) -> bool {
    let header = header_length(packet);
    if header < 20 || packet.len() < header {
        return false;
    }
    match packet[9] {
        _ if is_fragment(packet) => true,
        UDP if word(packet, header + 6) == 0 => true,
        // Its checksum may cover less than its IP packet, and is not looked at by whoever passes it on.
        UDP if usize::from(word(packet, header + 4)) != packet.len() - header => true,
        TCP | UDP | ICMP => transport_sum(packet) == 0,
        _ => true,
    }
}

/// Panics where a packet that leaves is none.
pub(crate) fn check(packet: &[u8]) {
    let header = header_length(packet);
    assert!(packet.len() >= 20 && header >= 20 && packet.len() >= header, "it has no header: {packet:?}");
    assert_eq!(checksum(&[&packet[..header]]), 0, "wrong IP checksum: {packet:?}");
    assert_eq!(usize::from(word(packet, 2)), packet.len(), "wrong length: {packet:?}");
}
