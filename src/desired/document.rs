//! Files of desired state.
//!
//! ```yaml
//! services:
//!   - { name: ftp-alt, protocol: tcp, destination_port: "2121" }
//! alg_policies:
//!   - name: branch
//!     protocols: { ftp: { services: ["name:ftp-alt"] } }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::domain::kind::Kind;
use crate::domain::name::Name;
use crate::domain::object::{READ_ONLY, places};
use crate::domain::reference::NAME_PREFIX;

/// The most bytes of a file.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The most objects of all files.
const MAX_OBJECTS: usize = 100_000;

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {detail}")]
pub struct Problem {
    /// The file, and where in it.
    pub place: String,
    /// What is wrong there.
    pub detail: String,
}

/// An object as a file has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Where it stands, for people.
    pub place: String,
    /// What it is.
    pub kind: Kind,
    /// What it is called.
    pub name: Name,
    /// What the API is to be sent.
    pub document: Value,
}

/// What a tenant is to hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Desired {
    /// The tenant, if a file names one.
    pub tenant: Option<String>,
    /// The objects, in the order in which they can be made.
    pub items: Vec<Item>,
    /// The kinds of which the files have a list, an empty one included: what may be pruned.
    pub listed: BTreeSet<Kind>,
}

/// The list of a kind in a file.
#[must_use]
pub fn key_of(kind: Kind) -> String {
    kind.plural().replace('-', "_")
}

impl Desired {
    /// Adds what a file says, which is YAML or, as a part of that, JSON; it may hold several documents.
    ///
    /// # Errors
    /// Everything that is wrong with it as far as one can see without knowing the tenant.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), Vec<Problem>> {
        let fail = |detail: String| vec![Problem { place: file.to_owned(), detail }];
        if text.len() > MAX_BYTES {
            return Err(fail(format!("is longer than {MAX_BYTES} bytes")));
        }
        let mut problems = Vec::new();
        for document in serde_yaml_ng::Deserializer::from_str(text) {
            match Value::deserialize(document) {
                Ok(Value::Null) => {}
                Ok(Value::Object(fields)) => self.add_document(file, fields, &mut problems),
                Ok(_) => problems
                    .extend(fail("is to be a mapping of lists, as `pinhole export` writes it".to_owned())),
                Err(error) => {
                    problems.extend(fail(error.to_string()));
                    break;
                }
            }
        }
        self.items.sort_by_key(|item| item.kind);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn add_document(&mut self, file: &str, fields: Map<String, Value>, problems: &mut Vec<Problem>) {
        let kinds: BTreeMap<String, Kind> = Kind::ALL.into_iter().map(|kind| (key_of(kind), kind)).collect();
        for (key, value) in fields {
            let mut fail =
                |place: String, detail: &str| problems.push(Problem { place, detail: detail.to_owned() });
            let place = format!("{file}: {key}");
            match (kinds.get(&key), value) {
                (Some(kind), Value::Array(items)) => {
                    self.listed.insert(*kind);
                    for (index, document) in items.into_iter().enumerate() {
                        let place = format!("{place}[{index}]");
                        let name = document.get("name").and_then(Value::as_str).map(Name::parse);
                        match name {
                            _ if self.items.len() >= MAX_OBJECTS => {
                                return fail(place, "is one object too many");
                            }
                            Some(Ok(name)) if self.has(*kind, &name) => {
                                fail(place, "has the name of another one")
                            }
                            Some(Ok(name)) => self.items.push(Item { place, kind: *kind, name, document }),
                            Some(Err((_, detail))) => fail(format!("{place}/name"), &detail),
                            None => fail(place, "has no name"),
                        }
                    }
                }
                (Some(_), Value::Null) => {}
                (Some(_), _) => fail(place, "is to be a list"),
                (None, Value::String(tenant)) if key == "tenant" => match &self.tenant {
                    Some(other) if *other != tenant => fail(place, "is another tenant than before"),
                    Some(_) | None => self.tenant = Some(tenant),
                },
                (None, _) if key == "tenant" => fail(place, "is to be a name"),
                (None, _) => fail(place, "there is no such list"),
            }
        }
    }

    fn has(&self, kind: Kind, name: &Name) -> bool {
        self.items.iter().any(|item| item.kind == kind && item.name.key() == name.key())
    }
}

/// An object as files have it, from an answer of the API: what a PUT may say, with references by name, and without
/// permissions that are inherited.
#[must_use]
pub fn export(kind: Kind, answer: &Value) -> Value {
    let mut document = answer.clone();
    for place in places(kind, answer) {
        let Some(reference) = document.pointer_mut(&place.pointer) else { continue };
        if let Some(name) = reference.get("name").and_then(Value::as_str) {
            *reference = Value::from(format!("{NAME_PREFIX}{name}"));
        }
    }
    let Some(fields) = document.as_object_mut() else { return document };
    for read_only in READ_ONLY.iter().chain(&["state"]) {
        fields.remove(*read_only);
    }
    if let Some(Value::Array(permissions)) = fields.get_mut("permissions") {
        permissions.retain(|entry| entry.get("inherited") == Some(&Value::Bool(false)));
        for entry in permissions.iter_mut().filter_map(Value::as_object_mut) {
            entry.remove("inherited");
        }
        if permissions.is_empty() {
            fields.remove("permissions");
        }
    }
    document
}
