//! A datagram put together again, and cut.

use crate::limits::MAX_PACKET;
use crate::wire::{self, ipv4, u8_at, u16_at};

/// Congestion experienced, and where it stands in the header (RFC 3168, section 5).
const ECN: u8 = 0b11;
const TOS: usize = 1;

/// Puts all fragments of a datagram together (RFC 791, section 3.2): the header is that of the first one, with its
/// options. `None` when that is missing or the whole is longer than a packet can be.
///
/// A mark of congestion on one of them is one on the whole (RFC 3168, section 5.3).
pub fn assemble(fragments: &[Vec<u8>]) -> Option<Vec<u8>> {
    let first = fragments.iter().find(|packet| offset(packet) == 0)?;
    let header = ipv4::header_length(first);
    let payload: usize = fragments.iter().map(|packet| packet.len() - ipv4::header_length(packet)).sum();
    let total = header.checked_add(payload).filter(|&total| total <= MAX_PACKET)?;
    let mut whole = vec![0; total];
    whole.get_mut(..header)?.copy_from_slice(first.get(..header)?);
    for packet in fragments {
        let bytes = packet.get(ipv4::header_length(packet)..)?;
        let at = header + offset(packet);
        whole.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
    }
    if fragments.iter().any(|packet| u8_at(packet, TOS) & ECN == ECN) && u8_at(first, TOS) & ECN != 0 {
        wire::set_u8(&mut whole, TOS, u8_at(first, TOS) | ECN);
    }
    wire::set_u16(&mut whole, ipv4::TOTAL_LENGTH, u16::try_from(total).ok()?);
    wire::set_u16(&mut whole, ipv4::FRAGMENT, u16_at(first, ipv4::FRAGMENT) & ipv4::DONT_FRAGMENT);
    ipv4::fill_checksum(&mut whole);
    Some(whole)
}

fn offset(packet: &[u8]) -> usize {
    usize::from(u16_at(packet, ipv4::FRAGMENT) & ipv4::OFFSET_MASK) * ipv4::OFFSET_UNIT
}

/// Cuts a packet into fragments of at most `longest` bytes (RFC 791, section 3.2); one that is not longer stays whole.
/// Whether it may be cut is the caller's to know: it came in fragments.
pub fn cut(packet: &[u8], longest: usize) -> Vec<Vec<u8>> {
    if packet.len() <= longest {
        return vec![packet.to_vec()];
    }
    let header = packet.get(..ipv4::header_length(packet)).unwrap_or_default();
    let later = header_of_later(header);
    let mut rest = packet.get(header.len()..).unwrap_or_default();
    let mut fragments = Vec::new();
    let mut at = 0;
    while !rest.is_empty() {
        let header = if at == 0 { header } else { &later };
        let room = longest.saturating_sub(header.len()) / ipv4::OFFSET_UNIT * ipv4::OFFSET_UNIT;
        let length = rest.len().min(room.max(ipv4::OFFSET_UNIT));
        let (payload, after) = rest.split_at(length);
        let mut fragment = [header, payload].concat();
        let more = if after.is_empty() { 0 } else { ipv4::MORE_FRAGMENTS };
        let units = u16::try_from(at / ipv4::OFFSET_UNIT).unwrap_or(0);
        let field = u16_at(header, ipv4::FRAGMENT) & ipv4::DONT_FRAGMENT | more | units;
        wire::set_u16(&mut fragment, ipv4::FRAGMENT, field);
        let total = u16::try_from(fragment.len()).unwrap_or(u16::MAX);
        wire::set_u16(&mut fragment, ipv4::TOTAL_LENGTH, total);
        ipv4::fill_checksum(&mut fragment);
        fragments.push(fragment);
        at += length;
        rest = after;
    }
    fragments
}

/// Returns the header of all fragments but the first: with only those options that are to be copied (RFC 791, section
/// 3.1, the copied flag).
fn header_of_later(header: &[u8]) -> Vec<u8> {
    const END: u8 = 0;
    const NOP: u8 = 1;
    const COPIED: u8 = 0x80;
    const WORD: usize = 4;
    let mut later = header.get(..ipv4::MIN_HEADER).unwrap_or_default().to_vec();
    let mut at = ipv4::MIN_HEADER;
    while at < header.len() {
        let kind = u8_at(header, at);
        let length = match kind {
            END => break,
            NOP => 1,
            _ => usize::from(u8_at(header, at + 1)).max(2),
        };
        if kind & COPIED != 0 {
            later.extend(header.get(at..at + length).unwrap_or_default());
        }
        at += length;
    }
    later.resize(later.len().next_multiple_of(WORD), END);
    let words = u8::try_from(later.len() / WORD).unwrap_or(0);
    wire::set_u8(&mut later, 0, 4 << 4 | words);
    later
}
