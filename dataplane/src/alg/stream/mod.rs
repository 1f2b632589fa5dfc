//! One direction of a control session: its bytes put in order, read once, and sent on changed where a helper says so.
//!
//! Two counts of the same stream meet here, and all of this file is about keeping them apart: *sent* positions are
//! the sender's, *received* positions are the receiver's. They differ by what was spliced in. What the receiver has
//! not acknowledged is kept, so that a repeated segment goes out as it went out first, whatever it says now.

use std::collections::VecDeque;
use std::time::Duration;

use super::late::Late;
use super::segment::TcpTimestamps;
use super::splice::{Edge, Position, SpliceMap, distance, length};
use crate::limits::{CONTROL_REPEAT_FIRST, CONTROL_REPEAT_MOST};
use crate::time::Timestamp;

mod place;

pub(super) use place::Placement;

/// A replacement of some bytes of a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Replacement {
    /// The first byte that is replaced, relative to the bytes that were inspected.
    pub(super) at: usize,
    /// How many are.
    pub(super) length: usize,
    /// What stands there instead.
    pub(super) with: Vec<u8>,
}

/// Bytes that go on to the receiver, at their received position.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Run {
    /// Received position of the first byte.
    pub(super) from: Position,
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// Whether the stream ends after them.
    pub(super) fin: bool,
}

/// What a stream's receiver has told about it.
#[derive(Clone, Copy, Debug, Default)]
struct Receiver {
    /// Everything before this received position is acknowledged.
    acknowledged: Position,
    /// It takes bytes up to this received position.
    limit: Position,
}

/// What a stream's sender has told in its last segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sender {
    /// The window field, unscaled.
    pub(super) window: u16,
    /// The timestamp option.
    pub(super) timestamps: Option<TcpTimestamps>,
    /// The acknowledgement number and window that were passed on last.
    pub(super) told: Option<(u32, u16)>,
}

/// When unacknowledged bytes that this side answers for are sent again.
#[derive(Clone, Copy, Debug)]
struct Repeat {
    at: Timestamp,
    /// When they were sent last.
    sent: Timestamp,
    interval: Duration,
}

/// One direction of a control session.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Sequence number of position 0, in both counts.
    start: Option<u32>,
    /// The newest positions seen, from which sequence numbers are unwrapped.
    newest_sent: Position,
    newest_received: Position,
    /// Everything before this sent position has been read.
    read: Position,
    /// The last bytes read, which are part of a message that is not complete.
    held: Vec<u8>,
    /// When they are let go.
    held_until: Option<Timestamp>,
    /// Everything before this received position was sent on.
    written: Position,
    /// What was sent on and is not acknowledged.
    unacknowledged: VecDeque<u8>,
    /// The sender has been told that everything before this sent position is acknowledged.
    promised: Position,
    /// Sent position of the FIN, when it was read.
    fin: Option<Position>,
    map: SpliceMap,
    late: Late,
    receiver: Receiver,
    repeat: Option<Repeat>,
    /// Whether bytes from `read` on are passed without being read or kept.
    opaque: bool,
    /// What its sender says beside the bytes.
    pub(super) sender: Sender,
    /// The shift of the sender's own window field.
    pub(super) window_shift: Option<u8>,
}

impl Stream {
    /// Learns the initial sequence number. A repeated SYN of the same stream changes nothing.
    pub(super) fn open(&mut self, syn: u32, window_shift: Option<u8>) {
        if self.read == 0 && self.promised == 0 && self.held.is_empty() {
            self.start = Some(syn.wrapping_add(1));
            self.window_shift = window_shift;
        }
    }

    /// Whether the SYN was seen.
    pub(super) fn is_open(&self) -> bool {
        self.start.is_some()
    }

    /// Returns the sent position of a sequence number.
    pub(super) fn sent_position(&mut self, seq: u32) -> Position {
        let position = self.unwrap(seq, self.newest_sent);
        self.newest_sent = self.newest_sent.max(position);
        position
    }

    /// Returns the received position of an acknowledgement number.
    pub(super) fn received_position(&mut self, ack: u32) -> Position {
        let position = self.unwrap(ack, self.newest_received);
        self.newest_received = self.newest_received.max(position);
        position
    }

    /// Returns the received position of a sequence number without taking note of it.
    pub(super) fn peek_received(&self, seq: u32) -> Position {
        self.unwrap(seq, self.newest_received)
    }

    /// Returns the sent position of a sequence number without taking note of it.
    pub(super) fn peek_sent(&self, seq: u32) -> Position {
        self.unwrap(seq, self.newest_sent)
    }

    fn unwrap(&self, seq: u32, near: Position) -> Position {
        let expected = self.seq(near);
        near + Position::from(seq.wrapping_sub(expected).cast_signed())
    }

    /// Returns the sequence number of a position, of whichever count it is.
    pub(super) fn seq(&self, position: Position) -> u32 {
        let low = u32::try_from(position.rem_euclid(1 << 32)).unwrap_or(0);
        self.start.unwrap_or(0).wrapping_add(low)
    }

    /// Translates a sent position, also one of held bytes: they will be received at the end of what was written.
    pub(super) fn to_received(&self, sent: Position, edge: Edge) -> Position {
        let released = self.released();
        if sent >= self.read {
            self.written + (sent - self.read)
        } else if sent >= released {
            self.written
        } else {
            self.map.to_received(sent, edge)
        }
    }

    /// Translates a received position.
    pub(super) fn to_sent(&self, received: Position, edge: Edge) -> Position {
        if received >= self.written {
            self.released() + (received - self.written)
        } else {
            self.map.to_sent(received, edge)
        }
    }

    /// Sent position of the first byte that was not sent on.
    fn released(&self) -> Position {
        self.read - distance(self.held.len())
    }

    /// Received position after everything sent on, the FIN included.
    fn written_end(&self) -> Position {
        self.written + Position::from(self.fin.is_some() && self.held.is_empty())
    }

    /// Returns the sequence number after everything sent on.
    pub(super) fn next_seq(&self) -> u32 {
        self.seq(self.written_end())
    }

    /// Whether a receiver may acknowledge up to this received position (RFC 5961, section 5).
    pub(super) fn may_acknowledge(&self, received: Position) -> bool {
        self.opaque || received <= self.written_end()
    }

    /// Takes an acknowledgement with the window in bytes. Returns the sent position that the sender is told.
    pub(super) fn acknowledge(&mut self, received: Position, window: u32, now: Timestamp) -> Position {
        let was_closed = self.receiver.limit <= self.receiver.acknowledged;
        let progress = length(self.receiver.acknowledged, received);
        if received >= self.receiver.acknowledged {
            self.unacknowledged.drain(..progress.min(self.unacknowledged.len()));
            self.receiver = Receiver { acknowledged: received, limit: received + Position::from(window) };
        }
        self.promised = self.promised.max(self.to_sent(received, Edge::Start));
        if !self.held.is_empty() && self.receiver.acknowledged >= self.written {
            self.promised = self.promised.max(self.read);
        }
        self.map.forget(self.promised, self.receiver.acknowledged);
        let opened = was_closed && self.receiver.limit > self.receiver.acknowledged;
        match &mut self.repeat {
            Some(repeat) if opened => repeat.at = now,
            Some(_) if progress > 0 => self.repeat = None,
            // The receiver is there and lacks them.
            Some(_) => self.hurry(),
            None => {}
        }
        self.arm_repeat(now);
        self.promised
    }

    fn run(&self, from: Position, to: Position, fin: bool) -> Run {
        let skip = length(self.receiver.acknowledged, from);
        let bytes = self.unacknowledged.iter().skip(skip).take(length(from, to)).copied().collect();
        Run { from, bytes, fin }
    }

    /// Returns the bytes that were read and are part of no complete message, to be looked at.
    pub(super) fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Sends on a message that [`Self::take_held`] gave, whose first byte has the sent position `at`.
    pub(super) fn release(&mut self, bytes: &[u8], at: Position, replacement: Option<&Replacement>) {
        let Some(replacement) = replacement else {
            return self.write(bytes);
        };
        let end = replacement.at + replacement.length;
        self.map.push(at + distance(replacement.at), replacement.length, replacement.with.len());
        self.write(bytes.get(..replacement.at).unwrap_or_default());
        self.write(&replacement.with);
        self.write(bytes.get(end..).unwrap_or_default());
    }

    fn write(&mut self, bytes: &[u8]) {
        self.unacknowledged.extend(bytes);
        self.written += distance(bytes.len());
        self.newest_received = self.newest_received.max(self.written);
    }

    /// Holds bytes back that are part of an incomplete message.
    pub(super) fn hold(&mut self, bytes: Vec<u8>) {
        self.held = bytes;
    }

    /// Returns everything from a received position on that was sent on, with the FIN once it may go.
    pub(super) fn run_from(&self, from: Position) -> Run {
        self.run(from, self.written, self.fin.is_some() && self.held.is_empty())
    }

    /// Sent position of the first held byte, or of the next to be read.
    pub(super) fn held_from(&self) -> Position {
        self.released()
    }

    /// Sets the time limit of what is held, if anything; to be called with each new byte, which starts the time again.
    pub(super) fn set_hold(&mut self, until: Timestamp) {
        self.held_until = (!self.held.is_empty()).then_some(until);
    }

    /// Returns when what is held has been held too long.
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        self.held_until
    }

    /// Whether the sender's FIN was read.
    pub(super) fn has_ended(&self) -> bool {
        self.fin.is_some()
    }

    /// Where bytes are held and the receiver has all the others, promises the sender that they will arrive, since it
    /// may wait for that before it sends the rest. Returns the sent position that it is to be told.
    pub(super) fn promise(&mut self) -> Option<Position> {
        if self.held.is_empty() || self.receiver.acknowledged < self.written {
            return None;
        }
        self.promised = self.promised.max(self.read);
        Some(self.promised)
    }

    /// Returns what the sender was told last.
    pub(super) fn promised(&self) -> Position {
        self.promised
    }

    /// Received position up to which the sender will not repeat anything, though the receiver may not have it.
    fn answered_for(&self) -> Position {
        self.to_received(self.promised, Edge::End).min(self.written)
    }

    /// Sets the timer of what this side answers for, if anything and not yet.
    pub(super) fn arm_repeat(&mut self, now: Timestamp) {
        if self.answered_for() <= self.receiver.acknowledged {
            self.repeat = None;
        } else if self.repeat.is_none() {
            let at = now.saturating_add(CONTROL_REPEAT_FIRST);
            self.repeat = Some(Repeat { at, sent: now, interval: CONTROL_REPEAT_FIRST });
        }
    }

    /// One of the peers shows that it waits: what this side answers for is sent again as soon as that is decent.
    pub(super) fn hurry(&mut self) {
        if let Some(repeat) = &mut self.repeat {
            repeat.at = repeat.at.min(repeat.sent.saturating_add(CONTROL_REPEAT_FIRST));
        }
    }

    /// Returns when [`Self::repeat`] has something to send.
    pub(super) fn repeat_at(&self) -> Option<Timestamp> {
        self.repeat.map(|repeat| repeat.at)
    }

    /// Returns what this side answers for and nobody has acknowledged in time.
    pub(super) fn repeat(&mut self, now: Timestamp) -> Option<Run> {
        let repeat = self.repeat.as_mut().filter(|repeat| repeat.at <= now)?;
        repeat.interval = (repeat.interval * 2).min(CONTROL_REPEAT_MOST);
        repeat.at = now.saturating_add(repeat.interval);
        repeat.sent = now;
        Some(self.run(self.receiver.acknowledged, self.answered_for(), false))
    }

    /// Sends on what is held, as it is.
    pub(super) fn let_go(&mut self) -> Option<Run> {
        let held = self.take_held();
        self.held_until = None;
        if held.is_empty() {
            return None;
        }
        let from = self.written;
        self.write(&held);
        Some(self.run_from(from))
    }

    /// Stops reading: what came early goes on as it is, and so does all that follows. Nothing may be held any more.
    pub(super) fn become_opaque(&mut self) -> Vec<Run> {
        debug_assert!(self.held.is_empty(), "held bytes are let go first");
        self.opaque = true;
        let early = self.late.drain();
        early
            .map(|(from, piece)| Run {
                from: self.written + (from - self.read),
                bytes: piece.bytes,
                fin: piece.fin,
            })
            .collect()
    }

    /// Whether nothing is changed, kept or awaited any more.
    pub(super) fn is_inert(&self) -> bool {
        self.opaque
            && self.map.is_identity()
            && self.unacknowledged.is_empty()
            && self.repeat.is_none()
            && self.late.is_empty()
    }
}
