//! The certificate authority of the installation.

use super::tx::SystemTx;
use crate::access::authority::{Fingerprint, StoredAuthority};
use crate::access::seal::{Purpose, SecretKey};
use crate::clock::Timestamp;
use crate::error::Result;

/// The newest authority, if there is one.
///
/// # Errors
/// The database does not answer, or the secret key is not the one that it was sealed with.
pub async fn load(tx: &mut SystemTx, secret_key: &SecretKey) -> Result<Option<StoredAuthority>> {
    let row: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT certificate, private FROM authorities ORDER BY created_at DESC, fingerprint LIMIT 1",
    )
    .fetch_optional(tx.connection())
    .await?;
    let Some((certificate, sealed)) = row else { return Ok(None) };
    let private = secret_key.open(Purpose::Authority, &sealed)?;
    Ok(Some(StoredAuthority { certificate, private }))
}

/// Adds an authority.
///
/// # Errors
/// The database does not answer.
pub async fn insert(
    tx: &mut SystemTx,
    secret_key: &SecretKey,
    authority: &StoredAuthority,
    now: Timestamp,
) -> Result<()> {
    let sealed = secret_key.seal(Purpose::Authority, &authority.private)?;
    sqlx::query(
        "INSERT INTO authorities (fingerprint, certificate, private, created_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(Fingerprint::of(&authority.certificate).as_bytes())
    .bind(&authority.certificate)
    .bind(sealed)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}
