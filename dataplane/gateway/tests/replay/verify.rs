//! Packets taken apart by their RFCs, without the engine's own code, where it would check itself.

use std::net::Ipv4Addr;

/// The Internet checksum over pieces of even length but the last, as RFC 1071 section 1 words it.
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

/// An IPv4 packet.
pub(crate) struct Packet<'a> {
    bytes: &'a [u8],
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) protocol: u8,
    /// Whether it begins its datagram, and whether it ends it.
    ends: (bool, bool),
    transport: &'a [u8],
    /// Whether it is here as far as its header says.
    whole: bool,
}

impl<'a> Packet<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = usize::from(bytes.first()? & 15) * 4;
        if bytes.len() < header.max(20) {
            return None;
        }
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let total = usize::from(word(2));
        let address = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
        Some(Self {
            bytes: &bytes[..header],
            source: address(12),
            destination: address(16),
            protocol: bytes[9],
            ends: (word(6) & 0x1fff == 0, word(6) & 0x2000 == 0),
            transport: bytes.get(header..total.min(bytes.len()))?,
            whole: total <= bytes.len(),
        })
    }

    /// Returns its ports; `None` where it has none.
    pub(crate) fn ports(&self) -> Option<(u16, u16)> {
        let &[a, b, c, d, ..] = self.transport else { return None };
        let has_ports = [6, 17].contains(&self.protocol) && self.ends.0;
        has_ports.then_some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }

    /// Returns the payload of TCP or UDP.
    pub(crate) fn payload(&self) -> &[u8] {
        let skip = match self.protocol {
            6 => usize::from(self.transport.get(12).copied().unwrap_or(0) >> 4) * 4,
            _ => 8,
        };
        self.transport.get(skip..).unwrap_or_default()
    }

    /// Returns the packet that an ICMP error quotes.
    pub(crate) fn quoted(&self) -> Option<Packet<'_>> {
        let is_error = self.protocol == 1 && [3, 11, 12].contains(self.transport.first()?);
        Packet::read(self.transport.get(8..)?).filter(|_| is_error)
    }

    /// Returns what is wrong with its checksums.
    pub(crate) fn wrong_checksum(&self) -> Option<&'static str> {
        if checksum(&[self.bytes]) != 0 {
            return Some("IP");
        }
        if !self.whole || self.ends != (true, true) {
            return None;
        }
        let length = u16::try_from(self.transport.len()).unwrap();
        let pseudo = [&self.bytes[12..20], &[0, self.protocol], &length.to_be_bytes()].concat();
        let sum =
            |at: usize| self.transport.get(at..at + 2).map_or(0, |sum| u16::from_be_bytes([sum[0], sum[1]]));
        match self.protocol {
            1 if checksum(&[self.transport]) != 0 => Some("ICMP"),
            6 if checksum(&[&pseudo, self.transport]) != 0 => Some("TCP"),
            17 if sum(6) != 0 && checksum(&[&pseudo, self.transport]) != 0 => Some("UDP"),
            _ => None,
        }
    }
}

/// Returns the first address in a packet's headers, and in those that it quotes, that is inside.
pub(crate) fn header_leak(packet: &Packet<'_>, inside: impl Fn(Ipv4Addr) -> bool) -> Option<String> {
    let quoted = packet.quoted();
    let mut named = quoted.iter().chain([packet]).flat_map(|packet| [packet.source, packet.destination]);
    named.find(|address| inside(*address)).map(|address| format!("the header names {address}"))
}

/// Returns the first message of an FTP control segment that announces an address that is inside.
pub(crate) fn ftp_leak(packet: &Packet<'_>, inside: impl Fn(Ipv4Addr) -> bool) -> Option<String> {
    let control = packet.protocol == 6 && packet.ports().is_some_and(|(a, b)| a == 21 || b == 21);
    let text = String::from_utf8_lossy(packet.payload()).into_owned();
    let announces = |line: &&str| ["PORT ", "EPRT ", "227 "].iter().any(|word| line.starts_with(word));
    let leaks = |line: &&str| {
        let numbers = line.split(|letter: char| !letter.is_ascii_digit());
        let numbers: Vec<u8> = numbers.filter_map(|word| word.parse().ok()).collect();
        numbers.windows(4).any(|four| inside(Ipv4Addr::new(four[0], four[1], four[2], four[3])))
    };
    let leak = text.lines().filter(|_| control).filter(announces).find(leaks);
    leak.map(|line| format!("an FTP message says {line:?}"))
}
