//! The sessions, in a flat table found by either direction's tuple.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::rng::{Seed, table_key};
use crate::time::Timestamp;
use crate::tuple::{Direction, Protocol, Tuple};

pub mod expectation;
pub mod index;
pub mod session;
pub mod tcp;
pub mod timer;

use index::Index;
pub use session::{Session, SessionId, State};
use timer::Wheel;

/// Hashes tuples and endpoints under a key that no one outside knows, so that nobody can choose collisions.
#[derive(Clone, Copy, Debug)]
pub struct TupleHasher {
    key: (u64, u64),
}

impl TupleHasher {
    /// Takes its key from the engine's seed.
    pub fn new(seed: &Seed) -> Self {
        Self { key: table_key(seed) }
    }

    /// Hashes a tuple.
    pub fn tuple(&self, tuple: &Tuple) -> u32 {
        let addresses = u64::from(tuple.source.to_bits()) << 32 | u64::from(tuple.destination.to_bits());
        let rest = u64::from(tuple.source_port) << 32
            | u64::from(tuple.destination_port) << 8
            | protocol_byte(tuple.protocol);
        self.words(addresses, rest)
    }

    /// Hashes one side of a mapping.
    pub fn endpoint(&self, protocol: Protocol, address: std::net::Ipv4Addr, port: u16) -> u32 {
        self.words(u64::from(address.to_bits()), u64::from(port) << 8 | protocol_byte(protocol))
    }

    fn words(&self, first: u64, second: u64) -> u32 {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        hasher.write_u64(first);
        hasher.write_u64(second);
        // The upper half is as good as any.
        u32::try_from(hasher.finish() >> 32).unwrap_or(0)
    }
}

const fn protocol_byte(protocol: Protocol) -> u64 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::IcmpEcho => 1,
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    generation: u32,
    session: Option<Session>,
}

/// The session table.
#[derive(Debug)]
pub struct Table {
    entries: Vec<Entry>,
    free: Vec<u32>,
    index: Index,
    wheel: Wheel,
    hasher: TupleHasher,
}

/// Why a session could not be inserted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InsertError {
    /// The table is full.
    Full,
    /// Another session has one of the two tuples.
    Taken,
}

impl Table {
    /// Makes a table for `capacity` sessions.
    pub fn new(capacity: u32, hasher: TupleHasher, now: Timestamp) -> Self {
        let entries = usize::try_from(capacity).unwrap_or(0);
        Self {
            entries: vec![Entry { generation: 0, session: None }; entries],
            free: (0..capacity).rev().collect(),
            index: Index::new(entries.saturating_mul(2)),
            wheel: Wheel::new(entries, seconds(now)),
            hasher,
        }
    }

    /// Returns the number of sessions.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether there is no session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Finds the session that an arriving packet belongs to.
    pub fn lookup(&self, tuple: &Tuple) -> Option<(SessionId, Direction)> {
        let value = self.index.lookup(self.hasher.tuple(tuple), |value| {
            let (slot, direction) = unpack(value);
            self.at(slot).is_some_and(|session| session.tuple(direction) == *tuple)
        })?;
        let (slot, direction) = unpack(value);
        Some((SessionId { slot, generation: self.entry(slot)?.generation }, direction))
    }

    /// Returns a session.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.entry(id.slot).filter(|entry| entry.generation == id.generation)?.session.as_ref()
    }

    /// Returns a session to change; its tuples must stay.
    pub fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        let entry = self.entries.get_mut(usize::try_from(id.slot).ok()?)?;
        if entry.generation == id.generation { entry.session.as_mut() } else { None }
    }

    /// Puts a session in.
    ///
    /// # Errors
    /// When there is no room or a tuple is taken; nothing changes then.
    pub fn insert(&mut self, session: Session) -> Result<SessionId, InsertError> {
        if self.lookup(&session.original).is_some() || self.lookup(&session.reply).is_some() {
            return Err(InsertError::Taken);
        }
        let slot = self.free.pop().ok_or(InsertError::Full)?;
        let (original, reply) = (self.hasher.tuple(&session.original), self.hasher.tuple(&session.reply));
        let inserted = self.index.insert(original, pack(slot, Direction::Original))
            && self.index.insert(reply, pack(slot, Direction::Reply));
        debug_assert!(inserted, "the index has two places for each session");
        let deadline = seconds(session.deadline);
        let mut generation = 0;
        if let Some(entry) = usize::try_from(slot).ok().and_then(|at| self.entries.get_mut(at)) {
            entry.session = Some(session);
            generation = entry.generation;
        }
        self.wheel.insert(slot, deadline + 1);
        Ok(SessionId { slot, generation })
    }

    /// Takes a session out.
    pub fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = *self.session(id)?;
        self.index.remove(self.hasher.tuple(&session.original), pack(id.slot, Direction::Original));
        self.index.remove(self.hasher.tuple(&session.reply), pack(id.slot, Direction::Reply));
        self.wheel.remove(id.slot);
        if let Some(entry) = usize::try_from(id.slot).ok().and_then(|at| self.entries.get_mut(at)) {
            entry.session = None;
            entry.generation = entry.generation.wrapping_add(1);
        }
        self.free.push(id.slot);
        Some(session)
    }

    /// Returns a session whose deadline has passed, looking at no more than `budget` entries. `None` does not mean
    /// that the budget was enough: `budget` is then 0.
    pub fn pop_expired(&mut self, now: Timestamp, budget: &mut usize) -> Option<SessionId> {
        while *budget > 0 {
            let slot = self.wheel.pop_due(seconds(now))?;
            *budget -= 1;
            let Some(entry) = self.entry(slot).copied() else { continue };
            let Some(session) = entry.session else { continue };
            if session.deadline <= now {
                // Back in until it is removed, so that a session is never without a timer.
                self.wheel.insert(slot, seconds(now) + 1);
                return Some(SessionId { slot, generation: entry.generation });
            }
            self.wheel.insert(slot, seconds(session.deadline) + 1);
        }
        None
    }

    /// Visits every session, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        (0_u32..).zip(&self.entries).filter_map(|(slot, entry)| {
            Some((SessionId { slot, generation: entry.generation }, entry.session.as_ref()?))
        })
    }

    fn entry(&self, slot: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(slot).ok()?)
    }

    fn at(&self, slot: u32) -> Option<&Session> {
        self.entry(slot)?.session.as_ref()
    }
}

fn pack(slot: u32, direction: Direction) -> u32 {
    slot << 1 | u32::from(direction == Direction::Reply)
}

fn unpack(value: u32) -> (u32, Direction) {
    (value >> 1, if value & 1 == 0 { Direction::Original } else { Direction::Reply })
}

fn seconds(at: Timestamp) -> u64 {
    at.as_nanos() / 1_000_000_000
}

#[cfg(test)]
mod tests;
