//! The packets that both sides see.

use std::net::Ipv4Addr;

/// Bytes of a packet: 20 + 8 + 32.
pub(crate) const LENGTH: usize = 60;
/// Sessions of one inside host, as the field's CGNAT benchmarks have them.
pub(crate) const SESSIONS_PER_HOST: u32 = 63;
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 5);

/// Writes the UDP packet of a session, its IP checksum right and no UDP checksum.
pub(crate) fn write_packet(buffer: &mut [u8; LENGTH], session: u32) {
    let source = Ipv4Addr::from_bits(0x0a00_0001 + session / SESSIONS_PER_HOST);
    let port = 1_024 + (session % SESSIONS_PER_HOST) as u16;
    buffer[..12].copy_from_slice(&[0x45, 0, 0, LENGTH as u8, 0, 0, 0x40, 0, 64, 17, 0, 0]);
    buffer[12..16].copy_from_slice(&source.octets());
    buffer[16..20].copy_from_slice(&SERVER.octets());
    buffer[20..22].copy_from_slice(&port.to_be_bytes());
    buffer[22..28].copy_from_slice(&[0, 53, 0, 40, 0, 0]);
    let mut sum: u32 =
        buffer[..20].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    buffer[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

/// Visits the sessions in an order that no prefetcher guesses: a full-period generator over a power of two.
pub(crate) struct Order {
    at: u32,
    mask: u32,
    sessions: u32,
}

impl Order {
    pub(crate) fn new(sessions: u32) -> Self {
        Self { at: 1, mask: sessions.next_power_of_two() - 1, sessions }
    }

    pub(crate) fn next(&mut self) -> u32 {
        loop {
            self.at = self.at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) & self.mask;
            // The low bits have short periods, so the high ones are turned into them.
            let session = self.at.reverse_bits() >> (self.mask.leading_zeros());
            if session < self.sessions {
                return session;
            }
        }
    }
}
