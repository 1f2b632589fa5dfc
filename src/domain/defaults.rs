//! What roles may do with objects on which nothing is set, per kind of object: as the tenant says, else as its provider
//! says for all enterprises, else as built in.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::input::{Code, Fields, Report};
use super::kind::Kind;
use super::permission::{Grants, Permission};
use super::role::Role;
use super::version::Version;

/// What is set for some kinds and roles; what is not has the default of whoever comes next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults(BTreeMap<Kind, Grants>);

impl Defaults {
    /// What is set for a role and a kind.
    #[must_use]
    pub fn set_for(&self, role: Role, kind: Kind) -> Option<Permission> {
        self.0.get(&kind).and_then(|grants| grants.set_for(role))
    }

    /// What is set for a kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Grants {
        self.0.get(&kind).cloned().unwrap_or_default()
    }

    /// Sets all of a kind.
    pub fn set(&mut self, kind: Kind, grants: Grants) {
        if grants == Grants::default() {
            self.0.remove(&kind);
        } else {
            self.0.insert(kind, grants);
        }
    }

    /// The stored form: `{"<kind>": {"<role>": "<permission>"}}`.
    #[must_use]
    pub fn encode(&self) -> Value {
        let fields = self.0.iter().map(|(kind, grants)| (kind.to_string(), grants.encode()));
        Value::Object(fields.collect::<Map<_, _>>())
    }

    /// Reads `{"<kind>": {"<role>": "<permission>" | null}}`, or for a kind the block that answers carry. What is left
    /// out is not set.
    pub fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        let mut fields = Fields::open(value, report)?;
        let mut defaults = Self::default();
        let mut complete = true;
        for kind in Kind::ALL {
            let grants = fields.or_default(kind.as_str(), report, |value, report| match value {
                Value::Array(_) => Grants::decode_block(value, report),
                Value::Object(_) => Grants::default().decode_change(value, report),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    report.error(Code::WrongType, "is to be an object, or a list of roles");
                    None
                }
            });
            match grants {
                Some(grants) => defaults.set(kind, grants),
                None => complete = false,
            }
        }
        fields.finish(report);
        complete.then_some(defaults)
    }
}

/// The defaults that a tenant has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantDefaults {
    /// What it says for itself.
    pub own: Defaults,
    /// What the provider says for its enterprises, this one or, on the provider, all of them.
    pub enterprises: Defaults,
    /// How often they were saved.
    pub version: Version,
}

impl Default for TenantDefaults {
    /// Nothing is set.
    fn default() -> Self {
        Self { own: Defaults::default(), enterprises: Defaults::default(), version: Version::FIRST }
    }
}
