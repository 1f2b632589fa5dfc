//! Events on their way from the datapath to the controller: bounded, counted when lost, never waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use pinhole_proto::v1;
use tokio::sync::mpsc;

/// At most this many events wait to be sent.
const CAPACITY: usize = 4096;

/// The datapath's end.
#[derive(Debug)]
pub(crate) struct EventSender {
    queue: mpsc::Sender<v1::Event>,
    lost: Arc<AtomicU64>,
    sequence: u64,
}

/// The other end.
#[derive(Debug)]
pub(crate) struct EventReceiver {
    queue: mpsc::Receiver<v1::Event>,
    lost: Arc<AtomicU64>,
}

/// Makes both ends.
pub(crate) fn channel() -> (EventSender, EventReceiver) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let lost = Arc::new(AtomicU64::new(0));
    let sender = EventSender { queue: sender, lost: Arc::clone(&lost), sequence: 0 };
    (sender, EventReceiver { queue: receiver, lost })
}

impl EventSender {
    /// Passes an event on, or counts it as lost when nobody takes them fast enough.
    pub(crate) fn send(&mut self, event: v1::event::Event) {
        self.sequence = self.sequence.saturating_add(1);
        let event = v1::Event { at_ms: epoch_ms(), sequence: self.sequence, event: Some(event) };
        if self.queue.try_send(event).is_err() {
            self.count_lost(1);
        }
    }

    /// Counts events that did not even come this far.
    pub(crate) fn count_lost(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
    }
}

impl EventReceiver {
    /// Waits for events and takes at most `most`; empty when no more will come.
    pub(crate) async fn take(&mut self, most: usize) -> v1::Events {
        let mut events = Vec::new();
        self.queue.recv_many(&mut events, most).await;
        v1::Events { events, lost: self.lost.swap(0, Ordering::Relaxed) }
    }
}

impl EventReceiver {
    /// Counts events that were taken and could not be sent.
    pub(crate) fn count_lost(&self, events: &v1::Events) {
        let count = u64::try_from(events.events.len()).unwrap_or(u64::MAX).saturating_add(events.lost);
        self.lost.fetch_add(count, Ordering::Relaxed);
    }
}

/// Milliseconds since the Unix epoch by the wall clock, which is for people only.
fn epoch_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> v1::event::Event {
        v1::event::Event::PinholeClosed(v1::PinholeClosed::default())
    }

    #[tokio::test]
    async fn events_arrive_in_order_and_numbered() {
        let (mut sender, mut receiver) = channel();
        for _ in 0..3 {
            sender.send(event());
        }
        let events = receiver.take(2).await;
        assert_eq!(events.events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(receiver.take(2).await.events.len(), 1);
        assert_eq!(events.lost, 0);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_counted() {
        let (mut sender, mut receiver) = channel();
        for _ in 0..CAPACITY + 5 {
            sender.send(event());
        }
        let first = receiver.take(CAPACITY).await;
        assert_eq!((first.events.len(), first.lost), (CAPACITY, 5));
        sender.send(event());
        let second = receiver.take(CAPACITY).await;
        assert_eq!((second.events.len(), second.lost), (1, 0));
        // The gap shows in the numbers, too.
        assert_eq!(second.events[0].sequence, CAPACITY as u64 + 6);
    }
}
