//! One exporter: takes records from its queue and sends them, whatever the collector does.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::Rng;
use tokio::time::{Instant, sleep, sleep_until};

use crate::backoff::Backoff;
use crate::export::file::Prepared;
use crate::export::frame::Encoder;
use crate::export::outlet::{Inlet, Link};
use crate::export::record::{Record, What, wall_ms};
use crate::export::sink::Sink;

/// Records that are sent at once.
const BATCH: usize = 256;
/// How long what waits may still be sent when no more will come.
const DRAIN_TIME: Duration = Duration::from_secs(2);

struct Exporter {
    inlet: Inlet,
    encoder: Encoder,
    /// Taken from the queue and not sent yet: they go first when there is a connection again.
    pending: Vec<Record>,
    /// How many dropped records the collector knows of.
    told_dropped: u64,
}

/// Sends records until no more will come, and what waits then for a little while.
pub(super) async fn run(mut inlet: Inlet, random: impl Rng) {
    let (_replaced, stand_in) = tokio::sync::oneshot::channel();
    let gone = std::mem::replace(&mut inlet.gone, stand_in);
    let encoder = Encoder::new(inlet.settings.format);
    let mut exporter = Exporter { inlet, encoder, pending: Vec::with_capacity(BATCH + 1), told_dropped: 0 };
    let too_late = async {
        // An error is the other end's end, which is what is waited for.
        let _ = gone.await;
        sleep(DRAIN_TIME).await;
    };
    tokio::select! {
        () = exporter.keep_sending(random) => {}
        () = too_late => exporter.give_up(),
    }
}

impl Exporter {
    async fn keep_sending(&mut self, random: impl Rng) {
        let mut backoff = Backoff::new(random);
        loop {
            let ended = match Sink::open(&self.inlet.settings.target).await {
                Ok(sink) => self.serve(sink, &mut backoff).await,
                Err(error) => Err(error),
            };
            let Err(error) = ended else { return };
            self.note_down(&error);
            sleep(backoff.next()).await;
        }
    }

    /// Sends records as long as the collector takes them; returns when no more will come.
    async fn serve(&mut self, mut sink: Sink, backoff: &mut Backoff<impl Rng>) -> io::Result<()> {
        self.encoder.begin(sink.framing());
        loop {
            if self.pending.is_empty() {
                let wake = self.encoder.deadline().unwrap_or_else(|| Instant::now() + DAY);
                tokio::select! {
                    count = self.inlet.queue.recv_many(&mut self.pending, BATCH) => {
                        if count == 0 {
                            return Ok(());
                        }
                    }
                    error = sink.closed() => return Err(error),
                    () = sleep_until(wake) => {}
                }
            }
            if sink.prepare().await? == Prepared::Fresh {
                self.encoder.begin(sink.framing());
            }
            self.send(&mut sink).await?;
            self.note_up();
            backoff.reset();
        }
    }

    /// Sends what is pending, after what was dropped before it.
    async fn send(&mut self, sink: &mut Sink) -> io::Result<()> {
        let counts = &self.inlet.counts;
        let dropped = counts.dropped.load(Ordering::Relaxed);
        if dropped > self.told_dropped {
            let what = What::RecordsLost(dropped - self.told_dropped);
            let frames = self.encoder.encode(&[Record { at_ms: wall_ms(), what }]);
            sink.send(&frames).await.1?;
            self.told_dropped = dropped;
        }
        let frames = self.encoder.encode(&self.pending);
        let (sent, outcome) = sink.send(&frames).await;
        self.pending.drain(..sent.min(self.pending.len()));
        counts.sent.fetch_add(u64::try_from(sent).unwrap_or(u64::MAX), Ordering::Relaxed);
        outcome
    }

    /// An outage is one line, however many attempts it takes.
    fn note_down(&self, error: &io::Error) {
        let settings = &self.inlet.settings;
        let before = self.inlet.counts.set_link(Link::Down(error.to_string()));
        if !matches!(before, Link::Down(_)) {
            tracing::warn!(
                exporter = settings.name,
                to = %settings.target,
                %error,
                "records cannot be sent; they wait, and are dropped when too many do"
            );
        }
    }

    fn note_up(&self) {
        if let Link::Down(_) = self.inlet.counts.set_link(Link::Up) {
            tracing::info!(exporter = self.inlet.settings.name, "records are sent again");
        }
    }

    /// Counts what was not sent in time as dropped.
    fn give_up(&mut self) {
        let mut left = u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        while self.inlet.queue.try_recv().is_ok() {
            left += 1;
        }
        if left > 0 {
            self.inlet.counts.dropped.fetch_add(left, Ordering::Relaxed);
            tracing::warn!(exporter = self.inlet.settings.name, left, "the last records could not be sent");
        }
    }
}

/// A long time.
const DAY: Duration = Duration::from_secs(86_400);
