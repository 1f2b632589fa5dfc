//! Proof keys, RFC 7636: who exchanges a one-time code proves to be who asked for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The characters of a verifier, RFC 7636 section 4.1.
const VERIFIER_CHARS: std::ops::RangeInclusive<usize> = 43..=128;

/// The SHA-256 of a verifier: method `S256`, and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge([u8; 32]);

impl Challenge {
    /// Reads a challenge as it is sent, base64url without padding.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The challenge of a verifier.
    #[must_use]
    pub fn of(verifier: &str) -> Self {
        Self(Sha256::digest(verifier.as_bytes()).into())
    }

    /// One that was stored.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The challenge as it is sent.
    #[must_use]
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Whether a verifier is the one.
    #[must_use]
    pub fn answered_by(&self, verifier: &str) -> bool {
        let unreserved = |letter: char| letter.is_ascii_alphanumeric() || "-._~".contains(letter);
        VERIFIER_CHARS.contains(&verifier.len())
            && verifier.chars().all(unreserved)
            && Self::of(verifier) == *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn a_challenge_is_answered_by_its_verifier_alone() {
        let challenge = Challenge::parse(CHALLENGE).unwrap();
        assert_eq!(challenge.encode(), CHALLENGE);
        assert!(challenge.answered_by(VERIFIER));
        let short = &VERIFIER[1..];
        assert!(!Challenge::of(short).answered_by(short));
        for wrong in ["", CHALLENGE, &VERIFIER.to_lowercase(), &"a".repeat(129)] {
            assert!(!challenge.answered_by(wrong), "{wrong}");
        }
        for wrong in
            ["", "x", VERIFIER.get(1..).unwrap(), &format!("{CHALLENGE}="), &CHALLENGE.replace('E', "+")]
        {
            assert_eq!(Challenge::parse(wrong), None, "{wrong}");
        }
    }
}
