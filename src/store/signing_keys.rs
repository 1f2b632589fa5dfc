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
    let rows: Vec<(String, Vec<u8>, Timestamp)> = sqlx::query_as(
        "SELECT kid, private, created_at FROM signing_keys WHERE retired_at IS NULL ORDER BY created_at DESC, kid",
    )
    .fetch_all(tx.connection())
    .await?;
    let opened = |(kid, sealed, created_at): (String, Vec<u8>, Timestamp)| {
        Ok(StoredKey { kid, private: secret_key.open(Purpose::SigningKey, &sealed)?, created_at })
    };
    rows.into_iter().map(opened).collect()
}

/// Adds a key.
///
/// # Errors
/// The database does not answer.
pub async fn insert(tx: &mut SystemTx, secret_key: &SecretKey, key: &StoredKey) -> Result<()> {
    let sealed = secret_key.seal(Purpose::SigningKey, &key.private)?;
    sqlx::query(
        "INSERT INTO signing_keys (kid, algorithm, private, created_at) VALUES ($1, 'EdDSA', $2, $3)",
    )
    .bind(&key.kid)
    .bind(sealed)
    .bind(key.created_at)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Retires keys that a newer one has followed before that time.
///
/// # Errors
/// The database does not answer.
pub async fn retire(tx: &mut SystemTx, followed_before: Timestamp, now: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE signing_keys old SET retired_at = $2
         WHERE retired_at IS NULL
           AND EXISTS (SELECT FROM signing_keys newer
                       WHERE newer.created_at > old.created_at AND newer.created_at < $1)",
    )
    .bind(followed_before)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}
