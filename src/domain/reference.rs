//! How a path or a body names an object: by id, or by name as `name:branch-alg`.

use serde_json::Value;

use super::input::{Code, Report, wrong_type};
use super::name::Name;
use crate::ids::ObjectId;

/// What a name is announced by where an id could stand as well.
pub const NAME_PREFIX: &str = "name:";

/// The name of something by id or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ref<Id> {
    /// By id.
    Id(Id),
    /// By name, which is compared without regard to case.
    Name(Name),
}

impl<Id: Copy> Ref<Id> {
    /// The id, or the name as it is compared: one of the two.
    #[must_use]
    pub fn split(&self) -> (Option<Id>, Option<String>) {
        match self {
            Self::Id(id) => (Some(*id), None),
            Self::Name(name) => (None, Some(name.key())),
        }
    }
}

/// The name of an object by id or by name.
pub type ObjectRef = Ref<ObjectId>;

impl ObjectRef {
    /// Reads a reference in a body: `"<id>"`, `"name:..."`, or `{"id": "<id>", ...}` as answers have it.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let text = match value {
            Value::String(text) => Some(text.as_str()),
            Value::Object(fields) => fields.get("id").and_then(Value::as_str),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        };
        text.and_then(Self::parse)
    }

    /// Decodes a reference from JSON.
    pub fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        if !value.is_string() && !value.is_object() {
            return wrong_type(value, "an id, or a name as in \"name:example\"", report);
        }
        let reference = Self::from_json(value);
        if reference.is_none() {
            report.error(Code::Format, "is to be an id, or a name as in \"name:example\"");
        }
        reference
    }
}

impl<Id: std::str::FromStr> Ref<Id> {
    /// Reads an id or `name:...`; nothing else names anything.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(NAME_PREFIX) {
            Some(name) => Name::parse(name).ok().map(Self::Name),
            None => text.parse().ok().map(Self::Id),
        }
    }

    /// Reads an id, `name:...`, or a bare name, as paths name tenants.
    #[must_use]
    pub fn parse_bare(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| Name::parse(text).ok().map(Self::Name))
    }
}
