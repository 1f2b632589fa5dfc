//! One packet between the devices: its buffer, its header, and what was decided.

use pinhole_dataplane::engine::{ChecksumState, Packet};

use crate::datapath::tun::MAX_PACKET_BYTES;
use crate::datapath::tun::header::{Checksum, Gso, HEADER_BYTES, HeaderError, VirtioNetHeader};

/// Where a packet goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Target {
    /// Nowhere.
    Nowhere,
    /// To the other side.
    Onward,
    /// Back to the side that it came from: to the host, or to another host there.
    Back,
}

/// A packet behind room for its encoded header, as the devices give and take it.
#[derive(Debug)]
pub(super) struct Frame {
    buffer: Vec<u8>,
    /// Bytes of the packet.
    length: usize,
    /// What the packet's header says.
    pub(super) header: VirtioNetHeader,
    pub(super) target: Target,
}

impl Frame {
    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; HEADER_BYTES + MAX_PACKET_BYTES],
            length: 0,
            header: VirtioNetHeader::PLAIN,
            target: Target::Nowhere,
        }
    }

    /// Returns where a device reads into.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// Takes what a device has read as a packet.
    pub(super) fn take(&mut self, read: usize) -> Result<(), HeaderError> {
        let (header, packet) = VirtioNetHeader::decode(self.buffer.get(..read).unwrap_or_default())?;
        (self.header, self.length, self.target) = (header, packet.len(), Target::Nowhere);
        Ok(())
    }

    /// Returns the packet's bytes.
    pub(super) fn packet(&self) -> &[u8] {
        self.buffer.get(HEADER_BYTES..HEADER_BYTES.saturating_add(self.length)).unwrap_or_default()
    }

    /// Returns the packet for the engine.
    pub(super) fn lend(&mut self) -> Packet<'_> {
        let bytes = self.buffer.get_mut(HEADER_BYTES..).unwrap_or_default();
        let mut packet = Packet::new(bytes, self.length);
        packet.checksum = match self.header.checksum {
            Checksum::Partial { .. } => ChecksumState::Partial,
            Checksum::Unverified | Checksum::Verified => ChecksumState::Complete,
        };
        packet.segment_size = self.header.gso.map_or(0, |gso| gso.segment_size);
        packet
    }

    /// Notes what the engine has made of the packet that it was lent.
    pub(super) fn leave(&mut self, left: Left, target: Target) {
        let checksum = match (left.checksum, self.header.checksum) {
            (ChecksumState::Partial, partial @ Checksum::Partial { .. }) => partial,
            // Of a packet that has another length now, another checksum may be the one that was verified.
            (ChecksumState::Complete, Checksum::Verified) if left.length == self.length => Checksum::Verified,
            (ChecksumState::Partial | ChecksumState::Complete, _) => Checksum::Unverified,
        };
        let length = u16::try_from(left.length).unwrap_or(u16::MAX);
        let gso = self.header.gso.filter(|_| left.segment_size > 0).map(|gso| Gso {
            segment_size: left.segment_size,
            // A hint for the kernel, which must not be longer than the packet.
            header_length: gso.header_length.min(length),
            ..gso
        });
        self.header = VirtioNetHeader { checksum, gso };
        self.length = left.length;
        self.target = target;
    }

    /// Returns header and packet for a device.
    pub(super) fn encoded(&mut self) -> &[u8] {
        if let Some(room) = self.buffer.first_chunk_mut::<HEADER_BYTES>() {
            *room = self.header.encode();
        }
        self.buffer.get(..HEADER_BYTES.saturating_add(self.length)).unwrap_or_default()
    }
}

/// What the engine left of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    length: usize,
    checksum: ChecksumState,
    segment_size: u16,
}

impl Left {
    /// Nothing.
    pub(super) const NOTHING: Self = Self { length: 0, checksum: ChecksumState::Complete, segment_size: 0 };
}

impl From<&Packet<'_>> for Left {
    fn from(packet: &Packet<'_>) -> Self {
        Self { length: packet.bytes().len(), checksum: packet.checksum, segment_size: packet.segment_size }
    }
}
