//! How a user looks in bodies and answers; never with a password.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::object::By;
use crate::domain::role::Role;
use crate::domain::user;
use crate::domain::version::Version;
use crate::ids::UserId;

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct User {
    id: UserId,
    username: String,
    #[schema(required = true)]
    email: Option<String>,
    role: Role,
    version: Version,
    created_at: DateTime<Utc>,
    /// `null` for what the installation made by itself.
    #[schema(required = true)]
    created_by: Option<By>,
    updated_at: DateTime<Utc>,
    #[schema(required = true)]
    updated_by: Option<By>,
}

impl From<user::User> for User {
    fn from(user: user::User) -> Self {
        Self {
            id: user.id,
            username: user.username.to_string(),
            email: user.email,
            role: user.role,
            version: user.version,
            created_at: user.created.at,
            created_by: user.created.by,
            updated_at: user.updated.at,
            updated_by: user.updated.by,
        }
    }
}

/// A user to be.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(super) struct UserInput {
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    username: String,
    /// Does not contain the user name.
    #[schema(min_length = 8, max_length = 128, format = Password)]
    password: String,
    /// A role of the provider for users of the provider, a role of an enterprise for users of one.
    role: Role,
    #[schema(max_length = 254)]
    email: Option<String>,
}
