//! Offsets in a packet of either version of IP.

/// Where the parts of an accepted packet are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    pub(super) transport_at: u16,
    pub(super) payload_at: u16,
    pub(super) end: u16,
}

impl Span {
    /// Returns the offset of the transport header.
    pub fn transport_at(&self) -> usize {
        usize::from(self.transport_at)
    }

    /// Returns the offset of the transport payload.
    pub fn payload_at(&self) -> usize {
        usize::from(self.payload_at)
    }

    /// Returns the end of the packet by its total length; link padding may follow.
    pub fn end(&self) -> usize {
        usize::from(self.end)
    }
}
