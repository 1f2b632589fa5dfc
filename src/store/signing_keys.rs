//! The keys that sign access tokens.

use super::tx::SystemTx;
use crate::access::seal::{Purpose, SecretKey};
use crate::access::token::StoredKey;
use crate::clock::Timestamp;
use crate::error::Result;

/// The keys that are not retired, newest first.
///
/// # Errors
/// The database does not answer, or the secret key is not the one that they were sealed with.
pub async fn load(tx: &mut SystemTx, secret_key: &SecretKey) -> Result<Vec<StoredKey>> {
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT kid, private FROM signing_keys WHERE retired_at IS NULL ORDER BY created_at DESC, kid",
    )
    .fetch_all(tx.connection())
    .await?;
    let opened = |(kid, sealed): (String, Vec<u8>)| {
        Ok(StoredKey { kid, private: secret_key.open(Purpose::SigningKey, &sealed)? })
    };
    rows.into_iter().map(opened).collect()
}

/// Adds a key.
///
/// # Errors
/// The database does not answer.
pub async fn insert(
    tx: &mut SystemTx,
    secret_key: &SecretKey,
    key: &StoredKey,
    now: Timestamp,
) -> Result<()> {
    let sealed = secret_key.seal(Purpose::SigningKey, &key.private)?;
    sqlx::query(
        "INSERT INTO signing_keys (kid, algorithm, private, created_at) VALUES ($1, 'EdDSA', $2, $3)",
    )
    .bind(&key.kid)
    .bind(sealed)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}
