//! A request with an idempotency key: what it changes and the answer that is kept with the key are one transaction, so
//! whenever the controller, Postgres or the connection between them dies, either both are there or neither. It goes along
//! with the task that carries the request out, as every use case ends its transaction itself and none knows its answer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::tx::TenantTx;
use crate::domain::idempotency::IdempotencyKey;
use crate::error::Result;
use crate::ids::{TenantId, UserId};

tokio::task_local! {
    static CURRENT: Once;
}

/// A request that is carried out once. Cheap to clone.
#[derive(Clone)]
pub struct Once(Arc<Inner>);

struct Inner {
    /// The tenant that the caller belongs to.
    home: TenantId,
    user: UserId,
    key: IdempotencyKey,
    /// The transaction that the use case has ended, and that waits for the answer.
    held: Mutex<Option<TenantTx>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("user", &self.0.user).finish_non_exhaustive()
    }
}

impl Once {
    /// A request of a user with a key.
    #[must_use]
    pub fn new(home: TenantId, user: UserId, key: IdempotencyKey) -> Self {
        Self(Arc::new(Inner { home, user, key, held: Mutex::default() }))
    }

    /// Has what a future does be carried out under the key.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// The request that this task carries out, if it has a key.
    pub(super) fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// The tenant that the caller belongs to.
    pub(super) fn home(&self) -> TenantId {
        self.0.home
    }

    /// The caller.
    pub(super) fn user(&self) -> UserId {
        self.0.user
    }

    /// The key.
    pub(super) fn key(&self) -> &IdempotencyKey {
        &self.0.key
    }

    /// Holds a transaction until the answer is there.
    pub(super) fn hold(&self, tx: TenantTx) {
        *self.0.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(tx);
    }

    /// The transaction that is held, if there is one.
    pub(super) fn take(&self) -> Option<TenantTx> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps what was done so far: the use case goes on in another transaction, which is to see it.
    ///
    /// # Errors
    /// The database does not answer, or does not accept what was done.
    pub(super) async fn go_on(&self) -> Result<()> {
        match self.take() {
            Some(tx) => tx.commit().await,
            None => Ok(()),
        }
    }

    /// Undoes what is held: the request was refused after all.
    ///
    /// # Errors
    /// The database does not answer; then nothing is kept, either.
    pub async fn undo(&self) -> Result<()> {
        match self.take() {
            Some(tx) => tx.rollback().await,
            None => Ok(()),
        }
    }
}
