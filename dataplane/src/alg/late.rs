//! Segments that came before the bytes that precede them.

use std::collections::BTreeMap;

use super::splice::{Position, distance, length};
use crate::limits::{MAX_LATE_BYTES, MAX_LATE_SEGMENTS};

/// What came early, by its first byte.
#[derive(Debug, Default)]
pub(super) struct Late {
    segments: BTreeMap<Position, Piece>,
    bytes: usize,
}

/// One early segment.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// Whether the stream ends after them.
    pub(super) fin: bool,
}

impl Late {
    /// Keeps a segment; `false` when there is no room, and its sender has to repeat it. Of two that start alike the
    /// first one counts, unless the second brings more.
    pub(super) fn keep(&mut self, from: Position, bytes: &[u8], fin: bool) -> bool {
        let known = self.segments.get(&from);
        if known.is_some_and(|piece| piece.bytes.len() >= bytes.len() && (piece.fin || !fin)) {
            return true;
        }
        let replaced = known.map_or(0, |piece| piece.bytes.len());
        let full = self.bytes - replaced + bytes.len() > MAX_LATE_BYTES
            || known.is_none() && self.segments.len() >= MAX_LATE_SEGMENTS;
        if full {
            return false;
        }
        self.bytes = self.bytes - replaced + bytes.len();
        self.segments.insert(from, Piece { bytes: bytes.to_vec(), fin });
        true
    }

    /// Takes out what follows the byte before `read`: the bytes from there on, and whether the stream ends after them.
    pub(super) fn take_next(&mut self, read: Position) -> Option<(Vec<u8>, bool)> {
        loop {
            let (&from, _) = self.segments.first_key_value().filter(|&(&from, _)| from <= read)?;
            let piece = self.segments.remove(&from)?;
            self.bytes -= piece.bytes.len();
            let end = from.saturating_add(distance(piece.bytes.len()));
            if end > read || piece.fin && end == read {
                let rest = piece.bytes.get(length(from, read)..).unwrap_or_default().to_vec();
                return Some((rest, piece.fin));
            }
        }
    }

    /// Takes out everything, in order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Position, Piece)> {
        self.bytes = 0;
        std::mem::take(&mut self.segments).into_iter()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_out_when_the_gap_before_them_is_closed() {
        let mut late = Late::default();
        assert!(late.keep(5, b"fgh", true));
        assert!(late.keep(3, b"defg", false));
        assert!(late.take_next(2).is_none());
        assert_eq!(late.take_next(4), Some((b"efg".to_vec(), false)));
        assert_eq!(late.take_next(7), Some((b"h".to_vec(), true)));
        assert!(late.is_empty());
        assert_eq!(late.bytes, 0);
    }

    #[test]
    fn the_first_copy_counts() {
        let mut late = Late::default();
        assert!(late.keep(1, b"one", false));
        assert!(late.keep(1, b"two", false));
        assert_eq!(late.take_next(1), Some((b"one".to_vec(), false)));
    }

    #[test]
    fn room_is_bounded() {
        let mut late = Late::default();
        assert!(!late.keep(1, &vec![0; MAX_LATE_BYTES + 1], false));
        for from in (10..).step_by(10).take(MAX_LATE_SEGMENTS) {
            assert!(late.keep(from, b"x", false));
        }
        assert!(!late.keep(5, b"x", false));
        assert!(late.keep(10, b"more", false), "one that is known may grow");
    }
}
