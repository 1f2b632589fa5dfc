//! A wheel of one-second slots; an entry costs 10 bytes and no memory is taken after the start.

/// Seconds that the wheel spans; later deadlines wait at its end and are put in again from there.
const SLOTS: u64 = 8_192;
const NONE: u32 = u32::MAX;
const IDLE: u16 = u16::MAX;

/// Entries by the second at which somebody wants to look at them. The deadline itself is the entry's own: the wheel
/// may hand an entry out early, never late.
#[derive(Debug)]
pub struct Wheel {
    heads: Vec<u32>,
    next: Vec<u32>,
    previous: Vec<u32>,
    slots: Vec<u16>,
    /// The second whose slot is emptied next.
    cursor: u64,
}

impl Wheel {
    /// Makes a wheel for entries 0 to `entries - 1` that starts at second `now`.
    pub fn new(entries: usize, now: u64) -> Self {
        let slots = usize::try_from(SLOTS).unwrap_or(0);
        Self {
            heads: vec![NONE; slots],
            next: vec![NONE; entries],
            previous: vec![NONE; entries],
            slots: vec![IDLE; entries],
            cursor: now,
        }
    }

    /// Puts an entry in that is not in, to be looked at once second `at` has begun.
    pub fn insert(&mut self, entry: u32, at: u64) {
        let at = at.clamp(self.cursor, self.cursor + SLOTS - 1);
        let slot = slot_of(at);
        let head = read(&self.heads, slot);
        write(&mut self.next, position(entry), head);
        write(&mut self.previous, position(entry), NONE);
        if head != NONE {
            write(&mut self.previous, position(head), entry);
        }
        write(&mut self.heads, slot, entry);
        if let Some(place) = self.slots.get_mut(position(entry)) {
            *place = u16::try_from(slot).unwrap_or(IDLE);
        }
    }

    /// Takes an entry out; nothing happens when it is not in.
    pub fn remove(&mut self, entry: u32) {
        let Some(place) = self.slots.get_mut(position(entry)) else { return };
        let slot = std::mem::replace(place, IDLE);
        if slot == IDLE {
            return;
        }
        let (next, previous) = (read(&self.next, position(entry)), read(&self.previous, position(entry)));
        if previous == NONE {
            write(&mut self.heads, usize::from(slot), next);
        } else {
            write(&mut self.next, position(previous), next);
        }
        if next != NONE {
            write(&mut self.previous, position(next), previous);
        }
    }

    /// Takes out and returns an entry whose second has passed by `now`.
    pub fn pop_due(&mut self, now: u64) -> Option<u32> {
        // A jump of more than a turn passes every slot once.
        self.cursor = self.cursor.max(now.saturating_sub(SLOTS));
        while self.cursor <= now {
            let head = read(&self.heads, slot_of(self.cursor));
            if head != NONE {
                self.remove(head);
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

fn slot_of(second: u64) -> usize {
    usize::try_from(second % SLOTS).unwrap_or(0)
}

fn position(entry: u32) -> usize {
    usize::try_from(entry).unwrap_or(usize::MAX)
}

fn read(list: &[u32], at: usize) -> u32 {
    list.get(at).copied().unwrap_or(NONE)
}

fn write(list: &mut [u32], at: usize, value: u32) {
    if let Some(target) = list.get_mut(at) {
        *target = value;
    }
}
