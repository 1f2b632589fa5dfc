//! TCP header (RFC 9293), options included.

use super::{u8_at, u16_at, u32_at};

/// Shortest header.
pub const MIN_HEADER: usize = 20;
/// Offset of the sequence number.
pub const SEQ: usize = 4;
/// Offset of the acknowledgement number.
pub const ACK: usize = 8;
/// Offset of the data offset.
pub const DATA_OFFSET: usize = 12;
/// Offset of the flags.
pub const FLAGS: usize = 13;
/// Offset of the window.
pub const WINDOW: usize = 14;
/// Offset of the checksum.
pub const CHECKSUM: usize = 16;
/// Offset of the urgent pointer.
pub const URGENT: usize = 18;

/// FIN flag.
pub const FIN: u8 = 0x01;
/// SYN flag.
pub const SYN: u8 = 0x02;
/// RST flag.
pub const RST: u8 = 0x04;
/// PSH flag.
pub const PSH: u8 = 0x08;
/// ACK flag.
pub const ACK_FLAG: u8 = 0x10;
/// URG flag.
pub const URG: u8 = 0x20;

const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_MSS: u8 = 2;
const OPTION_WINDOW_SCALE: u8 = 3;
const OPTION_SACK: u8 = 5;
const OPTION_TIMESTAMPS: u8 = 8;
/// Largest shift of the window scale option (RFC 7323, section 2.3).
const MAX_WINDOW_SHIFT: u8 = 14;

/// Reads the header length in bytes.
pub fn header_length(segment: &[u8]) -> usize {
    usize::from(u8_at(segment, DATA_OFFSET) >> 4) * 4
}

/// What the engine reads of a header's options. Positions are relative to the segment's start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// Position of the largest segment's size.
    pub mss: Option<usize>,
    /// Shift count of the window scale option.
    pub window_shift: Option<u8>,
    /// TSval and TSecr.
    pub timestamps: Option<(u32, u32)>,
    /// Position of the first SACK block and number of blocks.
    pub sack: Option<(usize, usize)>,
}

/// Reads the options; a malformed option ends the reading, what stood before it counts.
pub fn options(segment: &[u8]) -> Options {
    let end = header_length(segment).min(segment.len());
    let mut options = Options::default();
    let mut at = MIN_HEADER;
    while at < end {
        match u8_at(segment, at) {
            OPTION_END => break,
            OPTION_NOP => at += 1,
            kind => {
                let length = usize::from(u8_at(segment, at + 1));
                if length < 2 || at + length > end {
                    break;
                }
                if kind == OPTION_MSS && length == 4 {
                    options.mss = Some(at + 2);
                } else if kind == OPTION_WINDOW_SCALE && length == 3 {
                    options.window_shift = Some(u8_at(segment, at + 2).min(MAX_WINDOW_SHIFT));
                } else if kind == OPTION_TIMESTAMPS && length == 10 {
                    options.timestamps = Some((u32_at(segment, at + 2), u32_at(segment, at + 6)));
                } else if kind == OPTION_SACK && length >= 10 && (length - 2) % 8 == 0 {
                    options.sack = Some((at + 2, (length - 2) / 8));
                }
                at += length;
            }
        }
    }
    options
}

/// Reads the window field, unscaled.
pub fn window(segment: &[u8]) -> u16 {
    u16_at(segment, WINDOW)
}
