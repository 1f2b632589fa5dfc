//! Signing in and staying signed in.

pub mod oidc;

use std::net::IpAddr;

use serde_json::Value;

use super::AppState;
use super::scope::Scope;
use crate::access::throttle::{self, Counter};
use crate::access::token::{ACCESS_TOKEN_LIFETIME, Claims, SESSION_LIFETIME, Secret};
use crate::clock::Timestamp;
use crate::domain::input::{self, Code, Fields, Report};
use crate::domain::name::Name;
use crate::domain::password::Password;
use crate::error::{Error, GrantRefusal, Result};
use crate::ids::{SessionId, TenantId, UserId};
use crate::store::sessions::{self, NewSession, Redemption};
use crate::store::throttle::{self as attempts, Turn};
use crate::store::tx::Finish;
use crate::store::{audit, credentials};

/// What a successful grant gives.
#[derive(Debug)]
pub struct Tokens {
    /// The access token, a JWT.
    pub access_token: String,
    /// How long it is good for, in seconds.
    pub expires_in_s: i64,
    /// The refresh token, good once; a service account asks for another token instead.
    pub refresh_token: Option<Secret>,
}

/// Signs a user in. Failures are counted by the address that they come from, see [`throttle`].
///
/// # Errors
/// [`Error::Grant`], the same whether the user or the password is wrong; [`Error::Throttled`]; [`Error::TooMany`].
pub async fn password_grant(
    state: &AppState,
    username: &str,
    password: Password,
    address: Option<IpAddr>,
) -> Result<Tokens> {
    let counters = throttle::counters(username, address);
    take_turn(state, &counters).await?;
    let found = match Name::parse(username) {
        Ok(username) => {
            let mut tx = state.store.system_tx().await?;
            let found = credentials::by_name(&mut tx, &username).await?;
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
    attempts::succeeded(&mut tx, &counters).await?;
    sessions::open(&mut tx, &session, now).await?;
    sessions::add_refresh_token(&mut tx, session.id, refresh_token.hash(), now).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user, session.id = %session.id, "signed in");
    tokens(state, user, tenant, session.id, Some(refresh_token), now)
}

async fn take_turn(state: &AppState, counters: &[Counter]) -> Result<()> {
    let now = state.clock.now();
    let mut tx = state.store.system_tx().await?;
    match attempts::attempt(&mut tx, counters, now).await? {
        Turn::Now => tx.commit().await,
        Turn::At(time) => {
            tracing::info!("a sign-in is not looked at, since too many from the same address have failed");
            // Rounded up: who waits as long as told is in time.
            Err(Error::Throttled { wait_s: (time - now).num_seconds().saturating_add(1) })
        }
    }
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
            tokens(state, user, tenant, session, Some(refresh_token), now)
        }
        Redemption::Reused => {
            tx.commit().await?;
            tracing::warn!("a refresh token came back a second time; its sign-in is revoked");
            Err(refused)
        }
        Redemption::Refused => Err(refused),
    }
}

/// Signs a service account in, for as long as its token is good.
///
/// # Errors
/// [`Error::Grant`], the same whether the id or the secret is wrong; [`Error::Throttled`].
pub async fn client_grant(
    state: &AppState,
    client_id: &str,
    secret: &Secret,
    address: Option<IpAddr>,
) -> Result<Tokens> {
    let counters = throttle::counters(client_id, address);
    take_turn(state, &counters).await?;
    let now = state.clock.now();
    let refused = || Error::Grant(GrantRefusal::WrongClient);
    let user: UserId = client_id.parse().map_err(|_| refused())?;
    let mut tx = state.store.system_tx().await?;
    let Some(tenant) = credentials::service_account(&mut tx, user, secret.hash()).await? else {
        audit::failed_sign_in(&mut tx, Some(user)).await?;
        tx.commit().await?;
        return Err(refused());
    };
    let expires_at = now + ACCESS_TOKEN_LIFETIME;
    let session = NewSession { id: SessionId::generate(), tenant, user, expires_at };
    attempts::succeeded(&mut tx, &counters).await?;
    sessions::open(&mut tx, &session, now).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user, session.id = %session.id, "a service account signed in");
    tokens(state, user, tenant, session.id, None, now)
}

/// Gives a person who was invited a password.
///
/// # Errors
/// [`Error::Invalid`], also when the invitation is not good.
pub async fn accept_invitation(state: &AppState, document: &Value) -> Result<()> {
    let mut report = Report::new();
    let accepted = Acceptance::decode(document, &mut report);
    let accepted = accepted.filter(|_| report.is_empty());
    let Acceptance { invitation, password } =
        accepted.ok_or_else(|| Error::Invalid(std::mem::take(&mut report).into_errors()))?;
    let (hash, now) = (invitation.hash(), state.clock.now());
    let mut tx = state.store.system_tx().await?;
    let invited = credentials::invited(&mut tx, hash, now).await?.ok_or_else(no_invitation)?;
    tx.commit().await?;
    let password = report.within("password", |report| password.check(&invited, report));
    let password = password.ok_or_else(|| Error::Invalid(report.into_errors()))?;
    let password = state.passwords.hash(password).await?;
    let mut tx = state.store.system_tx().await?;
    if !credentials::accept(&mut tx, hash, &password, now).await? {
        return Err(no_invitation());
    }
    tx.commit().await
}

/// Changes the caller's own password. The other sign-ins of the caller end.
///
/// # Errors
/// [`Error::Unauthenticated`], [`Error::Forbidden`] for a service account, [`Error::Invalid`], also when the current
/// password is wrong.
pub async fn change_password(state: &AppState, claims: &Claims, document: &Value) -> Result<()> {
    let scope = state.home_scope(claims).await?;
    let (user, now) = (scope.actor.user, scope.now);
    scope.tx.finish(Finish::Commit).await?;
    let mut report = Report::new();
    let change = PasswordChange::decode(document, &mut report).filter(|_| report.is_empty());
    let PasswordChange { current, new } =
        change.ok_or_else(|| Error::Invalid(std::mem::take(&mut report).into_errors()))?;
    let mut tx = state.store.system_tx().await?;
    let found = credentials::password(&mut tx, user).await?;
    tx.commit().await?;
    let (name, old) = found
        .ok_or(Error::Forbidden("a service account has no password, nor does a user of an outside issuer"))?;
    if !state.passwords.verify(current, Some(old.clone())).await? {
        report.within("current_password", |report| report.error(Code::Conflict, "is wrong"));
        return Err(Error::Invalid(report.into_errors()));
    }
    let new = report.within("new_password", |report| new.check(&name, report));
    let new = new.ok_or_else(|| Error::Invalid(report.into_errors()))?;
    let new = state.passwords.hash(new).await?;
    let mut tx = state.store.system_tx().await?;
    if !credentials::set_password(&mut tx, user, &old, &new).await? {
        return Err(Error::Unavailable("the password was changed at the same moment".to_owned()));
    }
    sessions::revoke_others(&mut tx, user, claims.sid, now).await?;
    tx.commit().await
}

/// What accepts an invitation.
struct Acceptance {
    invitation: Secret,
    password: Password,
}

impl Acceptance {
    fn decode(document: &Value, report: &mut Report) -> Option<Self> {
        let mut fields = Fields::open(document, report)?;
        let invitation = fields.required("invitation", report, |value, report| {
            input::string(value, report).map(Secret::presented)
        });
        let password = fields.required("password", report, Password::decode);
        fields.finish(report);
        Some(Self { invitation: invitation?, password: password? })
    }
}

struct PasswordChange {
    current: Password,
    new: Password,
}

impl PasswordChange {
    fn decode(document: &Value, report: &mut Report) -> Option<Self> {
        let mut fields = Fields::open(document, report)?;
        let current = fields.required("current_password", report, Password::decode_candidate);
        let new = fields.required("new_password", report, Password::decode);
        fields.finish(report);
        Some(Self { current: current?, new: new? })
    }
}

fn no_invitation() -> Error {
    let mut report = Report::new();
    let detail = "is unknown, was accepted, or has expired";
    report.within("invitation", |report| report.error(Code::NoSuchObject, detail));
    Error::Invalid(report.into_errors())
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
    refresh_token: Option<Secret>,
    now: Timestamp,
) -> Result<Tokens> {
    let access_token = state.keys.sign(user, tenant, session, now)?;
    Ok(Tokens { access_token, expires_in_s: ACCESS_TOKEN_LIFETIME.num_seconds(), refresh_token })
}
