//! The largest segment that a host is told it may send.

use crate::config::nat::Mss;
use crate::engine::{ChecksumState, Packet};
use crate::wire::checksum::Delta;
use crate::wire::{set_u16, tcp, u16_at};

/// Lowers the size that a SYN with its TCP header at `at` tells the other end, if it is more than `most`. A SYN that says
/// nothing means 536 bytes already (RFC 9293, section 3.7.1).
pub fn clamp_mss(packet: &mut Packet<'_>, at: usize, most: Mss) {
    let partial = packet.checksum == ChecksumState::Partial;
    let Some(segment) = packet.bytes_mut().get_mut(at..) else { return };
    let Some(option) = tcp::options(segment).mss else { return };
    let (told, most) = (u16_at(segment, option), most.bytes());
    if told <= most {
        return;
    }
    set_u16(segment, option, most);
    // The kernel sums up what the segment holds in the end.
    if !partial {
        // At an odd place each byte stands for the other one of a word (RFC 1071, section 2).
        let word = |value: u16| if option.is_multiple_of(2) { value } else { value.swap_bytes() };
        super::apply(segment, tcp::CHECKSUM, Delta::NONE.replace(word(told), word(most)));
    }
}
