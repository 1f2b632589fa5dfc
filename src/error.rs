//! What can go wrong in a use case, told apart from how it travels: `http` turns it into a problem document.
//!
//! What a caller may read stands in the public variants; [`Error::Unavailable`] and [`Error::Internal`] carry text
//! for the log only.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::input::FieldError;
use crate::domain::kind::Kind;
use crate::domain::version::Version;
use crate::ids::ObjectId;

/// The outcome of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a use case did not do what was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// Fields are wrong or unknown; all of them.
    #[error("{} fields are invalid", .0.len())]
    Invalid(Vec<FieldError>),
    /// A parameter does not parse.
    #[error("parameter {parameter}: {detail}")]
    Parameter {
        /// Its name.
        parameter: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The caller did not prove who it is.
    #[error("unauthenticated: {0}")]
    Unauthenticated(Unauthenticated),
    /// The token endpoint refuses the grant, RFC 6749 section 5.2.
    #[error("grant refused: {0}")]
    Grant(GrantRefusal),
    /// A sign-in with the issuer came to nothing.
    #[error("sign-in failed: {0}")]
    SignIn(SignInFailure),
    /// The issuer does not answer, or not now; the text is for the log.
    #[error("the issuer is unavailable: {0}")]
    IssuerUnavailable(String),
    /// The caller sees the object and may not do this.
    #[error("forbidden: {0}")]
    Forbidden(&'static str),
    /// Absent, hidden, or another tenant's.
    #[error("not found")]
    NotFound,
    /// Another object of the kind has the name.
    #[error("name taken: {name}")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Others refer to the object.
    #[error("in use")]
    InUse {
        /// Those of them that the caller may see.
        by: Vec<Named>,
    },
    /// The tenant still holds something.
    #[error("the tenant is not empty")]
    TenantNotEmpty,
    /// The publication has nothing on its way any more.
    #[error("the publication has ended")]
    PublicationEnded,
    /// A change without a precondition.
    #[error("precondition required")]
    PreconditionRequired,
    /// The object has changed since.
    #[error("stale: the current version is {current}")]
    Stale {
        /// The version that it has now.
        current: Version,
    },
    /// Too many sign-ins have failed; the next one is looked at later.
    #[error("too many sign-ins have failed; the next is looked at in {wait_s} s")]
    Throttled {
        /// In how many seconds.
        wait_s: i64,
    },
    /// The same request, with its idempotency key, is under way.
    #[error("the same request is under way")]
    KeyInUse,
    /// The gateway of an appliance gives no answer.
    #[error("appliance: {0}")]
    Appliance(#[from] ApplianceFault),
    /// Too much at once; the same request may succeed later.
    #[error("too many requests")]
    TooMany,
    /// The database does not answer, or not now.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A defect.
    #[error("internal: {0}")]
    Internal(String),
}

/// Why a request counts as not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unauthenticated {
    /// No bearer token was sent.
    #[error("no access token was sent")]
    NoToken,
    /// The token is not one of ours, or is damaged.
    #[error("the access token is not valid")]
    BadToken,
    /// The token was good once.
    #[error("the access token has expired")]
    ExpiredToken,
    /// The user or the sign-in does not exist any more.
    #[error("the sign-in has ended")]
    Ended,
}

/// Why a sign-in with the issuer came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignInFailure {
    /// This browser has begun none, or it is over.
    #[error("this sign-in was begun elsewhere, was finished before, or took too long; begin again")]
    NoAttempt,
    /// The issuer says no.
    #[error("the issuer did not sign you in; begin again")]
    IssuerRefused,
    /// The issuer says what it may not say.
    #[error(
        "what the issuer answered is not acceptable; begin again, and tell an administrator if it goes on"
    )]
    IssuerAnswer,
    /// The issuer vouches for a person who may not sign in here: by no grant, or disabled, or of a tenant that is
    /// suspended or is not there. The reasons are not told apart.
    #[error("the issuer knows you, and this installation has no place for you; ask an administrator")]
    NotGranted,
}

/// Why the gateway of an appliance gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum ApplianceFault {
    /// It is not connected to any replica, or was not for the whole time.
    #[error("no gateway of the appliance is connected")]
    NotConnected,
    /// It did not answer in time.
    #[error("the gateway did not answer in time")]
    Silent,
    /// It has not answered many earlier questions yet.
    #[error("the gateway has many questions to answer already")]
    Busy,
    /// It is older than the question.
    #[error("the gateway's version cannot be asked this")]
    Unable,
    /// It says that the question makes no sense; the text is its reason.
    #[error("the gateway refuses: {0}")]
    Refused(String),
    /// What it answered is no answer to the question.
    #[error("what the gateway answered makes no sense")]
    Nonsense,
}

/// Why the token endpoint gives no token, RFC 6749 section 5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GrantRefusal {
    /// Wrong user name or password; the two are not told apart.
    #[error("the user name or the password is wrong")]
    WrongPassword,
    /// Wrong client id or secret; the two are not told apart.
    #[error("the client id or the secret is wrong")]
    WrongClient,
    /// The one-time code is unknown, used or expired, or was asked for by somebody else.
    #[error("the code or its verifier is not valid")]
    BadCode,
    /// The refresh token is unknown, used, expired or revoked.
    #[error("the refresh token is not valid")]
    BadRefreshToken,
    /// A grant type that this server does not have.
    #[error(
        "grant_type is to be \"password\", \"refresh_token\", \"client_credentials\" or \"authorization_code\""
    )]
    UnsupportedGrantType,
    /// A parameter is missing or doubled.
    #[error("a parameter of the grant is missing or repeated")]
    BadRequest,
}

/// An object by id and name, as other objects and errors refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: ObjectId,
    /// Its name.
    pub name: String,
}

impl Error {
    /// One field that is wrong.
    #[must_use]
    pub fn field(error: FieldError) -> Self {
        Self::Invalid(vec![error])
    }
}
