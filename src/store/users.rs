//! Users, and who the caller of a request is.

use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, Row as _};

use super::error::violates;
use super::objects::like_pattern;
use super::tenants::{self, TenantRow};
use super::tx::{SystemTx, TenantTx};
use crate::access::actor::Actor;
use crate::access::password::StoredHash;
use crate::access::permit::{Administer, Permit};
use crate::access::token::Claims;
use crate::clock::Timestamp;
use crate::domain::name::Name;
use crate::domain::object::{By, Stamp};
use crate::domain::page::{ListQuery, Page, Sort};
use crate::domain::reference::Ref;
use crate::domain::role::Role;
use crate::domain::tenant::Tenant;
use crate::domain::user::User;
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::{TenantId, UserId};

const NAME_TAKEN: &str = "users_name_taken";
const COLUMNS: &str =
    "id, tenant_id, username, email, role, version, created_at, created_by, updated_at, updated_by";

#[derive(Debug, FromRow)]
struct UserRow {
    id: UserId,
    tenant_id: TenantId,
    username: String,
    email: Option<String>,
    role: String,
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
        Ok(Self {
            id: row.id,
            tenant: row.tenant_id,
            username: Name::parse(&row.username).map_err(|_| broken())?,
            email: row.email,
            role: Role::parse(&row.role).ok_or_else(broken)?,
            version: Version::new(row.version).ok_or_else(broken)?,
            created: Stamp { at: row.created_at, by: row.created_by.map(|by| by.0) },
            updated: Stamp { at: row.updated_at, by: row.updated_by.map(|by| by.0) },
        })
    }
}

/// The caller as the database knows it now, and the tenant that a path names, if the caller can see it. `None`
/// when the user or the sign-in is no more, or the user's tenant is suspended.
///
/// # Errors
/// The database does not answer.
pub async fn caller(
    tx: &mut TenantTx,
    claims: &Claims,
    tenant: &Ref<TenantId>,
    now: Timestamp,
) -> Result<Option<(Actor, Option<Tenant>)>> {
    let (id, name) = tenants::split(tenant);
    let columns = tenants::COLUMNS;
    let row: Option<PgRow> = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT u.username, u.role, {columns}, {}
         FROM users u
         JOIN tenants home ON home.id = u.tenant_id AND home.suspended_at IS NULL
         JOIN sessions s ON s.user_id = u.id AND s.id = $2 AND s.revoked_at IS NULL AND s.expires_at > $3
         LEFT JOIN tenants t ON t.id = $4 OR t.name_key = $5
         WHERE u.id = $1",
        super::tx::SET_ACTOR
    )))
    .bind(claims.sub)
    .bind(claims.sid)
    .bind(now)
    .bind(id)
    .bind(name)
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let role = Role::parse(row.try_get("role")?);
    let actor = Actor {
        user: claims.sub,
        username: row.try_get("username")?,
        home: claims.tenant,
        role: role.ok_or_else(|| Error::Internal(format!("user {} has no known role", claims.sub)))?,
        session: claims.sid,
    };
    let tenant = match row.try_get::<Option<TenantId>, _>("tenant_id")? {
        Some(_) => Some(Tenant::try_from(TenantRow::from_row(&row)?)?),
        None => None,
    };
    Ok(Some((actor, tenant)))
}

/// What sign-in compares with: the user of a name, whatever the tenant, unless that is suspended.
///
/// # Errors
/// The database does not answer.
pub async fn credentials(
    tx: &mut SystemTx,
    username: &Name,
) -> Result<Option<(UserId, TenantId, StoredHash)>> {
    let row: Option<(UserId, TenantId, String)> = sqlx::query_as(
        "SELECT u.id, u.tenant_id, u.password_hash
             FROM users u JOIN tenants t ON t.id = u.tenant_id AND t.suspended_at IS NULL
             WHERE u.username_key = $1",
    )
    .bind(username.key())
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.map(|(user, tenant, hash)| (user, tenant, StoredHash::from_stored(hash))))
}

/// Lists the users of the tenant.
///
/// # Errors
/// The database does not answer.
pub async fn list(tx: &mut TenantTx, _: &Permit<Administer>, query: &ListQuery) -> Result<Page<User>> {
    let order = match query.sort {
        Sort::Name => "username_key",
        Sort::NameDescending => "username_key DESC",
        Sort::Updated => "updated_at, username_key",
        Sort::UpdatedDescending => "updated_at DESC, username_key",
    };
    let search = "($1::text IS NULL OR username ILIKE $1 OR email ILIKE $1)";
    let pattern = query.search.as_deref().map(like_pattern);
    let total = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM users WHERE {search}")))
        .bind(&pattern)
        .fetch_one(tx.connection())
        .await?;
    let rows: Vec<UserRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM users WHERE {search} ORDER BY {order} LIMIT $2 OFFSET $3"
    )))
    .bind(&pattern)
    .bind(i64::from(query.per_page))
    .bind(query.offset())
    .fetch_all(tx.connection())
    .await?;
    Ok(Page { items: rows.into_iter().map(User::try_from).collect::<Result<_>>()?, total })
}

/// Finds a user of the tenant.
///
/// # Errors
/// The database does not answer.
pub async fn find(tx: &mut TenantTx, _: &Permit<Administer>, user: &Ref<UserId>) -> Result<Option<User>> {
    let (id, name) = match user {
        Ref::Id(id) => (Some(*id), None),
        Ref::Name(name) => (None, Some(name.key())),
    };
    let row: Option<UserRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM users WHERE id = $1 OR username_key = $2"
    )))
    .bind(id)
    .bind(name)
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
    password: &StoredHash,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO users (id, tenant_id, username, email, role, password_hash, version, created_at, created_by,
                            updated_at, updated_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(user.id)
    .bind(user.tenant)
    .bind(user.username.as_str())
    .bind(&user.email)
    .bind(user.role.as_str())
    .bind(password.as_str())
    .bind(user.version.number())
    .bind(user.created.at)
    .bind(user.created.by.as_ref().map(Json))
    .bind(user.updated.at)
    .bind(user.updated.by.as_ref().map(Json))
    .execute(tx.connection())
    .await
    .map_err(|error| {
        let taken = violates(&error, NAME_TAKEN);
        if taken { Error::NameTaken { name: user.username.to_string() } } else { error.into() }
    })?;
    Ok(())
}

/// Removes a user of the tenant, and the user's sign-ins with it.
///
/// # Errors
/// The database does not answer.
pub async fn delete(tx: &mut TenantTx, _: &Permit<Administer>, user: UserId) -> Result<()> {
    sqlx::query("DELETE FROM users WHERE id = $1").bind(user).execute(tx.connection()).await?;
    Ok(())
}

/// How many users of the tenant have a role.
///
/// # Errors
/// The database does not answer.
pub async fn count_with_role(tx: &mut TenantTx, _: &Permit<Administer>, role: Role) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM users WHERE role = $1")
        .bind(role.as_str())
        .fetch_one(tx.connection())
        .await?)
}
