//! Signing in with an outside issuer, as its relying party: OpenID Connect Core 1.0, authorization code flow with PKCE.
//!
//! Nothing is kept of a sign-in that was begun but in the browser that began it. What the issuer says of somebody leaves
//! as a [`Vouched`]; what that person may do is decided in [`crate::access`].

mod attempt;
mod callback;
mod exchange;
mod issuer;
mod settings;
mod web;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::{
    ClaimsVerificationError, CsrfToken, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier,
    SignatureVerificationError, TokenResponse as _,
};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use self::attempt::{Attempt, AttemptId, LIFETIME, Target};
use self::attempt::{AttemptKey, Derived};
pub use self::callback::Callback;
use self::issuer::{Issuer, Need};
pub use self::settings::{PublicUrl, Settings, SettingsError};
use self::web::WebError;
use crate::access::grants::Assignment;
use crate::access::pkce::Challenge;
use crate::access::seal::SecretKey;
use crate::clock::Timestamp;
use crate::domain::user::Identity;
use crate::error::{Error, Result, SignInFailure};

/// Where the issuer sends browsers back to, on our own origin.
pub const CALLBACK_PATH: &str = "/v1/auth/oidc/callback";
/// The page on our own origin that is given a one-time code, in its fragment.
pub const PAGE_PATH: &str = "/sign-in";

/// How long all that is asked of an issuer for one request may take; less than a request may.
const PATIENCE: Duration = Duration::from_secs(20);
/// Requests that may wait for the issuer at the same time.
const MAX_WAITING: usize = 64;
/// Where the e-mail address is, OpenID Connect Core section 5.1.
const EMAIL: &str = "email";
/// What became of an exchange with the issuer.
type Outcome<T> = std::result::Result<T, Fault>;

/// Why the issuer vouches for nobody.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// It does not answer, or not as an issuer does.
    #[error("the issuer: {0}")]
    Unavailable(String),
    /// Too many wait for it.
    #[error("too many wait for the issuer")]
    Busy,
    /// It was asked, or its answer was looked at, and that was that.
    #[error("{0}: {1}")]
    Failed(SignInFailure, String),
}

impl From<WebError> for Fault {
    fn from(error: WebError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unavailable(text) => Self::IssuerUnavailable(text),
            Fault::Busy => Self::TooMany,
            Fault::Failed(failure, text) => {
                tracing::info!(reason = text, "a sign-in with the issuer failed");
                Self::SignIn(failure)
            }
        }
    }
}

/// A sign-in that was begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub location: String,
    /// What it keeps meanwhile.
    pub kept: String,
}

/// Somebody whom the issuer vouches for.
#[derive(Debug, Clone)]
pub struct Vouched {
    /// What the issuer knows the person by.
    pub identity: Identity,
    /// What the person may be called.
    pub username: Option<String>,
    /// The person's e-mail address, unverified.
    pub email: Option<String>,
    /// What the person is, if anything.
    pub assignment: Option<Assignment>,
}

/// The relying party. Cheap to clone.
#[derive(Clone)]
pub struct RelyingParty(Arc<Inner>);

struct Inner {
    settings: Settings,
    origin: PublicUrl,
    issuer: Issuer,
    key: AttemptKey,
    waiting: Semaphore,
}

impl fmt::Debug for RelyingParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RelyingParty").field(&self.issuer()).finish()
    }
}

impl RelyingParty {
    /// The relying party of an installation whose API browsers reach at an origin.
    ///
    /// # Errors
    /// [`Error::Internal`] when TLS or the key cannot be used.
    pub fn new(settings: Settings, origin: PublicUrl, key: &SecretKey) -> Result<Self> {
        let issuer = Issuer::new(&settings).map_err(Error::from)?;
        let key = AttemptKey::derive(key)?;
        let waiting = Semaphore::new(MAX_WAITING);
        Ok(Self(Arc::new(Inner { settings, origin, issuer, key, waiting })))
    }

    /// The issuer's identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.0.settings.issuer.as_str()
    }

    /// What people call the issuer.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.0.settings.title
    }

    /// Whether browsers reach us over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.origin.is_secure()
    }

    /// Begins a sign-in, which is to end with a code for whoever has the verifier of a challenge.
    ///
    /// # Errors
    /// [`Error::IssuerUnavailable`], [`Error::TooMany`].
    pub async fn begin(&self, challenge: Challenge, target: Target, now: Timestamp) -> Result<Begun> {
        let metadata = self.within_patience(self.0.issuer.metadata(Need::Any, now)).await?;
        let attempt = Attempt::begin(challenge, target, now);
        let Derived { state, nonce, verifier } = self.0.key.derived(&attempt);
        let client = self.client(&metadata)?;
        let mut request = client.authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || CsrfToken::new(state),
            move || Nonce::new(nonce),
        );
        let proof = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
        request = request.set_pkce_challenge(proof).add_scopes(self.0.settings.scopes.iter().cloned());
        Ok(Begun { location: request.url().0.to_string(), kept: attempt.encode() })
    }

    /// Finds the sign-in that a callback belongs to, in what the browser has kept.
    ///
    /// # Errors
    /// [`Error::SignIn`] when it was begun elsewhere, or too long ago.
    pub fn attempt(&self, callback: &Callback, kept: Option<&str>, now: Timestamp) -> Result<Attempt> {
        let attempt = kept
            .and_then(Attempt::decode)
            .filter(|attempt| self.0.key.is_state_of(&callback.state, attempt) && attempt.is_under_way(now));
        attempt.ok_or(Error::SignIn(SignInFailure::NoAttempt))
    }

    /// Finds out whom the issuer vouches for. An attempt is good for one callback; the caller sees to that.
    ///
    /// # Errors
    /// [`Error::SignIn`], [`Error::IssuerUnavailable`], [`Error::TooMany`].
    pub async fn identify(&self, callback: &Callback, attempt: &Attempt, now: Timestamp) -> Result<Vouched> {
        Ok(self.within_patience(self.identified(callback, attempt, now)).await?)
    }

    /// Where a browser goes with a one-time code: nowhere but to our own page, or to a program on its own host.
    #[must_use]
    pub fn destination(&self, target: Target, code: &str) -> String {
        match target {
            // In the fragment, which browsers send to no server.
            Target::Page => format!("{}{PAGE_PATH}#code={code}", self.0.origin),
            // RFC 8252 section 7.3. Only the program that began it has the verifier.
            Target::Loopback(port) => format!("http://127.0.0.1:{port}/?code={code}"),
        }
    }

    async fn within_patience<T>(&self, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let _turn = self.0.waiting.try_acquire().map_err(|_| Fault::Busy)?;
        let late = || Fault::Unavailable("does not answer in time".to_owned());
        timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(late()))
    }

    async fn identified(&self, callback: &Callback, attempt: &Attempt, now: Timestamp) -> Outcome<Vouched> {
        let Inner { settings, issuer, key, .. } = &*self.0;
        let metadata = issuer.metadata(Need::Any, now).await?;
        callback.check_issuer(&metadata)?;
        let code = callback.outcome.clone().map_err(|code| {
            let shown: String = code.chars().filter(char::is_ascii_graphic).take(64).collect();
            Fault::Failed(SignInFailure::IssuerRefused, shown)
        })?;
        let Derived { nonce, verifier, .. } = key.derived(attempt);
        let nonce = Nonce::new(nonce);
        let answer = self.exchange(&metadata, code, verifier).await?;
        let token = answer.id_token().ok_or_else(|| unacceptable("the issuer answers no ID token"))?;
        let claims = match self.verify(token, &metadata, &nonce, now) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                // It may have other keys by now.
                let newer = issuer.metadata(Need::NewerThan(&metadata), now).await?;
                self.verify(token, &newer, &nonce, now)
            }
            verified => verified,
        };
        let mut claims = claims.map_err(|error| unacceptable(&error.to_string()))?;
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
        if subject.is_empty() || subject.len() > settings::MAX_SUBJECT_BYTES {
            return Err(unacceptable("the subject is empty or too long"));
        }
        if settings.wanted().any(|path| path.find(&claims).is_none()) {
            let more = self.user_info(&metadata, answer.access_token().clone(), &subject).await?;
            for (name, value) in more {
                // What is signed counts more.
                claims.entry(name).or_insert(value);
            }
        }
        let text = |value: Option<&str>| value.map(str::to_owned);
        Ok(Vouched {
            identity: Identity { issuer: settings.issuer.to_string(), subject },
            username: text(settings.username_claim.text(&claims)),
            email: text(claims.get(EMAIL).and_then(Value::as_str)),
            assignment: settings.grants.assign(&claims),
        })
    }
}

fn unacceptable(text: &str) -> Fault {
    Fault::Failed(SignInFailure::IssuerAnswer, text.to_owned())
}
