//! Entries of the audit, how they are asked for, and the chain that they form.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::page::{MAX_PER_PAGE, MAX_QUERY_CHARS};
use super::parameters;
use crate::clock::Timestamp;
use crate::ids::TenantId;

/// The entries of a page when the caller does not say.
const DEFAULT_ENTRIES: u32 = 50;

/// An entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The tenant in whose chain it stands.
    pub tenant: TenantId,
    /// Its place in the chain, counted from 1.
    pub seq: i64,
    /// Its id.
    pub id: Uuid,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it, as JSON; `None` is the installation itself.
    pub actor: Option<Box<RawValue>>,
    /// The address that the request came from.
    pub client: Option<String>,
    /// The request.
    pub request: Option<String>,
    /// What was done.
    pub action: String,
    /// To what kind of thing.
    pub kind: String,
    /// To which.
    pub object: Option<Uuid>,
    /// What that was called.
    pub object_name: Option<String>,
    /// What it was before, as JSON.
    pub before: Option<Box<RawValue>>,
    /// What it was afterwards, as JSON.
    pub after: Option<Box<RawValue>>,
    /// The hash of the entry before it.
    pub previous: ChainHash,
    /// Its own.
    pub hash: ChainHash,
}

/// The hash that joins an entry to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHash([u8; 32]);

impl ChainHash {
    /// What the first entry of a chain follows.
    pub const START: Self = Self([0; 32]);

    /// A hash as it is stored.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// In hexadecimal.
impl std::fmt::Display for ChainHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Entry {
    /// The hash that the entry has to have: SHA-256 over the hash before it and its fields, each as
    /// `<bytes>:<text>`, or `-` where there is none.
    #[must_use]
    pub fn expected_hash(&self) -> ChainHash {
        let text = |raw: &Option<Box<RawValue>>| raw.as_deref().map(|raw| raw.get().to_owned());
        let fields = [
            Some(self.tenant.to_string()),
            Some(self.seq.to_string()),
            Some(self.id.to_string()),
            Some(self.at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()),
            text(&self.actor),
            self.client.clone(),
            self.request.clone(),
            Some(self.action.clone()),
            Some(self.kind.clone()),
            self.object.map(|id| id.to_string()),
            self.object_name.clone(),
            text(&self.before),
            text(&self.after),
        ];
        let mut digest = Sha256::new_with_prefix(self.previous.0);
        for field in fields {
            match field {
                Some(field) => digest.update(format!("{}:{field}", field.len())),
                None => digest.update("-"),
            }
        }
        ChainHash(digest.finalize().into())
    }
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// The entry is not what it was when it was written.
    Changed {
        /// Its place.
        seq: i64,
        /// Its id.
        id: Uuid,
    },
    /// Entries are not there.
    Missing {
        /// The place of the first of them.
        from: i64,
        /// The place of the last of them.
        to: i64,
    },
    /// There are entries, and the end of the chain is not remembered apart from them.
    Headless,
    /// The entry is good by itself and does not follow the one before it.
    Detached {
        /// Its place.
        seq: i64,
        /// Its id.
        id: Uuid,
    },
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed { seq, id } => write!(f, "entry {seq} ({id}) was changed"),
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing"),
            Self::Headless => f.write_str("the record of the chain's end is missing"),
            Self::Detached { seq, id } => write!(f, "entry {seq} ({id}) does not follow the one before it"),
        }
    }
}

/// A walk along a chain, from its start.
#[derive(Debug, Clone)]
pub struct Walk {
    /// The place of the last entry that was seen; 0 at the start.
    pub seq: i64,
    hash: ChainHash,
    /// Whether the last entry had a flaw: then it is no wonder that the next one does not follow it.
    flawed: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self { seq: 0, hash: ChainHash::START, flawed: false }
    }
}

impl Walk {
    /// Takes the next entry and says what is wrong with it.
    pub fn step(&mut self, entry: &Entry) -> Vec<Flaw> {
        let (seq, id) = (entry.seq, entry.id);
        let mut flaws = Vec::new();
        if seq != self.seq + 1 {
            flaws.push(Flaw::Missing { from: self.seq + 1, to: seq - 1 });
        }
        if entry.expected_hash() != entry.hash {
            flaws.push(Flaw::Changed { seq, id });
        } else if entry.previous != self.hash && flaws.is_empty() && !self.flawed {
            flaws.push(Flaw::Detached { seq, id });
        }
        *self = Self { seq, hash: entry.hash, flawed: !flaws.is_empty() };
        flaws
    }

    /// Takes the end of the chain as it is remembered apart from the entries.
    #[must_use]
    pub fn finish(&self, seq: i64, hash: ChainHash) -> Option<Flaw> {
        if seq > self.seq {
            return Some(Flaw::Missing { from: self.seq + 1, to: seq });
        }
        if seq == 0 && self.seq > 0 {
            return Some(Flaw::Headless);
        }
        (seq == self.seq && hash != self.hash).then_some(Flaw::Missing { from: seq, to: seq })
    }
}

/// What entries are asked for; the newest come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only entries before this place.
    pub cursor: Option<i64>,
    /// The most entries.
    pub limit: u32,
    /// Text to look for in what was done, by whom and to what.
    pub search: Option<String>,
    /// The id or the name of what it was done to.
    pub object: Option<String>,
    /// The id or the name of who did it.
    pub actor: Option<String>,
    /// Not earlier than this.
    pub from: Option<Timestamp>,
    /// Earlier than this.
    pub to: Option<Timestamp>,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self {
            cursor: None,
            limit: DEFAULT_ENTRIES,
            search: None,
            object: None,
            actor: None,
            from: None,
            to: None,
        }
    }
}

impl AuditQuery {
    /// Reads the parameters.
    ///
    /// # Errors
    /// The first parameter that does not parse or does not exist, and what is wrong with it.
    pub fn parse<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, (String, String)> {
        let mut query = Self::default();
        parameters::read(parameters, &[], |name, value| {
            let text = || match value {
                "" => Ok(None),
                text if text.chars().count() > MAX_QUERY_CHARS => Err("is too long".to_owned()),
                text if text.contains('\0') => Err("contains a zero character".to_owned()),
                text => Ok(Some(text.to_owned())),
            };
            let time = || {
                DateTime::parse_from_rfc3339(value)
                    .map(|time| Some(time.with_timezone(&Utc)))
                    .map_err(|_| "is to be a time as in RFC 3339".to_owned())
            };
            match name {
                "cursor" => {
                    let place = value.parse().ok().filter(|place| *place > 0);
                    query.cursor =
                        Some(place.ok_or_else(|| "is to be a next_cursor that was answered".to_owned())?);
                }
                "per_page" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MAX_PER_PAGE).contains(limit));
                    query.limit = limit.ok_or_else(|| "is to be a number from 1 to 100".to_owned())?;
                }
                "q" => query.search = text()?,
                "object" => query.object = text()?,
                "actor" => query.actor = text()?,
                "from" => query.from = time()?,
                "to" => query.to = time()?,
                _ => return Err(parameters::UNKNOWN.to_owned()),
            }
            Ok(())
        })?;
        Ok(query)
    }
}

#[cfg(test)]
mod tests;
