//! Sign-ins and their refresh tokens.

use sqlx::FromRow;

use super::tx::{SystemTx, TenantTx};
use crate::access::token::SecretHash;
use crate::clock::Timestamp;
use crate::domain::page::{ListQuery, Page};
use crate::error::Result;
use crate::ids::{SessionId, TenantId, UserId};

/// A sign-in to be opened.
#[derive(Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// The tenant that the user belongs to.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a presented refresh token turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redemption {
    /// Good; it is used now and will not be good again.
    Good {
        /// The sign-in.
        session: SessionId,
        /// Its user.
        user: UserId,
        /// The user's tenant.
        tenant: TenantId,
    },
    /// Used before: it was stolen, or its answer got lost. The sign-in is revoked now.
    Reused,
    /// Unknown, or the sign-in expired or was revoked, or its tenant is suspended.
    Refused,
}

/// Opens a sign-in and removes those that expired.
///
/// # Errors
/// The database does not answer.
pub async fn open(tx: &mut SystemTx, session: &NewSession, now: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(now).execute(tx.connection()).await?;
    sqlx::query(
        "INSERT INTO sessions (id, tenant_id, user_id, created_at, last_used_at, expires_at)
         VALUES ($1, $2, $3, $4, $4, $5)",
    )
    .bind(session.id)
    .bind(session.tenant)
    .bind(session.user)
    .bind(now)
    .bind(session.expires_at)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Adds a refresh token to a sign-in.
///
/// # Errors
/// The database does not answer.
pub async fn add_refresh_token(
    tx: &mut SystemTx,
    session: SessionId,
    hash: SecretHash,
    now: Timestamp,
) -> Result<()> {
    sqlx::query("INSERT INTO refresh_tokens (token_hash, session_id, issued_at) VALUES ($1, $2, $3)")
        .bind(hash.as_bytes())
        .bind(session)
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Uses up a refresh token. A second use revokes the sign-in.
///
/// # Errors
/// The database does not answer.
pub async fn redeem(tx: &mut SystemTx, hash: SecretHash, now: Timestamp) -> Result<Redemption> {
    let row: Option<(SessionId, UserId, TenantId, bool, bool)> = sqlx::query_as(
        "SELECT s.id, s.user_id, s.tenant_id, r.used_at IS NOT NULL,
                s.revoked_at IS NULL AND s.expires_at > $2 AND t.suspended_at IS NULL
         FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id JOIN tenants t ON t.id = s.tenant_id
         WHERE r.token_hash = $1
         FOR UPDATE OF r, s",
    )
    .bind(hash.as_bytes())
    .bind(now)
    .fetch_optional(tx.connection())
    .await?;
    let Some((session, user, tenant, used, live)) = row else { return Ok(Redemption::Refused) };
    if used {
        sqlx::query("UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(session)
            .bind(now)
            .execute(tx.connection())
            .await?;
        return Ok(Redemption::Reused);
    }
    if !live {
        return Ok(Redemption::Refused);
    }
    sqlx::query("UPDATE refresh_tokens SET used_at = $2 WHERE token_hash = $1")
        .bind(hash.as_bytes())
        .bind(now)
        .execute(tx.connection())
        .await?;
    sqlx::query("UPDATE sessions SET last_used_at = $2 WHERE id = $1")
        .bind(session)
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(Redemption::Good { session, user, tenant })
}

/// A sign-in that has not ended.
#[derive(Debug, Clone, FromRow)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The name of that user.
    pub username: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was refreshed last.
    pub last_used_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// Whose sign-ins are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// All of the tenant.
    Everybodys,
    /// One user's.
    Of(UserId),
}

impl Whose {
    fn user(self) -> Option<UserId> {
        match self {
            Self::Everybodys => None,
            Self::Of(user) => Some(user),
        }
    }
}

/// Lists sign-ins of the tenant that have not ended, the newest first.
///
/// # Errors
/// The database does not answer.
pub async fn list(
    tx: &mut TenantTx,
    whose: Whose,
    query: &ListQuery,
    now: Timestamp,
) -> Result<Page<Session>> {
    let total = sqlx::query_scalar(
        "SELECT count(*) FROM sessions
         WHERE ($1::uuid IS NULL OR user_id = $1) AND revoked_at IS NULL AND expires_at > $2",
    )
    .bind(whose.user())
    .bind(now)
    .fetch_one(tx.connection())
    .await?;
    let items = sqlx::query_as(
        "SELECT s.id, s.user_id, u.username, s.created_at, s.last_used_at, s.expires_at
         FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE ($1::uuid IS NULL OR s.user_id = $1) AND s.revoked_at IS NULL AND s.expires_at > $2
         ORDER BY s.created_at DESC, s.id DESC LIMIT $3 OFFSET $4",
    )
    .bind(whose.user())
    .bind(now)
    .bind(i64::from(query.per_page))
    .bind(query.offset())
    .fetch_all(tx.connection())
    .await?;
    Ok(Page { items, total })
}

/// Ends a sign-in of the tenant; says whether there was one.
///
/// # Errors
/// The database does not answer.
pub async fn revoke(tx: &mut TenantTx, whose: Whose, session: SessionId, now: Timestamp) -> Result<bool> {
    let updated = sqlx::query(
        "UPDATE sessions SET revoked_at = $3
         WHERE id = $2 AND ($1::uuid IS NULL OR user_id = $1) AND revoked_at IS NULL AND expires_at > $3",
    )
    .bind(whose.user())
    .bind(session)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(updated.rows_affected() > 0)
}

/// Ends all sign-ins of a user but one.
///
/// # Errors
/// The database does not answer.
pub async fn revoke_others(tx: &mut SystemTx, user: UserId, kept: SessionId, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE sessions SET revoked_at = $3 WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL")
        .bind(user)
        .bind(kept)
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(())
}
