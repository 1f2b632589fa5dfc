//! Conditional requests, RFC 9110 section 13.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, header};

use crate::app::AppState;
use crate::app::scope::Precondition;
use crate::error::Error;
use crate::http::etag::Tags;
use crate::http::problem::{Problem, Result};

/// What a change demands.
#[derive(Debug)]
pub(in crate::http) struct IfMatch(pub(in crate::http) Precondition);

/// What the caller has already.
#[derive(Debug)]
pub(in crate::http) struct IfNoneMatch(pub(in crate::http) Option<Tags>);

impl FromRequestParts<AppState> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        Ok(Self(match tags(parts, &header::IF_MATCH)? {
            None => Precondition::Missing,
            Some(tags) => tags.versions().map_or(Precondition::Any, Precondition::OneOf),
        }))
    }
}

impl FromRequestParts<AppState> for IfNoneMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        tags(parts, &header::IF_NONE_MATCH).map(Self)
    }
}

fn tags(parts: &Parts, name: &HeaderName) -> Result<Option<Tags>> {
    let Some(value) = parts.headers.get(name) else { return Ok(None) };
    let tags = value.to_str().ok().and_then(Tags::parse);
    let malformed = || Error::Parameter {
        parameter: name.to_string(),
        detail: "is to be * or a list of entity tags in double quotes".to_owned(),
    };
    Ok(Some(tags.ok_or_else(malformed)?))
}
