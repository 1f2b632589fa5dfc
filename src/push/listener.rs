//! Hears what other replicas, and requests to them, have changed.

use std::convert::Infallible;

use tokio::time::sleep;

use super::limits;
use super::signals::Signals;
use crate::error::Result;
use crate::store::Store;
use crate::store::push::{Notice, Notices};

/// Listens for ever, and again whenever the database was away. What was said meanwhile is found by looking once.
pub(super) async fn run(store: Store, signals: Signals) {
    let mut told = false;
    loop {
        match listen(&store, &signals, &mut told).await {
            Ok(never) => match never {},
            Err(error) if !told => {
                tracing::warn!(%error, "does not hear of publications at once while the database is away");
                told = true;
            }
            Err(error) => tracing::debug!(%error, "still does not hear of publications at once"),
        }
        sleep(limits::LISTEN_PAUSE).await;
    }
}

async fn listen(store: &Store, signals: &Signals, told: &mut bool) -> Result<Infallible> {
    let mut notices = Notices::listen(store).await?;
    *told = false;
    let mut notice = Notice::Anything;
    loop {
        match notice {
            Notice::Push => signals.deliveries(),
            Notice::Publications => signals.publications(),
            Notice::Inquiries => signals.inquiries(),
            Notice::Answers => signals.answered(),
            Notice::Anything => {
                signals.deliveries();
                signals.everything();
                signals.publications();
                signals.inquiries();
                signals.answered();
            }
        }
        notice = notices.next().await?;
    }
}
