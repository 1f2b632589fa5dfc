//! The newest events and counters of appliances, in memory: what a replica heard on the streams that it holds.
//!
//! An appliance's events are numbered without a gap; a lost one leaves its number out, so whoever reads on from the
//! last number that it saw can tell what it missed. The first number is the time in microseconds, so that numbers
//! also grow over a restart of the controller.

use std::collections::{HashMap, VecDeque};

use pinhole_proto::v1;
use serde::{Deserialize, Serialize};

use super::event::{self, Counters, Event};
use super::limits;
use crate::clock::Timestamp;
use crate::ids::ObjectId;

/// Some events of an appliance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPage {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// How many between the asked-for number and the last of these are not there any more, or never came.
    pub lost: u64,
    /// The number to go on after.
    pub next: u64,
}

/// Counters, and when they were received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterReading {
    /// When.
    pub at: Timestamp,
    /// What they were.
    pub counters: Counters,
}

/// What is kept of one appliance.
#[derive(Debug)]
struct Journal {
    events: VecDeque<Event>,
    /// The number that the next event gets.
    next: u64,
    counters: Option<CounterReading>,
}

/// What is kept of all appliances.
#[derive(Debug, Default)]
pub(super) struct Journals(HashMap<ObjectId, Journal>);

impl Journals {
    /// Keeps a batch of events.
    pub(super) fn add(&mut self, appliance: ObjectId, batch: v1::Events, now: Timestamp) {
        let share = limits::JOURNALS_EVENTS / self.0.len().max(1);
        let share = share.clamp(limits::MIN_JOURNAL_EVENTS, limits::MAX_JOURNAL_EVENTS);
        let Some(journal) = self.of(appliance, now) else { return };
        let lost = batch.lost.min(limits::MAX_LOST);
        journal.next = journal.next.saturating_add(lost);
        for (index, message) in batch.events.into_iter().enumerate() {
            let sequence = journal.next;
            journal.next = journal.next.saturating_add(1);
            let parsed = (index < limits::MAX_BATCH_EVENTS).then(|| event::parse(message, now)).flatten();
            if let Some((at, kind)) = parsed {
                journal.events.push_back(Event { sequence, at, kind });
            }
        }
        let excess = journal.events.len().saturating_sub(share);
        journal.events.drain(..excess);
    }

    /// Keeps a reading of counters in place of the one before.
    pub(super) fn count(&mut self, appliance: ObjectId, counters: Counters, now: Timestamp) {
        if let Some(journal) = self.of(appliance, now) {
            journal.counters = Some(CounterReading { at: now, counters });
        }
    }

    /// Reads on after a number, or from the oldest that there is.
    pub(super) fn events(&self, appliance: ObjectId, after: Option<u64>, limit: usize) -> EventPage {
        let Some(journal) = self.0.get(&appliance) else {
            return EventPage { next: after.unwrap_or(0), ..EventPage::default() };
        };
        let newest = journal.next.saturating_sub(1);
        let oldest = journal.events.front().map_or(journal.next, |event| event.sequence);
        // A number from another life of this controller, or from a client's fancy, says nothing about what is lost.
        let known = after.filter(|after| *after <= newest);
        let start = known.unwrap_or_else(|| oldest.saturating_sub(1));
        let mut rest = journal.events.iter().skip_while(|event| event.sequence <= start);
        let events: Vec<Event> = rest.by_ref().take(limit).cloned().collect();
        let last = events.last().map_or(start, |event| event.sequence);
        let next = if rest.next().is_some() { last } else { newest };
        let present = u64::try_from(events.len()).unwrap_or(u64::MAX);
        EventPage { events, lost: next.saturating_sub(start).saturating_sub(present), next }
    }

    /// The last counters.
    pub(super) fn counters(&self, appliance: ObjectId) -> Option<CounterReading> {
        self.0.get(&appliance)?.counters.clone()
    }

    /// Makes room: forgets an appliance that `is_idle` picks if there are too many.
    pub(super) fn make_room(&mut self, is_idle: impl Fn(ObjectId) -> bool) {
        if self.0.len() >= limits::MAX_JOURNALS {
            let idle = self.0.keys().copied().find(|appliance| is_idle(*appliance));
            idle.and_then(|appliance| self.0.remove(&appliance));
        }
    }

    fn of(&mut self, appliance: ObjectId, now: Timestamp) -> Option<&mut Journal> {
        if self.0.len() >= limits::MAX_JOURNALS && !self.0.contains_key(&appliance) {
            return None;
        }
        Some(self.0.entry(appliance).or_insert_with(|| Journal {
            events: VecDeque::new(),
            next: u64::try_from(now.timestamp_micros()).unwrap_or(1),
            counters: None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    fn now() -> Timestamp {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn batch(count: usize, lost: u64) -> v1::Events {
        let closed = v1::PinholeClosed { protocol: v1::AlgProtocol::Ftp.into(), ..Default::default() };
        let event = v1::Event {
            at_ms: now().timestamp_millis(),
            sequence: 0,
            event: Some(v1::event::Event::PinholeClosed(closed)),
        };
        v1::Events { events: vec![event; count], lost }
    }

    const FIRST: u64 = 1_800_000_000_000_000;

    fn sequences(page: &EventPage) -> Vec<u64> {
        page.events.iter().map(|event| event.sequence - FIRST).collect()
    }

    #[test]
    fn events_are_read_in_pages_and_gaps_are_counted() {
        let (mut journals, appliance) = (Journals::default(), ObjectId::generate());
        assert_eq!(journals.events(appliance, Some(3), 10), EventPage { next: 3, ..Default::default() });
        journals.add(appliance, batch(3, 0), now());
        journals.add(appliance, batch(2, 4), now());
        let first = journals.events(appliance, None, 2);
        assert_eq!((sequences(&first), first.lost, first.next), (vec![0, 1], 0, FIRST + 1));
        let second = journals.events(appliance, Some(first.next), 2);
        assert_eq!((sequences(&second), second.lost), (vec![2, 7], 4));
        let third = journals.events(appliance, Some(second.next), 2);
        assert_eq!((sequences(&third), third.lost, third.next), (vec![8], 0, FIRST + 8));
        let fourth = journals.events(appliance, Some(third.next), 2);
        assert_eq!((sequences(&fourth), fourth.lost, fourth.next), (vec![], 0, FIRST + 8));

        // Only losses, and nothing after them yet.
        journals.add(appliance, batch(0, 5), now());
        let fifth = journals.events(appliance, Some(fourth.next), 2);
        assert_eq!((sequences(&fifth), fifth.lost, fifth.next), (vec![], 5, FIRST + 13));
    }

    #[test]
    fn the_oldest_go_first_and_are_counted() {
        let (mut journals, appliance) = (Journals::default(), ObjectId::generate());
        journals.add(appliance, batch(1, 0), now());
        journals.add(appliance, batch(limits::MAX_JOURNAL_EVENTS, 0), now());
        journals.add(appliance, batch(10, 0), now());
        let page = journals.events(appliance, Some(FIRST), usize::MAX);
        assert_eq!((page.events.len(), page.lost), (limits::MAX_JOURNAL_EVENTS, 10));
        // Who has seen nothing yet has missed nothing that anybody could name.
        assert_eq!(journals.events(appliance, None, usize::MAX).lost, 0);
        // A number of another life.
        for strange in [FIRST * 2, u64::MAX] {
            let page = journals.events(appliance, Some(strange), 1);
            assert_eq!((page.events.len(), page.lost), (1, 0));
        }
    }

    #[test]
    fn hostile_batches_are_bounded() {
        let (mut journals, appliance) = (Journals::default(), ObjectId::generate());
        journals.add(appliance, batch(0, u64::MAX), now());
        journals.add(appliance, batch(limits::MAX_BATCH_EVENTS + 100, 0), now());
        let page = journals.events(appliance, Some(FIRST - 1), usize::MAX);
        assert_eq!(page.events.len(), limits::MAX_JOURNAL_EVENTS);
        assert_eq!(page.lost, limits::MAX_LOST + 100 + 24);
        let mut unknown = batch(2, 0);
        unknown.events[0].event = None;
        journals.add(appliance, unknown, now());
        let page = journals.events(appliance, Some(page.next), usize::MAX);
        assert_eq!((page.events.len(), page.lost), (1, 1));
    }

    #[test]
    fn many_appliances_share_and_a_new_start_numbers_on() {
        let mut journals = Journals::default();
        for _ in 0..limits::MAX_JOURNALS + 1 {
            journals.add(ObjectId::generate(), batch(1, 0), now());
        }
        assert_eq!(journals.0.len(), limits::MAX_JOURNALS);
        let some = *journals.0.keys().next().unwrap();
        journals.add(some, batch(100, 0), now());
        assert_eq!(journals.events(some, None, usize::MAX).events.len(), limits::MIN_JOURNAL_EVENTS);

        journals.make_room(|appliance| appliance == some);
        assert!(!journals.0.contains_key(&some));
        let before = FIRST + 101;
        journals.add(some, batch(1, 0), now() + TimeDelta::seconds(1));
        let page = journals.events(some, Some(before), 10);
        assert_eq!(page.events.len(), 1);
        assert!(page.next > before);
    }
}
