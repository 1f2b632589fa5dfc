//! Who is calling, on which tenant, in one transaction.

use super::AppState;
use crate::access::actor::Actor;
use crate::access::matrix::Viewer;
use crate::access::token::Claims;
use crate::clock::Timestamp;
use crate::domain::object::Stamp;
use crate::domain::reference::Ref;
use crate::domain::tenant::Tenant;
use crate::domain::version::Version;
use crate::error::{Error, Result, Unauthenticated};
use crate::ids::TenantId;
use crate::store::tx::{TenantTx, Visit};
use crate::store::users::{self, Admission};

/// What a use case of a signed-in caller runs in.
#[derive(Debug)]
pub struct Scope {
    /// The transaction, which sees the tenant.
    pub tx: TenantTx,
    /// The caller.
    pub actor: Actor,
    /// The tenant that the request acts on.
    pub tenant: Tenant,
    /// The caller's eyes.
    pub viewer: Viewer,
    /// When the request is handled.
    pub now: Timestamp,
}

impl Scope {
    /// Now, by the caller.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp { at: self.now, by: Some(self.actor.by()) }
    }
}

impl AppState {
    /// Opens a scope on the tenant that a path names.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the user or the sign-in is no more, [`Error::NotFound`] when the caller
    /// cannot see the tenant.
    pub async fn scope(&self, claims: &Claims, tenant: &Ref<TenantId>) -> Result<Scope> {
        let now = self.clock.now();
        let (tx, actor, tenant) = match users::enter(&self.store, &Visit { claims, tenant, now }).await? {
            Admission::Entered(entered) => *entered,
            Admission::Refused => return Err(Error::Unauthenticated(Unauthenticated::Ended)),
            Admission::NoTenant => return Err(Error::NotFound),
        };
        let viewer = Viewer::of(&actor, &tenant);
        Ok(Scope { tx, actor, tenant, viewer, now })
    }

    /// Opens a scope on the tenant that the caller belongs to.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the user or the sign-in is no more.
    pub async fn home_scope(&self, claims: &Claims) -> Result<Scope> {
        self.scope(claims, &Ref::Id(claims.tenant)).await
    }
}

/// What a change demands of the version that it changes: the If-Match of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// The caller did not say, which is not accepted.
    Missing,
    /// Any version.
    Any,
    /// One of these versions. None of them may be one that ever existed.
    OneOf(Vec<Version>),
}

impl Precondition {
    /// Holds the current version against it, for an action that names what it changes and so can do without.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub fn check_if_given(&self, current: Version) -> Result<()> {
        match self {
            Self::Missing => Ok(()),
            Self::Any | Self::OneOf(_) => self.check(current),
        }
    }

    /// Holds the current version against it.
    ///
    /// # Errors
    /// [`Error::PreconditionRequired`] or [`Error::Stale`].
    pub fn check(&self, current: Version) -> Result<()> {
        match self {
            Self::Missing => Err(Error::PreconditionRequired),
            Self::Any => Ok(()),
            Self::OneOf(versions) if versions.contains(&current) => Ok(()),
            Self::OneOf(_) => Err(Error::Stale { current }),
        }
    }
}
