//! Bodies: of the right media type, at most 1 MiB, well-formed.

use axum::Form;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, Method, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;

use super::json::parse;
use crate::app::AppState;
use crate::http::problem::{Problem, Result};

/// The most bytes of a body.
pub(in crate::http) const MAX_BODY_BYTES: usize = 1024 * 1024;

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A JSON document.
#[derive(Debug)]
pub(in crate::http) struct JsonBody(pub(in crate::http) Value);

/// A JSON merge patch.
#[derive(Debug)]
pub(in crate::http) struct PatchBody(pub(in crate::http) Value);

/// The fields of a form, in order.
#[derive(Debug)]
pub(in crate::http) struct FormBody(pub(in crate::http) Vec<(String, String)>);

impl FromRequest<AppState> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &AppState) -> Result<Self> {
        json(request, &[JSON]).await.map(Self)
    }
}

impl FromRequest<AppState> for PatchBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &AppState) -> Result<Self> {
        json(request, &[MERGE_PATCH, JSON]).await.map(Self)
    }
}

impl FromRequest<AppState> for FormBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &AppState) -> Result<Self> {
        let bytes = read(request, &[FORM]).await?;
        let mut checked = Request::new(Body::from(bytes));
        *checked.method_mut() = Method::POST;
        checked.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
        match Form::from_request(checked, &()).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(_) => Err(Problem::malformed_body("the body is not a form")),
        }
    }
}

async fn json(request: Request, accepted: &[&str]) -> Result<Value> {
    let bytes = read(request, accepted).await?;
    parse(&bytes).map_err(|error| {
        // The library's text repeats no part of the body.
        Problem::malformed_body(format!("the body is not JSON: {error}"))
    })
}

async fn read(request: Request, accepted: &[&str]) -> Result<Bytes> {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next()).map(str::trim).unwrap_or_default();
    if !accepted.iter().any(|accepted| essence.eq_ignore_ascii_case(accepted)) {
        return Err(Problem::media_type(&accepted.join(" or ")));
    }
    let limited = Limited::new(request.into_body(), MAX_BODY_BYTES);
    match Body::new(limited).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if is_too_long(&error) => Err(Problem::too_large()),
        Err(_) => Err(Problem::malformed_body("the body ended early")),
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
