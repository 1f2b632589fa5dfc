//! Watching a publication: what became of it, and of each appliance in it, as it happens.
//!
//! Whoever watches is told by [`crate::push::Signals`], whichever replica an answer came to, and then reads what has
//! changed as any request does: as who it is, in a transaction of its own. A sign-in that has ended, or a permission
//! that was taken away, ends the watching with the next look, and one comes at least every few seconds.

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use crate::access::token::Claims;
use crate::app::AppState;
use crate::domain::publication::{Delivery, Publication, PublicationState};
use crate::domain::reference::Ref;
use crate::error::{Error, Result, Unauthenticated};
use crate::ids::{PublicationId, TenantId};
use crate::push::News;
use crate::store::publications as store;
use crate::store::tx::{Finish, Mark};

/// How many may watch at once on one replica.
const MAX_WATCHERS: usize = 256;
/// How often one looks at most, however often there is news.
const PAUSE: Duration = Duration::from_millis(200);
/// How often one looks though there is none.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);

/// How far a publication is.
#[derive(Debug)]
pub struct Progress {
    /// The publication.
    pub publication: Publication,
    /// The appliances whose status has changed, of those that the caller may see.
    pub changed: Vec<Delivery>,
    /// Where to read on.
    pub mark: Mark,
}

/// One who watches.
#[derive(Debug)]
pub struct Watch {
    state: AppState,
    claims: Claims,
    tenant: Ref<TenantId>,
    publication: PublicationId,
    news: watch::Receiver<News>,
    since: Option<Mark>,
    looked: Instant,
    _place: OwnedSemaphorePermit,
}

/// Begins to watch a publication: all of it, or what has changed since a mark.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::TooMany`] when too many watch already.
pub async fn watch(
    state: &AppState,
    claims: Claims,
    tenant: Ref<TenantId>,
    publication: PublicationId,
    since: Option<Mark>,
) -> Result<(Progress, Watch)> {
    let place = state.watchers.clone().try_acquire_owned().map_err(|_| Error::TooMany)?;
    let mut watch = Watch {
        state: state.clone(),
        claims,
        tenant,
        publication,
        // Before the first look, so that what comes after it is news.
        news: state.signals.news(),
        since,
        looked: Instant::now(),
        _place: place,
    };
    let first = watch.look().await?;
    Ok((first, watch))
}

/// The places of those who watch.
#[must_use]
pub fn places() -> Semaphore {
    Semaphore::new(MAX_WATCHERS)
}

impl Watch {
    /// Waits until something has changed; `None` when the caller may not watch any longer, or the controller ends.
    pub async fn next(&mut self) -> Option<Progress> {
        loop {
            tokio::select! {
                changed = self.news.changed() => changed.ok()?,
                () = sleep_until(self.looked + LOOK_INTERVAL) => {}
            }
            if self.is_over() {
                return None;
            }
            tokio::select! {
                () = sleep_until(self.looked + PAUSE) => {}
                over = self.news.wait_for(|news| *news == News::Over) => {
                    drop(over);
                    return None;
                }
            }
            match self.look().await {
                Ok(progress) if !progress.changed.is_empty() || is_done(&progress) => return Some(progress),
                Ok(_) => {}
                Err(Error::Unavailable(reason)) => tracing::debug!(reason, "whoever watches waits"),
                Err(error) => {
                    tracing::debug!(%error, "nobody watches any longer");
                    return None;
                }
            }
        }
    }

    fn is_over(&mut self) -> bool {
        *self.news.borrow_and_update() == News::Over
    }

    async fn look(&mut self) -> Result<Progress> {
        self.looked = Instant::now();
        if self.claims.expires_at() <= self.state.clock.now() {
            return Err(Error::Unauthenticated(Unauthenticated::ExpiredToken));
        }
        let mut scope = self.state.scope(&self.claims, &self.tenant).await?;
        let mark = scope.tx.mark().await?;
        // A mark that is still to come is none of this database.
        let since = self.since.filter(|since| *since <= mark);
        let found = store::find(&mut scope.tx, &scope.viewer, self.publication).await?;
        let publication = found.ok_or(Error::NotFound)?;
        let changed = store::deliveries_since(&mut scope.tx, &scope.viewer, self.publication, since).await?;
        scope.tx.finish(Finish::Commit).await?;
        self.since = Some(mark);
        Ok(Progress { publication, changed, mark })
    }
}

fn is_done(progress: &Progress) -> bool {
    progress.publication.state != PublicationState::Running
}
