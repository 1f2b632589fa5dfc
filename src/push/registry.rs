//! The streams that this replica holds, and what was heard on them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pinhole_proto::v1;
use tokio::sync::watch;
use tokio::time::Instant;

use super::event::Counters;
use super::journal::{CounterReading, EventPage, Journals};
use super::limits;
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
}

#[derive(Debug)]
struct Entry {
    held: Held,
    orders: watch::Sender<Order>,
    seen: Instant,
    running: Option<Running>,
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

    /// Takes a stream in, in place of an older one of the same appliance.
    pub(super) fn insert(
        &self,
        held: Held,
        running: Option<Running>,
        first: Order,
    ) -> Result<watch::Receiver<Order>, Refusal> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refusal::Closed);
        }
        if inner.streams.len() >= limits::MAX_STREAMS && !inner.streams.contains_key(&held.appliance) {
            return Err(Refusal::Full);
        }
        let (orders, receiver) = watch::channel(first);
        let entry = Entry { held, orders, seen: Instant::now(), running };
        if let Some(older) = inner.streams.insert(held.appliance, entry) {
            older.orders.send_replace(Order::Replaced);
        }
        let Inner { streams, journals, .. } = &mut *inner;
        journals.make_room(|appliance| !streams.contains_key(&appliance));
        Ok(receiver)
    }

    /// Lets a stream go, unless a newer one has taken its place already.
    pub(super) fn remove(&self, held: Held) {
        let mut inner = self.lock();
        if inner.streams.get(&held.appliance).is_some_and(|entry| entry.held.stream == held.stream) {
            inner.streams.remove(&held.appliance);
        }
    }

    /// Notes a sign of life.
    pub(super) fn heard(&self, held: Held) {
        self.update(held, |entry| entry.seen = Instant::now());
    }

    /// Notes what a gateway says it enforces.
    pub(super) fn runs(&self, held: Held, running: Option<Running>) {
        self.update(held, |entry| entry.running = running);
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

    /// All streams, with their last signs of life.
    pub(super) fn beats(&self) -> Vec<Beat> {
        let now = Instant::now();
        let beat = |entry: &Entry| Beat {
            held: entry.held,
            age: now.saturating_duration_since(entry.seen),
            running: entry.running,
        };
        self.lock().streams.values().map(beat).collect()
    }

    /// Tells a stream something, if it is still there and has not been told the same before.
    pub(super) fn order(&self, held: Held, order: Order) {
        self.update(held, |entry| {
            entry.orders.send_if_modified(|current| {
                // An end is final, whatever the reconciler found out at the same moment.
                let changed = matches!(current, Order::Serve(_)) && *current != order;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CertificateId, StreamId};

    fn held(appliance: ObjectId) -> Held {
        Held { appliance, stream: StreamId::generate(), certificate: CertificateId::generate() }
    }

    #[test]
    fn one_stream_of_an_appliance_is_held() {
        let (registry, appliance) = (Registry::default(), ObjectId::generate());
        let (older, newer) = (held(appliance), held(appliance));
        let older_orders = registry.insert(older, None, Order::Serve(None)).unwrap();
        let newer_orders = registry.insert(newer, None, Order::Serve(None)).unwrap();
        assert_eq!(*older_orders.borrow(), Order::Replaced);
        // What is said about the older one, also its end, is not about the newer.
        registry.order(older, Order::Revoked);
        registry.remove(older);
        assert_eq!(*newer_orders.borrow(), Order::Serve(None));
        assert_eq!(registry.beats().len(), 1);
        registry.order(newer, Order::Revoked);
        assert_eq!(*newer_orders.borrow(), Order::Revoked);
        registry.remove(newer);
        assert!(registry.beats().is_empty());
    }

    #[test]
    fn there_is_room_for_so_many_and_an_appliance_that_is_there_may_come_again() {
        let registry = Registry::default();
        let streams: Vec<Held> = (0..limits::MAX_STREAMS).map(|_| held(ObjectId::generate())).collect();
        for stream in &streams {
            registry.insert(*stream, None, Order::Serve(None)).unwrap();
        }
        let one_more = registry.insert(held(ObjectId::generate()), None, Order::Serve(None));
        assert_eq!(one_more.unwrap_err(), Refusal::Full);
        registry.insert(held(streams[0].appliance), None, Order::Serve(None)).unwrap();
        registry.remove(streams[1]);
        registry.insert(held(ObjectId::generate()), None, Order::Serve(None)).unwrap();
    }

    #[test]
    fn a_closed_registry_ends_its_streams_and_takes_none() {
        let registry = Registry::default();
        let orders = registry.insert(held(ObjectId::generate()), None, Order::Serve(None)).unwrap();
        registry.close();
        assert_eq!(*orders.borrow(), Order::Shutdown);
        let late = registry.insert(held(ObjectId::generate()), None, Order::Serve(None));
        assert_eq!(late.unwrap_err(), Refusal::Closed);
    }
}
