//! Which role somebody has whom an outside issuer vouches for: by what the issuer says, and never by what was before.

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::domain::name::Name;
use crate::domain::role::Role;
use crate::domain::tenant::TenantKind;

/// The most grants of an installation.
pub const MAX_GRANTS: usize = 10_000;

/// What an issuer says of somebody.
pub type Claims = Map<String, Value>;

/// The place of a claim: a name, or a JSON pointer (RFC 6901) to one that stands deeper.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// The claim of a name.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// What stands there.
    #[must_use]
    pub fn find<'a>(&self, claims: &'a Claims) -> Option<&'a Value> {
        let Some(pointer) = self.0.strip_prefix('/') else { return claims.get(&self.0) };
        let (first, rest) =
            pointer.split_once('/').map_or((pointer, None), |(first, rest)| (first, Some(rest)));
        let value = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
        rest.map_or(Some(value), |rest| value.pointer(&format!("/{rest}")))
    }

    /// The text that stands there.
    #[must_use]
    pub fn text<'a>(&self, claims: &'a Claims) -> Option<&'a str> {
        self.find(claims)?.as_str()
    }

    /// Whether a text stands there, alone or in a list.
    fn holds(&self, claims: &Claims, text: &str) -> bool {
        match self.find(claims) {
            Some(Value::String(value)) => value == text,
            Some(Value::Array(values)) => values.iter().any(|value| value == text),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => false,
        }
    }
}

/// A grant as an administrator writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantDraft {
    claim: ClaimPath,
    value: String,
    role: Role,
    tenant: Option<String>,
    tenant_claim: Option<ClaimPath>,
}

/// Why grants are none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GrantError {
    /// An enterprise's role without an enterprise, or with two.
    #[error("grant {0}: a role of an enterprise needs either tenant or tenant_claim")]
    NoTenant(usize),
    /// A provider's role in an enterprise.
    #[error("grant {0}: a role of the provider has no tenant")]
    ProvidersTenant(usize),
    /// The tenant's name is none.
    #[error("grant {0}: tenant {1}")]
    BadTenant(usize, String),
    /// Nobody could sign in.
    #[error("there is no grant, so nobody could sign in")]
    None,
    /// More than [`MAX_GRANTS`].
    #[error("there are more than {MAX_GRANTS} grants")]
    TooMany,
}

/// The tenant of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// The provider.
    Provider,
    /// An enterprise.
    Enterprise(Name),
}

/// What somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The tenant.
    pub home: Home,
    /// The role there.
    pub role: Role,
}

/// Who is given which role, in the order of precedence.
#[derive(Debug, Clone)]
pub struct RoleGrants(Vec<Grant>);

#[derive(Debug, Clone)]
struct Grant {
    claim: ClaimPath,
    value: String,
    role: Role,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Provider,
    Named(Name),
    Claimed(ClaimPath),
}

impl RoleGrants {
    /// Reads grants; they are counted from 1 in errors.
    ///
    /// # Errors
    /// [`GrantError`], for the first that is wrong.
    pub fn parse(drafts: Vec<GrantDraft>) -> Result<Self, GrantError> {
        match drafts.len() {
            0 => return Err(GrantError::None),
            1..=MAX_GRANTS => {}
            _ => return Err(GrantError::TooMany),
        }
        let read = |(index, draft): (usize, GrantDraft)| {
            let number = index + 1;
            let GrantDraft { claim, value, role, tenant, tenant_claim } = draft;
            let place = match (role.tenant_kind(), tenant, tenant_claim) {
                (TenantKind::Provider, None, None) => Place::Provider,
                (TenantKind::Provider, _, _) => return Err(GrantError::ProvidersTenant(number)),
                (TenantKind::Enterprise, Some(tenant), None) => {
                    let name = Name::parse(&tenant);
                    Place::Named(name.map_err(|(_, detail)| GrantError::BadTenant(number, detail))?)
                }
                (TenantKind::Enterprise, None, Some(claim)) => Place::Claimed(claim),
                (TenantKind::Enterprise, _, _) => return Err(GrantError::NoTenant(number)),
            };
            Ok(Grant { claim, value, role, place })
        };
        drafts.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// What somebody is: what the first grant says that fits, and nothing when none does.
    #[must_use]
    pub fn assign(&self, claims: &Claims) -> Option<Assignment> {
        self.0.iter().filter(|grant| grant.claim.holds(claims, &grant.value)).find_map(|grant| {
            let home = match &grant.place {
                Place::Provider => Home::Provider,
                Place::Named(name) => Home::Enterprise(name.clone()),
                Place::Claimed(claim) => Home::Enterprise(Name::parse(claim.text(claims)?).ok()?),
            };
            Some(Assignment { home, role: grant.role })
        })
    }

    /// Every claim that a grant looks at.
    pub fn claims(&self) -> impl Iterator<Item = &ClaimPath> {
        self.0.iter().flat_map(|grant| {
            let place = match &grant.place {
                Place::Claimed(claim) => Some(claim),
                Place::Provider | Place::Named(_) => None,
            };
            std::iter::once(&grant.claim).chain(place)
        })
    }
}

#[cfg(test)]
mod tests;
