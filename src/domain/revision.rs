//! Revisions: what an appliance is to run, compiled and immutable.

use std::fmt;

use super::object::Stamp;
use crate::ids::{ObjectId, RevisionId};

/// Bytes of a [`ConfigHash`].
const HASH_BYTES: usize = 32;

/// The SHA-256 of an encoded configuration: equal configurations have equal hashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigHash([u8; HASH_BYTES]);

impl ConfigHash {
    /// Takes a hash as it was computed.
    #[must_use]
    pub fn new(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// Takes a hash as it was stored; `None` for another number of bytes.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes to store and to send.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Its id.
    pub id: RevisionId,
    /// The appliance that it was compiled for.
    pub appliance: ObjectId,
    /// The encoded `pinhole.v1.GatewayConfig`.
    pub config: Vec<u8>,
    /// The hash of `config`.
    pub hash: ConfigHash,
    /// When and by whom it was first published.
    pub created: Stamp,
}

/// What a gateway says it enforces. It is only its word: the revision may be none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// The revision's id.
    pub revision: RevisionId,
    /// The hash of its configuration.
    pub hash: ConfigHash,
}
