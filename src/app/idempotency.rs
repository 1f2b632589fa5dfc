//! Requests that may be repeated without being carried out again.

use super::AppState;
use crate::access::token::Claims;
use crate::domain::idempotency::{Answer, Claim, Fingerprint, IdempotencyKey};
use crate::error::Result;
use crate::store::idempotency as store;
use crate::store::tx::Finish;

pub use crate::store::once::Once;

/// Looks whether a request of a caller came before.
///
/// # Errors
/// [`crate::error::Error::Unauthenticated`].
pub async fn look(
    state: &AppState,
    claims: &Claims,
    key: &IdempotencyKey,
    request: Fingerprint,
) -> Result<Claim> {
    let mut scope = state.home_scope(claims).await?;
    let claim = store::look(&mut scope.tx, scope.actor.user, key, request, scope.now).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(claim)
}

/// Keeps what a request did, and its answer with its key.
///
/// # Errors
/// [`crate::error::Error::KeyInUse`], or the database does not answer; then nothing is kept.
pub async fn keep(state: &AppState, once: &Once, request: Fingerprint, answer: &Answer) -> Result<()> {
    store::keep(&state.store, once, request, answer, state.clock.now()).await
}
