//! Users, and who the caller of a request is.

use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, Row as _};

use super::Store;
use super::error::{known_role, violates};
use super::objects::like_pattern;
use super::tenants::{self, TenantRow};
use super::tx::{TenantTx, Visit};
use crate::access::actor::Actor;
use crate::access::password::StoredHash;
use crate::access::permit::{Administer, Permit};
use crate::access::token::SecretHash;
use crate::clock::Timestamp;
use crate::domain::name::Name;
use crate::domain::object::{By, Stamp};
use crate::domain::page::{ListQuery, Page, Sort};
use crate::domain::reference::Ref;
use crate::domain::role::Role;
use crate::domain::tenant::Tenant;
use crate::domain::user::{AccountKind, Identity, User, UserDraft};
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::{TenantId, UserId};

const NAMES_TAKEN: [&str; 2] = ["users_name_taken", "users_account_taken"];
const COLUMNS: &str = "id, tenant_id, username, email, role, disabled_at IS NULL AS enabled, \
                       identity_issuer, identity_subject, invitation_expires_at, version, created_at, created_by, \
                       updated_at, updated_by";

/// What a new user gets in with.
#[derive(Debug)]
pub enum NewCredential<'a> {
    /// A password.
    Password(&'a StoredHash),
    /// A token to choose a password with, and until when.
    Invitation(SecretHash, Timestamp),
    /// A service account's secret.
    Secret(SecretHash),
}

#[derive(Debug, FromRow)]
struct UserRow {
    id: UserId,
    tenant_id: TenantId,
    username: String,
    email: Option<String>,
    role: String,
    enabled: bool,
    identity_issuer: Option<String>,
    identity_subject: Option<String>,
    invitation_expires_at: Option<Timestamp>,
    version: i64,
    created_at: Timestamp,
    created_by: Option<Json<By>>,
    updated_at: Timestamp,
    updated_by: Option<Json<By>>,
}

impl TryFrom<UserRow> for User {
    type Error = Error;

    fn try_from(row: UserRow) -> Result<Self> {
        let broken = || Error::Internal(format!("the stored user {} does not parse", row.id));
        let identity = row.identity_issuer.zip(row.identity_subject);
        let identity = identity.map(|(issuer, subject)| Identity { issuer, subject });
        Ok(Self {
            id: row.id,
            tenant: row.tenant_id,
            draft: UserDraft {
                username: Name::parse(&row.username).map_err(|_| broken())?,
                email: row.email,
                role: Role::parse(&row.role).ok_or_else(broken)?,
                enabled: row.enabled,
            },
            identity,
            invited_until: row.invitation_expires_at,
            version: Version::new(row.version).ok_or_else(broken)?,
            created: Stamp { at: row.created_at, by: row.created_by.map(|by| by.0) },
            updated: Stamp { at: row.updated_at, by: row.updated_by.map(|by| by.0) },
        })
    }
}

/// What became of somebody who wants to act on a tenant.
#[derive(Debug)]
pub enum Admission {
    /// The user or the sign-in is no more, or the user's tenant is suspended.
    Refused,
    /// The caller sees no such tenant.
    NoTenant,
    /// In: a transaction on the tenant.
    Entered(Box<(TenantTx, Actor, Tenant)>),
}

/// Begins a transaction on the tenant that a path names, with the caller as the database knows it now.
///
/// # Errors
/// The database does not answer.
pub async fn enter(store: &Store, visit: &Visit<'_>) -> Result<Admission> {
    let Visit { claims, tenant, now } = *visit;
    let mut tx = store.outer_tx(claims.tenant).await?;
    let (id, name) = tenant.split();
    // Tells the audit who acts, too.
    let row: PgRow = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT e.username, e.role, {}, set_config('pinhole.actor',
                jsonb_build_object('id', $2::uuid, 'name', e.username, 'role', e.role)::text, true)
         FROM enter_tenant($1, $2, $3, $4, $5, $6) e, LATERAL (SELECT (e.tenant).*) t",
        tenants::COLUMNS
    )))
    .bind(claims.tenant)
    .bind(claims.sub)
    .bind(claims.sid)
    .bind(now)
    .bind(id)
    .bind(name)
    .fetch_one(tx.connection())
    .await?;
    let Some(role) = row.try_get::<Option<&str>, _>("role")? else { return Ok(Admission::Refused) };
    if row.try_get::<Option<TenantId>, _>("tenant_id")?.is_none() {
        return Ok(Admission::NoTenant);
    }
    let actor = Actor {
        user: claims.sub,
        username: row.try_get("username")?,
        home: claims.tenant,
        role: known_role(role)?,
        session: claims.sid,
    };
    let tenant = Tenant::try_from(TenantRow::from_row(&row)?)?;
    tx.entered(tenant.id);
    Ok(Admission::Entered(Box::new((tx, actor, tenant))))
}

/// Lists the users of the tenant, of one kind.
///
/// # Errors
/// The database does not answer.
pub async fn list(
    tx: &mut TenantTx,
    _: &Permit<Administer>,
    kind: AccountKind,
    query: &ListQuery,
) -> Result<Page<User>> {
    let order = match query.sort {
        Sort::Name => "username_key",
        Sort::NameDescending => "username_key DESC",
        Sort::Updated => "updated_at, username_key",
        Sort::UpdatedDescending => "updated_at DESC, username_key",
    };
    let search = "kind = $2 AND ($1::text IS NULL OR username ILIKE $1 OR email ILIKE $1)";
    let pattern = query.search.as_deref().map(like_pattern);
    let total = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM users WHERE {search}")))
        .bind(&pattern)
        .bind(kind.as_str())
        .fetch_one(tx.connection())
        .await?;
    let rows: Vec<UserRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM users WHERE {search} ORDER BY {order} LIMIT $3 OFFSET $4"
    )))
    .bind(&pattern)
    .bind(kind.as_str())
    .bind(i64::from(query.per_page))
    .bind(query.offset())
    .fetch_all(tx.connection())
    .await?;
    Ok(Page { items: rows.into_iter().map(User::try_from).collect::<Result<_>>()?, total })
}

/// Finds a user of the tenant, of one kind.
///
/// # Errors
/// The database does not answer.
pub async fn find(
    tx: &mut TenantTx,
    _: &Permit<Administer>,
    kind: AccountKind,
    user: &Ref<UserId>,
) -> Result<Option<User>> {
    let (id, name) = match user {
        Ref::Id(id) => (Some(*id), None),
        Ref::Name(name) => (None, Some(name.key())),
    };
    let row: Option<UserRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM users WHERE kind = $3 AND (id = $1 OR username_key = $2)"
    )))
    .bind(id)
    .bind(name)
    .bind(kind.as_str())
    .fetch_optional(tx.connection())
    .await?;
    row.map(User::try_from).transpose()
}

/// Adds a user to the tenant.
///
/// # Errors
/// [`Error::NameTaken`], or the database does not answer.
pub async fn insert(
    tx: &mut TenantTx,
    _: &Permit<Administer>,
    user: &User,
    credential: &NewCredential<'_>,
) -> Result<()> {
    let (kind, password, secret, invitation) = match credential {
        NewCredential::Password(hash) => (AccountKind::Person, Some(hash.as_str()), None, None),
        NewCredential::Invitation(hash, until) => (AccountKind::Person, None, None, Some((*hash, *until))),
        NewCredential::Secret(hash) => (AccountKind::ServiceAccount, None, Some(*hash), None),
    };
    sqlx::query(
        "INSERT INTO users (id, tenant_id, username, email, role, version, created_at, created_by, updated_at,
                            updated_by, kind, password_hash, secret_hash, invitation_hash, invitation_expires_at,
                            disabled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, CASE WHEN NOT $16 THEN $9 END)",
    )
    .bind(user.id)
    .bind(user.tenant)
    .bind(user.draft.username.as_str())
    .bind(&user.draft.email)
    .bind(user.draft.role.as_str())
    .bind(user.version.number())
    .bind(user.created.at)
    .bind(user.created.by.as_ref().map(Json))
    .bind(user.updated.at)
    .bind(user.updated.by.as_ref().map(Json))
    .bind(kind.as_str())
    .bind(password)
    .bind(secret.as_ref().map(SecretHash::as_bytes))
    .bind(invitation.as_ref().map(|(hash, _)| hash.as_bytes()))
    .bind(invitation.as_ref().map(|(_, until)| *until))
    .bind(user.draft.enabled)
    .execute(tx.connection())
    .await
    .map_err(|error| taken(error, user))?;
    Ok(())
}

/// Saves a user of the tenant. One that is disabled has no sign-in any more.
///
/// # Errors
/// [`Error::NameTaken`], or the database does not answer.
pub async fn update(tx: &mut TenantTx, _: &Permit<Administer>, user: &User) -> Result<()> {
    sqlx::query(
        "UPDATE users SET username = $2, email = $3, role = $4, version = $5, updated_at = $6, updated_by = $7,
                          disabled_at = CASE WHEN NOT $8 THEN coalesce(disabled_at, $6) END
         WHERE id = $1",
    )
    .bind(user.id)
    .bind(user.draft.username.as_str())
    .bind(&user.draft.email)
    .bind(user.draft.role.as_str())
    .bind(user.version.number())
    .bind(user.updated.at)
    .bind(user.updated.by.as_ref().map(Json))
    .bind(user.draft.enabled)
    .execute(tx.connection())
    .await
    .map_err(|error| taken(error, user))?;
    if !user.draft.enabled {
        sqlx::query("UPDATE sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL")
            .bind(user.id)
            .bind(user.updated.at)
            .execute(tx.connection())
            .await?;
    }
    Ok(())
}

fn taken(error: sqlx::Error, user: &User) -> Error {
    let taken = NAMES_TAKEN.iter().any(|name| violates(&error, name));
    if taken { Error::NameTaken { name: user.draft.username.to_string() } } else { error.into() }
}

/// Removes a user of the tenant, and the user's sign-ins with it.
///
/// # Errors
/// The database does not answer.
pub async fn delete(tx: &mut TenantTx, _: &Permit<Administer>, user: UserId) -> Result<()> {
    sqlx::query("DELETE FROM users WHERE id = $1").bind(user).execute(tx.connection()).await?;
    Ok(())
}

/// How many persons of the tenant can sign in in a role.
///
/// # Errors
/// The database does not answer.
pub async fn count_with_role(tx: &mut TenantTx, _: &Permit<Administer>, role: Role) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM users
         WHERE role = $1 AND kind = 'person' AND disabled_at IS NULL AND password_hash IS NOT NULL",
    )
    .bind(role.as_str())
    .fetch_one(tx.connection())
    .await?)
}
