//! Who this gateway is to its controller, and who the controller is to it: a one-time join token becomes a key and a
//! certificate, which are renewed before they expire.
//!
//! The join token carries the fingerprint of the installation's certificate authority, so that the first connection
//! trusts the right controller and no other.

mod enrol;
mod keeper;
mod tls;

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::enrol::{connect, enrol};
pub(crate) use self::enrol::{connect_enrolled, enrol_with, renew};
pub use self::keeper::KeeperError;
pub(crate) use self::keeper::{Keeper, read_join_token};

/// What a join token begins with.
const TOKEN_PREFIX: &str = "pinhole-join";
/// The most bytes of a join token that are looked at.
const MAX_TOKEN_BYTES: usize = 512;

/// Why a gateway has no certificate, or no connection.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The text is no join token.
    #[error("the join token is not one; it is the whole text that the controller answered")]
    Token,
    /// There is neither a certificate nor a token to get one with.
    #[error("this gateway is not enrolled; it needs a join token, see --join-token-file")]
    NotEnrolled,
    /// The certificate has expired while the gateway was away.
    #[error("the certificate of this gateway has expired; it needs a new join token")]
    Expired,
    /// The controller cannot be reached, or is not the one that the token or the certificate is of.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The controller does not take the token or the certificate.
    #[error("the controller refuses this gateway: {0}")]
    Refused(String),
    /// The controller could not answer.
    #[error("the controller could not give a certificate: {0}")]
    Failed(String),
    /// The controller's answer cannot be used.
    #[error("the controller's certificates cannot be used: {0}")]
    Answer(String),
    /// A key cannot be made or used.
    #[error("the key of this gateway cannot be used: {0}")]
    Key(String),
    /// What is known cannot be read or written.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
}

/// A one-time token, with which a gateway gets its first certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    text: String,
    authority: [u8; 32],
}

impl JoinToken {
    /// Reads `pinhole-join.<secret>.<SHA-256 of the authority's certificate>`, both base64url.
    ///
    /// # Errors
    /// [`TrustError::Token`], without the text.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        let text = text.trim();
        let mut parts = text.split('.');
        let (Some(TOKEN_PREFIX), Some(secret), Some(fingerprint), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TrustError::Token);
        };
        let printable = secret.bytes().all(|byte| byte.is_ascii_graphic());
        if text.len() > MAX_TOKEN_BYTES || secret.is_empty() || !printable {
            return Err(TrustError::Token);
        }
        let fingerprint = URL_SAFE_NO_PAD.decode(fingerprint).map_err(|_| TrustError::Token)?;
        let authority = fingerprint.try_into().map_err(|_| TrustError::Token)?;
        Ok(Self { text: text.to_owned(), authority })
    }

    /// What is remembered of a token that was used.
    pub(crate) fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.text.as_bytes()).to_vec()
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JoinToken(..)")
    }
}

/// A gateway's key and certificate, and the authorities that it trusts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// PKCS #8, DER.
    #[serde(with = "base64_bytes")]
    key: Vec<u8>,
    /// X.509, DER.
    #[serde(with = "base64_bytes")]
    certificate: Vec<u8>,
    authorities: Vec<Der>,
    /// By this host's clock, in milliseconds since the Unix epoch.
    obtained_at_ms: u64,
    lifetime_ms: u64,
    /// The hash of the join token that it began with.
    #[serde(with = "base64_bytes")]
    token_hash: Vec<u8>,
}

/// The SHA-256 of the certificate of the gateway that has a state directory, if it is enrolled.
///
/// # Errors
/// What it keeps there cannot be read.
pub fn certificate(state_dir: &Path) -> Result<Option<[u8; 32]>, KeeperError> {
    Ok(Keeper::new(state_dir).load()?.map(|identity| identity.fingerprint()))
}

/// A certificate, DER.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Der(#[serde(with = "base64_bytes")] Vec<u8>);

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identity").field("lifetime_ms", &self.lifetime_ms).finish_non_exhaustive()
    }
}

impl Identity {
    /// The SHA-256 of the certificate, by which the controller knows it.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// Whether it began with that join token.
    pub(crate) fn is_of(&self, token: &JoinToken) -> bool {
        self.token_hash == token.hash()
    }

    /// Whether the certificate has expired, by this host's clock.
    pub(crate) fn expired(&self) -> bool {
        self.left() == Duration::ZERO
    }

    /// How long to wait before the certificate is renewed: until a third of its life is left, so that a controller
    /// that is away for long does not lock the gateway out.
    pub(crate) fn renewal_in(&self) -> Duration {
        self.left().saturating_sub(Duration::from_millis(self.lifetime_ms / 3))
    }

    /// How long the certificate is still good.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_millis(
            self.obtained_at_ms.saturating_add(self.lifetime_ms).saturating_sub(unix_time_ms()),
        )
    }
}

fn unix_time_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes in JSON.
mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
