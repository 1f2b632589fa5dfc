//! Keys by which a request that is repeated is known, and is not carried out a second time.

use std::collections::BTreeMap;

use chrono::Duration;
use sha2::{Digest as _, Sha256};

/// How long an answer is kept.
pub const KEPT_FOR: Duration = Duration::hours(24);
/// The most keys of one user that are kept.
pub const MAX_KEYS: i64 = 10_000;
/// The longest answer that is kept, in bytes.
pub const MAX_ANSWER_BYTES: u64 = 1024 * 1024;
/// The most characters of a key.
const MAX_KEY_CHARS: usize = 255;

/// A key that a caller chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a header's value: visible ASCII, bare or in double quotes as draft-ietf-httpapi-idempotency-key-header has
    /// it.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        let key = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        let good = (1..=MAX_KEY_CHARS).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        good.then(|| Self(key.to_owned()))
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a request asked for, by hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a request's target and body.
    #[must_use]
    pub fn of(target: &str, body: &[u8]) -> Self {
        let digest = Sha256::new_with_prefix(format!("{}:{target}", target.len()));
        Self(digest.chain_update(body).finalize().into())
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that belong to it.
    pub headers: BTreeMap<String, String>,
    /// The body; `None` when it was not to be kept.
    pub body: Option<Vec<u8>>,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nothing; the request is to be carried out.
    Fresh,
    /// Another request came with it.
    Mismatch,
    /// The same request was carried out, and answered so.
    Answered(Answer),
    /// The caller has used too many keys.
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_and_visible() {
        let key = |text: &str| IdempotencyKey::parse(text).map(|key| key.0);
        assert_eq!(key(" \"a-1\" "), Some("a-1".to_owned()));
        assert_eq!(key("a-1"), Some("a-1".to_owned()));
        for wrong in ["", "\"\"", "a b", "ä", "a\"b", &"x".repeat(256)] {
            assert_eq!(key(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn another_target_or_body_is_another_request() {
        let one = Fingerprint::of("/a", b"b");
        assert_eq!(one, Fingerprint::of("/a", b"b"));
        assert_ne!(one, Fingerprint::of("/ab", b""));
        assert_ne!(one, Fingerprint::of("/a", b"c"));
    }
}
