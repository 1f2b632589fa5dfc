//! Requests that may be repeated without being carried out again.

use super::AppState;
use crate::access::token::Claims;
use crate::domain::idempotency::{Answer, Claim, Fingerprint, IdempotencyKey};
use crate::error::Result;
use crate::store::idempotency as store;
use crate::store::tx::Finish;

/// Takes a key for a request of a caller, unless the request came before.
///
/// # Errors
/// [`crate::error::Error::Unauthenticated`].
pub async fn claim(
    state: &AppState,
    claims: &Claims,
    key: &IdempotencyKey,
    request: Fingerprint,
) -> Result<Claim> {
    let mut scope = state.home_scope(claims).await?;
    let claim = store::claim(&mut scope.tx, scope.actor.user, key, request, scope.now).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(claim)
}

/// Keeps the answer to a request that had taken a key; `None` gives the key back.
///
/// # Errors
/// The database does not answer.
pub async fn settle(
    state: &AppState,
    claims: &Claims,
    key: &IdempotencyKey,
    answer: Option<&Answer>,
) -> Result<()> {
    // Not in the caller's scope: the request may have ended the caller's own sign-in.
    let mut tx = state.store.tenant_tx(claims.tenant).await?;
    match answer {
        Some(answer) => store::keep(&mut tx, claims.sub, key, answer).await?,
        None => store::release(&mut tx, claims.sub, key).await?,
    }
    tx.finish(Finish::Commit).await
}
