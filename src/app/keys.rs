//! The keys that sign access tokens: another one from time to time, without logging anybody out.

use std::time::Duration;

use tokio::time::sleep;

use crate::access::seal::SecretKey;
use crate::access::token::{KEY_LIFETIME, KEY_RETIREMENT, SigningKeys, StoredKey};
use crate::clock::{Clock, SharedClock};
use crate::error::Result;
use crate::store::{Store, signing_keys};

/// How often a replica looks for keys that others have made. Well below the time for which a new one is announced.
const INTERVAL: Duration = Duration::from_secs(60);

/// Whether another key is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It is.
    Now,
    /// Only when the newest has become old.
    ByAge,
}

/// Makes another key if one is wanted, retires those that are over, and answers the ones in use. Of several replicas at
/// once, one makes it.
///
/// # Errors
/// The database does not answer.
pub async fn rotate(
    store: &Store,
    clock: &dyn Clock,
    secret_key: &SecretKey,
    rotation: Rotation,
) -> Result<Vec<StoredKey>> {
    let now = clock.now();
    let mut tx = store.system_tx().await?;
    tx.serialize_starts().await?;
    let stored = signing_keys::load(&mut tx, secret_key).await?;
    let old = stored.first().is_none_or(|newest| newest.created_at + KEY_LIFETIME <= now);
    if old || rotation == Rotation::Now {
        let key = StoredKey::generate(now)?;
        signing_keys::insert(&mut tx, secret_key, &key).await?;
        tracing::info!(key.id = key.kid, "there is another key for access tokens; it signs in a few minutes");
    }
    signing_keys::retire(&mut tx, now - KEY_RETIREMENT, now).await?;
    let stored = signing_keys::load(&mut tx, secret_key).await?;
    tx.commit().await?;
    Ok(stored)
}

/// Keeps a replica's keys up to date, for ever.
pub async fn keep(store: Store, clock: SharedClock, secret_key: SecretKey, keys: SigningKeys) {
    loop {
        sleep(INTERVAL).await;
        let stored = rotate(&store, &*clock, &secret_key, Rotation::ByAge).await;
        if let Err(error) = stored.and_then(|stored| keys.replace(&stored)) {
            tracing::warn!(%error, "the keys for access tokens could not be brought up to date yet");
        }
    }
}
