//! The streams that this replica holds, and what was heard on them.

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinhole_proto::v1;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::event::Counters;
use super::journal::{CounterReading, EventPage, Journals};
use super::limits;
use super::live::Asked;
use crate::clock::Timestamp;
use crate::domain::revision::Running;
use crate::ids::ObjectId;
use crate::store::push::{Beat, Desired, Held};

/// What a stream is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// See to it that the gateway runs this; `None` when nothing was published yet.
    Serve(Option<Desired>),
    /// End: the gateway has opened a newer stream.
    Replaced,
    /// End: the credential is not good any more.
    Revoked,
    /// End: the controller does.
    Shutdown,
}

/// The streams of a replica, by appliance. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    streams: HashMap<ObjectId, Entry>,
    journals: Journals,
    closed: bool,
    /// How often the reconciler has looked which streams there are.
    looks: u64,
    /// Streams that it may have missed.
    missed: Vec<Held>,
    /// Streams whose end is not written yet, with the last sign of life on them.
    ended: Vec<(Held, Instant)>,
}

#[derive(Debug)]
struct Entry {
    held: Held,
    orders: watch::Sender<Order>,
    /// Where the gateway is asked; `None` for one that cannot be.
    inquiries: Option<mpsc::Sender<Asked>>,
    seen: Instant,
    running: Option<Running>,
    /// What stands in the database of the two.
    written: (Instant, Option<Running>),
}

impl Entry {
    /// Whether the database is to hear of it. What the gateway runs is written soon, a mere sign of life seldom: ten
    /// thousand gateways would be two thousand rows a second.
    fn is_due(&self) -> bool {
        let (seen, running) = self.written;
        self.running != running || self.seen.saturating_duration_since(seen) >= limits::SEEN_INTERVAL
    }

    fn beat(&self, now: Instant) -> Beat {
        Beat { held: self.held, age: now.saturating_duration_since(self.seen), running: self.running }
    }
}

/// Whether the gateway of an appliance can be asked here.
#[derive(Debug)]
pub(super) enum Line {
    /// On its stream.
    Open(mpsc::Sender<Asked>),
    /// Its stream is here, and it cannot be asked.
    Unable,
    /// This replica does not hold its stream.
    Absent,
}

/// How often the reconciler had looked at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Looks(u64);

/// Whether the reconciler may have missed a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missed {
    /// It may.
    Perhaps,
    /// It has not.
    No,
}

/// Why a stream is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There are too many.
    Full,
    /// The controller ends.
    Closed,
}

impl Registry {
    /// The events of an appliance after a number, at most `limit`, as far as this replica has heard of them.
    #[must_use]
    pub fn events(&self, appliance: ObjectId, after: Option<u64>, limit: usize) -> EventPage {
        self.lock().journals.events(appliance, after, limit)
    }

    /// The last counters of an appliance that this replica has heard of.
    #[must_use]
    pub fn counters(&self, appliance: ObjectId) -> Option<CounterReading> {
        self.lock().journals.counters(appliance)
    }

    /// Where the gateway of an appliance is asked.
    pub(super) fn line(&self, appliance: ObjectId) -> Line {
        match self.lock().streams.get(&appliance) {
            Some(entry) => entry.inquiries.clone().map_or(Line::Unable, Line::Open),
            None => Line::Absent,
        }
    }

    /// How often the reconciler has looked.
    pub(super) fn looks(&self) -> Looks {
        Looks(self.lock().looks)
    }

    /// Takes a stream in, in place of an older one of the same appliance. `since` is from before the database said how
    /// it stands; a look since then did not see the stream, and what it found may be newer.
    pub(super) fn insert(
        &self,
        held: Held,
        running: Option<Running>,
        first: Order,
        inquiries: Option<mpsc::Sender<Asked>>,
        since: Looks,
    ) -> Result<(watch::Receiver<Order>, Missed), Refusal> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refusal::Closed);
        }
        if inner.streams.len() >= limits::MAX_STREAMS && !inner.streams.contains_key(&held.appliance) {
            return Err(Refusal::Full);
        }
        let (orders, receiver) = watch::channel(first);
        let seen = Instant::now();
        let entry = Entry { held, orders, inquiries, seen, running, written: (seen, running) };
        if let Some(older) = inner.streams.insert(held.appliance, entry) {
            older.orders.send_replace(Order::Replaced);
        }
        let Inner { streams, journals, .. } = &mut *inner;
        journals.make_room(|appliance| !streams.contains_key(&appliance));
        let missed = if since == Looks(inner.looks) { Missed::No } else { Missed::Perhaps };
        if missed == Missed::Perhaps {
            inner.missed.push(held);
        }
        Ok((receiver, missed))
    }

    /// Lets a stream go, unless a newer one has taken its place already, and says when there was life on it.
    pub(super) fn remove(&self, held: Held) -> Beat {
        let now = Instant::now();
        let mut inner = self.lock();
        let entry = inner.streams.get(&held.appliance).filter(|entry| entry.held.stream == held.stream);
        let Some(beat) = entry.map(|entry| entry.beat(now)) else {
            return Beat { held, age: Default::default(), running: None };
        };
        inner.streams.remove(&held.appliance);
        beat
    }

    /// Keeps in mind that the end of a stream is not written.
    pub(super) fn keep_ended(&self, beat: &Beat) {
        let now = Instant::now();
        let mut inner = self.lock();
        // Beyond that nothing can be kept of streams; the promise of this replica to be there runs out with it.
        if inner.ended.len() < limits::MAX_STREAMS {
            inner.ended.push((beat.held, now.checked_sub(beat.age).unwrap_or(now)));
        }
    }

    /// The streams whose end is not written.
    pub(super) fn ended(&self) -> Vec<Beat> {
        let now = Instant::now();
        let ended = |(held, seen): &(Held, Instant)| Beat {
            held: *held,
            age: now.saturating_duration_since(*seen),
            running: None,
        };
        self.lock().ended.iter().map(ended).collect()
    }

    /// Forgets the first of them: they are written now.
    pub(super) fn ended_written(&self, first: usize) {
        let mut inner = self.lock();
        let first = first.min(inner.ended.len());
        inner.ended.drain(..first);
    }

    /// Notes a sign of life.
    pub(super) fn heard(&self, held: Held) {
        self.update(held, |entry| entry.seen = Instant::now());
    }

    /// Notes what a gateway says it enforces.
    pub(super) fn runs(&self, held: Held, running: Option<Running>) {
        self.update(held, |entry| entry.running = running);
    }

    /// Notes that it stands in the database, too.
    pub(super) fn runs_as_written(&self, held: Held, running: Option<Running>) {
        self.update(held, |entry| {
            entry.running = running;
            entry.written.1 = running;
        });
    }

    fn update(&self, held: Held, change: impl FnOnce(&mut Entry)) {
        let mut inner = self.lock();
        let entry = inner.streams.get_mut(&held.appliance);
        if let Some(entry) = entry.filter(|entry| entry.held.stream == held.stream) {
            change(entry);
        }
    }

    /// Keeps events.
    pub(super) fn add_events(&self, held: Held, batch: v1::Events, now: Timestamp) {
        self.lock().journals.add(held.appliance, batch, now);
    }

    /// Keeps counters.
    pub(super) fn count(&self, held: Held, counters: Counters, now: Timestamp) {
        self.lock().journals.count(held.appliance, counters, now);
    }

    /// All streams.
    pub(super) fn look(&self) -> Vec<Held> {
        let mut inner = self.lock();
        inner.looks = inner.looks.wrapping_add(1);
        inner.missed.clear();
        inner.streams.values().map(|entry| entry.held).collect()
    }

    /// The streams of some appliances, and those that were missed.
    pub(super) fn look_at(&self, appliances: &[ObjectId]) -> Vec<Held> {
        let mut inner = self.lock();
        inner.looks = inner.looks.wrapping_add(1);
        let missed = mem::take(&mut inner.missed).into_iter().map(|held| held.appliance);
        // One that is both is looked at once.
        let appliances: BTreeSet<ObjectId> = missed.chain(appliances.iter().copied()).collect();
        appliances.iter().filter_map(|appliance| Some(inner.streams.get(appliance)?.held)).collect()
    }

    /// The signs of life that the database is to hear of, and those of some streams in any case.
    pub(super) fn beats(&self, wanted: &[Held]) -> Vec<Beat> {
        let now = Instant::now();
        let inner = self.lock();
        let wanted = wanted.iter().filter_map(|held| inner.streams.get(&held.appliance));
        let due = inner.streams.values().filter(|entry| entry.is_due());
        // One that is both is written once.
        let wanted = wanted.filter(|entry| !entry.is_due());
        wanted.chain(due).map(|entry| entry.beat(now)).collect()
    }

    /// Notes that signs of life stand in the database.
    pub(super) fn beats_written(&self, beats: &[Beat]) {
        let now = Instant::now();
        for beat in beats {
            self.update(beat.held, |entry| {
                entry.written = (now.checked_sub(beat.age).unwrap_or(now), beat.running);
            });
        }
    }

    /// Tells a stream something, if it is still there and has not been told the same before.
    pub(super) fn order(&self, held: Held, order: Order) {
        self.update(held, |entry| {
            entry.orders.send_if_modified(|current| {
                let changed = *current != order && follows(current, &order);
                if changed {
                    *current = order;
                }
                changed
            });
        });
    }

    /// Ends all streams and takes no new ones.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        for entry in inner.streams.values() {
            entry.orders.send_replace(Order::Shutdown);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here is left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an order may take the place of another. An end is final, and what was found out earlier and is told later
/// does not count any more.
fn follows(current: &Order, next: &Order) -> bool {
    let version = |desired: &Option<Desired>| desired.as_ref().map(|desired| desired.version);
    match (current, next) {
        (Order::Serve(current), Order::Serve(next)) => version(current) <= version(next),
        (Order::Serve(_), Order::Replaced | Order::Revoked | Order::Shutdown) => true,
        (Order::Replaced | Order::Revoked | Order::Shutdown, _) => false,
    }
}

#[cfg(test)]
mod tests;
