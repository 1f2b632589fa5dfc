//! The classic format (draft-ietf-opsawg-pcap): one header, then records with a fixed header each.

use std::time::Duration;

use crate::bytes::{Order, Reader};
use crate::link::LinkType;
use crate::{CaptureError, MAX_FRAME, Record};

/// What a file with microseconds begins with, in the order of its numbers.
const MAGIC_MICROS: u32 = 0xa1b2_c3d4;
/// What a file with nanoseconds begins with.
const MAGIC_NANOS: u32 = 0xa1b2_3c4d;
/// Bytes of the header behind the magic number and before the link type.
const HEADER_MIDDLE: usize = 16;
/// The link type's number; the other bits tell of a frame check sequence.
const LINK_TYPE_BITS: u32 = 0x03ff_ffff;

/// How the numbers of a file are to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File {
    order: Order,
    /// Nanoseconds of the smaller number of a time.
    unit: u32,
    link: LinkType,
}

impl File {
    /// Reads the header.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CaptureError> {
        let magic = reader.u32(Order::Little).ok_or(CaptureError::UnknownFormat)?;
        let (order, unit) = match (magic, magic.swap_bytes()) {
            (MAGIC_MICROS, _) => (Order::Little, 1_000),
            (MAGIC_NANOS, _) => (Order::Little, 1),
            (_, MAGIC_MICROS) => (Order::Big, 1_000),
            (_, MAGIC_NANOS) => (Order::Big, 1),
            _ => return Err(CaptureError::UnknownFormat),
        };
        reader.take(HEADER_MIDDLE).ok_or(CaptureError::Truncated(0))?;
        let link = reader.u32(order).ok_or(CaptureError::Truncated(0))?;
        Ok(Self { order, unit, link: LinkType(link & LINK_TYPE_BITS) })
    }

    /// Reads the next record; `None` at the end.
    pub(crate) fn next<'a>(&self, reader: &mut Reader<'a>) -> Option<Result<Record<'a>, CaptureError>> {
        if reader.is_empty() { None } else { Some(self.record(reader)) }
    }

    fn record<'a>(&self, reader: &mut Reader<'a>) -> Result<Record<'a>, CaptureError> {
        let at = reader.position();
        let mut number = || reader.u32(self.order).ok_or(CaptureError::Truncated(at));
        let [seconds, fraction, kept, length] = [number()?, number()?, number()?, number()?];
        let kept = usize::try_from(kept).ok().filter(|&kept| kept <= MAX_FRAME);
        let kept = kept.ok_or(CaptureError::Damaged(at))?;
        let frame = reader.take(kept).ok_or(CaptureError::Truncated(at))?;
        let fraction = Duration::from_nanos(u64::from(fraction) * u64::from(self.unit));
        let time = Duration::from_secs(seconds.into()).saturating_add(fraction);
        Ok(Record { time, link: self.link, frame, length })
    }
}

/// Returns the header of a file of IP packets without a link layer, with nanoseconds.
pub fn header() -> [u8; 24] {
    let mut header = [0; 24];
    let numbers = [MAGIC_NANOS, u32::from_le_bytes([2, 0, 4, 0]), 0, 0, 0x0004_0000, LinkType::RAW.0];
    for (field, number) in header.as_chunks_mut::<4>().0.iter_mut().zip(numbers) {
        *field = number.to_le_bytes();
    }
    header
}

/// Returns what stands before a packet of this length in such a file. Times after 2106 are written as the last one.
pub fn record_header(time: Duration, length: usize) -> [u8; 16] {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let mut header = [0; 16];
    let numbers = [u32::try_from(time.as_secs()).unwrap_or(u32::MAX), time.subsec_nanos(), length, length];
    for (field, number) in header.as_chunks_mut::<4>().0.iter_mut().zip(numbers) {
        *field = number.to_le_bytes();
    }
    header
}
