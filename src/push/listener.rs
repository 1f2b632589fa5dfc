//! Wakes the reconciler when a transaction says that it changed what gateways should run.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::limits;
use crate::error::Result;
use crate::store::Store;
use crate::store::push::Notices;

/// Listens for ever, and again whenever the database was away. What was said meanwhile is found by waking once.
pub(super) async fn run(store: Store, wake: Arc<Notify>) {
    let mut told = false;
    loop {
        match listen(&store, &wake, &mut told).await {
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

async fn listen(store: &Store, wake: &Notify, told: &mut bool) -> Result<Infallible> {
    let mut notices = Notices::listen(store).await?;
    *told = false;
    loop {
        wake.notify_one();
        notices.next().await?;
    }
}
