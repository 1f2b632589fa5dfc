//! The packets that both sides see.

use std::net::Ipv4Addr;

/// Bytes of a packet: 20 + 8 + 32.
pub(crate) const LENGTH: usize = 60;
/// Sessions of one inside host, as the field's CGNAT benchmarks have them.
pub(crate) const SESSIONS_PER_HOST: u32 = 63;
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 5);

/// Sequence numbers that the hosts and the server start with.
const HOST_ISN: u32 = 999;
const SERVER_ISN: u32 = 4_999;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// Writes the UDP packet of a session, its IP checksum right and no UDP checksum.
pub(crate) fn write_packet(buffer: &mut [u8; LENGTH], session: u32) {
    let (source, port) = client(session);
    write_ip(buffer, 17, source, SERVER);
    buffer[20..22].copy_from_slice(&port.to_be_bytes());
    buffer[22..28].copy_from_slice(&[0, 53, 0, 40, 0, 0]);
}

/// Writes a segment of a TCP session that is open, with 20 bytes of data, again and again; its checksum is
/// whatever, as nobody looks at it.
pub(crate) fn write_segment(buffer: &mut [u8; LENGTH], session: u32) {
    let (source, port) = client(session);
    write_ip(buffer, 6, source, SERVER);
    write_tcp(buffer, (port, 80), HOST_ISN + 1, SERVER_ISN + 1, ACK);
}

/// Writes the SYN of a session.
pub(crate) fn write_syn(buffer: &mut [u8; LENGTH], session: u32) {
    let (source, port) = client(session);
    write_ip(buffer, 6, source, SERVER);
    write_tcp(buffer, (port, 80), HOST_ISN, 0, SYN);
}

/// Writes the answer to a SYN, which is given as it left.
pub(crate) fn write_syn_ack(buffer: &mut [u8; LENGTH], syn: &[u8; LENGTH]) {
    let source = Ipv4Addr::new(syn[12], syn[13], syn[14], syn[15]);
    let port = u16::from_be_bytes([syn[20], syn[21]]);
    write_ip(buffer, 6, SERVER, source);
    // The SYN's data are taken, too.
    write_tcp(buffer, (80, port), SERVER_ISN, HOST_ISN + 1 + 20, SYN | ACK);
}

fn client(session: u32) -> (Ipv4Addr, u16) {
    let source = Ipv4Addr::from_bits(0x0a00_0001 + session / SESSIONS_PER_HOST);
    (source, 1_024 + (session % SESSIONS_PER_HOST) as u16)
}

fn write_tcp(buffer: &mut [u8; LENGTH], ports: (u16, u16), seq: u32, ack: u32, flags: u8) {
    buffer[20..22].copy_from_slice(&ports.0.to_be_bytes());
    buffer[22..24].copy_from_slice(&ports.1.to_be_bytes());
    buffer[24..28].copy_from_slice(&seq.to_be_bytes());
    buffer[28..32].copy_from_slice(&ack.to_be_bytes());
    buffer[32..40].copy_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
}

fn write_ip(buffer: &mut [u8; LENGTH], protocol: u8, source: Ipv4Addr, destination: Ipv4Addr) {
    buffer[..12].copy_from_slice(&[0x45, 0, 0, LENGTH as u8, 0, 0, 0x40, 0, 64, protocol, 0, 0]);
    buffer[12..16].copy_from_slice(&source.octets());
    buffer[16..20].copy_from_slice(&destination.octets());
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
