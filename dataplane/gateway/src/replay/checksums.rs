//! Checksums of captured packets: those that a network card would have completed, and those of changed fields.

use pinhole_dataplane::wire::checksum::{self, Delta};
use pinhole_dataplane::wire::{self, ipv4, set_u16, tcp, u8_at, u16_at};

use super::fields;

/// More fragments follow, or some came before.
const FRAGMENT: u16 = ipv4::FRAGMENT_MASK;

/// Completes the checksums that a host leaves to its network card, which a capture on that host has without them: a
/// wrong one of TCP or UDP, and one of IP that is not there. Returns whether there was one.
pub(super) fn complete(packet: &mut [u8]) -> bool {
    let header = ipv4::header_length(packet);
    if ipv4::version(packet) != 4 || header < ipv4::MIN_HEADER || packet.len() < header {
        return false;
    }
    let no_header_checksum = u16_at(packet, ipv4::CHECKSUM) == 0;
    if no_header_checksum {
        ipv4::fill_checksum(packet);
    }
    let changed = no_header_checksum && u16_at(packet, ipv4::CHECKSUM) != 0;
    complete_transport(packet) || changed
}

fn complete_transport(packet: &mut [u8]) -> bool {
    let Some(at) = fields::transport_at(packet) else { return false };
    let Some(sum_at) = transport_checksum_at(packet, at) else { return false };
    let (source, destination) = (ipv4::source(packet), ipv4::destination(packet));
    let (protocol, total) = (u8_at(packet, ipv4::PROTOCOL), ipv4::total_length(packet));
    if u16_at(packet, ipv4::FRAGMENT) & FRAGMENT != 0 {
        return false;
    }
    let Some(segment) = packet.get_mut(at..total) else { return false };
    if checksum::transport(source, destination, protocol, segment) == 0 {
        return false;
    }
    set_u16(segment, sum_at - at, 0);
    let right = checksum::transport(source, destination, protocol, segment);
    set_u16(segment, sum_at - at, unless_zero(protocol, right));
    true
}

/// Returns where TCP or UDP has its checksum; `None` where a UDP packet has none.
pub(super) fn transport_checksum_at(packet: &[u8], at: usize) -> Option<usize> {
    transport_checksum(packet, u8_at(packet, ipv4::PROTOCOL), at)
}

/// The same for a packet that does not start at the bytes' start, of a protocol whose number is told.
pub(super) fn transport_checksum(packet: &[u8], protocol: u8, at: usize) -> Option<usize> {
    match protocol {
        wire::PROTOCOL_TCP => Some(at + tcp::CHECKSUM),
        wire::PROTOCOL_UDP => Some(at + wire::UDP_CHECKSUM).filter(|&at| u16_at(packet, at) != 0),
        _ => None,
    }
}

/// A computed UDP checksum is never 0, which would be none (RFC 768).
const fn unless_zero(protocol: u8, sum: u16) -> u16 {
    if protocol == wire::PROTOCOL_UDP && sum == 0 { u16::MAX } else { sum }
}

/// Writes 16 bits of a packet at an even place and corrects the checksums over them, which stay as wrong as they were
/// (RFC 1624); a checksum that lies under an `outer` one counts as a change of it, too.
pub(super) fn change(packet: &mut [u8], at: usize, new: u16, sums: &[usize], outer: Option<usize>) {
    let old = u16_at(packet, at);
    set_u16(packet, at, new);
    for &sum in sums {
        let before = u16_at(packet, sum);
        correct(packet, sum, old, new);
        if let Some(outer) = outer {
            correct(packet, outer, before, u16_at(packet, sum));
        }
    }
    if let Some(outer) = outer {
        correct(packet, outer, old, new);
    }
}

fn correct(packet: &mut [u8], sum: usize, old: u16, new: u16) {
    let field = u16_at(packet, sum).to_be_bytes();
    let corrected = u16::from_be_bytes(Delta::NONE.replace(old, new).apply(field));
    // The other zero: no UDP checksum becomes none, and for everybody else it is the same number.
    set_u16(packet, sum, if corrected == 0 { u16::MAX } else { corrected });
}
