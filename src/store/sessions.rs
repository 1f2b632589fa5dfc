//! Sign-ins and their refresh tokens.

use super::tx::SystemTx;
use crate::access::token::SecretHash;
use crate::clock::Timestamp;
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
