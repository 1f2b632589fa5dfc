//! How a tenant looks in bodies and answers.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::tenants::{Held, Removed};
use crate::domain::object::By;
use crate::domain::tenant::{self, TenantKind, TenantState};
use crate::domain::version::Version;
use crate::ids::TenantId;

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tenant {
    id: TenantId,
    kind: TenantKind,
    name: String,
    description: String,
    state: TenantState,
    /// Since when it is suspended; `null` when it is not.
    #[schema(required = true)]
    suspended_at: Option<DateTime<Utc>>,
    version: Version,
    created_at: DateTime<Utc>,
    /// `null` for what the installation made by itself.
    #[schema(required = true)]
    created_by: Option<By>,
    updated_at: DateTime<Utc>,
    #[schema(required = true)]
    updated_by: Option<By>,
}

impl From<tenant::Tenant> for Tenant {
    fn from(tenant: tenant::Tenant) -> Self {
        Self {
            state: tenant.state(),
            suspended_at: tenant.suspended_at,
            id: tenant.id,
            kind: tenant.kind,
            name: tenant.draft.name.to_string(),
            description: tenant.draft.description.as_str().to_owned(),
            version: tenant.version,
            created_at: tenant.created.at,
            created_by: tenant.created.by,
            updated_at: tenant.updated.at,
            updated_by: tenant.updated.by,
        }
    }
}

/// A tenant that is deleted with all that it holds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RemovedTenant {
    /// The tenant.
    tenant: Tenant,
    /// What goes with it, as far as the caller may see it.
    contents: Vec<HeldView>,
    /// How many publications go with it.
    #[schema(minimum = 0)]
    publications: i64,
}

/// Things of one sort that go with a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantContents)]
pub(super) struct HeldView {
    /// As paths name them: `users`, `services`, ...
    kind: String,
    #[schema(minimum = 0)]
    total: i64,
    /// The first 100 names.
    #[schema(max_items = 100)]
    names: Vec<String>,
}

impl From<Removed> for RemovedTenant {
    fn from(removed: Removed) -> Self {
        let view = |held: Held| HeldView { kind: held.sort, total: held.total, names: held.names };
        Self {
            tenant: removed.tenant.into(),
            contents: removed.contents.held.into_iter().map(view).collect(),
            publications: removed.contents.publications,
        }
    }
}

/// A tenant to be.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(super) struct TenantInput {
    /// Unique among all tenants without regard to case.
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    name: String,
    /// Free text.
    #[schema(nullable = false, max_length = 1024)]
    description: Option<String>,
}
