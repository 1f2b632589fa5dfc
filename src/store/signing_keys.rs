//! The keys that sign access tokens.

use super::tx::SystemTx;
use crate::access::token::StoredKey;
use crate::clock::Timestamp;
use crate::error::Result;

/// The keys that are not retired, newest first.
///
/// # Errors
/// The database does not answer.
pub async fn load(tx: &mut SystemTx) -> Result<Vec<StoredKey>> {
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT kid, private FROM signing_keys WHERE retired_at IS NULL ORDER BY created_at DESC, kid",
    )
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().map(|(kid, private)| StoredKey { kid, private }).collect())
}

/// Adds a key.
///
/// # Errors
/// The database does not answer.
pub async fn insert(tx: &mut SystemTx, key: &StoredKey, now: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT INTO signing_keys (kid, algorithm, private, created_at) VALUES ($1, 'EdDSA', $2, $3)",
    )
    .bind(&key.kid)
    .bind(&key.private)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}
