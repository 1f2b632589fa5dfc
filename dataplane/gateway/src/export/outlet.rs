//! Records on their way from the datapath to an exporter: bounded, counted when dropped, never waited for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pinhole_proto::v1;
use tokio::sync::{mpsc, oneshot};

use crate::export::record::Record;
use pinhole_dataplane::config::nat::export::{EventKind, EventKinds, ExportSettings};

/// What became of the records of one exporter. Whatever was offered was sent, was dropped, or waits.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) offered: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) dropped: AtomicU64,
    link: Mutex<Link>,
}

/// Whether records reach the collector.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Link {
    /// Nobody has tried yet.
    #[default]
    Unknown,
    Up,
    /// Why not.
    Down(String),
}

impl Counts {
    /// Notes how the link is, and returns how it was.
    pub(super) fn set_link(&self, link: Link) -> Link {
        std::mem::replace(&mut *self.link.lock().unwrap_or_else(PoisonError::into_inner), link)
    }

    fn link(&self) -> Link {
        self.link.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The datapath's end of one exporter; the exporter ends after the last clone of it.
#[derive(Clone, Debug)]
pub(crate) struct Outlet(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) settings: ExportSettings,
    queue: mpsc::Sender<Record>,
    counts: Arc<Counts>,
    /// Dropped with the outlet, which its exporter notices.
    _alive: oneshot::Sender<()>,
}

/// The exporter's end.
#[derive(Debug)]
pub(super) struct Inlet {
    pub(super) settings: ExportSettings,
    pub(super) queue: mpsc::Receiver<Record>,
    pub(super) counts: Arc<Counts>,
    /// Ready when no more records will be offered.
    pub(super) gone: oneshot::Receiver<()>,
}

/// Makes both ends.
pub(super) fn channel(settings: &ExportSettings) -> (Outlet, Inlet) {
    let capacity = usize::try_from(settings.queue).unwrap_or(1).max(1);
    let (sender, receiver) = mpsc::channel(capacity);
    let (alive, gone) = oneshot::channel();
    let counts = Arc::new(Counts::default());
    let inner =
        Inner { settings: settings.clone(), queue: sender, counts: Arc::clone(&counts), _alive: alive };
    (Outlet(Arc::new(inner)), Inlet { settings: settings.clone(), queue: receiver, counts, gone })
}

impl Outlet {
    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    pub(super) fn from_inner(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    fn offer(&self, record: Record) {
        let counts = &self.0.counts;
        counts.offered.fetch_add(1, Ordering::Relaxed);
        if self.0.queue.try_send(record).is_err() {
            counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn count_dropped(&self, count: u64) {
        self.0.counts.offered.fetch_add(count, Ordering::Relaxed);
        self.0.counts.dropped.fetch_add(count, Ordering::Relaxed);
    }

    fn counters(&self) -> v1::ExportCounters {
        let counts = &self.0.counts;
        // In this order, so that what is sent meanwhile counts as waiting and not as less than nothing.
        let sent = counts.sent.load(Ordering::Relaxed);
        let dropped = counts.dropped.load(Ordering::Relaxed);
        let offered = counts.offered.load(Ordering::Relaxed);
        let (connected, fault) = match counts.link() {
            Link::Unknown => (false, String::new()),
            Link::Up => (true, String::new()),
            Link::Down(fault) => (false, fault),
        };
        v1::ExportCounters {
            name: self.0.settings.name.clone(),
            to: self.0.settings.target.to_string(),
            records_sent: sent,
            records_dropped: dropped,
            records_waiting: offered.saturating_sub(sent).saturating_sub(dropped),
            connected,
            fault,
        }
    }
}

/// The datapath's ends of all exporters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outlets(Vec<Outlet>);

impl Outlets {
    pub(super) fn new(outlets: Vec<Outlet>) -> Self {
        Self(outlets)
    }

    /// Returns what anybody wants.
    pub(crate) fn kinds(&self) -> EventKinds {
        self.0.iter().fold(EventKinds::NONE, |kinds, outlet| kinds.union(outlet.0.settings.events))
    }

    /// Passes a record on to all that want it.
    pub(crate) fn offer(&self, kind: EventKind, record: Record) {
        for outlet in self.0.iter().filter(|outlet| outlet.0.settings.events.contains(kind)) {
            outlet.offer(record);
        }
    }

    /// Counts events that did not even come this far, of whatever kind they were.
    pub(crate) fn count_dropped(&self, count: u64) {
        if count > 0 {
            self.0.iter().for_each(|outlet| outlet.count_dropped(count));
        }
    }

    /// Returns what became of the records so far.
    pub(crate) fn counters(&self) -> Vec<v1::ExportCounters> {
        self.0.iter().map(Outlet::counters).collect()
    }
}
