//! How a service account looks in bodies and answers; with its secret only when it is created.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::token::Secret;
use crate::domain::object::By;
use crate::domain::role::Role;
use crate::domain::user::User;
use crate::domain::version::Version;
use crate::ids::UserId;

/// A program that acts as a user.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ServiceAccount {
    id: UserId,
    /// What the program gives as `client_id`.
    client_id: UserId,
    name: String,
    role: Role,
    /// Whether it gets tokens.
    enabled: bool,
    version: Version,
    created_at: DateTime<Utc>,
    #[schema(required = true)]
    created_by: Option<By>,
    updated_at: DateTime<Utc>,
    #[schema(required = true)]
    updated_by: Option<By>,
}

impl From<User> for ServiceAccount {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            client_id: user.id,
            name: user.draft.username.to_string(),
            role: user.draft.role,
            enabled: user.draft.enabled,
            version: user.version,
            created_at: user.created.at,
            created_by: user.created.by,
            updated_at: user.updated.at,
            updated_by: user.updated.by,
        }
    }
}

/// A service account that was created.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewServiceAccount {
    #[serde(flatten)]
    account: ServiceAccount,
    /// What the program gives as `client_secret`, shown once; `null` after a dry run, which makes none.
    #[schema(required = true)]
    client_secret: Option<String>,
}

impl NewServiceAccount {
    /// The view of a service account and of its secret.
    pub(super) fn new(user: User, secret: Option<&Secret>) -> Self {
        Self { account: user.into(), client_secret: secret.map(|secret| secret.reveal().to_owned()) }
    }
}

/// A service account to be.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the schema of a body; the decoder stands in the domain")]
pub(super) struct ServiceAccountInput {
    /// Unique in the tenant.
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    name: String,
    /// A role of the provider for those of the provider, a role of an enterprise for those of one.
    role: Role,
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

/// A change of a service account.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the schema of a body; the decoder stands in the domain")]
pub(super) struct ServiceAccountPatch {
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$", nullable = false)]
    name: Option<String>,
    #[schema(nullable = false)]
    role: Option<Role>,
    #[schema(nullable = false)]
    enabled: Option<bool>,
}
