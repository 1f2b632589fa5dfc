//! Query parameters; one that does not exist is an error, since what was meant by it would not happen.

use std::num::NonZeroU16;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use crate::access::pkce::Challenge;
use crate::app::AppState;
use crate::app::tenants::Extent;
use crate::domain::audit::AuditQuery;
use crate::domain::flow::Flow;
use crate::domain::page::ListQuery;
use crate::domain::tenant::TenantState;
use crate::domain::version::Version;
use crate::error::Error;
use crate::http::problem::{Problem, Result};
use crate::oidc::{Callback, Target};
use crate::store::tx::Finish;

/// The parameters of a list.
#[derive(Debug)]
pub(in crate::http) struct List(pub(in crate::http) ListQuery);

/// The parameters of a list of objects.
#[derive(Debug)]
pub(in crate::http) struct ObjectList(pub(in crate::http) ListQuery);

/// The parameters of a list that is only paged.
#[derive(Debug)]
pub(in crate::http) struct Pages(pub(in crate::http) ListQuery);

/// The parameters of a list of tenants, which have no tags.
#[derive(Debug)]
pub(in crate::http) struct TenantList(pub(in crate::http) ListQuery, pub(in crate::http) Option<TenantState>);

/// The parameters of a deletion that may take along what the thing holds.
#[derive(Debug)]
pub(in crate::http) struct Removal(pub(in crate::http) Extent, pub(in crate::http) Finish);

/// The parameters of the audit.
#[derive(Debug)]
pub(in crate::http) struct AuditParameters(pub(in crate::http) AuditQuery);

/// The parameters that describe a flow.
#[derive(Debug)]
pub(in crate::http) struct FlowQuery(pub(in crate::http) Flow);

/// The parameters of a write: whether to keep what it does.
#[derive(Debug)]
pub(in crate::http) struct Write(pub(in crate::http) Finish);

/// Where to read on, and how far.
#[derive(Debug)]
pub(in crate::http) struct After {
    /// The number to go on after.
    pub(in crate::http) after: Option<u64>,
    /// The most items.
    pub(in crate::http) limit: usize,
}

/// The version that another one is compared with.
#[derive(Debug)]
pub(in crate::http) struct Against(pub(in crate::http) Version);

/// The items of a reading when the caller does not say, and the most of them.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;
/// The highest number to go on after: what the document says, since many a client has no higher one.
const MAX_AFTER: u64 = i64::MAX.unsigned_abs();

/// What begins a sign-in with an outside issuer.
#[derive(Debug)]
pub(in crate::http) struct SignIn(pub(in crate::http) Challenge, pub(in crate::http) Target);

/// What an issuer sends a browser back with. It may send more, which is nothing to us.
#[derive(Debug)]
pub(in crate::http) struct SentBack(pub(in crate::http) Callback);

/// No parameters.
#[derive(Debug)]
pub(in crate::http) struct NoQuery;

impl FromRequestParts<AppState> for List {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        parse(parts, |pairs| ListQuery::parse(pairs)).map(Self)
    }
}

impl FromRequestParts<AppState> for ObjectList {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        parse(parts, |pairs| ListQuery::parse_labelled(pairs)).map(Self)
    }
}

impl FromRequestParts<AppState> for Pages {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        parse(parts, |pairs| ListQuery::parse_pages(pairs)).map(Self)
    }
}

impl FromRequestParts<AppState> for TenantList {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        let (mut state, mut rest) = (None, Vec::new());
        let all = parameters(parts)?;
        for (name, value) in &all {
            match name.as_str() {
                "state" if state.is_some() => return Err(bad(name.clone(), "is given twice")),
                "state" => {
                    let parsed = TenantState::parse(value);
                    state = Some(parsed.ok_or_else(|| bad(name.clone(), "is to be active or suspended"))?);
                }
                "tag" => return Err(unknown(name.clone())),
                _ => rest.push((name.as_str(), value.as_str())),
            }
        }
        let query = ListQuery::parse(rest);
        Ok(Self(query.map_err(|(parameter, detail)| Error::Parameter { parameter, detail })?, state))
    }
}

impl FromRequestParts<AppState> for Removal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        let (mut extent, mut finish) = (Extent::Empty, Finish::Commit);
        for (name, value) in parameters(parts)? {
            match (name.as_str(), value.as_str()) {
                ("cascade", "true") => extent = Extent::Cascade,
                ("cascade", "false") => extent = Extent::Empty,
                ("dry_run", "true") => finish = Finish::Rollback,
                ("dry_run", "false") => finish = Finish::Commit,
                ("cascade" | "dry_run", _) => return Err(bad(name, "is to be true or false")),
                _ => return Err(unknown(name)),
            }
        }
        Ok(Self(extent, finish))
    }
}

impl FromRequestParts<AppState> for AuditParameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        parse(parts, |pairs| AuditQuery::parse(pairs)).map(Self)
    }
}

impl FromRequestParts<AppState> for FlowQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        parse(parts, |pairs| Flow::parse(pairs)).map(Self)
    }
}

impl FromRequestParts<AppState> for Write {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        let mut finish = Finish::Commit;
        for (name, value) in parameters(parts)? {
            finish = match (name.as_str(), value.as_str()) {
                ("dry_run", "true") => Finish::Rollback,
                ("dry_run", "false") => Finish::Commit,
                ("dry_run", _) => return Err(bad(name, "is to be true or false")),
                _ => return Err(unknown(name)),
            };
        }
        Ok(Self(finish))
    }
}

impl FromRequestParts<AppState> for After {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        let mut wanted = Self { after: None, limit: DEFAULT_LIMIT };
        for (name, value) in parameters(parts)? {
            match name.as_str() {
                "after" => {
                    let after = value.parse().ok().filter(|after| *after <= MAX_AFTER);
                    wanted.after = Some(after.ok_or_else(|| bad(name, "is to be a number below 2^63"))?);
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    wanted.limit = limit.ok_or_else(|| bad(name, "is to be from 1 to 1000"))?;
                }
                _ => return Err(unknown(name)),
            }
        }
        Ok(wanted)
    }
}

impl FromRequestParts<AppState> for Against {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        let mut against = None;
        for (name, value) in parameters(parts)? {
            match name.as_str() {
                "against" if against.is_some() => return Err(bad(name, "is given twice")),
                "against" => {
                    let version = Version::parse(&value);
                    against = Some(version.ok_or_else(|| bad(name, "is to be the number of a version"))?);
                }
                _ => return Err(unknown(name)),
            }
        }
        let missing = || bad("against".to_owned(), "is to be the number of a version");
        against.map(Self).ok_or_else(missing)
    }
}

impl FromRequestParts<AppState> for SignIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        let (mut challenge, mut method, mut port) = (None, None, None);
        for (name, value) in parameters(parts)? {
            let slot = match name.as_str() {
                "code_challenge" => &mut challenge,
                "code_challenge_method" => &mut method,
                "loopback_port" => &mut port,
                _ => return Err(unknown(name)),
            };
            if slot.replace(value).is_some() {
                return Err(bad(name, "is given twice"));
            }
        }
        if method.as_deref() != Some("S256") {
            return Err(bad("code_challenge_method".to_owned(), "is to be S256"));
        }
        let challenge = challenge.as_deref().and_then(Challenge::parse);
        let wrong = || bad("code_challenge".to_owned(), "is to be the base64url of a SHA-256");
        let port = port.map(|port| port.parse::<NonZeroU16>()).transpose();
        let port = port.map_err(|_| bad("loopback_port".to_owned(), "is to be from 1 to 65535"))?;
        Ok(Self(challenge.ok_or_else(wrong)?, port.map_or(Target::Page, Target::Loopback)))
    }
}

impl FromRequestParts<AppState> for SentBack {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        let callback = Callback::parse(&parameters(parts)?);
        Ok(Self(callback.map_err(|(parameter, detail)| Error::Parameter { parameter, detail })?))
    }
}

impl FromRequestParts<AppState> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        match parameters(parts)?.into_iter().next() {
            None => Ok(Self),
            Some((name, _)) => Err(unknown(name)),
        }
    }
}

/// Reads parameters by a rule of the domain, which names the first that is wrong.
pub(super) fn parse<T>(
    parts: &Parts,
    rule: impl FnOnce(Vec<(&str, &str)>) -> std::result::Result<T, (String, String)>,
) -> Result<T> {
    let parameters = parameters(parts)?;
    let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    rule(pairs).map_err(|(parameter, detail)| Error::Parameter { parameter, detail }.into())
}

fn parameters(parts: &Parts) -> Result<Vec<(String, String)>> {
    match Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) {
        Ok(Query(parameters)) => Ok(parameters),
        Err(_) => Err(bad("the query".to_owned(), "does not parse")),
    }
}

fn unknown(name: String) -> Problem {
    bad(name, "there is no such parameter")
}

fn bad(parameter: String, detail: &str) -> Problem {
    Error::Parameter { parameter, detail: detail.to_owned() }.into()
}
