//! Which parts of a datagram were seen.

use crate::limits::MAX_FRAGMENTS;

/// One part.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u16,
    length: u16,
    /// A keyed hash of its bytes.
    digest: u32,
}

impl Piece {
    const NONE: Self = Self { start: 0, length: 0, digest: 0 };

    fn end(self) -> u32 {
        u32::from(self.start) + u32::from(self.length)
    }
}

/// Why a fragment does not fit those before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Misfit {
    /// It is one of them again, byte for byte.
    Repeated,
    /// It covers bytes that another one has covered, or contradicts it about the end.
    Overlap,
    /// There are as many as are followed.
    TooMany,
}

/// The parts that were seen, in the order in which they came.
#[derive(Clone, Copy, Debug)]
pub struct Pieces {
    pieces: [Piece; MAX_FRAGMENTS],
    count: usize,
    /// Bytes in all; no two parts have one in common.
    bytes: u32,
    /// Where the datagram ends, once its last fragment was seen.
    end: Option<u32>,
}

impl Pieces {
    /// None yet.
    pub const NONE: Self = Self { pieces: [Piece::NONE; MAX_FRAGMENTS], count: 0, bytes: 0, end: None };

    /// Forgets them.
    pub const fn clear(&mut self) {
        self.count = 0;
        self.bytes = 0;
        self.end = None;
    }

    /// Adds a part; `more` says whether others come after it.
    ///
    /// # Errors
    /// When it does not fit the others; nothing changes then.
    pub fn add(&mut self, start: u16, length: u16, more: bool, digest: u32) -> Result<(), Misfit> {
        let new = Piece { start, length, digest };
        let last = !more;
        for piece in self.pieces.iter().take(self.count) {
            let ends = self.end == Some(piece.end());
            if (piece.start, piece.length, piece.digest, ends) == (start, length, digest, last) {
                return Err(Misfit::Repeated);
            }
            let apart = new.end() <= u32::from(piece.start) || piece.end() <= u32::from(start);
            // Nothing comes after the last one.
            if !apart || last && piece.end() > new.end() {
                return Err(Misfit::Overlap);
            }
        }
        if self.end.is_some_and(|end| new.end() > end) {
            return Err(Misfit::Overlap);
        }
        let Some(place) = self.pieces.get_mut(self.count) else { return Err(Misfit::TooMany) };
        *place = new;
        self.count += 1;
        self.bytes += u32::from(length);
        if last {
            self.end = Some(new.end());
        }
        Ok(())
    }

    /// Whether every byte was seen.
    pub fn are_complete(&self) -> bool {
        self.end == Some(self.bytes)
    }
}
