//! A sequence of packets and what became of each, in words.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use pinhole_dataplane::addr::Realm;

use crate::packets::Address;

/// The outside address of both.
pub(crate) const POOL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// Something that packets go through.
pub(crate) trait Path {
    /// Sends a packet from a side, and returns what leaves for it and to which side.
    fn send(&mut self, from: Realm, packet: &[u8]) -> Vec<(Realm, Vec<u8>)>;
}

pub(crate) struct Story {
    path: Box<dyn Path>,
    /// Ports that were chosen, by protocol.
    letters: BTreeMap<(u8, u16), char>,
    pub(crate) steps: Vec<(&'static str, String)>,
    /// Fragments that have left and whose datagram is not whole.
    pieces: Vec<(Realm, Vec<u8>)>,
}

impl Story {
    pub(crate) fn new(path: Box<dyn Path>) -> Self {
        Self { path, letters: BTreeMap::new(), steps: vec![], pieces: vec![] }
    }

    /// Sends from inside, and returns what it left as: some unused endpoint where it did not.
    pub(crate) fn inside(&mut self, step: &'static str, packet: &[u8]) -> Address {
        let left = self.send(step, Realm::Inside, packet);
        left.into_iter().find(|(to, _)| *to == Realm::Outside).map_or((POOL, 4_000), |(_, packet)| {
            let (from, _) = ends(&packet);
            from
        })
    }

    pub(crate) fn outside(&mut self, step: &'static str, packet: &[u8]) {
        self.send(step, Realm::Outside, packet);
    }

    fn send(&mut self, step: &'static str, from: Realm, packet: &[u8]) -> Vec<(Realm, Vec<u8>)> {
        let mut left = Vec::new();
        for (to, packet) in self.path.send(from, packet) {
            // Whoever receives fragments puts them together; how they came is nobody's business.
            match self.whole(to, packet) {
                Some(packet) => left.push((to, packet)),
                None => continue,
            }
        }
        let told: Vec<String> = left.iter().map(|(to, packet)| self.tell(*to, packet)).collect();
        self.steps.push((step, if told.is_empty() { "nothing leaves".to_owned() } else { told.join("; ") }));
        left
    }

    fn whole(&mut self, to: Realm, packet: Vec<u8>) -> Option<Vec<u8>> {
        let place = word(&packet, 6);
        if place & 0x3fff == 0 {
            return Some(packet);
        }
        self.pieces.push((to, packet));
        let mut pieces: Vec<&Vec<u8>> = self.pieces.iter().map(|(_, piece)| piece).collect();
        pieces.sort_by_key(|piece| word(piece, 6) & 0x1fff);
        let mut whole = pieces[0][..20].to_vec();
        for piece in &pieces {
            if usize::from(word(piece, 6) & 0x1fff) * 8 != whole.len() - 20 {
                return None;
            }
            whole.extend(&piece[20..]);
        }
        if word(pieces[pieces.len() - 1], 6) & 0x2000 != 0 {
            return None;
        }
        self.pieces.clear();
        let length = u16::try_from(whole.len()).unwrap();
        whole[2..4].copy_from_slice(&length.to_be_bytes());
        whole[6..8].fill(0);
        whole[10..12].fill(0);
        let sum = checksum(&[&whole[..20]]);
        whole[10..12].copy_from_slice(&sum.to_be_bytes());
        Some(whole)
    }

    fn name(&mut self, protocol: u8, end: Address) -> String {
        if end.0 != POOL || end.1 == 0 {
            return format!("{}:{}", end.0, end.1);
        }
        let next = char::from(b'A' + u8::try_from(self.letters.len()).unwrap());
        // Ports that nobody has chosen stay numbers.
        let letter = *self.letters.entry((protocol, end.1)).or_insert(next);
        format!("POOL:{letter}")
    }

    /// Describes a packet, checksums included.
    fn tell(&mut self, to: Realm, packet: &[u8]) -> String {
        let side = if to == Realm::Inside { "in" } else { "out" };
        format!("{side}: {}", self.describe(packet, true))
    }

    fn describe(&mut self, packet: &[u8], checks: bool) -> String {
        let header = usize::from(packet[0] & 15) * 4;
        let (from, to) = ends(packet);
        let protocol = packet[9];
        let (from, to) = (self.name(protocol, from), self.name(protocol, to));
        let transport = &packet[header..];
        let what = match protocol {
            1 if [3, 11, 12].contains(&transport[0]) => {
                let quoted = self.describe(&transport[8..], false);
                format!("error {}/{} about [{quoted}]", transport[0], transport[1])
            }
            1 => format!("icmp {}", transport[0]),
            6 => format!("tcp flags {:02x}", transport.get(13).copied().unwrap_or(0)),
            17 => format!("udp{}", if word(transport, 6) == 0 { " without checksum" } else { "" }),
            other => format!("protocol {other}"),
        };
        let wrong = if checks { wrong_checksum(packet) } else { "" };
        let ttl = if checks { format!(" ttl {}", packet[8]) } else { String::new() };
        format!("{what} {from} -> {to}{ttl}{wrong}")
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn ends(packet: &[u8]) -> (Address, Address) {
    let header = usize::from(packet[0] & 15) * 4;
    let address = |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
    let transport = &packet[header..];
    let (from, to) = match packet[9] {
        6 | 17 => (word(transport, 0), word(transport, 2)),
        1 if [0, 8].contains(&transport[0]) => (word(transport, 4), word(transport, 4)),
        _ => (0, 0),
    };
    // The identifier of an echo is the inside host's.
    let far = |address: Ipv4Addr, port: u16| if packet[9] == 1 && address != POOL { 0 } else { port };
    ((address(12), far(address(12), from)), (address(16), far(address(16), to)))
}

fn wrong_checksum(packet: &[u8]) -> &'static str {
    let header = usize::from(packet[0] & 15) * 4;
    let transport = &packet[header..];
    let length = u16::try_from(transport.len()).unwrap();
    let pseudo = [&packet[12..20], &[0, packet[9]], &length.to_be_bytes()].concat();
    let right = match packet[9] {
        1 => checksum(&[transport]) == 0,
        17 if word(transport, 6) == 0 => true,
        6 | 17 => checksum(&[&pseudo, transport]) == 0,
        _ => true,
    };
    match (checksum(&[&packet[..header]]) == 0, right) {
        (false, _) => ", wrong IP checksum",
        (true, false) => ", wrong checksum",
        (true, true) => "",
    }
}

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
