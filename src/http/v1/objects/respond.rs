//! Answers with entity tags.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::domain::version::Version;
use crate::http::etag::{self, Tags};
use crate::http::problem::{Problem, Result};
use crate::store::tx::Finish;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An object that was read: the object, or 304 when the caller has it already.
pub(in crate::http) fn read(
    version: Version,
    view: &impl Serialize,
    known: Option<&Tags>,
) -> Result<Response> {
    let (body, tag) = serialize(version, view)?;
    if known.is_some_and(|known| known.contain(&tag)) {
        return tagged(StatusCode::NOT_MODIFIED, Body::empty(), &tag);
    }
    tagged(StatusCode::OK, Body::from(body), &tag)
}

/// An object that was changed.
pub(in crate::http) fn changed(version: Version, view: &impl Serialize) -> Result<Response> {
    read(version, view, None)
}

/// An object that was created, and where; or, after a dry run, what it would be.
pub(in crate::http) fn created(
    version: Version,
    view: &impl Serialize,
    location: &str,
    finish: Finish,
) -> Result<Response> {
    let (body, tag) = serialize(version, view)?;
    match finish {
        Finish::Commit => {
            let mut response = tagged(StatusCode::CREATED, Body::from(body), &tag)?;
            response.headers_mut().insert(header::LOCATION, value(location)?);
            Ok(response)
        }
        Finish::Rollback => tagged(StatusCode::OK, Body::from(body), &tag),
    }
}

/// Marks an answer that shows a secret.
pub(in crate::http) fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn serialize(version: Version, view: &impl Serialize) -> Result<(Vec<u8>, String)> {
    let body = serde_json::to_vec(view).map_err(|error| Problem::internal(format!("a view: {error}")))?;
    let tag = etag::of(version, &body);
    Ok((body, tag))
}

fn tagged(status: StatusCode, body: Body, tag: &str) -> Result<Response> {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::ETAG, value(tag)?);
    if status != StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    }
    Ok(response)
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|error| Problem::internal(format!("a header: {error}")))
}
