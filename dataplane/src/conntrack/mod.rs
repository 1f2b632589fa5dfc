//! The sessions, in a flat table found by either direction's tuple.

use crate::limits::IdleTicks;
use crate::rng::{Rng, Seed, table_seed};
use crate::time::{Tick, Timestamp};
use crate::tuple::{Direction, Key, Protocol};

pub mod expectation;
pub mod index;
pub mod ipv6;
mod progress;
pub mod session;
pub mod tcp;
pub mod timer;
pub mod waiting;

use index::Index;
pub use ipv6::Family;
use ipv6::Ipv6;
pub use progress::Progress;
pub use session::{NewSession, Session, SessionId, State};
use timer::Wheel;
use waiting::Waiting;

/// Hashes tuples and endpoints under a secret, so that nobody can choose collisions: whoever does not know the secret
/// cannot tell which inputs collide, and no output ever leaves the engine. Two multiplications of 64 by 64 bits whose
/// halves are folded together mix every input bit into every output bit.
#[derive(Clone, Copy, Debug)]
pub struct TupleHasher {
    secret: [u64; 5],
}

impl TupleHasher {
    /// Takes its secret from the engine's seed.
    pub fn new(seed: &Seed) -> Self {
        let mut random = Rng::new(&table_seed(seed));
        Self { secret: [(); 5].map(|()| random.next_u64()) }
    }

    /// Hashes a key.
    #[inline(always)]
    pub fn key(&self, key: &Key) -> u32 {
        let [source, destination, ports] = key.words;
        let addresses = u64::from(source) << 32 | u64::from(destination);
        self.words(addresses, u64::from(ports) << 8 | protocol_byte(key.protocol))
    }

    /// Hashes one side of a mapping.
    #[inline]
    pub fn endpoint(&self, protocol: Protocol, address: std::net::Ipv4Addr, port: u16) -> u32 {
        self.words(u64::from(address.to_bits()), u64::from(port) << 8 | protocol_byte(protocol))
    }

    /// Hashes what the fragments of a datagram have in common.
    pub fn datagram(&self, source: std::net::Ipv4Addr, destination: std::net::Ipv4Addr, label: u64) -> u32 {
        self.words(u64::from(source.to_bits()) << 32 | u64::from(destination.to_bits()), label)
    }

    #[inline]
    fn words(&self, first: u64, second: u64) -> u32 {
        let [a, b, c, ..] = self.secret;
        let mixed = fold(first ^ a, second ^ b);
        // The upper half is as good as any.
        u32::try_from(fold(mixed, c) >> 32).unwrap_or(0)
    }
}

/// Multiplies and joins both halves of the product.
#[inline]
const fn fold(left: u64, right: u64) -> u64 {
    let product = (left as u128).wrapping_mul(right as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

const fn protocol_byte(protocol: Protocol) -> u64 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::IcmpEcho => 1,
        Protocol::UdpLite => 136,
        Protocol::Gre => 47,
        // The number itself is in the place of the ports.
        Protocol::Other => 0,
    }
}

/// The session table.
#[derive(Debug)]
pub struct Table {
    sessions: Vec<Session>,
    /// Places that were used and are free again.
    free: Vec<u32>,
    index: Index,
    wheel: Wheel,
    waiting: Waiting,
    hasher: TupleHasher,
    /// What finds the sessions of IPv6; `None` until there may be any.
    ipv6: Option<Ipv6>,
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
    /// Makes a table for `capacity` sessions of so many owners.
    pub fn new(capacity: u32, owners: u32, hasher: TupleHasher, now: Timestamp) -> Self {
        let places = usize::try_from(capacity).unwrap_or(0);
        Self {
            sessions: vec![Session::FREE; places],
            free: (0..capacity).rev().collect(),
            index: Index::new(places.saturating_mul(2), capacity.saturating_mul(2)),
            wheel: Wheel::new(seconds(now)),
            waiting: Waiting::new(capacity, owners),
            hasher,
            ipv6: None,
        }
    }

    /// Returns the number of sessions.
    pub fn len(&self) -> usize {
        self.sessions.len() - self.free.len()
    }

    /// Whether there is no session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hashes a key for [`Self::guess`].
    #[inline(always)]
    pub fn hash(&self, key: &Key) -> u32 {
        self.hasher.key(key)
    }

    /// Returns where the session of a tuple with this hash likely is; touches no session.
    #[inline(always)]
    pub fn guess(&self, hash: u32) -> Guess {
        self.index.guess(hash).map_or(Guess::NONE, Guess)
    }

    /// Brings what a packet of this protocol needs of a guess's session near: returns something of its cache lines, for
    /// the caller to want.
    #[inline(always)]
    pub fn touch(&self, guess: Guess, protocol: Protocol) -> u32 {
        self.at(guess.slot()).map_or(0, |session| session.touch(protocol))
    }

    /// Finds the session that an arriving packet belongs to.
    pub fn find(&self, key: &Key) -> Option<(SessionId, Direction)> {
        let found = self.search(key, self.hash(key))?;
        let generation = self.at(found.slot())?.generation;
        Some((SessionId { slot: found.slot(), generation }, found.direction()))
    }

    fn search(&self, key: &Key, hash: u32) -> Option<Guess> {
        self.index.lookup(hash, |value| self.is_at(key, Guess(value))).map(Guess)
    }

    /// Returns the session of a guess, if it was right and still is.
    #[inline(always)]
    pub fn at_guess(&mut self, key: &Key, guess: Guess) -> Option<&mut Session> {
        self.at_mut(guess.slot()).filter(|session| session.has(guess.direction(), key))
    }

    #[inline(always)]
    fn is_at(&self, key: &Key, guess: Guess) -> bool {
        self.at(guess.slot()).is_some_and(|session| session.has(guess.direction(), key))
    }

    /// Returns a session.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.at(id.slot).filter(|session| session.generation == id.generation && !session.is_free())
    }

    /// Returns the name of the session at a place.
    pub fn id_at(&self, slot: u32) -> Option<SessionId> {
        let session = self.at(slot).filter(|session| !session.is_free())?;
        Some(SessionId { slot, generation: session.generation })
    }

    /// Returns the sessions that nobody has answered.
    pub const fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Returns the sessions that nobody has answered, to change.
    pub const fn waiting_mut(&mut self) -> &mut Waiting {
        &mut self.waiting
    }

    /// Returns a session to change; its tuples stay.
    #[inline]
    pub fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        let session = self.at_mut(id.slot)?;
        (session.generation == id.generation && !session.is_free()).then_some(session)
    }

    /// Puts a session in, to live until its idle time from `now` on is over.
    ///
    /// # Errors
    /// When there is no room or a tuple is taken; nothing changes then.
    pub fn insert(
        &mut self,
        new: &NewSession,
        now: Tick,
        idle: &IdleTicks,
    ) -> Result<SessionId, InsertError> {
        let (original, reply) = (Key::from(new.original), Key::from(new.reply));
        let (original_hash, reply_hash) = (self.hash(&original), self.hash(&reply));
        if self.search(&original, original_hash).is_some() || self.search(&reply, reply_hash).is_some() {
            return Err(InsertError::Taken);
        }
        let slot = self.free.pop().ok_or(InsertError::Full)?;
        let inserted = self.index.insert(original_hash, pack(slot, Direction::Original))
            && self.index.insert(reply_hash, pack(slot, Direction::Reply));
        debug_assert!(inserted, "the index has two places for each session");
        let session = self.at_mut(slot).ok_or(InsertError::Full)?;
        session.occupy(new, Family::V4);
        session.refresh(now, idle);
        let (generation, deadline) = (session.generation, seconds(session.deadline().timestamp()));
        self.wheel.insert(&mut self.sessions, slot, deadline + 1);
        Ok(SessionId { slot, generation })
    }

    /// Takes a session out.
    pub fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = *self.session(id)?;
        match session.family() {
            Family::V4 => {
                let hash = |direction| self.hash(&session.key(direction));
                let (original, reply) = (hash(Direction::Original), hash(Direction::Reply));
                self.index.remove(original, pack(id.slot, Direction::Original));
                self.index.remove(reply, pack(id.slot, Direction::Reply));
            }
            Family::V6 => self.forget_ipv6(id.slot),
        }
        self.wheel.remove(&mut self.sessions, id.slot);
        self.waiting.leave(id.slot);
        self.at_mut(id.slot)?.vacate();
        self.free.push(id.slot);
        Some(session)
    }

    /// Returns a session whose deadline has passed, looking at no more than `budget` entries. `None` does not mean
    /// that the budget was enough: `budget` is then 0.
    pub fn pop_expired(&mut self, now: Timestamp, budget: &mut usize) -> Option<SessionId> {
        while *budget > 0 {
            let slot = self.wheel.pop_due(&mut self.sessions, seconds(now))?;
            *budget -= 1;
            let Some(session) = self.at(slot) else { continue };
            let (deadline, generation) = (session.deadline().timestamp(), session.generation);
            if deadline <= now {
                // Back in until it is removed, so that a session is never without a timer.
                self.wheel.insert(&mut self.sessions, slot, seconds(now) + 1);
                return Some(SessionId { slot, generation });
            }
            self.wheel.insert(&mut self.sessions, slot, seconds(deadline) + 1);
        }
        None
    }

    /// Has a session end in time whose deadline may have come nearer: the timer is only put off by itself.
    pub fn hasten(&mut self, id: SessionId) {
        if let Some(session) = self.session(id) {
            let deadline = seconds(session.deadline().timestamp());
            self.wheel.hasten(&mut self.sessions, id.slot, deadline + 1);
        }
    }

    /// Returns the number of places, free ones included.
    pub fn places(&self) -> u32 {
        u32::try_from(self.sessions.len()).unwrap_or(u32::MAX)
    }

    /// Visits the sessions at `count` places from `first` on.
    pub fn range(&self, first: u32, count: u32) -> impl Iterator<Item = (SessionId, &Session)> {
        let start = usize::try_from(first).unwrap_or(usize::MAX);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        (first..=u32::MAX)
            .zip(self.sessions.iter().skip(start).take(count))
            .filter(|(_, session)| !session.is_free())
            .map(|(slot, session)| (SessionId { slot, generation: session.generation }, session))
    }

    /// Visits every session, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.range(0, self.places())
    }

    #[inline]
    fn at(&self, slot: u32) -> Option<&Session> {
        self.sessions.get(usize::try_from(slot).ok()?)
    }

    #[inline]
    fn at_mut(&mut self, slot: u32) -> Option<&mut Session> {
        self.sessions.get_mut(usize::try_from(slot).ok()?)
    }
}

/// Where a session may be, and in which direction a packet would belong to it: a value of the index.
#[derive(Clone, Copy, Debug)]
pub struct Guess(u32);

impl Guess {
    /// Nowhere: no table has so many places.
    pub const NONE: Self = Self(u32::MAX);

    /// Returns the session's place.
    pub(crate) const fn slot(self) -> u32 {
        self.0 >> 1
    }

    /// Returns the direction that the packet would have.
    pub const fn direction(self) -> Direction {
        if self.0 & 1 == 0 { Direction::Original } else { Direction::Reply }
    }
}

fn pack(slot: u32, direction: Direction) -> u32 {
    slot << 1 | u32::from(direction == Direction::Reply)
}

fn seconds(at: Timestamp) -> u64 {
    at.as_nanos() / 1_000_000_000
}

#[cfg(test)]
mod tests;
