//! The users of a tenant.

use serde_json::Value;

use super::AppState;
use super::scope::Scope;
use crate::access::matrix;
use crate::access::token::Claims;
use crate::domain::input::Report;
use crate::domain::page::{ListQuery, Page};
use crate::domain::reference::Ref;
use crate::domain::role::Role;
use crate::domain::user::{NewUser, User};
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::{TenantId, UserId};
use crate::store::tx::Finish;
use crate::store::users as store;

/// Lists the users of a tenant.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(mut scope: Scope, query: &ListQuery) -> Result<Page<User>> {
    let permit = matrix::authorize_administer(scope.actor.role)?;
    let page = store::list(&mut scope.tx, &permit, query).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(page)
}

/// Creates a user of a tenant. The password is hashed between two transactions, so that no connection waits for it.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Invalid`], [`Error::NameTaken`], [`Error::TooMany`].
pub async fn create(
    state: &AppState,
    claims: &Claims,
    tenant: &Ref<TenantId>,
    document: &Value,
    finish: Finish,
) -> Result<User> {
    let scope = state.scope(claims, tenant).await?;
    matrix::authorize_administer(scope.actor.role)?;
    let mut report = Report::new();
    let new = NewUser::decode(document, scope.tenant.kind, &mut report);
    let new = new.filter(|_| report.is_empty()).ok_or_else(|| Error::Invalid(report.into_errors()))?;
    scope.tx.finish(Finish::Commit).await?;
    let password = state.passwords.hash(new.password).await?;

    let mut scope = state.scope(claims, tenant).await?;
    let permit = matrix::authorize_administer(scope.actor.role)?;
    let stamp = scope.stamp();
    let user = User {
        id: UserId::generate(),
        tenant: scope.tenant.id,
        username: new.username,
        email: new.email,
        role: new.role,
        version: Version::FIRST,
        created: stamp.clone(),
        updated: stamp,
    };
    store::insert(&mut scope.tx, &permit, &user, &password).await?;
    scope.tx.finish(finish).await?;
    Ok(user)
}

/// Deletes a user of a tenant, whose sign-ins end at once. The provider keeps one administrator.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`].
pub async fn delete(mut scope: Scope, user: &Ref<UserId>, finish: Finish) -> Result<()> {
    let permit = matrix::authorize_administer(scope.actor.role)?;
    scope.tx.serialize_writes().await?;
    let user = store::find(&mut scope.tx, &permit, user).await?.ok_or(Error::NotFound)?;
    let last = user.role == Role::ServiceProviderAdministrator
        && store::count_with_role(&mut scope.tx, &permit, user.role).await? <= 1;
    if last {
        return Err(Error::Forbidden("the provider's last administrator cannot be deleted"));
    }
    store::delete(&mut scope.tx, &permit, user.id).await?;
    scope.tx.finish(finish).await
}
