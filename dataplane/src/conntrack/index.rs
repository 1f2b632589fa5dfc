//! Open-addressing hash index from keys that live elsewhere to `u32` values; all memory is taken at the start.

/// One place of the index: the key's hash and the value, [`EMPTY`] where there is none.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    value: u32,
}

const EMPTY: u32 = u32::MAX;

/// The index: linear probing at a load of at most one half, removal by shifting back, so it never degrades.
#[derive(Debug)]
pub struct Index {
    slots: Vec<Slot>,
    mask: usize,
    length: usize,
}

impl Index {
    /// Makes an index for at most `entries` entries.
    pub fn new(entries: usize) -> Self {
        let capacity = entries.saturating_mul(2).max(8).next_power_of_two();
        Self { slots: vec![Slot { hash: 0, value: EMPTY }; capacity], mask: capacity - 1, length: 0 }
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Finds the value with this hash that `is_key` recognises.
    pub fn lookup(&self, hash: u32, is_key: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let slot = self.slots.get(at)?;
            if slot.value == EMPTY {
                return None;
            }
            if slot.hash == hash && is_key(slot.value) {
                return Some(slot.value);
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Inserts a value whose key is not there yet; `false` when the index is as full as it may be.
    #[must_use]
    pub fn insert(&mut self, hash: u32, value: u32) -> bool {
        if self.length * 2 >= self.slots.len() || value == EMPTY {
            return false;
        }
        let mut at = self.home(hash);
        while let Some(slot) = self.slots.get_mut(at) {
            if slot.value == EMPTY {
                *slot = Slot { hash, value };
                self.length += 1;
                return true;
            }
            at = (at + 1) & self.mask;
        }
        false
    }

    /// Removes the entry with this hash and value; `false` when there is none.
    pub fn remove(&mut self, hash: u32, value: u32) -> bool {
        let mut hole = self.home(hash);
        loop {
            let Some(slot) = self.slots.get(hole) else { return false };
            if slot.value == EMPTY {
                return false;
            }
            if slot.hash == hash && slot.value == value {
                break;
            }
            hole = (hole + 1) & self.mask;
        }
        self.shift_back(hole);
        self.length -= 1;
        true
    }

    /// Fills the hole with a later entry of the same run that may stand there, and so on to the run's end.
    fn shift_back(&mut self, mut hole: usize) {
        let mut at = hole;
        loop {
            at = (at + 1) & self.mask;
            let Some(&slot) = self.slots.get(at) else { return };
            if slot.value == EMPTY {
                break;
            }
            let from_home = at.wrapping_sub(self.home(slot.hash)) & self.mask;
            let from_hole = at.wrapping_sub(hole) & self.mask;
            if from_home >= from_hole {
                self.put(hole, slot);
                hole = at;
            }
        }
        self.put(hole, Slot { hash: 0, value: EMPTY });
    }

    fn put(&mut self, at: usize, slot: Slot) {
        if let Some(target) = self.slots.get_mut(at) {
            *target = slot;
        }
    }

    fn home(&self, hash: u32) -> usize {
        usize::try_from(hash).unwrap_or(0) & self.mask
    }
}
