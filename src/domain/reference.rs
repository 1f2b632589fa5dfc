//! How a path or a body names an object: by id, or by name as `name:branch-alg`.

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

/// The name of an object by id or by name.
pub type ObjectRef = Ref<ObjectId>;

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
