//! TCP segments as a control stream sees them.

use crate::tuple::Direction;

/// A TCP timestamp option's two values (RFC 7323).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TcpTimestamps {
    /// TSval.
    pub value: u32,
    /// TSecr.
    pub echo: u32,
}

/// The fields of a TCP segment that a control stream reads, all in the sender's own sequence space.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Sequence number of the first byte (of the SYN, when it has one).
    pub seq: u32,
    /// Acknowledgement number; meaningful when `ack_flag` is set.
    pub ack: u32,
    /// The window field as on the wire, unscaled.
    pub window: u16,
    /// The shift of the window scale option (RFC 7323), which only a SYN carries.
    pub window_scale: Option<u8>,
    /// SYN flag.
    pub syn: bool,
    /// FIN flag.
    pub fin: bool,
    /// RST flag.
    pub rst: bool,
    /// ACK flag.
    pub ack_flag: bool,
    /// PSH flag.
    pub push: bool,
    /// The urgent pointer, when URG is set.
    pub urgent: Option<u16>,
    /// The timestamp option.
    pub timestamps: Option<TcpTimestamps>,
    /// The payload.
    pub payload: &'a [u8],
}

/// What becomes of the segment that was handed in. Sequence values are those that its receiver expects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SegmentVerdict {
    /// Goes on with these fields.
    Forward(Rewritten),
    /// Nothing of it goes on now; its bytes are kept and sent by the control stream when they are complete.
    Held,
    /// It cannot be translated now (a bound is reached): dropped, its sender retransmits.
    Dropped,
}

/// The fields of a segment that a control stream may change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rewritten {
    /// New sequence number.
    pub seq: u32,
    /// New acknowledgement number.
    pub ack: u32,
    /// New urgent pointer.
    pub urgent: Option<u16>,
    /// Whether the FIN flag is set: it is held back with the bytes before it.
    pub fin: bool,
    /// Whether the PSH flag is set.
    pub push: bool,
    /// New payload, `None` for unchanged.
    pub payload: Option<Vec<u8>>,
}

/// A segment that the control stream makes itself; the engine adds addresses, ports and checksums.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CraftedSegment {
    /// The direction in which it travels.
    pub direction: Direction,
    /// Sequence number as the receiver expects it.
    pub seq: u32,
    /// Acknowledgement number as the receiver expects it (ACK is always set).
    pub ack: u32,
    /// The window field, unscaled.
    pub window: u16,
    /// FIN flag.
    pub fin: bool,
    /// The timestamp option, when the session uses it.
    pub timestamps: Option<TcpTimestamps>,
    /// The payload; empty for a pure acknowledgement.
    pub payload: Vec<u8>,
}

impl CraftedSegment {
    /// Cuts the segment into some with at most `longest` bytes of payload each; the FIN goes with the last. Of nothing
    /// to send nothing is left.
    pub(crate) fn cut(self, longest: usize) -> Vec<Self> {
        if self.payload.is_empty() {
            return if self.fin { vec![self] } else { Vec::new() };
        }
        let mut seq = self.seq;
        let mut pieces = self.payload.chunks(longest.max(1)).peekable();
        let mut segments = Vec::new();
        while let Some(piece) = pieces.next() {
            let fin = self.fin && pieces.peek().is_none();
            segments.push(Self { seq, fin, payload: piece.to_vec(), ..self });
            seq = seq.wrapping_add(u32::try_from(piece.len()).unwrap_or(0));
        }
        segments
    }
}
