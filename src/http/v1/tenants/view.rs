//! How a tenant looks in bodies and answers.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::object::By;
use crate::domain::tenant::{self, TenantKind};
use crate::domain::version::Version;
use crate::ids::TenantId;

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tenant {
    id: TenantId,
    kind: TenantKind,
    name: String,
    description: String,
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
