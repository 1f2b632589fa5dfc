//! A packet in its caller's buffer.

use crate::addr::Realm;

/// Who completes the transport checksum.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ChecksumState {
    /// The field holds the whole checksum.
    #[default]
    Complete,
    /// The field holds the sum of the pseudo header, not complemented; the kernel adds the rest (virtio 1.2, 5.1.6.2).
    Partial,
}

/// A packet that the engine may change in place and, within the buffer, make longer or shorter.
#[derive(Debug)]
pub struct Packet<'a> {
    buffer: &'a mut [u8],
    length: usize,
    /// Who completes the transport checksum.
    pub checksum: ChecksumState,
    /// Payload bytes of each segment that the kernel will cut this packet into; 0 for a single one.
    pub segment_size: u16,
}

impl<'a> Packet<'a> {
    /// Takes the first `length` bytes of the buffer as a packet with a complete checksum; the rest is room to grow.
    #[inline]
    pub fn new(buffer: &'a mut [u8], length: usize) -> Self {
        let length = length.min(buffer.len());
        Self { buffer, length, checksum: ChecksumState::Complete, segment_size: 0 }
    }

    /// Returns the packet's bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// Returns the packet's bytes to change.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(..self.length).unwrap_or_default()
    }

    /// Changes the length; `false` when the buffer is too short. New bytes are whatever the buffer held.
    #[must_use]
    pub(crate) fn set_length(&mut self, length: usize) -> bool {
        if length > self.buffer.len() {
            return false;
        }
        self.length = length;
        true
    }
}

/// A packet of the engine's own making, with a complete checksum.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transmit {
    /// The side that it leaves to.
    pub realm: Realm,
    /// The packet.
    pub bytes: Vec<u8>,
}
