//! Numbers read from bytes one after the other.

/// The order of a number's bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    Big,
    Little,
}

/// Bytes, and how far they have been read.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns how many bytes have been read.
    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Reads so many bytes; `None`, and nothing is read, where there are fewer.
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(crate) fn u16(&mut self, order: Order) -> Option<u16> {
        let &[a, b] = self.take(2)? else { return None };
        Some(match order {
            Order::Big => u16::from_be_bytes([a, b]),
            Order::Little => u16::from_le_bytes([a, b]),
        })
    }

    pub(crate) fn u32(&mut self, order: Order) -> Option<u32> {
        let &[a, b, c, d] = self.take(4)? else { return None };
        Some(match order {
            Order::Big => u32::from_be_bytes([a, b, c, d]),
            Order::Little => u32::from_le_bytes([a, b, c, d]),
        })
    }

    /// Reads a length, which is never more than fits in memory.
    pub(crate) fn length(&mut self, order: Order) -> Option<usize> {
        usize::try_from(self.u32(order)?).ok()
    }
}
