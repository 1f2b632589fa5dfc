//! What a replay needs to know of a packet: its ends and, for TCP, where it stands in its stream.

use std::net::Ipv4Addr;

use pinhole_dataplane::tuple::Protocol;
use pinhole_dataplane::wire::{self, ipv4, tcp, u8_at, u16_at, u32_at};

/// The bits of an IPv4 packet that say where in its datagram it belongs.
const OFFSET: u16 = 0x1fff;

/// An address and a port, or an ICMP identifier in the port's place.
pub(super) type End = (Ipv4Addr, u16);

/// The ends of a packet of a translated protocol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub(super) protocol: Protocol,
    pub(super) source: End,
    pub(super) destination: End,
    /// Sequence number behind its last byte; 0 for other protocols than TCP.
    pub(super) end: u32,
    /// Whether its stream goes on with it.
    pub(super) moves: bool,
}

impl Fields {
    /// Reads an IPv4 packet that has ports or an identifier; `None` for anything else.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        let at = transport_at(packet)?;
        let (source, destination) = (ipv4::source(packet), ipv4::destination(packet));
        let (protocol, ports) = match u8_at(packet, ipv4::PROTOCOL) {
            wire::PROTOCOL_TCP => (Protocol::Tcp, [at, at + 2]),
            wire::PROTOCOL_UDP => (Protocol::Udp, [at, at + 2]),
            wire::PROTOCOL_ICMP if is_query(u8_at(packet, at)) => {
                (Protocol::IcmpEcho, [at + wire::ICMP_IDENTIFIER; 2])
            }
            _ => return None,
        };
        let [source_port, destination_port] = ports.map(|at| u16_at(packet, at));
        let (end, moves) = if protocol == Protocol::Tcp { stream(packet, at) } else { (0, false) };
        Some(Self {
            protocol,
            source: (source, source_port),
            destination: (destination, destination_port),
            end,
            moves,
        })
    }

    /// Returns the ends of an answer; its place in its stream is not known.
    pub(super) const fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source, end: 0, moves: false, ..self }
    }
}

/// Returns where the transport header is; `None` where the packet is no IPv4, or a fragment without one.
pub(super) fn transport_at(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let header = usize::from(first & 15) * 4;
    let starts = u16_at(packet, ipv4::FRAGMENT) & OFFSET == 0;
    // All protocols here have their ports or their identifier in the first eight bytes.
    (first >> 4 == 4 && header >= ipv4::MIN_HEADER && starts && packet.len() >= header + 8).then_some(header)
}

/// Whether an ICMP type is that of an echo or its answer.
pub(super) const fn is_query(kind: u8) -> bool {
    matches!(kind, wire::ICMP_ECHO | wire::ICMP_ECHO_REPLY)
}

/// Whether an ICMP type is that of an error, which quotes a packet.
pub(super) const fn is_error(kind: u8) -> bool {
    matches!(kind, wire::ICMP_UNREACHABLE | wire::ICMP_TIME_EXCEEDED | wire::ICMP_PARAMETER)
}

fn stream(packet: &[u8], at: usize) -> (u32, bool) {
    let data_at = at + usize::from(u8_at(packet, at + tcp::DATA_OFFSET) >> 4) * 4;
    let total = usize::from(u16_at(packet, ipv4::TOTAL_LENGTH)).min(packet.len());
    let payload = total.saturating_sub(data_at);
    let flags = u8_at(packet, at + tcp::FLAGS);
    let counted = [tcp::SYN, tcp::FIN].into_iter().filter(|flag| flags & flag != 0).count();
    let length = u32::try_from(payload + counted).unwrap_or(0);
    (u32_at(packet, at + tcp::SEQ).wrapping_add(length), length > 0)
}
