//! Entity tags, RFC 9110 section 8.8.3: `"<version>-<hash of the answer>"`.
//!
//! A change is held against the version alone: that a user of the object was renamed, or that another role looks at
//! it, is no lost update. A cache is held against the whole tag, so that it sees those changes.

use sha2::{Digest as _, Sha256};

use crate::domain::version::Version;

/// The tag of an answer, with the first eight bytes of its hash.
#[must_use]
pub(super) fn of(version: Version, body: &[u8]) -> String {
    let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = Sha256::digest(body).into();
    let hash = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    format!("\"{version}-{hash:016x}\"")
}

/// The tag that says a version and no more.
#[must_use]
pub(super) fn of_version(version: Version) -> String {
    format!("\"{version}\"")
}

/// A list of tags, as If-Match and If-None-Match have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tags {
    /// `*`
    Any,
    /// The quoted parts, without the quotes and without the mark of a weak one.
    Listed(Vec<String>),
}

impl Tags {
    /// Reads a header's value.
    pub(super) fn parse(value: &str) -> Option<Self> {
        if value.trim() == "*" {
            return Some(Self::Any);
        }
        let tag = |part: &str| {
            let part = part.trim();
            let opaque = part.strip_prefix("W/").unwrap_or(part).strip_prefix('"')?.strip_suffix('"')?;
            (!opaque.contains('"')).then(|| opaque.to_owned())
        };
        value.split(',').map(tag).collect::<Option<Vec<_>>>().map(Self::Listed)
    }

    /// The versions that the tags name; a tag that is none of ours names none.
    pub(super) fn versions(&self) -> Option<Vec<Version>> {
        match self {
            Self::Any => None,
            Self::Listed(tags) => Some(tags.iter().filter_map(|tag| version(tag)).collect()),
        }
    }

    /// Whether a tag, with its quotes, is among them.
    pub(super) fn contain(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|listed| *listed == tag.trim_matches('"')),
        }
    }
}

fn version(tag: &str) -> Option<Version> {
    let number = tag.split_once('-').map_or(tag, |(version, _)| version);
    number.parse().ok().and_then(Version::new)
}

#[cfg(test)]
mod tests;
