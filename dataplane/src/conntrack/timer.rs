//! A wheel of one-second slots through the entries' own places; no memory is taken after the start.

/// Seconds that the wheel spans; later deadlines wait at its end and are put in again from there.
const SLOTS: u64 = 8_192;
const NONE: u32 = u32::MAX;
/// The slot of an entry that is not in the wheel.
const IDLE: u16 = u16::MAX;

/// An entry's neighbours in its slot of the wheel.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    next: u32,
    previous: u32,
}

impl Links {
    /// No neighbours.
    pub const NONE: Self = Self { next: NONE, previous: NONE };
}

/// Something that waits in a wheel.
pub trait Timed {
    /// Its neighbours, the wheel's own.
    fn links(&mut self) -> &mut Links;
    /// Its slot, the wheel's own.
    fn slot(&mut self) -> &mut u16;
}

/// Entries by the second at which somebody wants to look at them. The deadline itself is the entry's own: the wheel
/// may hand an entry out early, never late.
#[derive(Debug)]
pub struct Wheel {
    heads: Vec<u32>,
    /// The second whose slot is emptied next.
    cursor: u64,
}

impl Wheel {
    /// Makes an empty wheel that starts at second `now`.
    pub fn new(now: u64) -> Self {
        Self { heads: vec![NONE; usize::try_from(SLOTS).unwrap_or(0)], cursor: now }
    }

    /// Puts the entry at a place in, which is not in, to be looked at once second `at` has begun.
    pub fn insert<T: Timed>(&mut self, entries: &mut [T], entry: u32, at: u64) {
        let at = at.clamp(self.cursor, self.cursor + SLOTS - 1);
        let slot = slot_of(at);
        let Some(head) = self.heads.get_mut(usize::from(slot)) else { return };
        let next = std::mem::replace(head, entry);
        if let Some(place) = at_mut(entries, entry) {
            *place.links() = Links { next, previous: NONE };
            *place.slot() = slot;
        }
        if let Some(place) = at_mut(entries, next) {
            place.links().previous = entry;
        }
    }

    /// Moves the entry at a place, which is in, to second `at` if it would be looked at later.
    pub fn hasten<T: Timed>(&mut self, entries: &mut [T], entry: u32, at: u64) {
        let Some(place) = at_mut(entries, entry) else { return };
        let slot = u64::from(*place.slot());
        let cursor = self.cursor;
        let stands_at = cursor + (slot + SLOTS - cursor % SLOTS) % SLOTS;
        if at < stands_at {
            self.remove(entries, entry);
            self.insert(entries, entry, at);
        }
    }

    /// Takes an entry out that is in.
    pub fn remove<T: Timed>(&mut self, entries: &mut [T], entry: u32) {
        let Some(place) = at_mut(entries, entry) else { return };
        let slot = std::mem::replace(place.slot(), IDLE);
        if slot == IDLE {
            return;
        }
        let Links { next, previous } = std::mem::replace(place.links(), Links::NONE);
        if let Some(place) = at_mut(entries, previous) {
            place.links().next = next;
        } else if let Some(head) = self.heads.get_mut(usize::from(slot)) {
            *head = next;
        }
        if let Some(place) = at_mut(entries, next) {
            place.links().previous = previous;
        }
    }

    /// Takes out and returns an entry whose second has passed by `now`.
    pub fn pop_due<T: Timed>(&mut self, entries: &mut [T], now: u64) -> Option<u32> {
        // A jump of more than a turn passes every slot once.
        self.cursor = self.cursor.max(now.saturating_sub(SLOTS));
        while self.cursor <= now {
            let head = self.heads.get(usize::from(slot_of(self.cursor))).copied().unwrap_or(NONE);
            if head != NONE {
                self.remove(entries, head);
                return Some(head);
            }
            if self.cursor == now {
                return None;
            }
            self.cursor += 1;
        }
        None
    }
}

fn slot_of(second: u64) -> u16 {
    u16::try_from(second % SLOTS).unwrap_or(0)
}

fn at_mut<T>(entries: &mut [T], entry: u32) -> Option<&mut T> {
    entries.get_mut(usize::try_from(entry).ok()?)
}
