//! The users of a tenant: persons, and programs that act as users.

use serde_json::Value;

use super::AppState;
use super::scope::{Precondition, Scope};
use crate::access::matrix;
use crate::access::password::StoredHash;
use crate::access::permit::{Administer, Permit};
use crate::access::token::{Claims, INVITATION_LIFETIME, Secret};
use crate::domain::input::Report;
use crate::domain::merge_patch::merge_patch;
use crate::domain::page::{ListQuery, Page};
use crate::domain::reference::Ref;
use crate::domain::role::Role;
use crate::domain::user::{AccountKind, FirstPassword, User, UserDraft};
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::{TenantId, UserId};
use crate::store::tx::Finish;
use crate::store::users::{self as store, NewCredential};

/// A user that was created, and what is shown of it once.
#[derive(Debug)]
pub struct Created {
    /// The user.
    pub user: User,
    /// An invitation, or the secret of a service account; `None` when nothing was stored, or a password was given.
    pub secret: Option<Secret>,
}

/// Lists the users of a tenant, of one kind.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(mut scope: Scope, kind: AccountKind, query: &ListQuery) -> Result<Page<User>> {
    let permit = matrix::authorize_administer(scope.actor.role)?;
    let page = store::list(&mut scope.tx, &permit, kind, query).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(page)
}

/// Reads a user of a tenant.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`].
pub async fn read(mut scope: Scope, kind: AccountKind, user: &Ref<UserId>) -> Result<User> {
    let permit = matrix::authorize_administer(scope.actor.role)?;
    let user = store::find(&mut scope.tx, &permit, kind, user).await?.ok_or(Error::NotFound)?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(user)
}

/// Creates a person of a tenant, with a password or an invitation. The password is hashed between two transactions, so
/// that no connection waits for it.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Invalid`], [`Error::NameTaken`], [`Error::TooMany`].
pub async fn create(
    state: &AppState,
    claims: &Claims,
    tenant: &Ref<TenantId>,
    document: &Value,
    finish: Finish,
) -> Result<Created> {
    let scope = state.scope(claims, tenant).await?;
    matrix::authorize_administer(scope.actor.role)?;
    let mut report = Report::new();
    let new = UserDraft::decode_new(document, scope.tenant.kind, &mut report);
    let new = new.filter(|_| report.is_empty()).ok_or_else(|| Error::Invalid(report.into_errors()))?;
    scope.tx.finish(Finish::Rollback).await?;
    let (draft, password): (UserDraft, Option<StoredHash>) = match new {
        (draft, FirstPassword::Given(password)) => (draft, Some(state.passwords.hash(password).await?)),
        (draft, FirstPassword::Invited) => (draft, None),
    };

    let mut scope = state.scope(claims, tenant).await?;
    let permit = matrix::authorize_administer(scope.actor.role)?;
    let mut user = new_user(&scope, draft);
    let invitation = Secret::generate();
    let credential = match &password {
        Some(password) => NewCredential::Password(password),
        None => {
            let until = scope.now + INVITATION_LIFETIME;
            user.invited_until = Some(until);
            NewCredential::Invitation(invitation.hash(), until)
        }
    };
    store::insert(&mut scope.tx, &permit, &user, &credential).await?;
    scope.tx.finish(finish).await?;
    let shown = password.is_none() && finish == Finish::Commit;
    Ok(Created { user, secret: shown.then_some(invitation) })
}

/// Creates a service account of a tenant.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Invalid`], [`Error::NameTaken`].
pub async fn create_service_account(mut scope: Scope, document: &Value, finish: Finish) -> Result<Created> {
    let permit = matrix::authorize_administer(scope.actor.role)?;
    let draft = decode(document, AccountKind::ServiceAccount, &scope)?;
    let user = new_user(&scope, draft);
    let secret = Secret::generate();
    store::insert(&mut scope.tx, &permit, &user, &NewCredential::Secret(secret.hash())).await?;
    scope.tx.finish(finish).await?;
    Ok(Created { user, secret: (finish == Finish::Commit).then_some(secret) })
}

/// Changes a user of a tenant. One that is disabled is signed out at once. The provider keeps one administrator who
/// can sign in.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`], [`Error::PreconditionRequired`], [`Error::Stale`], [`Error::Invalid`],
/// [`Error::NameTaken`].
pub async fn change(
    mut scope: Scope,
    kind: AccountKind,
    user: &Ref<UserId>,
    precondition: &Precondition,
    patch: &Value,
    finish: Finish,
) -> Result<User> {
    let permit = matrix::authorize_administer(scope.actor.role)?;
    scope.tx.serialize_writes().await?;
    let saved = store::find(&mut scope.tx, &permit, kind, user).await?.ok_or(Error::NotFound)?;
    precondition.check(saved.version)?;
    let mut document = saved.draft.encode(kind);
    merge_patch(&mut document, patch);
    let draft = decode(&document, kind, &scope)?;
    if draft == saved.draft {
        scope.tx.finish(finish).await?;
        return Ok(saved);
    }
    if !draft.enabled || draft.role != saved.draft.role {
        keep_an_administrator(&mut scope, &permit, kind, &saved).await?;
    }
    let user = User { draft, version: saved.version.next(), updated: scope.stamp(), ..saved };
    store::update(&mut scope.tx, &permit, &user).await?;
    scope.tx.finish(finish).await?;
    Ok(user)
}

/// Deletes a user of a tenant, whose sign-ins end at once. The provider keeps one administrator who can sign in.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::NotFound`].
pub async fn delete(mut scope: Scope, kind: AccountKind, user: &Ref<UserId>, finish: Finish) -> Result<()> {
    let permit = matrix::authorize_administer(scope.actor.role)?;
    scope.tx.serialize_writes().await?;
    let user = store::find(&mut scope.tx, &permit, kind, user).await?.ok_or(Error::NotFound)?;
    keep_an_administrator(&mut scope, &permit, kind, &user).await?;
    store::delete(&mut scope.tx, &permit, user.id).await?;
    scope.tx.finish(finish).await
}

/// Refuses to lose the last one who can sign in and administer the provider, whatever becomes of an outside issuer.
async fn keep_an_administrator(
    scope: &mut Scope,
    permit: &Permit<Administer>,
    kind: AccountKind,
    user: &User,
) -> Result<()> {
    let counts = kind == AccountKind::Person
        && user.draft.role == Role::ServiceProviderAdministrator
        && user.draft.enabled
        && user.identity.is_none()
        && user.invited_until.is_none();
    if counts && store::count_with_role(&mut scope.tx, permit, user.draft.role).await? <= 1 {
        return Err(Error::Forbidden("the provider's last administrator stays one"));
    }
    Ok(())
}

fn decode(document: &Value, kind: AccountKind, scope: &Scope) -> Result<UserDraft> {
    let mut report = Report::new();
    let draft = UserDraft::decode(document, kind, scope.tenant.kind, &mut report);
    draft.filter(|_| report.is_empty()).ok_or_else(|| Error::Invalid(report.into_errors()))
}

fn new_user(scope: &Scope, draft: UserDraft) -> User {
    let stamp = scope.stamp();
    User {
        id: UserId::generate(),
        tenant: scope.tenant.id,
        draft,
        identity: None,
        invited_until: None,
        version: Version::FIRST,
        created: stamp.clone(),
        updated: stamp,
    }
}
