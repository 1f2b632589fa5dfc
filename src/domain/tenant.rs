//! Tenants: the provider and its enterprises.

use serde::Serialize;

use super::defaults::TenantDefaults;
use super::input::{Fields, Report};
use super::name::{Description, Name};
use super::object::Stamp;
use super::version::Version;
use crate::clock::Timestamp;
use crate::ids::TenantId;

/// The basic master profile without a policy that a new tenant starts with.
pub const DEFAULT_MASTER_PROFILE: &str = "Default-Basic-MP";

/// Fields that answers carry and requests may repeat.
const READ_ONLY: [&str; 9] = [
    "id",
    "kind",
    "state",
    "suspended_at",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
];

/// What a tenant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantKind {
    /// The one that runs the installation.
    Provider,
    /// A customer of the provider.
    Enterprise,
}

/// Whether a tenant's users can do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantState {
    /// They can.
    Active,
    /// They cannot sign in, and what they signed in with does not count.
    Suspended,
}

impl TenantState {
    /// The state that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "active" => Some(Self::Active),
            "suspended" => Some(Self::Suspended),
            _ => None,
        }
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Provider or enterprise.
    pub kind: TenantKind,
    /// What its saved version says.
    pub draft: TenantDraft,
    /// What roles may do with its objects, as far as nothing is set on those.
    pub defaults: TenantDefaults,
    /// Since when it is suspended, if it is.
    pub suspended_at: Option<Timestamp>,
    /// How often it was saved.
    pub version: Version,
    /// When and by whom it was created.
    pub created: Stamp,
    /// When and by whom it was saved last.
    pub updated: Stamp,
}

impl Tenant {
    /// Whether its users can do anything.
    #[must_use]
    pub fn state(&self) -> TenantState {
        match self.suspended_at {
            None => TenantState::Active,
            Some(_) => TenantState::Suspended,
        }
    }
}

/// What a save of a tenant says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantDraft {
    /// Its name, unique among all tenants.
    pub name: Name,
    /// Its description.
    pub description: Description,
}

impl TenantDraft {
    /// Reads a tenant.
    pub fn decode(value: &serde_json::Value, report: &mut Report) -> Option<Self> {
        let mut fields = Fields::open(value, report)?;
        let name = fields.required("name", report, Name::decode);
        let description = fields.or_default("description", report, Description::decode);
        fields.ignore(&READ_ONLY);
        fields.finish(report);
        Some(Self { name: name?, description: description? })
    }

    /// The document that [`TenantDraft::decode`] reads; the base of a merge patch.
    #[must_use]
    pub fn encode(&self) -> serde_json::Value {
        serde_json::json!({ "name": self.name, "description": self.description })
    }
}
