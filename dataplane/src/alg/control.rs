//! One TCP control session under an ALG: segments in, segments out, in both directions.
//!
//! Bytes are read in order, once. Only an incomplete message that may have to be changed is held back; as its sender
//! may wait for an acknowledgement before it sends the rest, the held bytes are then acknowledged on the receiver's
//! behalf, and sent again from here should they get lost afterwards.

use std::collections::VecDeque;

use super::helper::{Helper, Step, View};
pub use super::segment::{CraftedSegment, Rewritten, Segment, SegmentVerdict, TcpTimestamps};
use super::splice::{Edge, Position, distance};
use super::stream::{Placement, Run, Stream};
use crate::alg::{AlgProtocol, Arbiter, Ends, OpaqueReason, Report};
use crate::limits::{CONTROL_HOLD, SAFE_SEGMENT};
use crate::time::Timestamp;
use crate::tuple::Direction;

/// The state of one TCP control session: both byte streams and the protocol's helper.
#[derive(Debug)]
pub struct ControlStream {
    ends: Ends,
    /// `None` once the session is opaque.
    helper: Option<Helper>,
    original: Stream,
    reply: Stream,
    crafted: VecDeque<CraftedSegment>,
}

impl ControlStream {
    /// Starts to follow a control session of `protocol` from its SYN on. A protocol that has no messages in streams
    /// is passed unread.
    pub fn new(protocol: AlgProtocol, ends: Ends) -> Self {
        let mut control = Self {
            ends,
            helper: Helper::new(protocol),
            original: Stream::default(),
            reply: Stream::default(),
            crafted: VecDeque::new(),
        };
        if control.helper.is_none() {
            control.make_opaque();
        }
        control
    }

    /// Returns the two ends as told at the start.
    pub fn ends(&self) -> &Ends {
        &self.ends
    }

    fn stream(&mut self, direction: Direction) -> &mut Stream {
        match direction {
            Direction::Original => &mut self.original,
            Direction::Reply => &mut self.reply,
        }
    }

    fn stream_ref(&self, direction: Direction) -> &Stream {
        match direction {
            Direction::Original => &self.original,
            Direction::Reply => &self.reply,
        }
    }

    /// Takes one segment of `direction` that conntrack has accepted; what more there is to send afterwards is
    /// fetched with [`Self::poll_crafted`].
    pub fn handle_segment(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        arbiter: &mut impl Arbiter,
        now: Timestamp,
    ) -> SegmentVerdict {
        let back = direction.opposite();
        if segment.syn && self.stream(direction).is_open() && self.stream(back).is_open() {
            // Sent again, or not by its sender at all: its receiver will tell (RFC 5961, section 4.2), and both streams
            // go on where they are. Data on it would go unread.
            let payload = (!segment.payload.is_empty()).then(Vec::new);
            return SegmentVerdict::Forward(Rewritten { payload, ..unchanged(segment) });
        }
        if segment.syn {
            self.stream(direction).open(segment.seq, segment.window_scale);
        }
        if !self.stream(direction).is_open() || !self.stream(back).is_open() {
            return SegmentVerdict::Forward(unchanged(segment));
        }
        let Some(ack) = self.acknowledge(direction, segment, now) else { return SegmentVerdict::Dropped };
        if segment.syn {
            // Data on a SYN would go unread; without its acknowledgement it comes again (RFC 7413, section 4.2.2).
            let payload = (!segment.payload.is_empty()).then(Vec::new);
            return SegmentVerdict::Forward(Rewritten { ack, payload, ..unchanged(segment) });
        }
        let stream = self.stream(direction);
        let from = stream.sent_position(segment.seq);
        if segment.rst {
            let seq = stream.seq(stream.to_received(from, Edge::Start));
            return SegmentVerdict::Forward(Rewritten { seq, ack, ..unchanged(segment) });
        }
        let told = Some((ack, segment.window));
        let news = std::mem::replace(&mut stream.sender.told, told) != told;
        match stream.place(from, segment) {
            Placement::NoRoom => {
                stream.sender.told = None;
                SegmentVerdict::Dropped
            }
            Placement::AsIs(to) => self.pass(direction, segment, from, to, ack),
            Placement::Again(run) => self.send_on(direction, segment, from, run, ack, news),
            Placement::StillHeld => {
                self.stream(direction).hurry();
                self.promise(direction);
                self.nothing(direction, segment, ack, news)
            }
            Placement::Early => {
                // The gap may be a loss: its sender learns of it from acknowledgements that do not advance.
                let promised = self.stream(direction).promised();
                self.craft_acknowledgement(direction, promised);
                self.nothing(direction, segment, ack, news)
            }
            Placement::Read(first) => {
                self.inspect(direction, arbiter);
                let stream = self.stream(direction);
                stream.set_hold(now.saturating_add(CONTROL_HOLD));
                stream.arm_repeat(now);
                let run = stream.run_from(first);
                let verdict = self.send_on(direction, segment, from, run, ack, news);
                self.promise(direction);
                verdict
            }
        }
    }

    /// Takes what a segment of `direction` says about the opposite stream; returns the acknowledgement number that
    /// its receiver shall see, `None` where it acknowledges what was never sent.
    fn acknowledge(&mut self, direction: Direction, segment: &Segment<'_>, now: Timestamp) -> Option<u32> {
        let scale = match (self.original.window_shift, self.reply.window_shift) {
            (Some(_), Some(_)) => self.stream(direction).window_shift.unwrap_or(0),
            (None, _) | (_, None) => 0,
        };
        let stream = self.stream(direction);
        stream.sender.window = segment.window;
        if segment.timestamps.is_some() {
            stream.sender.timestamps = segment.timestamps;
        }
        if !segment.ack_flag {
            return Some(segment.ack);
        }
        let window = u32::from(segment.window) << if segment.syn { 0 } else { scale.min(14) };
        let acknowledged = self.stream(direction.opposite());
        if !acknowledged.may_acknowledge(acknowledged.peek_received(segment.ack)) {
            return None;
        }
        let received = acknowledged.received_position(segment.ack);
        let sent = acknowledged.acknowledge(received, window, now);
        Some(acknowledged.seq(sent))
    }

    /// Shows the helper what was read, and sends on what it lets go.
    fn inspect(&mut self, direction: Direction, arbiter: &mut impl Arbiter) {
        let Some(mut helper) = self.helper.take() else { return };
        let stream = self.stream(direction);
        let start = stream.held_from();
        let (bytes, ends) = (stream.take_held(), stream.has_ended());
        let mut taken = 0;
        let opaque = loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                break None;
            }
            let at = start + distance(taken);
            let view = View { direction, bytes: rest, offset: u64::try_from(at).unwrap_or(0) };
            match helper.inspect(&view, &self.ends, arbiter) {
                Step::Take { length, replacement } => {
                    let length = length.clamp(1, rest.len());
                    let message = rest.get(..length).unwrap_or_default();
                    self.stream(direction).release(message, at, replacement.as_ref());
                    taken += length;
                }
                Step::Wait if ends => {
                    self.stream(direction).release(rest, at, None);
                    taken = bytes.len();
                }
                Step::Wait => break None,
                Step::Opaque(reason) => break Some(reason),
            }
        };
        self.stream(direction).hold(bytes.get(taken..).unwrap_or_default().to_vec());
        let Some(reason) = opaque else {
            self.helper = Some(helper);
            return;
        };
        // What was held of this direction leaves with the segment.
        let _ = self.stream(direction).let_go();
        self.make_opaque();
        arbiter.report(Report::Opaque { reason });
    }

    /// Passes both directions unread from here on.
    fn make_opaque(&mut self) {
        self.helper = None;
        for direction in [Direction::Original, Direction::Reply] {
            let held = self.stream(direction).let_go();
            let late = self.stream(direction).become_opaque();
            for run in held.into_iter().chain(late) {
                self.craft(direction, run);
            }
        }
    }

    /// A segment whose bytes stay as they are.
    fn pass(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        from: Position,
        to: Position,
        ack: u32,
    ) -> SegmentVerdict {
        let stream = self.stream(direction);
        let urgent = segment.urgent.map(|offset| {
            let end = stream.to_received(from + Position::from(offset), Edge::End);
            u16::try_from((end - to).max(0)).unwrap_or(u16::MAX)
        });
        SegmentVerdict::Forward(Rewritten { seq: stream.seq(to), ack, urgent, ..unchanged(segment) })
    }

    /// A segment whose place a run of bytes takes.
    fn send_on(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        from: Position,
        run: Run,
        ack: u32,
        news: bool,
    ) -> SegmentVerdict {
        if run.bytes.is_empty() && !run.fin {
            return self.nothing(direction, segment, ack, news);
        }
        let stream = self.stream(direction);
        let seq = stream.seq(run.from);
        let urgent = segment.urgent.and_then(|offset| {
            let end = stream.to_received(from + Position::from(offset), Edge::End);
            u16::try_from(end - run.from).ok().filter(|&offset| offset > 0)
        });
        let push = segment.push || run.bytes.len() > segment.payload.len();
        let payload = (run.bytes != segment.payload).then_some(run.bytes);
        SegmentVerdict::Forward(Rewritten { seq, ack, urgent, fin: run.fin, push, payload })
    }

    /// A segment of which no byte goes on now: what it says about the other direction may still be news.
    fn nothing(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        ack: u32,
        news: bool,
    ) -> SegmentVerdict {
        if !news {
            return SegmentVerdict::Held;
        }
        let seq = self.stream(direction).next_seq();
        let payload = (!segment.payload.is_empty()).then(Vec::new);
        SegmentVerdict::Forward(Rewritten { seq, ack, urgent: None, fin: false, push: false, payload })
    }

    fn promise(&mut self, direction: Direction) {
        if let Some(promised) = self.stream(direction).promise() {
            self.craft_acknowledgement(direction, promised);
        }
    }

    /// Acknowledges what the sender of `direction` sent, in the receiver's name.
    fn craft_acknowledgement(&mut self, direction: Direction, sent: Position) {
        let ack = self.stream(direction).seq(sent);
        let told = self.stream(direction).sender.timestamps;
        let back = self.stream_ref(direction.opposite());
        let timestamps = back
            .sender
            .timestamps
            .zip(told)
            .map(|(own, told)| TcpTimestamps { value: own.value, echo: told.value });
        let segment = CraftedSegment {
            direction: direction.opposite(),
            seq: back.next_seq(),
            ack,
            window: back.sender.window,
            fin: false,
            timestamps,
            payload: Vec::new(),
        };
        self.crafted.push_back(segment);
    }

    /// Sends a run of bytes in its sender's name, in pieces that fit any path.
    fn craft(&mut self, direction: Direction, run: Run) {
        let stream = self.stream_ref(direction);
        let Some((ack, window)) = stream.sender.told else { return };
        let whole = CraftedSegment {
            direction,
            seq: stream.seq(run.from),
            ack,
            window,
            fin: run.fin,
            timestamps: stream.sender.timestamps,
            payload: run.bytes,
        };
        self.crafted.extend(whole.cut(SAFE_SEGMENT));
    }

    /// Translates a SACK block carried by a segment of `direction` to what its receiver sent; `None` where
    /// nothing of it is left.
    pub fn map_sack(&self, direction: Direction, left: u32, right: u32) -> Option<(u32, u32)> {
        let stream = self.stream_ref(direction.opposite());
        if !stream.is_open() {
            return Some((left, right));
        }
        // Only whole replaced spans count as received, and nothing twice that is acknowledged already.
        let left = stream.to_sent(stream.peek_received(left), Edge::End).max(stream.promised());
        let right = stream.to_sent(stream.peek_received(right), Edge::Start);
        (left < right).then(|| (stream.seq(left), stream.seq(right)))
    }

    /// Translates a sequence number that the *sender* of `direction` knows to what the receiver knows it as.
    pub fn map_seq(&self, direction: Direction, seq: u32) -> u32 {
        let stream = self.stream_ref(direction);
        if !stream.is_open() {
            return seq;
        }
        stream.seq(stream.to_received(stream.peek_sent(seq), Edge::End))
    }

    /// Translates a sequence number that the *receiver* of `direction` saw back to what the sender sent, as
    /// needed for the segment that an ICMP error quotes.
    pub fn unmap_seq(&self, direction: Direction, seq: u32) -> u32 {
        let stream = self.stream_ref(direction);
        if !stream.is_open() {
            return seq;
        }
        stream.seq(stream.to_sent(stream.peek_received(seq), Edge::Start))
    }

    /// Releases what was held too long and sends again what was acknowledged on the receiver's behalf.
    pub fn handle_timeout(&mut self, arbiter: &mut impl Arbiter, now: Timestamp) {
        let holds = [self.original.held_until(), self.reply.held_until()];
        if holds.into_iter().flatten().any(|until| until <= now) {
            self.make_opaque();
            arbiter.report(Report::Opaque { reason: OpaqueReason::HeldTooLong });
        }
        for direction in [Direction::Original, Direction::Reply] {
            if let Some(run) = self.stream(direction).repeat(now) {
                self.craft(direction, run);
            }
            self.stream(direction).arm_repeat(now);
        }
    }

    /// Returns when [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let streams = [&self.original, &self.reply];
        streams.into_iter().flat_map(|stream| [stream.held_until(), stream.repeat_at()]).flatten().min()
    }

    /// Returns the next segment that the stream itself has to send, in sending order.
    pub fn poll_crafted(&mut self) -> Option<CraftedSegment> {
        self.crafted.pop_front()
    }

    /// Stops reading: streams become opaque, their sequence shift goes on. Pinholes are the engine's to close.
    pub fn disable(&mut self, arbiter: &mut impl Arbiter) {
        if self.helper.is_some() {
            self.make_opaque();
            arbiter.report(Report::Opaque { reason: OpaqueReason::Disabled });
        }
    }

    /// Whether the stream changes nothing any more (opaque or ended, no shift, nothing held), so that the engine
    /// may forget it.
    pub fn is_inert(&self) -> bool {
        self.original.is_inert() && self.reply.is_inert() && self.crafted.is_empty()
    }
}

/// A segment that goes on as it is.
fn unchanged(segment: &Segment<'_>) -> Rewritten {
    Rewritten {
        seq: segment.seq,
        ack: segment.ack,
        urgent: segment.urgent,
        fin: segment.fin,
        push: segment.push,
        payload: None,
    }
}
