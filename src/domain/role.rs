//! The four roles.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tenant::TenantKind;

/// What a user is to a tenant.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Administers an enterprise.
    EnterpriseAdministrator,
    /// Looks after an enterprise.
    EnterpriseOperator,
    /// Administers the provider and every enterprise.
    ServiceProviderAdministrator,
    /// Looks after the provider and every enterprise.
    ServiceProviderOperator,
}

impl Role {
    /// Every role, in the order of answers.
    pub const ALL: [Self; 4] = [
        Self::EnterpriseAdministrator,
        Self::EnterpriseOperator,
        Self::ServiceProviderAdministrator,
        Self::ServiceProviderOperator,
    ];

    /// The word that stands for the role in the database and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EnterpriseAdministrator => "enterprise_administrator",
            Self::EnterpriseOperator => "enterprise_operator",
            Self::ServiceProviderAdministrator => "service_provider_administrator",
            Self::ServiceProviderOperator => "service_provider_operator",
        }
    }

    /// The role that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether the role administers, rather than looks after.
    #[must_use]
    pub fn administers(self) -> bool {
        match self {
            Self::EnterpriseAdministrator | Self::ServiceProviderAdministrator => true,
            Self::EnterpriseOperator | Self::ServiceProviderOperator => false,
        }
    }

    /// The kind of tenant whose users can have the role.
    #[must_use]
    pub fn tenant_kind(self) -> TenantKind {
        match self {
            Self::EnterpriseAdministrator | Self::EnterpriseOperator => TenantKind::Enterprise,
            Self::ServiceProviderAdministrator | Self::ServiceProviderOperator => TenantKind::Provider,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
