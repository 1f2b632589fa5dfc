//! The next generation format (draft-ietf-opsawg-pcapng): blocks, of which those with frames and interfaces count.

use std::time::Duration;

use crate::bytes::{Order, Reader};
use crate::link::LinkType;
use crate::{CaptureError, MAX_FRAME, Record};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
/// Obsolete, and still in captures.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// In the first section header, in the order of the section's numbers.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Type and length before a block's body, and the length again behind it.
const FRAMING: usize = 12;
/// Most interfaces of a section: more are no capture of anybody's.
const MAX_INTERFACES: usize = 65_536;
/// Longest block that is looked at.
const MAX_BLOCK: usize = 1 << 24;

const OPTION_END: u16 = 0;
const OPTION_TIME_RESOLUTION: u16 = 9;
const OPTION_TIME_OFFSET: u16 = 14;

/// Whether bytes begin as such a capture.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(&SECTION_HEADER.to_be_bytes())
}

/// What the blocks so far have said about the next ones.
#[derive(Debug)]
pub(crate) struct Section {
    order: Order,
    interfaces: Vec<Interface>,
    /// Of the last frame; simple packets have none of their own.
    time: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    snap: usize,
    /// Units of time in a second.
    units: u64,
    /// Seconds that are to be added.
    offset: i64,
}

/// One block's body.
struct Block<'a> {
    kind: u32,
    at: usize,
    body: Reader<'a>,
}

impl Section {
    /// Before the first section header.
    pub(crate) const EMPTY: Self =
        Self { order: Order::Little, interfaces: Vec::new(), time: Duration::ZERO };

    /// Reads on to the next frame; `None` at the end.
    pub(crate) fn next<'a>(&mut self, reader: &mut Reader<'a>) -> Option<Result<Record<'a>, CaptureError>> {
        while !reader.is_empty() {
            let block = match self.block(reader) {
                Ok(block) => block,
                Err(error) => return Some(Err(error)),
            };
            let at = block.at;
            let read = match block.kind {
                INTERFACE_DESCRIPTION => self.interface(block).map(|()| None),
                ENHANCED_PACKET => self.enhanced(block).map(Some),
                PACKET => self.packet(block).map(Some),
                SIMPLE_PACKET => self.simple(block).map(Some),
                // Names, statistics, secrets and what others have added.
                _ => Some(None),
            };
            match read {
                Some(None) => {}
                Some(Some(result)) => return Some(result),
                None => return Some(Err(CaptureError::Damaged(at))),
            }
        }
        None
    }

    fn block<'a>(&mut self, reader: &mut Reader<'a>) -> Result<Block<'a>, CaptureError> {
        let at = reader.position();
        let truncated = CaptureError::Truncated(at);
        let mut ahead = reader.clone();
        let kind = ahead.u32(self.order).ok_or(truncated)?;
        if kind == SECTION_HEADER {
            ahead.u32(self.order).ok_or(truncated)?;
            self.order = match ahead.u32(Order::Little).ok_or(truncated)? {
                BYTE_ORDER => Order::Little,
                swapped if swapped.swap_bytes() == BYTE_ORDER => Order::Big,
                _ => return Err(CaptureError::Damaged(at)),
            };
            self.interfaces.clear();
        }
        reader.take(4).ok_or(truncated)?;
        let total = reader.length(self.order).ok_or(truncated)?;
        if !(FRAMING..=MAX_BLOCK).contains(&total) || !total.is_multiple_of(4) {
            return Err(CaptureError::Damaged(at));
        }
        let body = reader.take(total - FRAMING).ok_or(truncated)?;
        if reader.length(self.order).ok_or(truncated)? != total {
            return Err(CaptureError::Damaged(at));
        }
        Ok(Block { kind, at, body: Reader::new(body) })
    }

    fn interface(&mut self, mut block: Block<'_>) -> Option<()> {
        let body = &mut block.body;
        let link = LinkType(body.u16(self.order)?.into());
        body.u16(self.order)?;
        let snap = body.length(self.order)?;
        let mut interface = Interface { link, snap, units: 1_000_000, offset: 0 };
        while let (Some(code), Some(length)) = (body.u16(self.order), body.u16(self.order)) {
            if code == OPTION_END {
                break;
            }
            let value = body.take(length.into())?;
            body.take(usize::from(length).next_multiple_of(4) - usize::from(length))?;
            match (code, value) {
                (OPTION_TIME_RESOLUTION, &[resolution]) => interface.units = units(resolution)?,
                (OPTION_TIME_OFFSET, value) => {
                    let value = <[u8; 8]>::try_from(value).ok()?;
                    interface.offset = match self.order {
                        Order::Big => i64::from_be_bytes(value),
                        Order::Little => i64::from_le_bytes(value),
                    };
                }
                _ => {}
            }
        }
        if self.interfaces.len() >= MAX_INTERFACES {
            return None;
        }
        self.interfaces.push(interface);
        Some(())
    }

    fn enhanced<'a>(&mut self, mut block: Block<'a>) -> Option<Result<Record<'a>, CaptureError>> {
        let number = block.body.length(self.order)?;
        self.timed(block, number)
    }

    fn packet<'a>(&mut self, mut block: Block<'a>) -> Option<Result<Record<'a>, CaptureError>> {
        let number = block.body.u16(self.order)?;
        // How many frames were lost before it.
        block.body.u16(self.order)?;
        self.timed(block, number.into())
    }

    /// Reads what an enhanced and an obsolete block have in common; `None` where that contradicts itself.
    fn timed<'a>(&mut self, block: Block<'a>, number: usize) -> Option<Result<Record<'a>, CaptureError>> {
        let Block { at, mut body, .. } = block;
        let [high, low] = [body.u32(self.order)?, body.u32(self.order)?];
        let kept = body.length(self.order)?;
        let length = body.u32(self.order)?;
        let frame = body.take(Some(kept).filter(|&kept| kept <= MAX_FRAME)?)?;
        let Some(interface) = self.interfaces.get(number) else {
            return Some(Err(CaptureError::UnknownInterface(at)));
        };
        self.time = interface.time(u64::from(high) << 32 | u64::from(low));
        Some(Ok(Record { time: self.time, link: interface.link, frame, length }))
    }

    fn simple<'a>(&mut self, block: Block<'a>) -> Option<Result<Record<'a>, CaptureError>> {
        let Block { at, mut body, .. } = block;
        let length = body.u32(self.order)?;
        let Some(interface) = self.interfaces.first() else {
            return Some(Err(CaptureError::UnknownInterface(at)));
        };
        // 0 is no bound.
        let snap = if interface.snap == 0 { MAX_FRAME } else { interface.snap };
        let kept = usize::try_from(length).ok()?.min(snap);
        let frame = body.take(Some(kept).filter(|&kept| kept <= MAX_FRAME)?)?;
        Some(Ok(Record { time: self.time, link: interface.link, frame, length }))
    }
}

impl Interface {
    fn time(&self, stamp: u64) -> Duration {
        let fraction = u128::from(stamp % self.units) * 1_000_000_000 / u128::from(self.units);
        let seconds = (stamp / self.units).saturating_add_signed(self.offset);
        Duration::new(seconds, u32::try_from(fraction).unwrap_or(0))
    }
}

/// Returns how many units of time are in a second: a power of ten, or of two with the highest bit set.
fn units(resolution: u8) -> Option<u64> {
    let exponent = u32::from(resolution & 0x7f);
    if resolution & 0x80 == 0 { 10_u64.checked_pow(exponent) } else { 1_u64.checked_shl(exponent) }
}
