//! Who is calling.

use crate::domain::object::By;
use crate::domain::role::Role;
use crate::domain::tenant::TenantKind;
use crate::ids::{SessionId, TenantId, UserId};

/// A signed-in user, as the database knows the user now.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub username: String,
    /// The tenant that the user belongs to.
    pub home: TenantId,
    /// The user's role.
    pub role: Role,
    /// The sign-in.
    pub session: SessionId,
}

impl Actor {
    /// The actor as history remembers it.
    #[must_use]
    pub fn by(&self) -> By {
        By { id: self.user, name: self.username.clone() }
    }

    /// Whether the actor can act on the enterprises of its provider.
    #[must_use]
    pub fn acts_on_enterprises(&self) -> bool {
        self.role.tenant_kind() == TenantKind::Provider
    }
}
