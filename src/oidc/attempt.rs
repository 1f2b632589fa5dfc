//! A sign-in that is under way. The browser keeps it; `state`, `nonce` and the proof key's verifier are computed from it
//! with a key of the installation's, so that any replica can go on with it, and what nobody finishes costs nothing.

use std::num::NonZeroU16;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration};
use ring::hmac;

use crate::access::pkce::Challenge;
use crate::access::seal::{Purpose, SecretKey};
use crate::clock::Timestamp;
use crate::error::Result;

/// How long a person may take to sign in with the issuer.
pub const LIFETIME: Duration = Duration::minutes(10);

const ID_BYTES: usize = 16;
const ENCODED_BYTES: usize = ID_BYTES + 8 + 32 + 2;

/// What an attempt is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptId([u8; ID_BYTES]);

impl AttemptId {
    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Who is given the one-time code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Our own page.
    Page,
    /// A program that listens on the browser's host, RFC 8252 section 7.3.
    Loopback(NonZeroU16),
}

/// An attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    id: AttemptId,
    /// Seconds since 1970.
    ends_at: i64,
    challenge: Challenge,
    target: Target,
}

impl Attempt {
    /// Begins one.
    pub(super) fn begin(challenge: Challenge, target: Target, now: Timestamp) -> Self {
        let ends_at = (now + LIFETIME).timestamp();
        Self { id: AttemptId(rand::random()), ends_at, challenge, target }
    }

    /// What it is known by.
    #[must_use]
    pub fn id(&self) -> AttemptId {
        self.id
    }

    /// When it is over.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        DateTime::from_timestamp(self.ends_at, 0).unwrap_or_default()
    }

    /// Whose verifier exchanges the one-time code.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        self.challenge
    }

    /// Who is given the one-time code.
    #[must_use]
    pub fn target(&self) -> Target {
        self.target
    }

    pub(super) fn is_under_way(&self, now: Timestamp) -> bool {
        now < self.ends_at()
    }

    /// What the browser keeps.
    pub(super) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes())
    }

    /// Reads what a browser has kept, which may be anything until its state is checked.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; ENCODED_BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (id, rest) = bytes.split_first_chunk()?;
        let (ends_at, rest) = rest.split_first_chunk()?;
        let (challenge, rest) = rest.split_first_chunk()?;
        let (port, _) = rest.split_first_chunk()?;
        let target = NonZeroU16::new(u16::from_be_bytes(*port)).map_or(Target::Page, Target::Loopback);
        Some(Self {
            id: AttemptId(*id),
            ends_at: i64::from_be_bytes(*ends_at),
            challenge: Challenge::from_bytes(*challenge),
            target,
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let port = match self.target {
            Target::Page => 0,
            Target::Loopback(port) => port.get(),
        };
        [self.id.0.as_slice(), &self.ends_at.to_be_bytes(), self.challenge.as_bytes(), &port.to_be_bytes()]
            .concat()
    }
}

/// The key that attempts are authenticated with.
pub(super) struct AttemptKey(hmac::Key);

/// What the issuer is sent of an attempt.
pub(super) struct Derived {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

impl AttemptKey {
    /// The key of an installation.
    ///
    /// # Errors
    /// [`crate::error::Error::Internal`], which would be a defect.
    pub(super) fn derive(key: &SecretKey) -> Result<Self> {
        key.derive(Purpose::SignIn).map(Self)
    }

    pub(super) fn derived(&self, attempt: &Attempt) -> Derived {
        let compute = |label: &[u8]| URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, &labelled(label, attempt)));
        Derived { state: compute(b"state"), nonce: compute(b"nonce"), verifier: compute(b"verifier") }
    }

    /// Whether a state is that of an attempt, in constant time. Nobody else can make one.
    pub(super) fn is_state_of(&self, state: &str, attempt: &Attempt) -> bool {
        let Ok(state) = URL_SAFE_NO_PAD.decode(state) else { return false };
        hmac::verify(&self.0, &labelled(b"state", attempt), &state).is_ok()
    }
}

fn labelled(label: &[u8], attempt: &Attempt) -> Vec<u8> {
    [label, &attempt.bytes()].concat()
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    #[test]
    fn a_state_belongs_to_what_one_browser_keeps_and_to_nothing_else() {
        let key = AttemptKey::derive(&SecretKey::generate().unwrap()).unwrap();
        let target = Target::Loopback(NonZeroU16::new(4711).unwrap());
        let attempt = Attempt::begin(Challenge::of("x"), target, Utc::now());
        let kept = attempt.encode();
        assert_eq!(Attempt::decode(&kept), Some(attempt));
        let Derived { state, nonce, verifier } = key.derived(&attempt);
        assert!(key.is_state_of(&state, &attempt));
        assert!(state != nonce && nonce != verifier && verifier.len() == 43);

        let bytes = URL_SAFE_NO_PAD.decode(&kept).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = Attempt::decode(&URL_SAFE_NO_PAD.encode(&changed)).unwrap();
            assert!(!key.is_state_of(&state, &changed), "{at}");
            assert_eq!(Attempt::decode(&URL_SAFE_NO_PAD.encode(&bytes[..at])), None);
        }
        for wrong in ["", &nonce, &verifier, &state[1..], "%"] {
            assert!(!key.is_state_of(wrong, &attempt), "{wrong}");
        }
        let elsewhere = AttemptKey::derive(&SecretKey::generate().unwrap()).unwrap();
        assert!(!elsewhere.is_state_of(&state, &attempt));
        let other = Attempt::begin(Challenge::of("x"), target, Utc::now());
        assert!(!key.is_state_of(&state, &other));
        assert!(attempt.is_under_way(Utc::now()) && !attempt.is_under_way(Utc::now() + LIFETIME));
    }
}
