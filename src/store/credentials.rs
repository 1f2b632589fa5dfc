//! What users sign in with: passwords, secrets of service accounts, invitations.

use super::tx::SystemTx;
use crate::access::password::StoredHash;
use crate::access::token::SecretHash;
use crate::clock::Timestamp;
use crate::domain::name::Name;
use crate::error::Result;
use crate::ids::{TenantId, UserId};

/// What sign-in compares with: the person of a name who has a password and is not disabled, whatever the tenant,
/// unless that is suspended.
///
/// # Errors
/// The database does not answer.
pub async fn by_name(tx: &mut SystemTx, username: &Name) -> Result<Option<(UserId, TenantId, StoredHash)>> {
    let row: Option<(UserId, TenantId, String)> = sqlx::query_as(
        "SELECT u.id, u.tenant_id, u.password_hash
             FROM users u JOIN tenants t ON t.id = u.tenant_id AND t.suspended_at IS NULL
             WHERE u.username_key = $1 AND u.kind = 'person' AND u.disabled_at IS NULL
               AND u.password_hash IS NOT NULL",
    )
    .bind(username.key())
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.map(|(user, tenant, hash)| (user, tenant, StoredHash::from_stored(hash))))
}

/// The tenant of the service account that has a secret and is not disabled.
///
/// # Errors
/// The database does not answer.
pub async fn service_account(
    tx: &mut SystemTx,
    account: UserId,
    secret: SecretHash,
) -> Result<Option<TenantId>> {
    Ok(sqlx::query_scalar(
        "SELECT u.tenant_id FROM users u JOIN tenants t ON t.id = u.tenant_id AND t.suspended_at IS NULL
         WHERE u.id = $1 AND u.kind = 'service_account' AND u.secret_hash = $2 AND u.disabled_at IS NULL",
    )
    .bind(account)
    .bind(secret.as_bytes())
    .fetch_optional(tx.connection())
    .await?)
}

/// The person whom an invitation is for, by name, while it can be accepted.
///
/// # Errors
/// The database does not answer.
pub async fn invited(tx: &mut SystemTx, invitation: SecretHash, now: Timestamp) -> Result<Option<Name>> {
    let name: Option<String> = sqlx::query_scalar(
        "SELECT username FROM users
         WHERE invitation_hash = $1 AND invitation_expires_at > $2 AND disabled_at IS NULL",
    )
    .bind(invitation.as_bytes())
    .bind(now)
    .fetch_optional(tx.connection())
    .await?;
    Ok(name.and_then(|name| Name::parse(&name).ok()))
}

/// Uses an invitation up: the person has a password from now on. Says whether the invitation was good.
///
/// # Errors
/// The database does not answer.
pub async fn accept(
    tx: &mut SystemTx,
    invitation: SecretHash,
    password: &StoredHash,
    now: Timestamp,
) -> Result<bool> {
    let updated = sqlx::query(
        "UPDATE users SET password_hash = $2, invitation_hash = NULL, invitation_expires_at = NULL
         WHERE invitation_hash = $1 AND invitation_expires_at > $3 AND disabled_at IS NULL",
    )
    .bind(invitation.as_bytes())
    .bind(password.as_str())
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(updated.rows_affected() > 0)
}

/// The name and the password of a person.
///
/// # Errors
/// The database does not answer.
pub async fn password(tx: &mut SystemTx, user: UserId) -> Result<Option<(Name, StoredHash)>> {
    let row: Option<(String, String)> = sqlx::query_as(
        "SELECT username, password_hash FROM users WHERE id = $1 AND password_hash IS NOT NULL",
    )
    .bind(user)
    .fetch_optional(tx.connection())
    .await?;
    Ok(row.and_then(|(name, hash)| Some((Name::parse(&name).ok()?, StoredHash::from_stored(hash)))))
}

/// Gives a person another password, if the one that was compared with is still the one.
///
/// # Errors
/// The database does not answer.
pub async fn set_password(
    tx: &mut SystemTx,
    user: UserId,
    old: &StoredHash,
    new: &StoredHash,
) -> Result<bool> {
    let updated = sqlx::query("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
        .bind(user)
        .bind(old.as_str())
        .bind(new.as_str())
        .execute(tx.connection())
        .await?;
    Ok(updated.rows_affected() > 0)
}
