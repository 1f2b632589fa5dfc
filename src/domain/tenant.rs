//! Tenants: the provider and its enterprises.

use serde::Serialize;

use super::defaults::TenantDefaults;
use super::input::{Fields, Report};
use super::name::{Description, Name};
use super::object::Stamp;
use super::version::Version;
use crate::ids::TenantId;

/// The basic master profile without a policy that a new tenant starts with.
pub const DEFAULT_MASTER_PROFILE: &str = "Default-Basic-MP";

/// What a tenant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantKind {
    /// The one that runs the installation.
    Provider,
    /// A customer of the provider.
    Enterprise,
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
    /// How often it was saved.
    pub version: Version,
    /// When and by whom it was created.
    pub created: Stamp,
    /// When and by whom it was saved last.
    pub updated: Stamp,
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
        fields.ignore(&["id", "kind", "version", "created_at", "created_by", "updated_at", "updated_by"]);
        fields.finish(report);
        Some(Self { name: name?, description: description? })
    }

    /// The document that [`TenantDraft::decode`] reads; the base of a merge patch.
    #[must_use]
    pub fn encode(&self) -> serde_json::Value {
        serde_json::json!({ "name": self.name, "description": self.description })
    }
}
