//! Deleting an enterprise, and what goes with it.

use crate::access::matrix;
use crate::access::permit::{AdministerTenants, Permit};
use crate::app::scope::{Precondition, Scope};
use crate::domain::kind::Kind;
use crate::domain::name::Name;
use crate::domain::reference::Ref;
use crate::domain::tenant::{DEFAULT_MASTER_PROFILE, Tenant, TenantKind};
use crate::error::{Error, Result};
use crate::store::tenants::{self as store, Contents};
use crate::store::tx::Finish;
use crate::store::{objects, publications};

/// What may go with a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The master profile that it started with, and its users.
    Empty,
    /// All that it holds.
    Cascade,
}

/// A tenant that was deleted.
#[derive(Debug)]
pub struct Removed {
    /// The tenant.
    pub tenant: Tenant,
    /// What went with it, as far as the caller might see it.
    pub contents: Contents,
}

/// Deletes an enterprise. Its users go with it, and so does all else that it holds if that was asked for.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::PreconditionRequired`], [`Error::Stale`], [`Error::TenantNotEmpty`].
pub async fn delete(
    mut scope: Scope,
    precondition: &Precondition,
    extent: Extent,
    finish: Finish,
) -> Result<Removed> {
    let permit = matrix::authorize_tenants(scope.actor.role)?;
    if scope.tenant.kind == TenantKind::Provider {
        return Err(Error::Forbidden("the provider cannot be deleted"));
    }
    let tenant = super::lock(&mut scope).await?;
    precondition.check(tenant.version)?;
    let contents = store::contents(&mut scope.tx, &permit, &scope.viewer).await?;
    match extent {
        Extent::Empty => empty(&mut scope, &permit).await?,
        Extent::Cascade => {
            store::remove_contents(&mut scope.tx, &permit).await?;
            publications::announce(&mut scope.tx).await?;
        }
    }
    store::delete(&mut scope.tx, &permit, tenant.id).await?;
    scope.tx.finish(finish).await?;
    Ok(Removed { tenant, contents })
}

/// Removes what every tenant has; anything else keeps the tenant.
async fn empty(scope: &mut Scope, permit: &Permit<AdministerTenants>) -> Result<()> {
    let name = Name::parse(DEFAULT_MASTER_PROFILE).map_err(|(_, detail)| Error::Internal(detail))?;
    let profile = objects::find(&mut scope.tx, &scope.viewer, Kind::MasterProfile, &Ref::Name(name)).await?;
    if let Some(profile) = profile {
        let permit = matrix::authorize_edit(&scope.viewer, &profile)?;
        match objects::delete(&mut scope.tx, &permit).await {
            Ok(()) => {}
            Err(Error::InUse { .. }) => return Err(Error::TenantNotEmpty),
            Err(error) => return Err(error),
        }
    }
    publications::forget(&mut scope.tx, permit).await
}
