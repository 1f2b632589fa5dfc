//! Password hashes: argon2id, off the async threads, a bounded number at once.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::password::{MAX_PASSWORD_CHARS, Password};
use crate::error::{Error, Result};

/// Hashes computed at the same time; each takes [`MEMORY_KIB`].
const MAX_CONCURRENT: usize = 4;
/// Callers that may wait for their turn; more are turned away.
const MAX_WAITING: usize = 64;
/// OWASP's first recommendation for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const ITERATIONS: u32 = 2;
const LANES: u32 = 1;
/// The most bytes of a candidate that are hashed; no stored password has more.
const MAX_CANDIDATE_BYTES: usize = MAX_PASSWORD_CHARS * 4;

/// A PHC string of argon2id.
#[derive(Clone)]
pub struct StoredHash(String);

impl StoredHash {
    /// Takes a PHC string as it was stored.
    #[must_use]
    pub fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredHash(...)")
    }
}

/// Hashes passwords and compares them.
#[derive(Debug, Clone)]
pub struct PasswordHasher {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// Compared with when there is no such user, so that this takes as long.
    decoy: StoredHash,
}

impl PasswordHasher {
    /// A hasher with its own bound on concurrency.
    ///
    /// # Errors
    /// The hash function or the system's randomness does not work.
    pub fn new() -> Result<Self> {
        let decoy = hash(&Password::candidate("correct horse battery staple".to_owned()))?;
        Ok(Self {
            running: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            waiting: Arc::new(Semaphore::new(MAX_CONCURRENT + MAX_WAITING)),
            decoy,
        })
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// [`Error::TooMany`] when too many wait already.
    pub async fn hash(&self, password: Password) -> Result<StoredHash> {
        let _turn = self.turn().await?;
        off_thread(move || hash(&password)).await
    }

    /// Whether a password is the one that was hashed. Without a hash the answer is no, after the same work.
    ///
    /// # Errors
    /// [`Error::TooMany`] when too many wait already.
    pub async fn verify(&self, candidate: Password, stored: Option<StoredHash>) -> Result<bool> {
        let _turn = self.turn().await?;
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.clone());
        let same = off_thread(move || verify(&candidate, &stored)).await?;
        Ok(same && known)
    }

    async fn turn(&self) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| Error::TooMany)?;
        let turn = Arc::clone(&self.running).acquire_owned().await;
        Ok((place, turn.map_err(|error| Error::Internal(error.to_string()))?))
    }
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Internal(format!("hashing: {error}")))?
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None)
        .map_err(|error| Error::Internal(format!("argon2 parameters: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &Password) -> Result<StoredHash> {
    let hashed = argon2()?.hash_password(password.reveal().as_bytes());
    let hashed = hashed.map_err(|error| Error::Internal(format!("argon2: {error}")))?;
    Ok(StoredHash(hashed.to_string()))
}

fn verify(candidate: &Password, stored: &StoredHash) -> Result<bool> {
    let stored = PasswordHash::new(stored.as_str())
        .map_err(|error| Error::Internal(format!("a stored password hash does not parse: {error}")))?;
    let bytes = candidate.reveal().as_bytes();
    let bounded = bytes.get(..MAX_CANDIDATE_BYTES).unwrap_or(bytes);
    Ok(argon2()?.verify_password(bounded, &stored).is_ok())
}
