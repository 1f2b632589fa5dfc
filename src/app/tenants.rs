//! Tenants: the provider's enterprises.

use serde_json::Value;

use super::bootstrap::insert_default_profile;
use super::objects::Change;
use super::scope::{Precondition, Scope};
use crate::access::matrix;
use crate::domain::defaults::TenantDefaults;
use crate::domain::input::Report;
use crate::domain::kind::Kind;
use crate::domain::merge_patch::merge_patch;
use crate::domain::name::Name;
use crate::domain::page::{ListQuery, Page};
use crate::domain::reference::Ref;
use crate::domain::tenant::{DEFAULT_MASTER_PROFILE, Tenant, TenantDraft, TenantKind};
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::TenantId;
use crate::store::tx::Finish;
use crate::store::{objects, publications, tenants as store};

/// Lists the tenants that the caller sees.
///
/// # Errors
/// The database does not answer.
pub async fn list(mut home: Scope, query: &ListQuery) -> Result<Page<Tenant>> {
    let page = store::list(&mut home.tx, query).await?;
    home.tx.finish(Finish::Commit).await?;
    Ok(page)
}

/// Reads the tenant that the scope is on.
///
/// # Errors
/// The database does not answer.
pub async fn read(scope: Scope) -> Result<Tenant> {
    scope.tx.finish(Finish::Commit).await?;
    Ok(scope.tenant)
}

/// Creates an enterprise of the caller's provider, with the master profile that every tenant starts with.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Invalid`], [`Error::NameTaken`].
pub async fn create(mut home: Scope, document: &Value, finish: Finish) -> Result<Tenant> {
    let permit = matrix::authorize_tenants(home.actor.role)?;
    // The defaults that the provider gives its enterprises stay as they are meanwhile.
    let provider = lock(&mut home).await?;
    let stamp = home.stamp();
    let defaults = TenantDefaults { enterprises: provider.defaults.enterprises, ..TenantDefaults::default() };
    let tenant = Tenant {
        id: TenantId::generate(),
        kind: TenantKind::Enterprise,
        draft: decode(document)?,
        defaults,
        version: Version::FIRST,
        created: stamp.clone(),
        updated: stamp.clone(),
    };
    store::insert(&mut home.tx, &permit, &tenant).await?;
    home.tx.act_on(&tenant).await?;
    insert_default_profile(&mut home.tx, &stamp).await?;
    home.tx.finish(finish).await?;
    Ok(tenant)
}

/// Changes the tenant that the scope is on.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::PreconditionRequired`], [`Error::Stale`], [`Error::Invalid`],
/// [`Error::NameTaken`].
pub async fn change(
    mut scope: Scope,
    precondition: &Precondition,
    change: Change,
    finish: Finish,
) -> Result<Tenant> {
    let permit = matrix::authorize_tenants(scope.actor.role)?;
    let saved = lock(&mut scope).await?;
    precondition.check(saved.version)?;
    let document = match change {
        Change::Replace(document) => document,
        Change::Merge(patch) => {
            let mut document = saved.draft.encode();
            merge_patch(&mut document, &patch);
            document
        }
    };
    let draft = decode(&document)?;
    if draft == saved.draft {
        scope.tx.finish(finish).await?;
        return Ok(saved);
    }
    let tenant = Tenant { draft, version: saved.version.next(), updated: scope.stamp(), ..saved };
    store::update(&mut scope.tx, &permit, &tenant).await?;
    scope.tx.finish(finish).await?;
    Ok(tenant)
}

/// Deletes an enterprise that holds nothing but the master profile it started with. Its users go with it.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::PreconditionRequired`], [`Error::Stale`], [`Error::TenantNotEmpty`].
pub async fn delete(mut scope: Scope, precondition: &Precondition, finish: Finish) -> Result<()> {
    let permit = matrix::authorize_tenants(scope.actor.role)?;
    if scope.tenant.kind == TenantKind::Provider {
        return Err(Error::Forbidden("the provider cannot be deleted"));
    }
    let saved = lock(&mut scope).await?;
    precondition.check(saved.version)?;
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
    publications::forget(&mut scope.tx, &permit).await?;
    store::delete(&mut scope.tx, &permit, saved.id).await?;
    scope.tx.finish(finish).await
}

/// Reads the tenant again once nobody else writes to it.
async fn lock(scope: &mut Scope) -> Result<Tenant> {
    scope.tx.serialize_writes().await?;
    store::find(&mut scope.tx, &Ref::Id(scope.tenant.id)).await?.ok_or(Error::NotFound)
}

fn decode(document: &Value) -> Result<TenantDraft> {
    let mut report = Report::new();
    let draft = TenantDraft::decode(document, &mut report);
    draft.filter(|_| report.is_empty()).ok_or_else(|| Error::Invalid(report.into_errors()))
}
