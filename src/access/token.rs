//! Access tokens: JWTs signed with Ed25519 (RFC 8037), and the public keys to check them with.
//! Refresh tokens: random, kept by hash.

mod verified;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use self::verified::Verified;
use crate::clock::Timestamp;
use crate::error::{Error, Result, Unauthenticated};
use crate::ids::{SessionId, TenantId, UserId};

/// How long an access token is good for.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::seconds(900);
/// How long a sign-in lasts, however often it is refreshed.
pub const SESSION_LIFETIME: Duration = Duration::hours(12);

/// How long an invitation can be accepted.
pub const INVITATION_LIFETIME: Duration = Duration::days(7);

/// How old the newest key gets before another one is made.
pub const KEY_LIFETIME: Duration = Duration::days(90);
/// How long a new key is published before it signs, so that all replicas, and whoever keeps the published keys for a
/// while, know it by then.
pub const KEY_ANNOUNCEMENT: Duration = Duration::minutes(10);
/// How long after a newer one a key still verifies: until the last token that it can have signed has expired.
pub const KEY_RETIREMENT: Duration = Duration::minutes(30);

const ISSUER: &str = "pinhole";
/// Random bytes of a refresh token and of a signing key.
const SECRET_BYTES: usize = 32;
/// The most bytes of a token that are looked at.
const MAX_TOKEN_BYTES: usize = 4096;
/// The DER that stands before the 32 bytes of an Ed25519 private key in PKCS #8, RFC 8410 section 7.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// What an access token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    iss: String,
    iat: i64,
    exp: i64,
    /// The user.
    pub sub: UserId,
    /// The tenant that the user belongs to.
    pub tenant: TenantId,
    /// The sign-in.
    pub sid: SessionId,
}

impl Claims {
    /// When the token stops being good.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        // What no calendar knows is not good.
        Timestamp::from_timestamp(self.exp, 0).unwrap_or(Timestamp::MIN_UTC)
    }
}

/// A private key in its stored form.
#[derive(Clone)]
pub struct StoredKey {
    /// RFC 7638 thumbprint of the public key.
    pub kid: String,
    /// PKCS #8, DER.
    pub private: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl StoredKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`Error::Internal`] if the key cannot be used, which would be a defect.
    pub fn generate(now: Timestamp) -> Result<Self> {
        let seed: [u8; SECRET_BYTES] = rand::random();
        let private = [PKCS8_PREFIX.as_slice(), seed.as_slice()].concat();
        let kid = public_key(&private)?.thumbprint(ThumbprintHash::SHA256).map_err(key_error)?;
        Ok(Self { kid, private, created_at: now })
    }
}

/// The keys in use, which are replaced when there are others. Cheap to clone; all clones have the same.
#[derive(Debug, Clone)]
pub struct SigningKeys(Arc<RwLock<Arc<Keys>>>);

struct Keys {
    /// Newest first.
    signers: Vec<Signer>,
    verifiers: BTreeMap<String, DecodingKey>,
    verified: Verified,
    jwks: JwkSet,
}

/// A token that no key in use has signed, or that is none.
struct BadToken;

struct Signer {
    kid: String,
    key: EncodingKey,
    signs_from: Timestamp,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("verifiers", &self.verifiers.keys()).finish_non_exhaustive()
    }
}

impl SigningKeys {
    /// Takes the stored keys, newest first: all verify, and the newest signs that every replica has heard of.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is none or one does not parse.
    pub fn load(stored: &[StoredKey]) -> Result<Self> {
        Keys::load(stored).map(|keys| Self(Arc::new(RwLock::new(Arc::new(keys)))))
    }

    /// Takes other stored keys in place of those before.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is none or one does not parse; the ones before stay.
    pub fn replace(&self, stored: &[StoredKey]) -> Result<()> {
        let keys = Arc::new(Keys::load(stored)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn current(&self) -> Arc<Keys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The public keys, RFC 7517.
    #[must_use]
    pub fn jwks(&self) -> JwkSet {
        self.current().jwks.clone()
    }

    /// Signs an access token.
    ///
    /// # Errors
    /// [`Error::Internal`] if signing fails, which would be a defect.
    pub fn sign(&self, user: UserId, tenant: TenantId, session: SessionId, now: Timestamp) -> Result<String> {
        let keys = self.current();
        let Signer { kid, key, .. } = keys.signer(now)?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(kid.clone());
        let claims = Claims {
            iss: ISSUER.to_owned(),
            iat: now.timestamp(),
            exp: (now + ACCESS_TOKEN_LIFETIME).timestamp(),
            sub: user,
            tenant,
            sid: session,
        };
        jsonwebtoken::encode(&header, &claims, key).map_err(key_error)
    }

    /// Checks an access token.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], saying whether it was ever good.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims> {
        let bad = |BadToken| Error::Unauthenticated(Unauthenticated::BadToken);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(bad(BadToken));
        }
        let keys = self.current();
        let claims = keys.verified.claims(token, || keys.check(token)).map_err(bad)?;
        if claims.exp <= now.timestamp() {
            return Err(Error::Unauthenticated(Unauthenticated::ExpiredToken));
        }
        Ok(claims)
    }
}

impl Keys {
    fn load(stored: &[StoredKey]) -> Result<Self> {
        if stored.is_empty() {
            return Err(Error::Internal("no signing key".to_owned()));
        }
        let mut signers = Vec::new();
        let mut verifiers = BTreeMap::new();
        let mut jwks = JwkSet { keys: Vec::new() };
        for key in stored {
            let mut jwk = public_key(&key.private)?;
            jwk.common.key_id = Some(key.kid.clone());
            jwk.common.public_key_use = Some(PublicKeyUse::Signature);
            verifiers.insert(key.kid.clone(), DecodingKey::from_jwk(&jwk).map_err(key_error)?);
            jwks.keys.push(jwk);
            signers.push(Signer {
                kid: key.kid.clone(),
                key: EncodingKey::from_ed_der(&key.private),
                signs_from: key.created_at + KEY_ANNOUNCEMENT,
            });
        }
        Ok(Self { signers, verifiers, verified: Verified::default(), jwks })
    }

    /// Checks all of a token but its time.
    fn check(&self, token: &str) -> Result<Claims, BadToken> {
        let kid = jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid).ok_or(BadToken)?;
        let key = self.verifiers.get(&kid).ok_or(BadToken)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        // The application's clock decides.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|_| BadToken)?.claims)
    }

    /// The newest key that has been announced for long enough; of keys that all are new, the oldest.
    fn signer(&self, now: Timestamp) -> Result<&Signer> {
        let announced = self.signers.iter().find(|signer| signer.signs_from <= now);
        let signer = announced.or(self.signers.last());
        signer.ok_or_else(|| Error::Internal("no signing key".to_owned()))
    }
}

fn public_key(private: &[u8]) -> Result<Jwk> {
    Jwk::from_encoding_key(&EncodingKey::from_ed_der(private), Algorithm::EdDSA).map_err(key_error)
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
fn key_error(error: jsonwebtoken::errors::Error) -> Error {
    Error::Internal(format!("signing key: {error}"))
}

/// A secret that is handed out once and kept by its hash: a refresh token, a join token.
pub struct Secret(String);

impl Secret {
    /// Makes a new secret of 256 random bits.
    #[must_use]
    pub fn generate() -> Self {
        let bytes: [u8; SECRET_BYTES] = rand::random();
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Takes what a caller sent as a secret.
    #[must_use]
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The secret in the clear, to be handed out.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it. A secret of 256 random bits needs no slow hash.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(...)")
    }
}

/// The SHA-256 of a [`Secret`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests;
