//! The datagrams of which not every fragment has come.

use std::collections::BTreeSet;
use std::hash::Hasher as _;
use std::net::Ipv4Addr;

use siphasher::sip::SipHasher13;

use crate::conntrack::index::Index;
use crate::conntrack::{SessionId, TupleHasher};
use crate::engine::DropReason;
use crate::fragment::links::{Aged, ByAge, Links};
use crate::fragment::quota::{Class, Quota};
use crate::fragment::{Datagram, Fragment, Lane, Misfit, Pieces};
use crate::limits::FRAGMENT_LIFETIME;
use crate::rng::Rng;
use crate::time::Timestamp;

/// A datagram's place in the table, good until it is complete or forgotten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Slot(u32);

/// What becomes of a datagram's fragments.
#[derive(Clone, Copy, Debug)]
pub enum State {
    /// They wait for the first one.
    Waiting,
    /// They go on as the first one did.
    Passing(Leaving),
    /// They wait until all of them are there.
    Gathering,
    /// They are dropped.
    Refused(DropReason),
}

/// How fragments leave.
#[derive(Clone, Copy, Debug)]
pub struct Leaving {
    /// The session that let the first one pass.
    pub session: SessionId,
    /// The new source address.
    pub source: Ipv4Addr,
    /// The new destination address.
    pub destination: Ipv4Addr,
    /// The new identification.
    pub identification: u16,
}

/// One datagram.
#[derive(Debug)]
pub struct Entry {
    datagram: Datagram,
    class: Class,
    state: State,
    pieces: Pieces,
    deadline: Timestamp,
    /// What waits, whole packets in the order in which they came.
    held: Vec<Vec<u8>>,
    /// Bytes of `held`.
    bytes: usize,
    links: Links,
}

impl Aged for Entry {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }
}

impl Entry {
    const fn free() -> Self {
        let datagram = Datagram {
            lane: Lane::Inside,
            source: Ipv4Addr::UNSPECIFIED,
            destination: Ipv4Addr::UNSPECIFIED,
            protocol: 0,
            identification: 0,
        };
        Self {
            datagram,
            class: Class::Unknown,
            state: State::Waiting,
            pieces: Pieces::NONE,
            deadline: Timestamp::ZERO,
            held: Vec::new(),
            bytes: 0,
            links: Links::NONE,
        }
    }
}

/// What leaves under one identification: addresses, protocol and identification.
type Outgoing = (Ipv4Addr, Ipv4Addr, u8, u16);

/// The table; its size is fixed when it starts.
#[derive(Debug)]
pub struct Fragments {
    entries: Vec<Entry>,
    free: Vec<u32>,
    index: Index,
    by_age: ByAge,
    quota: Quota,
    outgoing: BTreeSet<Outgoing>,
    hasher: TupleHasher,
    digest_key: (u64, u64),
}

impl Fragments {
    /// Makes a table for so many datagrams, each lane having a third of them.
    pub fn new(datagrams: u32, hasher: TupleHasher, rng: &mut Rng) -> Self {
        let places = usize::try_from(datagrams).unwrap_or(0);
        Self {
            entries: std::iter::repeat_with(Entry::free).take(places).collect(),
            free: (0..datagrams).rev().collect(),
            index: Index::new(places, datagrams),
            by_age: ByAge::EMPTY,
            quota: Quota::new(datagrams / u32::try_from(Lane::COUNT).unwrap_or(1)),
            outgoing: BTreeSet::new(),
            hasher,
            digest_key: (rng.next_u64(), rng.next_u64()),
        }
    }

    /// Returns the number of datagrams.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Finds a datagram.
    pub fn lookup(&self, datagram: &Datagram) -> Option<Slot> {
        let is_it = |slot| self.entry(Slot(slot)).is_some_and(|entry| entry.datagram == *datagram);
        self.index.lookup(self.hash(datagram), is_it).map(Slot)
    }

    /// Makes room for a datagram that is not there, whose first fragment has not come.
    ///
    /// # Errors
    /// When there is none.
    pub fn begin(&mut self, datagram: &Datagram, now: Timestamp) -> Result<Slot, DropReason> {
        self.insert(datagram, Class::Unknown, now)
    }

    /// Makes room for a datagram that is not there, whose first fragment has come and is to be judged.
    ///
    /// # Errors
    /// When there is none.
    pub fn begin_known(&mut self, datagram: &Datagram, now: Timestamp) -> Result<Slot, DropReason> {
        self.insert(datagram, Class::Known, now)
    }

    fn insert(&mut self, datagram: &Datagram, class: Class, now: Timestamp) -> Result<Slot, DropReason> {
        if !self.quota.take(datagram.lane, datagram.source, class) {
            return Err(DropReason::FragmentsFull);
        }
        // The lanes' shares together are no more than there are places.
        let slot = self.free.pop().ok_or(DropReason::FragmentsFull)?;
        let inserted = self.index.insert(self.hash(datagram), slot);
        debug_assert!(inserted, "the index has a place for each datagram");
        if let Some(entry) = self.entry_mut(Slot(slot)) {
            entry.datagram = *datagram;
            entry.class = class;
            entry.state = State::Waiting;
            entry.pieces.clear();
            entry.deadline = now.saturating_add(FRAGMENT_LIFETIME);
        }
        self.by_age.push(&mut self.entries, slot);
        Ok(Slot(slot))
    }

    /// Moves a datagram whose first fragment comes now to those of which it has come.
    ///
    /// # Errors
    /// When there is no room among these.
    pub fn promote(&mut self, slot: Slot) -> Result<(), DropReason> {
        self.reclassify(slot, Class::Known)
    }

    /// Has all further fragments of a datagram dropped for a reason; returns how many that waited are, too.
    pub fn refuse(&mut self, slot: Slot, reason: DropReason) -> usize {
        let dropped = self.take_held(slot).len();
        self.set_state(slot, State::Refused(reason));
        if self.reclassify(slot, Class::Unknown).is_err() {
            self.remove(slot);
        }
        dropped
    }

    fn reclassify(&mut self, slot: Slot, class: Class) -> Result<(), DropReason> {
        let Some(entry) = self.entry(slot) else { return Ok(()) };
        let (Datagram { lane, source, .. }, before) = (entry.datagram, entry.class);
        if before == class {
            return Ok(());
        }
        if !self.quota.take(lane, source, class) {
            return Err(DropReason::FragmentsFull);
        }
        self.quota.give_back(lane, source, before);
        if let Some(entry) = self.entry_mut(slot) {
            entry.class = class;
        }
        Ok(())
    }

    /// Returns what becomes of a datagram's fragments.
    pub fn state(&self, slot: Slot) -> Option<State> {
        self.entry(slot).map(|entry| entry.state)
    }

    /// Decides what becomes of them.
    pub fn set_state(&mut self, slot: Slot, state: State) {
        let Some(entry) = self.entry_mut(slot) else { return };
        let before = std::mem::replace(&mut entry.state, state);
        let protocol = entry.datagram.protocol;
        self.forget_outgoing(before, protocol);
        if let State::Passing(leaving) = state {
            self.outgoing.insert(outgoing(&leaving, protocol));
        }
    }

    fn forget_outgoing(&mut self, state: State, protocol: u8) {
        if let State::Passing(leaving) = state {
            self.outgoing.remove(&outgoing(&leaving, protocol));
        }
    }

    /// Takes note of a fragment; whether all of them have come then.
    ///
    /// # Errors
    /// When it does not fit the others.
    pub fn note(&mut self, slot: Slot, fragment: &Fragment, payload: &[u8]) -> Result<bool, Misfit> {
        let mut digest = SipHasher13::new_with_keys(self.digest_key.0, self.digest_key.1);
        digest.write(payload);
        // Any part of it is as good as the whole.
        let digest = u32::try_from(digest.finish() >> 32).unwrap_or(0);
        let Some(entry) = self.entry_mut(slot) else { return Ok(false) };
        entry.pieces.add(fragment.start, fragment.length, fragment.more, digest)?;
        Ok(entry.pieces.are_complete())
    }

    /// Keeps a fragment until it is taken out again.
    ///
    /// # Errors
    /// When there is no room for its bytes.
    pub fn hold(&mut self, slot: Slot, packet: &[u8]) -> Result<(), DropReason> {
        let Some(Datagram { lane, source, .. }) = self.entry(slot).map(|entry| entry.datagram) else {
            return Err(DropReason::FragmentsFull);
        };
        if !self.quota.take_bytes(lane, source, packet.len()) {
            return Err(DropReason::FragmentsFull);
        }
        if let Some(entry) = self.entry_mut(slot) {
            entry.bytes += packet.len();
            entry.held.push(packet.to_vec());
        }
        Ok(())
    }

    /// Takes out what waits.
    pub fn take_held(&mut self, slot: Slot) -> Vec<Vec<u8>> {
        let Some(entry) = self.entry_mut(slot) else { return Vec::new() };
        let (held, bytes) = (std::mem::take(&mut entry.held), std::mem::take(&mut entry.bytes));
        let Datagram { lane, source, .. } = entry.datagram;
        if !held.is_empty() {
            self.quota.give_back_bytes(lane, source, bytes);
        }
        held
    }

    /// Forgets a datagram; returns what waited.
    pub fn remove(&mut self, slot: Slot) -> Vec<Vec<u8>> {
        let held = self.take_held(slot);
        let Some(entry) = self.entry(slot) else { return held };
        let (datagram, class, state) = (entry.datagram, entry.class, entry.state);
        if !self.index.remove(self.hash(&datagram), slot.0) {
            return held;
        }
        self.forget_outgoing(state, datagram.protocol);
        self.quota.give_back(datagram.lane, datagram.source, class);
        self.by_age.remove(&mut self.entries, slot.0);
        self.free.push(slot.0);
        held
    }

    /// Returns a datagram whose time is over.
    pub fn expired(&self, now: Timestamp) -> Option<Slot> {
        let oldest = self.by_age.oldest().map(Slot)?;
        (self.entry(oldest)?.deadline <= now).then_some(oldest)
    }

    /// Returns when [`Self::expired`] has an answer.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.entry(Slot(self.by_age.oldest()?)).map(|entry| entry.deadline)
    }

    /// Chooses an identification that no other datagram between these addresses leaves with now: hosts that share an
    /// address choose theirs independently (RFC 6864, section 5.3.1). A random one, so that nobody outside can tell
    /// what others send by it.
    pub fn identification(&self, between: (Ipv4Addr, Ipv4Addr), protocol: u8, rng: &mut Rng) -> u16 {
        let mut chosen = 0;
        // As long as nearly all are free, the second one will do.
        for _ in 0..IDENTIFICATION_TRIES {
            chosen = u16::try_from(rng.below(1 << 16)).unwrap_or(0);
            if !self.outgoing.contains(&(between.0, between.1, protocol, chosen)) {
                break;
            }
        }
        chosen
    }

    fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(usize::try_from(slot.0).ok()?)
    }

    fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(slot.0).ok()?)
    }

    fn hash(&self, datagram: &Datagram) -> u32 {
        let lane = match datagram.lane {
            Lane::Inside => 0,
            Lane::Outside => 1,
            Lane::Back => 2,
        };
        let label = lane << 24 | u64::from(datagram.protocol) << 16 | u64::from(datagram.identification);
        self.hasher.datagram(datagram.source, datagram.destination, label)
    }

    /// Whether nothing is left of any datagram.
    #[cfg(test)]
    pub(super) fn is_untouched(&self) -> bool {
        self.is_empty()
            && self.quota.is_untouched()
            && self.outgoing.is_empty()
            && self.by_age.oldest().is_none()
            && self.free.len() == self.entries.len()
    }
}

const IDENTIFICATION_TRIES: u32 = 8;

const fn outgoing(leaving: &Leaving, protocol: u8) -> Outgoing {
    (leaving.source, leaving.destination, protocol, leaving.identification)
}
