//! Idempotency keys and the answers that are kept with them. A row is a request that was carried out.

use std::collections::BTreeMap;

use sqlx::types::Json;

use super::Store;
use super::once::Once;
use super::tx::TenantTx;
use crate::clock::Timestamp;
use crate::domain::idempotency::{Answer, Claim, Fingerprint, IdempotencyKey, KEPT_FOR, MAX_KEYS};
use crate::error::{Error, Result};
use crate::ids::UserId;

type Row = (Vec<u8>, i16, Option<Json<BTreeMap<String, String>>>, Option<Vec<u8>>);

/// Looks whether a request came before, and forgets what the caller asked for too long ago.
///
/// # Errors
/// The database does not answer.
pub async fn look(
    tx: &mut TenantTx,
    user: UserId,
    key: &IdempotencyKey,
    request: Fingerprint,
    now: Timestamp,
) -> Result<Claim> {
    let tenant = tx.tenant();
    sqlx::query("DELETE FROM idempotency_keys WHERE tenant_id = $1 AND user_id = $2 AND claimed_at < $3")
        .bind(tenant)
        .bind(user)
        .bind(now - KEPT_FOR)
        .execute(tx.connection())
        .await?;
    // One without a status was left by a release that wrote them before it carried the request out.
    let row: Option<Row> = sqlx::query_as(
        "SELECT request_hash, status, headers, body FROM idempotency_keys
         WHERE tenant_id = $1 AND user_id = $2 AND key = $3 AND status IS NOT NULL",
    )
    .bind(tenant)
    .bind(user)
    .bind(key.as_str())
    .fetch_optional(tx.connection())
    .await?;
    let Some((hash, status, headers, body)) = row else {
        let kept: i64 =
            sqlx::query_scalar("SELECT count(*) FROM idempotency_keys WHERE tenant_id = $1 AND user_id = $2")
                .bind(tenant)
                .bind(user)
                .fetch_one(tx.connection())
                .await?;
        return Ok(if kept < MAX_KEYS { Claim::Fresh } else { Claim::TooMany });
    };
    if hash != request.as_bytes() {
        return Ok(Claim::Mismatch);
    }
    let status = u16::try_from(status).map_err(|_| Error::Internal("the status of an answer".to_owned()))?;
    Ok(Claim::Answered(Answer {
        status,
        headers: headers.map(|headers| headers.0).unwrap_or_default(),
        body,
    }))
}

/// Ends a request that was carried out: what it did and its answer are kept, both or neither.
///
/// # Errors
/// [`Error::KeyInUse`] when the same request was carried out meanwhile, or the database does not answer; then nothing
/// is kept.
pub async fn keep(
    store: &Store,
    once: &Once,
    request: Fingerprint,
    answer: &Answer,
    now: Timestamp,
) -> Result<()> {
    let mut tx = match once.take() {
        Some(mut tx) => {
            tx.return_home().await?;
            tx
        }
        // It changed nothing, or what it did was several transactions.
        None => store.tenant_tx(once.home()).await?,
    };
    let status = i16::try_from(answer.status);
    let kept = sqlx::query(
        "INSERT INTO idempotency_keys AS k (tenant_id, user_id, key, request_hash, claimed_at, status, headers, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (tenant_id, user_id, key) DO UPDATE SET request_hash = EXCLUDED.request_hash,
             claimed_at = EXCLUDED.claimed_at, status = EXCLUDED.status, headers = EXCLUDED.headers, body = EXCLUDED.body
             WHERE k.status IS NULL",
    )
    .bind(once.home())
    .bind(once.user())
    .bind(once.key().as_str())
    .bind(request.as_bytes())
    .bind(now)
    .bind(status.map_err(|_| Error::Internal("the status of an answer".to_owned()))?)
    .bind(Json(&answer.headers))
    .bind(&answer.body)
    .execute(tx.connection())
    .await?;
    if kept.rows_affected() == 1 { tx.commit().await } else { Err(Error::KeyInUse) }
}
