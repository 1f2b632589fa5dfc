//! What wakes whom in this process. A signal carries nothing: what there is to do or to see stands in the database.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// The signals of a controller. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct Signals(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    deliveries: Notify,
    everything: Notify,
    publications: watch::Sender<News>,
    inquiries: Notify,
    answers: watch::Sender<()>,
}

/// Where the news of publications stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// There was news so many times.
    Told(u64),
    /// The controller ends.
    Over,
}

impl Default for Signals {
    fn default() -> Self {
        let publications = watch::Sender::new(News::Told(0));
        Self(Arc::new(Inner {
            deliveries: Notify::new(),
            everything: Notify::new(),
            publications,
            inquiries: Notify::new(),
            answers: watch::Sender::new(()),
        }))
    }
}

impl Signals {
    /// Some appliances are to run something else.
    pub fn deliveries(&self) {
        self.0.deliveries.notify_one();
    }

    /// Anything may have changed for anybody: all streams are looked at.
    pub fn everything(&self) {
        self.0.everything.notify_one();
    }

    /// Something became of publications.
    pub fn publications(&self) {
        self.0.publications.send_modify(|news| match news {
            News::Told(times) => *times = times.wrapping_add(1),
            News::Over => {}
        });
    }

    /// Another replica may have asked something.
    pub fn inquiries(&self) {
        self.0.inquiries.notify_one();
    }

    /// Another replica may have answered something.
    pub fn answered(&self) {
        self.0.answers.send_replace(());
    }

    /// Ends whatever waits for news of publications.
    pub fn close(&self) {
        self.0.publications.send_replace(News::Over);
    }

    /// News of publications from now on.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<News> {
        self.0.publications.subscribe()
    }

    /// Changes whenever another replica may have answered something, from now on.
    pub(super) fn answers(&self) -> watch::Receiver<()> {
        self.0.answers.subscribe()
    }

    pub(super) async fn wait_for_inquiries(&self) {
        self.0.inquiries.notified().await;
    }

    pub(super) async fn wait_for_deliveries(&self) {
        self.0.deliveries.notified().await;
    }

    pub(super) async fn wait_for_everything(&self) {
        self.0.everything.notified().await;
    }
}
