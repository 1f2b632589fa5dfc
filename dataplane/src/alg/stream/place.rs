//! Where a segment's bytes belong in the stream: new, repeated, early, or to be passed.

use super::{Run, Stream};
use crate::alg::segment::Segment;
use crate::alg::splice::{Edge, Position, distance, length};
use crate::limits::MAX_UNACKNOWLEDGED;

/// What becomes of a segment's bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::alg) enum Placement {
    /// They go on as they are, from this received position.
    AsIs(Position),
    /// They were read before: the same goes on as then.
    Again(Run),
    /// They were read before and are held.
    StillHeld,
    /// Some are new and were read; what goes on is for [`Stream::run_from`] to say once a helper has seen them.
    Read(Position),
    /// They came early and are kept.
    Early,
    /// There is no room for them.
    NoRoom,
}

impl Stream {
    /// Decides on a segment's bytes and reads those that are new.
    pub(in crate::alg) fn place(&mut self, from: Position, segment: &Segment<'_>) -> Placement {
        let payload = segment.payload;
        let end = from + distance(payload.len());
        if payload.is_empty() && !segment.fin || self.opaque && from >= self.read {
            return Placement::AsIs(self.to_received(from, Edge::Start));
        }
        if from > self.read {
            return self.place_early(from, payload, segment.fin);
        }
        if end <= self.read && !(segment.fin && end == self.read && self.fin.is_none()) || self.fin.is_some()
        {
            return self.place_again(from, payload, segment.fin);
        }
        if self.opaque {
            return Placement::Again(self.straddle(from, payload, segment.fin));
        }
        if self.unacknowledged.len() >= MAX_UNACKNOWLEDGED || self.map.is_full() {
            return Placement::NoRoom;
        }
        let first = self.to_received(from, Edge::Start).max(self.receiver.acknowledged);
        self.take(payload.get(length(from, self.read)..).unwrap_or_default(), segment.fin);
        while self.fin.is_none()
            && let Some((bytes, fin)) = self.late.take_next(self.read)
        {
            self.take(&bytes, fin);
        }
        Placement::Read(first)
    }

    fn take(&mut self, bytes: &[u8], fin: bool) {
        self.held.extend_from_slice(bytes);
        self.read += distance(bytes.len());
        self.newest_sent = self.newest_sent.max(self.read);
        if fin {
            self.fin = Some(self.read);
        }
    }

    fn place_early(&mut self, from: Position, payload: &[u8], fin: bool) -> Placement {
        // Beyond the window only an attacker sends (RFC 9293, 3.10.7.4).
        let in_window = self.to_received(from, Edge::Start) < self.receiver.limit;
        let kept = in_window && self.fin.is_none() && self.late.keep(from, payload, fin);
        if kept { Placement::Early } else { Placement::NoRoom }
    }

    fn place_again(&self, from: Position, payload: &[u8], fin: bool) -> Placement {
        let length = distance(payload.len()) + Position::from(fin);
        let sent_end = from + length;
        let acknowledged = self.receiver.acknowledged;
        if !self.held.is_empty() && from >= self.released() {
            return Placement::StillHeld;
        }
        let start = self.to_received(from, Edge::Start).max(acknowledged);
        let end = self.to_received(sent_end.min(self.read), Edge::End).min(self.written);
        let fin = self.fin.is_some_and(|at| sent_end > at) && self.held.is_empty();
        if end + Position::from(fin) <= acknowledged {
            // The receiver has it all: what it gets only makes it say so again, and lies before its window.
            let known_end = if fin { acknowledged } else { acknowledged.min(self.written) };
            return Placement::AsIs(known_end - length);
        }
        Placement::Again(self.run(start, end, fin))
    }

    /// A repeated segment that begins before the stream became opaque and ends after.
    fn straddle(&self, from: Position, payload: &[u8], fin: bool) -> Run {
        let start = self.to_received(from, Edge::Start).max(self.receiver.acknowledged);
        let mut run = self.run(start.min(self.written), self.written, fin);
        run.bytes.extend_from_slice(payload.get(length(from, self.read)..).unwrap_or_default());
        run
    }
}
