//! One TCP control session under an ALG: segments in, segments out, in both directions.

use crate::alg::{AlgProtocol, Arbiter, Ends};
use crate::time::Timestamp;
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
    /// Goes on, with `seq`, `ack` and `urgent` replaced. `payload` is `None` where the bytes stay as they are.
    /// `fin` and `push` may differ from the segment's own (a FIN is held back with the bytes before it).
    Forward {
        /// New sequence number.
        seq: u32,
        /// New acknowledgement number.
        ack: u32,
        /// New urgent pointer.
        urgent: Option<u16>,
        /// Whether the FIN flag is set.
        fin: bool,
        /// Whether the PSH flag is set.
        push: bool,
        /// New payload, `None` for unchanged.
        payload: Option<Vec<u8>>,
    },
    /// Nothing of it goes on now; its bytes are kept and sent by the control stream when they are complete.
    Held,
    /// It cannot be translated now (a bound is reached): dropped, its sender retransmits.
    Dropped,
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

/// The state of one TCP control session: both byte streams and the protocol's helper.
#[derive(Debug)]
pub struct ControlStream {
    ends: Ends,
}

impl ControlStream {
    /// Starts to follow a control session of `protocol` from its SYN on.
    pub fn new(_protocol: AlgProtocol, ends: Ends) -> Self {
        Self { ends }
    }

    /// Returns the two ends as told at the start.
    pub fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Takes one segment of `direction` that conntrack has accepted; what more there is to send afterwards is
    /// fetched with [`Self::poll_crafted`].
    pub fn handle_segment(
        &mut self,
        _direction: Direction,
        segment: &Segment<'_>,
        _arbiter: &mut impl Arbiter,
        _now: Timestamp,
    ) -> SegmentVerdict {
        SegmentVerdict::Forward {
            seq: segment.seq,
            ack: segment.ack,
            urgent: segment.urgent,
            fin: segment.fin,
            push: segment.push,
            payload: None,
        }
    }

    /// Translates a SACK block carried by a segment of `direction` to what its receiver sent; `None` where
    /// nothing of it is left.
    pub fn map_sack(&self, _direction: Direction, left: u32, right: u32) -> Option<(u32, u32)> {
        Some((left, right))
    }

    /// Translates a sequence number that the *receiver* of `direction` saw back to what the sender sent, as
    /// needed for the segment that an ICMP error quotes.
    pub fn unmap_seq(&self, _direction: Direction, seq: u32) -> u32 {
        seq
    }

    /// Releases what was held too long and sends again what was acknowledged on the receiver's behalf.
    pub fn handle_timeout(&mut self, _arbiter: &mut impl Arbiter, _now: Timestamp) {}

    /// Returns when [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// Returns the next segment that the stream itself has to send, in sending order.
    pub fn poll_crafted(&mut self) -> Option<CraftedSegment> {
        None
    }

    /// Stops reading: streams become opaque, their sequence shift goes on. Pinholes are the engine's to close.
    pub fn disable(&mut self, _arbiter: &mut impl Arbiter) {}

    /// Whether the stream changes nothing any more (opaque or ended, no shift, nothing held), so that the engine
    /// may forget it.
    pub fn is_inert(&self) -> bool {
        false
    }
}
