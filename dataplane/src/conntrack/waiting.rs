//! Sessions that nobody has answered yet, oldest first: those that may go when there is no room for more.
//!
//! Lists through an array beside the sessions, so that each step takes the same time whatever waits.

/// No neighbour, or no session at all.
const NONE: u32 = u32::MAX;
/// The owner of a session that waits without one.
const NOBODY: u32 = u32::MAX - 1;

/// An entry's neighbours in one list.
#[derive(Clone, Copy, Debug)]
struct Links {
    older: u32,
    newer: u32,
}

/// A session's place in the lists; `owner` is [`NONE`] while it is in none.
#[derive(Clone, Copy, Debug)]
struct Place {
    owner: u32,
    all: Links,
    owned: Links,
}

const FREE: Place = {
    let unlinked = Links { older: NONE, newer: NONE };
    Place { owner: NONE, all: unlinked, owned: unlinked }
};

#[derive(Clone, Copy, Debug)]
struct List {
    oldest: u32,
    newest: u32,
    length: u32,
}

impl List {
    const EMPTY: Self = Self { oldest: NONE, newest: NONE, length: 0 };

    fn append(&mut self, places: &mut [Place], links: fn(&mut Place) -> &mut Links, slot: u32) {
        let older = std::mem::replace(&mut self.newest, slot);
        match at(places, older) {
            Some(place) => links(place).newer = slot,
            None => self.oldest = slot,
        }
        if let Some(place) = at(places, slot) {
            *links(place) = Links { older, newer: NONE };
        }
        self.length += 1;
    }

    fn remove(&mut self, places: &mut [Place], links: fn(&mut Place) -> &mut Links, slot: u32) {
        let Some(place) = at(places, slot) else { return };
        let Links { older, newer } = *links(place);
        match at(places, older) {
            Some(place) => links(place).newer = newer,
            None => self.oldest = newer,
        }
        match at(places, newer) {
            Some(place) => links(place).older = older,
            None => self.newest = older,
        }
        self.length -= 1;
    }

    fn first(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }
}

fn at(places: &mut [Place], slot: u32) -> Option<&mut Place> {
    places.get_mut(usize::try_from(slot).ok()?)
}

fn all(place: &mut Place) -> &mut Links {
    &mut place.all
}

fn owned(place: &mut Place) -> &mut Links {
    &mut place.owned
}

/// The sessions that wait, by their slots: TCP connections that are half open, in all and for each owner, and the
/// others.
#[derive(Debug)]
pub struct Waiting {
    places: Vec<Place>,
    silent: List,
    half_open: List,
    owners: Vec<List>,
}

impl Waiting {
    /// Takes all memory, for so many sessions and owners.
    pub fn new(sessions: u32, owners: u32) -> Self {
        Self {
            places: vec![FREE; usize::try_from(sessions).unwrap_or(0)],
            silent: List::EMPTY,
            half_open: List::EMPTY,
            owners: vec![List::EMPTY; usize::try_from(owners).unwrap_or(0)],
        }
    }

    /// A session without a state machine waits from now on.
    pub fn enter_silent(&mut self, slot: u32) {
        self.leave(slot);
        if let Some(place) = at(&mut self.places, slot) {
            place.owner = NOBODY;
            self.silent.append(&mut self.places, all, slot);
        }
    }

    /// A half-open connection of an owner waits from now on.
    pub fn enter_half_open(&mut self, slot: u32, owner: u32) {
        self.leave(slot);
        let Some(list) = usize::try_from(owner).ok().and_then(|at| self.owners.get_mut(at)) else { return };
        if let Some(place) = at(&mut self.places, slot) {
            place.owner = owner;
            list.append(&mut self.places, owned, slot);
            self.half_open.append(&mut self.places, all, slot);
        }
    }

    /// A session waits no longer, if it did.
    pub fn leave(&mut self, slot: u32) {
        let Some(place) = at(&mut self.places, slot) else { return };
        match std::mem::replace(&mut place.owner, NONE) {
            NONE => {}
            NOBODY => self.silent.remove(&mut self.places, all, slot),
            owner => {
                self.half_open.remove(&mut self.places, all, slot);
                if let Some(list) = usize::try_from(owner).ok().and_then(|at| self.owners.get_mut(at)) {
                    list.remove(&mut self.places, owned, slot);
                }
            }
        }
    }

    /// Returns the number of half-open connections.
    pub const fn half_open(&self) -> u32 {
        self.half_open.length
    }

    /// Returns the number of half-open connections of an owner.
    pub fn half_open_of(&self, owner: u32) -> u32 {
        self.owner(owner).map_or(0, |list| list.length)
    }

    /// Returns the half-open connection that has waited longest.
    pub fn oldest_half_open(&self) -> Option<u32> {
        self.half_open.first()
    }

    /// Returns the half-open connection of an owner that has waited longest.
    pub fn oldest_of(&self, owner: u32) -> Option<u32> {
        self.owner(owner)?.first()
    }

    /// Returns the other session that has waited longest.
    pub fn oldest_silent(&self) -> Option<u32> {
        self.silent.first()
    }

    fn owner(&self, owner: u32) -> Option<&List> {
        self.owners.get(usize::try_from(owner).ok()?)
    }
}

#[cfg(test)]
mod tests;
