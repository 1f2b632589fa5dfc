//! Signing in and staying signed in.

use super::AppState;
use super::scope::Scope;
use crate::access::token::{ACCESS_TOKEN_LIFETIME, Claims, SESSION_LIFETIME, Secret};
use crate::clock::Timestamp;
use crate::domain::name::Name;
use crate::domain::user::Password;
use crate::error::{Error, GrantRefusal, Result};
use crate::ids::{SessionId, TenantId, UserId};
use crate::store::sessions::{self, NewSession, Redemption};
use crate::store::{audit, users};

/// What a successful grant gives.
#[derive(Debug)]
pub struct Tokens {
    /// The access token, a JWT.
    pub access_token: String,
    /// How long it is good for, in seconds.
    pub expires_in_s: i64,
    /// The refresh token, good once.
    pub refresh_token: Secret,
}

/// Signs a user in.
///
/// # Errors
/// [`Error::Grant`], the same whether the user or the password is wrong; [`Error::TooMany`].
pub async fn password_grant(state: &AppState, username: &str, password: Password) -> Result<Tokens> {
    let found = match Name::parse(username) {
        Ok(username) => {
            let mut tx = state.store.system_tx().await?;
            let found = users::credentials(&mut tx, &username).await?;
            tx.commit().await?;
            found
        }
        Err(_) => None,
    };
    let (user, stored) = match found {
        Some((user, tenant, hash)) => (Some((user, tenant)), Some(hash)),
        None => (None, None),
    };
    let same = state.passwords.verify(password, stored).await?;
    let Some((user, tenant)) = user.filter(|_| same) else {
        let mut tx = state.store.system_tx().await?;
        audit::failed_sign_in(&mut tx, user.map(|(user, _)| user)).await?;
        tx.commit().await?;
        return Err(Error::Grant(GrantRefusal::WrongPassword));
    };

    let now = state.clock.now();
    let session = NewSession { id: SessionId::generate(), tenant, user, expires_at: now + SESSION_LIFETIME };
    let mut tx = state.store.system_tx().await?;
    let refresh_token = Secret::generate();
    sessions::open(&mut tx, &session, now).await?;
    sessions::add_refresh_token(&mut tx, session.id, refresh_token.hash(), now).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user, session.id = %session.id, "signed in");
    tokens(state, user, tenant, session.id, refresh_token, now)
}

/// Gives new tokens for a refresh token, which is used up. Presenting it again ends the sign-in.
///
/// # Errors
/// [`Error::Grant`].
pub async fn refresh_grant(state: &AppState, presented: &Secret) -> Result<Tokens> {
    let now = state.clock.now();
    let mut tx = state.store.system_tx().await?;
    let redemption = sessions::redeem(&mut tx, presented.hash(), now).await?;
    let refused = Error::Grant(GrantRefusal::BadRefreshToken);
    match redemption {
        Redemption::Good { session, user, tenant } => {
            let refresh_token = Secret::generate();
            sessions::add_refresh_token(&mut tx, session, refresh_token.hash(), now).await?;
            tx.commit().await?;
            tokens(state, user, tenant, session, refresh_token, now)
        }
        Redemption::Reused => {
            tx.commit().await?;
            tracing::warn!("a refresh token came back a second time; its sign-in is revoked");
            Err(refused)
        }
        Redemption::Refused => Err(refused),
    }
}

/// Who the caller is.
///
/// # Errors
/// [`Error::Unauthenticated`].
pub async fn me(state: &AppState, claims: &Claims) -> Result<Scope> {
    state.home_scope(claims).await
}

fn tokens(
    state: &AppState,
    user: UserId,
    tenant: TenantId,
    session: SessionId,
    refresh_token: Secret,
    now: Timestamp,
) -> Result<Tokens> {
    let access_token = state.keys.sign(user, tenant, session, now)?;
    Ok(Tokens { access_token, expires_in_s: ACCESS_TOKEN_LIFETIME.num_seconds(), refresh_token })
}
