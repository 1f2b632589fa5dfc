//! Secrets at rest: sealed with the installation's secret key (ChaCha20-Poly1305, RFC 8439), which never is in the
//! database.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac;

use crate::error::{Error, Result};

/// The bytes of a secret key.
const KEY_BYTES: usize = 32;
/// The format of what is sealed: this byte, the nonce, the ciphertext with its tag.
const FORMAT: u8 = 1;
/// The salt of keys that are derived.
const DERIVATION: &[u8] = b"pinhole derived key";

/// What a sealed secret is for: one cannot take the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The private key of the authority for gateways.
    Authority,
    /// A private key that signs access tokens.
    SigningKey,
    /// What a browser keeps of a sign-in that is under way. It is not sealed but authenticated.
    SignIn,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Authority => b"authority",
            Self::SigningKey => b"signing key",
            Self::SignIn => b"sign-in",
        }
    }
}

/// An installation's secret key. Cheap to clone.
#[derive(Clone)]
pub struct SecretKey {
    bytes: [u8; KEY_BYTES],
    aead: Arc<LessSafeKey>,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(...)")
    }
}

impl SecretKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`Error::Internal`], which would be a defect.
    pub fn generate() -> Result<Self> {
        Self::of(rand::random())
    }

    /// The key as it is kept: base64.
    #[must_use]
    pub fn reveal(&self) -> String {
        STANDARD.encode(self.bytes)
    }

    /// Seals a secret.
    ///
    /// # Errors
    /// [`Error::Internal`], which would be a defect.
    pub fn seal(&self, purpose: Purpose, secret: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = secret.to_vec();
        self.aead
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.label()),
                &mut sealed,
            )
            .map_err(|_| Error::Internal("a secret cannot be sealed".to_owned()))?;
        Ok([[FORMAT].as_slice(), &nonce, &sealed].concat())
    }

    /// Opens what was sealed.
    ///
    /// # Errors
    /// [`Error::Internal`] when it was sealed with another key or for another purpose, or was changed.
    pub fn open(&self, purpose: Purpose, sealed: &[u8]) -> Result<Vec<u8>> {
        let wrong = || {
            Error::Internal(
                "the secret key is not the one that the secrets in the database are sealed with; \
                 all controllers of an installation need the same (PINHOLE_SECRET_KEY)"
                    .to_owned(),
            )
        };
        let (nonce, sealed) = sealed
            .strip_prefix(&[FORMAT])
            .and_then(|rest| rest.split_first_chunk::<NONCE_LEN>())
            .ok_or_else(wrong)?;
        let mut secret = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.aead.open_in_place(nonce, Aad::from(purpose.label()), &mut secret);
        Ok(opened.map_err(|_| wrong())?.to_vec())
    }

    /// A key of its own for a purpose, with which texts are authenticated (HKDF, RFC 5869; HMAC, RFC 2104). All
    /// controllers of an installation derive the same.
    ///
    /// # Errors
    /// [`Error::Internal`], which would be a defect.
    pub fn derive(&self, purpose: Purpose) -> Result<hmac::Key> {
        let extracted = Salt::new(HKDF_SHA256, DERIVATION).extract(&self.bytes);
        let info = [purpose.label()];
        let derived = extracted.expand(&info, hmac::HMAC_SHA256);
        Ok(derived.map_err(|_| Error::Internal("no key can be derived".to_owned()))?.into())
    }

    fn of(bytes: [u8; KEY_BYTES]) -> Result<Self> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes);
        let key = key.map_err(|_| Error::Internal("a secret key has the wrong length".to_owned()))?;
        Ok(Self { bytes, aead: Arc::new(LessSafeKey::new(key)) })
    }
}

/// A text is no secret key.
#[derive(Debug, thiserror::Error)]
#[error("a secret key is the base64 of 32 random bytes")]
pub struct NoSecretKey;

impl FromStr for SecretKey {
    type Err = NoSecretKey;

    fn from_str(text: &str) -> std::result::Result<Self, NoSecretKey> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| NoSecretKey)?;
        Self::of(bytes.try_into().map_err(|_| NoSecretKey)?).map_err(|_| NoSecretKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_opens_for_the_same_purpose_what_was_not_changed() {
        let key = SecretKey::generate().unwrap();
        let sealed = key.seal(Purpose::Authority, b"secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(sealed, key.seal(Purpose::Authority, b"secret").unwrap());
        let same: SecretKey = format!("{}\n", key.reveal()).parse().unwrap();
        assert_eq!(same.open(Purpose::Authority, &sealed).unwrap(), b"secret");
        assert!(key.open(Purpose::SigningKey, &sealed).is_err());
        assert!(SecretKey::generate().unwrap().open(Purpose::Authority, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(Purpose::Authority, &changed).is_err(), "{at}");
            assert!(key.open(Purpose::Authority, &sealed[..at]).is_err(), "{at}");
        }
        assert_eq!(format!("{key:?}"), "SecretKey(...)");
        for wrong in ["", "secret", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33])] {
            assert!(wrong.parse::<SecretKey>().is_err(), "{wrong}");
        }
    }
}
