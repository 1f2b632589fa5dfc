//! Tenants: the provider's enterprises.

mod removal;

use serde_json::Value;

use crate::access::matrix;
use crate::app::bootstrap::insert_default_profile;
use crate::app::objects::Change;
use crate::app::scope::{Precondition, Scope};
use crate::clock::Timestamp;
use crate::domain::defaults::TenantDefaults;
use crate::domain::input::Report;
use crate::domain::merge_patch::merge_patch;
use crate::domain::page::{ListQuery, Page};
use crate::domain::reference::Ref;
use crate::domain::tenant::{Tenant, TenantDraft, TenantKind, TenantState};
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::TenantId;
use crate::store::tenants as store;
use crate::store::tx::Finish;

pub use self::removal::{Extent, Removed, delete};
pub use crate::store::tenants::{Contents, Held};

/// Lists the tenants that the caller sees.
///
/// # Errors
/// The database does not answer.
pub async fn list(mut home: Scope, query: &ListQuery, state: Option<TenantState>) -> Result<Page<Tenant>> {
    let page = store::list(&mut home.tx, query, state).await?;
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
        suspended_at: None,
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

/// Suspends an enterprise: its users cannot sign in, and what they signed in with does not count; its gateways keep what
/// they have. One that is suspended stays so.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Stale`].
pub async fn suspend(scope: Scope, precondition: &Precondition, finish: Finish) -> Result<Tenant> {
    let now = scope.now;
    set_suspension(scope, precondition, |suspended| suspended.or(Some(now)), finish).await
}

/// Ends the suspension of an enterprise, if it is suspended. Whoever was signed in is so again, unless it expired.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Stale`].
pub async fn resume(scope: Scope, precondition: &Precondition, finish: Finish) -> Result<Tenant> {
    set_suspension(scope, precondition, |_| None, finish).await
}

async fn set_suspension(
    mut scope: Scope,
    precondition: &Precondition,
    choose: impl FnOnce(Option<Timestamp>) -> Option<Timestamp>,
    finish: Finish,
) -> Result<Tenant> {
    let permit = matrix::authorize_tenants(scope.actor.role)?;
    if scope.tenant.kind == TenantKind::Provider {
        return Err(Error::Forbidden("the provider cannot be suspended"));
    }
    let saved = lock(&mut scope).await?;
    precondition.check_if_given(saved.version)?;
    let suspended_at = choose(saved.suspended_at);
    if suspended_at == saved.suspended_at {
        scope.tx.finish(finish).await?;
        return Ok(saved);
    }
    let tenant = Tenant { suspended_at, version: saved.version.next(), updated: scope.stamp(), ..saved };
    store::update(&mut scope.tx, &permit, &tenant).await?;
    scope.tx.finish(finish).await?;
    Ok(tenant)
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
