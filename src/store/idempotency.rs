//! Idempotency keys and the answers that are kept with them.

use std::collections::BTreeMap;

use sqlx::types::Json;

use super::tx::TenantTx;
use crate::clock::Timestamp;
use crate::domain::idempotency::{
    Answer, Claim, Fingerprint, IdempotencyKey, KEPT_FOR, LOST_AFTER, MAX_KEYS,
};
use crate::error::{Error, Result};
use crate::ids::UserId;

type Row = (Vec<u8>, Timestamp, Option<i16>, Option<Json<BTreeMap<String, String>>>, Option<Vec<u8>>);

/// Takes a key for a request, unless the request came before.
///
/// # Errors
/// The database does not answer.
pub async fn claim(
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
    let claimed = sqlx::query(
        "INSERT INTO idempotency_keys (tenant_id, user_id, key, request_hash, claimed_at)
         SELECT $1, $2, $3, $4, $5
         WHERE (SELECT count(*) FROM idempotency_keys WHERE tenant_id = $1 AND user_id = $2) < $6
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant)
    .bind(user)
    .bind(key.as_str())
    .bind(request.as_bytes())
    .bind(now)
    .bind(MAX_KEYS)
    .execute(tx.connection())
    .await?;
    if claimed.rows_affected() == 1 {
        return Ok(Claim::Fresh);
    }
    let row: Option<Row> = sqlx::query_as(
        "SELECT request_hash, claimed_at, status, headers, body FROM idempotency_keys
         WHERE tenant_id = $1 AND user_id = $2 AND key = $3 FOR UPDATE",
    )
    .bind(tenant)
    .bind(user)
    .bind(key.as_str())
    .fetch_optional(tx.connection())
    .await?;
    let Some((hash, claimed_at, status, headers, body)) = row else { return Ok(Claim::TooMany) };
    if hash != request.as_bytes() {
        return Ok(Claim::Mismatch);
    }
    match status {
        Some(status) => {
            let status = u16::try_from(status);
            let status = status.map_err(|_| Error::Internal("the status of an answer".to_owned()))?;
            let headers = headers.map(|headers| headers.0).unwrap_or_default();
            Ok(Claim::Answered(Answer { status, headers, body }))
        }
        None if claimed_at > now - LOST_AFTER => Ok(Claim::Running),
        None => {
            sqlx::query(
                "UPDATE idempotency_keys SET claimed_at = $4 WHERE tenant_id = $1 AND user_id = $2 AND key = $3",
            )
            .bind(tenant)
            .bind(user)
            .bind(key.as_str())
            .bind(now)
            .execute(tx.connection())
            .await?;
            Ok(Claim::Fresh)
        }
    }
}

/// Keeps the answer to a request that had taken a key.
///
/// # Errors
/// The database does not answer.
pub async fn keep(tx: &mut TenantTx, user: UserId, key: &IdempotencyKey, answer: &Answer) -> Result<()> {
    let tenant = tx.tenant();
    let status = i16::try_from(answer.status);
    sqlx::query(
        "UPDATE idempotency_keys SET status = $4, headers = $5, body = $6
         WHERE tenant_id = $1 AND user_id = $2 AND key = $3",
    )
    .bind(tenant)
    .bind(user)
    .bind(key.as_str())
    .bind(status.map_err(|_| Error::Internal("the status of an answer".to_owned()))?)
    .bind(Json(&answer.headers))
    .bind(&answer.body)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Gives a key back: the request that had taken it changed nothing.
///
/// # Errors
/// The database does not answer.
pub async fn release(tx: &mut TenantTx, user: UserId, key: &IdempotencyKey) -> Result<()> {
    let tenant = tx.tenant();
    sqlx::query(
        "DELETE FROM idempotency_keys WHERE tenant_id = $1 AND user_id = $2 AND key = $3 AND status IS NULL",
    )
    .bind(tenant)
    .bind(user)
    .bind(key.as_str())
    .execute(tx.connection())
    .await?;
    Ok(())
}
