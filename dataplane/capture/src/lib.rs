//! Packet captures as bytes: reads pcap and pcapng, writes pcap, and finds the packet behind a frame's link layer.
//!
//! All of it is a function of the bytes given: nothing is opened here, and no bytes can make it panic.

mod bytes;
pub mod link;
pub mod pcap;
mod pcapng;

use std::time::Duration;

use bytes::Reader;
use link::LinkType;

/// Longest frame that is read; what says to be longer is damaged (the bound of libpcap).
pub const MAX_FRAME: usize = 262_144;

/// One captured frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record<'a> {
    /// When it was captured, since the start of 1970; zero where the capture does not say.
    pub time: Duration,
    /// What the frame begins with.
    pub link: LinkType,
    /// The frame's bytes, as many as were kept.
    pub frame: &'a [u8],
    /// How long the frame was.
    pub length: u32,
}

impl Record<'_> {
    /// Whether the frame was kept whole.
    pub fn is_whole(&self) -> bool {
        usize::try_from(self.length).is_ok_and(|length| length <= self.frame.len())
    }
}

/// Why bytes are no capture, or stop being one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CaptureError {
    /// The first bytes are those of no known format.
    #[error("is neither pcap nor pcapng")]
    UnknownFormat,
    /// The bytes end within a record.
    #[error("ends within the record at byte {0}")]
    Truncated(usize),
    /// A record contradicts itself or is longer than any.
    #[error("has a damaged record at byte {0}")]
    Damaged(usize),
    /// A frame names an interface that no block before it describes.
    #[error("names an interface that it does not describe, at byte {0}")]
    UnknownInterface(usize),
}

/// The records of a capture in their order. After an error there are no more.
#[derive(Debug)]
pub struct Records<'a> {
    reader: Reader<'a>,
    format: Format,
    ended: bool,
}

#[derive(Debug)]
enum Format {
    Pcap(pcap::File),
    Pcapng(pcapng::Section),
}

impl<'a> Records<'a> {
    /// Starts to read a capture.
    ///
    /// # Errors
    /// Where the bytes do not begin as one.
    pub fn new(bytes: &'a [u8]) -> Result<Self, CaptureError> {
        let mut reader = Reader::new(bytes);
        let format = if pcapng::begins(bytes) {
            Format::Pcapng(pcapng::Section::EMPTY)
        } else {
            Format::Pcap(pcap::File::read(&mut reader)?)
        };
        Ok(Self { reader, format, ended: false })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match &mut self.format {
            Format::Pcap(file) => file.next(&mut self.reader),
            Format::Pcapng(section) => section.next(&mut self.reader),
        };
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

#[cfg(test)]
mod tests;
