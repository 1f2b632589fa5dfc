//! Entries in the order of their age, through their own places.

const NONE: u32 = u32::MAX;

/// An entry's neighbours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    older: u32,
    newer: u32,
}

impl Links {
    /// No neighbours.
    pub(super) const NONE: Self = Self { older: NONE, newer: NONE };
}

/// Something that has an age.
pub(super) trait Aged {
    /// Its neighbours, the list's own.
    fn links(&mut self) -> &mut Links;
}

/// Both ends of the order.
#[derive(Debug)]
pub(super) struct ByAge {
    oldest: u32,
    newest: u32,
}

impl ByAge {
    pub(super) const EMPTY: Self = Self { oldest: NONE, newest: NONE };

    /// Returns the oldest entry.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// Puts an entry in that is not in, as the newest.
    pub(super) fn push<T: Aged>(&mut self, entries: &mut [T], entry: u32) {
        let older = std::mem::replace(&mut self.newest, entry);
        if let Some(place) = at(entries, entry) {
            *place.links() = Links { older, newer: NONE };
        }
        match at(entries, older) {
            Some(place) => place.links().newer = entry,
            None => self.oldest = entry,
        }
    }

    /// Takes an entry out that is in.
    pub(super) fn remove<T: Aged>(&mut self, entries: &mut [T], entry: u32) {
        let Some(place) = at(entries, entry) else { return };
        let Links { older, newer } = std::mem::replace(place.links(), Links::NONE);
        match at(entries, older) {
            Some(place) => place.links().newer = newer,
            None => self.oldest = newer,
        }
        match at(entries, newer) {
            Some(place) => place.links().older = older,
            None => self.newest = older,
        }
    }
}

fn at<T>(entries: &mut [T], entry: u32) -> Option<&mut T> {
    entries.get_mut(usize::try_from(entry).ok()?)
}
