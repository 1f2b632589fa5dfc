//! Signing in with an outside issuer: begun in a browser, sent back with a code, and ended with tokens for whoever began
//! it.

use std::net::IpAddr;

use chrono::Duration;
use sha2::{Digest as _, Sha256};

use super::{Tokens, take_turn, tokens};
use crate::access::grants::{Assignment, Home};
use crate::access::pkce::Challenge;
use crate::access::throttle;
use crate::access::token::{SESSION_LIFETIME, Secret};
use crate::app::AppState;
use crate::clock::Timestamp;
use crate::domain::name::Name;
use crate::domain::user::{Identity, is_email};
use crate::error::{Error, GrantRefusal, Result, SignInFailure};
use crate::ids::{SessionId, UserId};
use crate::oidc::{Begun, Callback, RelyingParty, Target, Vouched};
use crate::store::identities::{self, Known, NewCode, Newcomer, Place};
use crate::store::sessions::{self, NewSession};
use crate::store::tx::SystemTx;
use crate::store::{audit, throttle as attempts};

/// How long a one-time code is good for, from the redirect to the page's next request.
const CODE_LIFETIME: Duration = Duration::seconds(60);
/// What a person is called of whom the issuer says no name.
const NAMELESS: &str = "user";
/// The bytes of a mark that tells a person from another one of the same name.
const MARK_BYTES: usize = 4;

/// Begins a sign-in.
///
/// # Errors
/// [`Error::NotFound`] when there is no issuer, [`Error::IssuerUnavailable`], [`Error::TooMany`].
pub async fn begin(state: &AppState, challenge: Challenge, target: Target) -> Result<Begun> {
    party(state)?.begin(challenge, target, state.clock.now()).await
}

/// Goes on with a sign-in that the issuer sent back, and answers where the browser goes. What fails is counted by the
/// address that it comes from, unless it is the issuer that does not answer.
///
/// # Errors
/// [`Error::NotFound`] when there is no issuer, [`Error::SignIn`], [`Error::Throttled`], [`Error::IssuerUnavailable`],
/// [`Error::TooMany`].
pub async fn go_on(
    state: &AppState,
    callback: &Callback,
    kept: Option<&str>,
    address: Option<IpAddr>,
) -> Result<String> {
    let party = party(state)?;
    let now = state.clock.now();
    // Who it is nobody knows yet, so that the address's counter alone can be full.
    let counters = throttle::counters(&callback.state, address);
    take_turn(state, &counters).await?;
    let attempt = party.attempt(callback, kept, now)?;
    let mut tx = state.store.system_tx().await?;
    let taken = identities::take_attempt(&mut tx, attempt.id().as_bytes(), attempt.ends_at(), now).await?;
    tx.commit().await?;
    if !taken {
        return Err(Error::SignIn(SignInFailure::NoAttempt));
    }
    // No connection to the database waits for the issuer.
    let vouched = match party.identify(callback, &attempt, now).await {
        Err(error @ (Error::IssuerUnavailable(_) | Error::TooMany)) => {
            let mut tx = state.store.system_tx().await?;
            attempts::succeeded(&mut tx, &counters).await?;
            tx.commit().await?;
            return Err(error);
        }
        vouched => vouched?,
    };

    let now = state.clock.now();
    let mut tx = state.store.system_tx().await?;
    let user = match admit(&mut tx, &vouched, now).await? {
        Ok(user) => user,
        Err(known) => {
            audit::failed_sign_in(&mut tx, known).await?;
            tx.commit().await?;
            tracing::info!(user.subject = vouched.identity.subject, "somebody has no place here");
            return Err(Error::SignIn(SignInFailure::NotGranted));
        }
    };
    let code = Secret::generate();
    let new =
        NewCode { hash: code.hash(), challenge: attempt.challenge(), expires_at: now + CODE_LIFETIME, user };
    identities::add_code(&mut tx, attempt.id().as_bytes(), &new).await?;
    attempts::succeeded(&mut tx, &counters).await?;
    tx.commit().await?;
    Ok(party.destination(attempt.target(), code.reveal()))
}

/// Gives tokens for a one-time code and the verifier of the challenge that the sign-in was begun with. The code is used
/// up, whether the verifier is the one or not.
///
/// # Errors
/// [`Error::Grant`].
pub async fn code_grant(state: &AppState, code: &Secret, verifier: &str) -> Result<Tokens> {
    let now = state.clock.now();
    let refused = || Error::Grant(GrantRefusal::BadCode);
    let mut tx = state.store.system_tx().await?;
    let taken = identities::take_code(&mut tx, code.hash(), now).await?;
    let Some((user, tenant, _)) = taken.filter(|(_, _, challenge)| challenge.answered_by(verifier)) else {
        tx.commit().await?;
        return Err(refused());
    };
    let session = NewSession { id: SessionId::generate(), tenant, user, expires_at: now + SESSION_LIFETIME };
    let refresh_token = Secret::generate();
    sessions::open(&mut tx, &session, now).await?;
    sessions::add_refresh_token(&mut tx, session.id, refresh_token.hash(), now).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user, session.id = %session.id, "signed in with the issuer");
    tokens(state, user, tenant, session.id, Some(refresh_token), now)
}

fn party(state: &AppState) -> Result<&RelyingParty> {
    state.oidc.as_ref().ok_or(Error::NotFound)
}

/// Brings the user to what the issuer says now: made at first, changed, or moved, and left alone where there is no place
/// for the person. Then the inner error has the user, if there is one.
async fn admit(
    tx: &mut SystemTx,
    vouched: &Vouched,
    now: Timestamp,
) -> Result<std::result::Result<UserId, Option<UserId>>> {
    let known = identities::find(tx, &vouched.identity).await?;
    let refused = known.as_ref().map(|known| known.user);
    if known.as_ref().is_some_and(|known| !known.enabled) {
        return Ok(Err(refused));
    }
    let place = match &vouched.assignment {
        Some(Assignment { home: Home::Provider, role }) => (identities::place(tx, None).await?, *role),
        Some(Assignment { home: Home::Enterprise(name), role }) => {
            (identities::place(tx, Some(name)).await?, *role)
        }
        None => {
            // What was begun when there was a place ends with it.
            if let Some(known) = &known {
                identities::end_sessions(tx, known.user, now).await?;
            }
            return Ok(Err(refused));
        }
    };
    let (Place::Active(tenant), role) = place else { return Ok(Err(refused)) };
    let email = vouched.email.as_deref().filter(|email| is_email(email));
    match known {
        Some(Known { user, tenant: there, role: before, email: address, .. }) if there == tenant => {
            if before != role || address.as_deref() != email {
                identities::update(tx, user, role, email, now).await?;
            }
            return Ok(Ok(user));
        }
        // Another tenant's history is not this one's: whoever moves is another user.
        Some(Known { user, .. }) => identities::remove(tx, user).await?,
        None => {}
    }
    let new = Newcomer { user: UserId::generate(), tenant, identity: &vouched.identity, role, email };
    for name in names(vouched) {
        if identities::insert(tx, &new, &name, now).await? {
            return Ok(Ok(new.user));
        }
    }
    // The same person has signed in for the first time at the same moment.
    match identities::find(tx, &vouched.identity).await? {
        Some(known) if known.enabled && known.tenant == tenant => Ok(Ok(known.user)),
        Some(_) | None => Err(Error::Unavailable("a person could not be given a name".to_owned())),
    }
}

/// What a person may be called, the best first. A name that somebody has is nobody else's, so there is one that nobody
/// would choose.
fn names(vouched: &Vouched) -> impl Iterator<Item = Name> {
    let Identity { issuer, subject } = &vouched.identity;
    let digest = Sha256::digest(format!("{issuer} {subject}"));
    let mark: String = digest.iter().take(MARK_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let named = vouched.username.as_deref().and_then(Name::resembling);
    let marked = named.clone().or_else(|| Name::resembling(NAMELESS)).and_then(|name| name.marked(&mark));
    [named, marked].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(username: Option<&str>) -> Vec<String> {
        let identity = Identity { issuer: "https://a".to_owned(), subject: "1".to_owned() };
        let username = username.map(str::to_owned);
        let vouched = Vouched { identity, username, email: None, assignment: None };
        names(&vouched).map(|name| name.to_string()).collect()
    }

    #[test]
    fn everybody_can_be_called_something() {
        let nameless = called(None);
        assert_eq!(nameless.len(), 1);
        assert!(nameless[0].starts_with("user-") && nameless[0].len() == 13, "{nameless:?}");
        assert_eq!(called(Some("jo@example.com"))[0], "jo-example.com");
        let long = called(Some(&"é".repeat(70).replace('é', "x")));
        assert!(long[0].len() <= 63 && long[1].len() == 63, "{long:?}");
        for odd in ["", "@@", "日本", "\0"] {
            assert_eq!(called(Some(odd)), nameless, "{odd}");
        }
    }
}
