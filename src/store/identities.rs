//! People whom an outside issuer vouches for, and the sign-ins that it sent back.

use super::tx::SystemTx;
use crate::access::pkce::Challenge;
use crate::access::token::SecretHash;
use crate::clock::Timestamp;
use crate::domain::name::Name;
use crate::domain::role::Role;
use crate::domain::user::Identity;
use crate::error::{Error, Result};
use crate::ids::{SessionId, TenantId, UserId};

/// A tenant whose users can sign in, or cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// They can.
    Active(TenantId),
    /// They cannot: it is suspended, or there is none.
    Closed,
}

/// A user as an issuer's people are known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The user.
    pub user: UserId,
    /// The tenant.
    pub tenant: TenantId,
    /// The role.
    pub role: Role,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the user can sign in.
    pub enabled: bool,
}

/// A user to be.
#[derive(Debug)]
pub struct Newcomer<'a> {
    /// The user.
    pub user: UserId,
    /// The tenant.
    pub tenant: TenantId,
    /// What the issuer knows the person by.
    pub identity: &'a Identity,
    /// The role.
    pub role: Role,
    /// The e-mail address.
    pub email: Option<&'a str>,
}

/// A one-time code that is to be handed out.
#[derive(Debug)]
pub struct NewCode {
    /// The code.
    pub hash: SecretHash,
    /// Whose verifier it takes.
    pub challenge: Challenge,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// Whom it signs in.
    pub user: UserId,
}

/// Takes an attempt for this callback; says whether it was there to be taken. Those that are over are removed.
///
/// # Errors
/// The database does not answer.
pub async fn take_attempt(tx: &mut SystemTx, id: &[u8], ends_at: Timestamp, now: Timestamp) -> Result<bool> {
    sqlx::query("DELETE FROM sign_in_attempts WHERE ends_at <= $1")
        .bind(now)
        .execute(tx.connection())
        .await?;
    let taken =
        sqlx::query("INSERT INTO sign_in_attempts (id, ends_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(id)
            .bind(ends_at)
            .execute(tx.connection())
            .await?;
    Ok(taken.rows_affected() > 0)
}

/// Has an attempt end with a one-time code.
///
/// # Errors
/// The database does not answer.
pub async fn add_code(tx: &mut SystemTx, attempt: &[u8], code: &NewCode) -> Result<()> {
    sqlx::query(
        "UPDATE sign_in_attempts SET code_hash = $2, challenge = $3, code_expires_at = $4, user_id = $5
         WHERE id = $1",
    )
    .bind(attempt)
    .bind(code.hash.as_bytes())
    .bind(code.challenge.as_bytes().as_slice())
    .bind(code.expires_at)
    .bind(code.user)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Uses a one-time code up, and answers whom it signs in and whose verifier it takes. A user who was disabled since, or
/// whose tenant was suspended, is nobody.
///
/// # Errors
/// The database does not answer.
pub async fn take_code(
    tx: &mut SystemTx,
    code: SecretHash,
    now: Timestamp,
) -> Result<Option<(UserId, TenantId, Challenge)>> {
    let row: Option<(UserId, TenantId, Vec<u8>)> = sqlx::query_as(
        "UPDATE sign_in_attempts a SET code_used_at = $2
         FROM users u JOIN tenants t ON t.id = u.tenant_id
         WHERE a.code_hash = $1 AND a.code_used_at IS NULL AND a.code_expires_at > $2
           AND u.id = a.user_id AND u.disabled_at IS NULL AND t.suspended_at IS NULL
         RETURNING u.id, u.tenant_id, a.challenge",
    )
    .bind(code.as_bytes())
    .bind(now)
    .fetch_optional(tx.connection())
    .await?;
    let Some((user, tenant, challenge)) = row else { return Ok(None) };
    let broken = |_| Error::Internal("a stored challenge does not parse".to_owned());
    Ok(Some((user, tenant, Challenge::from_bytes(challenge.try_into().map_err(broken)?))))
}

/// The provider, or the enterprise of a name.
///
/// # Errors
/// The database does not answer.
pub async fn place(tx: &mut SystemTx, enterprise: Option<&Name>) -> Result<Place> {
    let tenant: Option<TenantId> = sqlx::query_scalar(
        "SELECT id FROM tenants
         WHERE suspended_at IS NULL
           AND CASE WHEN $1::text IS NULL THEN parent_id IS NULL ELSE parent_id IS NOT NULL AND name_key = $1 END",
    )
    .bind(enterprise.map(Name::key))
    .fetch_optional(tx.connection())
    .await?;
    Ok(tenant.map_or(Place::Closed, Place::Active))
}

/// Finds the user whom an issuer knows, and keeps others from changing it.
///
/// # Errors
/// The database does not answer.
pub async fn find(tx: &mut SystemTx, identity: &Identity) -> Result<Option<Known>> {
    let row: Option<(UserId, TenantId, String, Option<String>, bool)> = sqlx::query_as(
        "SELECT id, tenant_id, role, email, disabled_at IS NULL FROM users
         WHERE identity_issuer = $1 AND identity_subject = $2 FOR UPDATE",
    )
    .bind(&identity.issuer)
    .bind(&identity.subject)
    .fetch_optional(tx.connection())
    .await?;
    let Some((user, tenant, role, email, enabled)) = row else { return Ok(None) };
    let role = Role::parse(&role);
    let role = role.ok_or_else(|| Error::Internal(format!("user {user} has no known role")))?;
    Ok(Some(Known { user, tenant, role, email, enabled }))
}

/// Adds a user under a name, unless somebody has that name, or the issuer's person is there by now.
///
/// # Errors
/// The database does not answer.
pub async fn insert(tx: &mut SystemTx, new: &Newcomer<'_>, name: &Name, now: Timestamp) -> Result<bool> {
    let inserted = sqlx::query(
        "INSERT INTO users (id, tenant_id, username, email, role, identity_issuer, identity_subject, kind,
                            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'person', $8, $8) ON CONFLICT DO NOTHING",
    )
    .bind(new.user)
    .bind(new.tenant)
    .bind(name.as_str())
    .bind(new.email)
    .bind(new.role.as_str())
    .bind(&new.identity.issuer)
    .bind(&new.identity.subject)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(inserted.rows_affected() > 0)
}

/// Gives a user what the issuer says now.
///
/// # Errors
/// The database does not answer.
pub async fn update(
    tx: &mut SystemTx,
    user: UserId,
    role: Role,
    email: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "UPDATE users SET role = $2, email = $3, version = version + 1, updated_at = $4, updated_by = NULL
         WHERE id = $1",
    )
    .bind(user)
    .bind(role.as_str())
    .bind(email)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Removes a user, whose sign-ins end with it.
///
/// # Errors
/// The database does not answer.
pub async fn remove(tx: &mut SystemTx, user: UserId) -> Result<()> {
    sqlx::query("DELETE FROM users WHERE id = $1").bind(user).execute(tx.connection()).await?;
    Ok(())
}

/// Ends the sign-ins of a user.
///
/// # Errors
/// The database does not answer.
pub async fn end_sessions(tx: &mut SystemTx, user: UserId, now: Timestamp) -> Result<Vec<SessionId>> {
    Ok(sqlx::query_scalar(
        "UPDATE sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL RETURNING id",
    )
    .bind(user)
    .bind(now)
    .fetch_all(tx.connection())
    .await?)
}
