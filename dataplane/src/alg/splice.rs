//! Where a stream was changed on its way: translates positions between what was sent and what is received.

use std::collections::VecDeque;

use crate::limits::MAX_SPLICES;

/// A place in a byte stream: bytes since the first one, which is 0. What precedes a stream (its SYN) is negative.
pub(super) type Position = i64;

/// Returns a length as a distance between positions.
pub(super) fn distance(length: usize) -> Position {
    Position::try_from(length).unwrap_or(Position::MAX)
}

/// Returns the distance from one position to a later one, 0 where it is no later one.
pub(super) fn length(from: Position, to: Position) -> usize {
    usize::try_from(to.saturating_sub(from)).unwrap_or(0)
}

/// Where a position inside a replaced span goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Edge {
    /// To the span's start.
    Start,
    /// To the span's end.
    End,
}

/// A span of what was sent, and what is received in its place.
#[derive(Clone, Copy, Debug)]
struct Splice {
    sent: (Position, Position),
    received: (Position, Position),
}

/// The replaced spans that somebody may still ask for, in order, and what all older ones add up to.
#[derive(Debug, Default)]
pub(super) struct SpliceMap {
    /// Received minus sent position before the first span.
    shift: Position,
    splices: VecDeque<Splice>,
}

impl SpliceMap {
    /// Notes that `old` bytes sent at `at` are received as `new` bytes. Spans come in order.
    pub(super) fn push(&mut self, at: Position, old: usize, new: usize) {
        let received = self.to_received(at, Edge::End);
        debug_assert!(self.splices.back().is_none_or(|last| last.sent.1 <= at), "spans come in order");
        self.splices.push_back(Splice {
            sent: (at, at.saturating_add(distance(old))),
            received: (received, received.saturating_add(distance(new))),
        });
    }

    /// Translates a position of the sender's to the receiver's.
    pub(super) fn to_received(&self, sent: Position, edge: Edge) -> Position {
        let mut shift = self.shift;
        for splice in &self.splices {
            if sent <= splice.sent.0 {
                break;
            }
            if sent < splice.sent.1 {
                return at(edge, splice.received);
            }
            shift = splice.received.1 - splice.sent.1;
        }
        sent.saturating_add(shift)
    }

    /// Translates a position of the receiver's to the sender's.
    pub(super) fn to_sent(&self, received: Position, edge: Edge) -> Position {
        let mut shift = self.shift;
        for splice in &self.splices {
            if received <= splice.received.0 {
                break;
            }
            if received < splice.received.1 {
                return at(edge, splice.sent);
            }
            shift = splice.received.1 - splice.sent.1;
        }
        received.saturating_sub(shift)
    }

    /// Forgets the spans that end at or before both positions: nobody will repeat or acknowledge inside them.
    pub(super) fn forget(&mut self, sent: Position, received: Position) {
        while let Some(splice) = self.splices.front()
            && splice.sent.1 <= sent
            && splice.received.1 <= received
        {
            self.shift = splice.received.1 - splice.sent.1;
            self.splices.pop_front();
        }
    }

    /// Whether no further span may be added until some are forgotten.
    pub(super) fn is_full(&self) -> bool {
        self.splices.len() >= MAX_SPLICES
    }

    /// Whether both sides count alike, now and from here on.
    pub(super) fn is_identity(&self) -> bool {
        self.shift == 0 && self.splices.is_empty()
    }
}

const fn at(edge: Edge, span: (Position, Position)) -> Position {
    match edge {
        Edge::Start => span.0,
        Edge::End => span.1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `abcDEFghi` is received as `abcXghi`.
    fn shorter() -> SpliceMap {
        let mut map = SpliceMap::default();
        map.push(3, 3, 1);
        map
    }

    #[test]
    fn positions_around_and_inside_a_span() {
        let map = shorter();
        for (sent, start, end) in
            [(-1, -1, -1), (0, 0, 0), (3, 3, 3), (4, 3, 4), (5, 3, 4), (6, 4, 4), (9, 7, 7)]
        {
            assert_eq!(map.to_received(sent, Edge::Start), start, "{sent}");
            assert_eq!(map.to_received(sent, Edge::End), end, "{sent}");
        }
        for (received, sent) in [(0, 0), (3, 3), (4, 6), (7, 9)] {
            assert_eq!(map.to_sent(received, Edge::Start), sent);
            assert_eq!(map.to_sent(received, Edge::End), sent);
        }
    }

    #[test]
    fn an_acknowledgement_inside_a_longer_replacement_covers_none_of_it() {
        let mut map = SpliceMap::default();
        map.push(3, 1, 5);
        assert_eq!(map.to_sent(6, Edge::Start), 3);
        assert_eq!(map.to_sent(6, Edge::End), 4);
        assert_eq!(map.to_sent(8, Edge::Start), 4);
    }

    #[test]
    fn a_forgotten_span_still_shifts_what_follows() {
        let mut map = shorter();
        map.push(9, 1, 4);
        map.forget(6, 3);
        assert_eq!(map.to_received(4, Edge::Start), 3, "the receiver has not acknowledged it");
        map.forget(6, 4);
        assert_eq!(map.to_received(8, Edge::Start), 6);
        map.forget(10, 11);
        assert_eq!(map.to_received(20, Edge::Start), 21);
        assert!(!map.is_identity());
    }
}
