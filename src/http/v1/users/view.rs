//! How a user looks in bodies and answers; never with a password.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::token::Secret;
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
    /// Whether the user can sign in.
    enabled: bool,
    /// Who vouches for the user, in place of a password; `null` for a user of our own.
    #[schema(required = true)]
    identity: Option<Identity>,
    /// Until when an invitation can be accepted; `null` when there is none, or it was accepted.
    #[schema(required = true)]
    invited_until: Option<DateTime<Utc>>,
    version: Version,
    created_at: DateTime<Utc>,
    /// `null` for what the installation made by itself.
    #[schema(required = true)]
    created_by: Option<By>,
    updated_at: DateTime<Utc>,
    #[schema(required = true)]
    updated_by: Option<By>,
}

/// What an outside issuer knows a user by.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserIdentity)]
struct Identity {
    #[schema(example = "https://login.example.com")]
    issuer: String,
    #[schema(example = "248289761001")]
    subject: String,
}

impl From<user::User> for User {
    fn from(user: user::User) -> Self {
        Self {
            id: user.id,
            username: user.draft.username.to_string(),
            email: user.draft.email,
            role: user.draft.role,
            enabled: user.draft.enabled,
            identity: user
                .identity
                .map(|identity| Identity { issuer: identity.issuer, subject: identity.subject }),
            invited_until: user.invited_until,
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
    /// Does not contain the user name, and is none of those that are tried first. Not together with `invite`.
    #[schema(min_length = 8, max_length = 128, format = Password, nullable = false)]
    password: Option<String>,
    /// Whether to answer an invitation, with which the person chooses a password.
    #[schema(nullable = false)]
    invite: Option<bool>,
    /// A role of the provider for users of the provider, a role of an enterprise for users of one.
    role: Role,
    #[schema(max_length = 254)]
    email: Option<String>,
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

/// A change of a user.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the schema of a body; the decoder stands in the domain")]
pub(super) struct UserPatch {
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$", nullable = false)]
    username: Option<String>,
    #[schema(nullable = false)]
    role: Option<Role>,
    #[schema(max_length = 254)]
    email: Option<String>,
    #[schema(nullable = false)]
    enabled: Option<bool>,
}

/// A user that was created.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewUser {
    #[serde(flatten)]
    user: User,
    /// The invitation, shown once; only if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    invitation: Option<String>,
}

impl NewUser {
    /// The view of a user and of what is shown once.
    pub(super) fn new(user: user::User, invitation: Option<&Secret>) -> Self {
        Self { user: user.into(), invitation: invitation.map(|secret| secret.reveal().to_owned()) }
    }
}
