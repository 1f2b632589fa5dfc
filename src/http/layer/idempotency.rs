//! Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a POST that is repeated with its key is answered as it
//! was the first time, and not carried out again.

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::Instrument as _;

use crate::app::AppState;
use crate::app::idempotency::{self, Once};
use crate::domain::idempotency::{Answer, Claim, Fingerprint, IdempotencyKey, MAX_ANSWER_BYTES};
use crate::error::Error;
use crate::http::extract::{Caller, MAX_BODY_BYTES};
use crate::http::problem::{Problem, Result};
use crate::origin::Origin;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The headers that are kept with an answer.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::ETAG, header::LOCATION];

/// Marks an answer that says that the same request may do more when it comes again, so it is not kept with its key.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Provisional;

/// The middleware.
pub(in crate::http) async fn replay(State(state): State<AppState>, request: Request, next: Next) -> Response {
    // A preview changes nothing, and may be long.
    if request.method() != Method::POST
        || !request.headers().contains_key(KEY)
        || request.uri().path().ends_with("/preview")
    {
        return next.run(request).await;
    }
    answer(state, request, next).await.unwrap_or_else(|problem| problem.into_response())
}

async fn answer(state: AppState, request: Request, next: Next) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    // Whoever is not signed in is told so by the handler.
    let Ok(Caller(claims)) = Caller::from_request_parts(&mut parts, &state).await else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let mut keys = parts.headers.get_all(KEY).iter();
    let key = keys.next().and_then(|key| key.to_str().ok()).and_then(IdempotencyKey::parse);
    let key = key.filter(|_| keys.next().is_none()).ok_or_else(|| Error::Parameter {
        parameter: KEY.to_string(),
        detail: "is to be one key of 1 to 255 visible ASCII characters".to_owned(),
    })?;
    let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| Problem::too_large())?;
    let fingerprint = Fingerprint::of(&parts.uri.to_string(), &body);
    match idempotency::look(&state, &claims, &key, fingerprint).await? {
        Claim::Fresh => {
            let request = Request::from_parts(parts, Body::from(body));
            let once = Once::new(claims.tenant, claims.sub, key);
            // To its end, also when the client does not wait for it: the answer is what the next attempt is given.
            let run = Origin::current().scope(carry_out(state, once, fingerprint, request, next));
            let outcome = tokio::spawn(run.in_current_span()).await;
            outcome.map_err(|error| Problem::internal(format!("a request with a key: {error}")))?
        }
        Claim::Mismatch => Err(Problem::key_reused()),
        Claim::TooMany => Err(Problem::too_many_keys()),
        Claim::Answered(Answer { body: None, .. }) => Err(Problem::answer_not_kept()),
        Claim::Answered(Answer { status, headers, body: Some(body) }) => {
            let status = StatusCode::from_u16(status)
                .map_err(|error| Problem::internal(format!("a kept answer: {error}")))?;
            let mut response = (status, body).into_response();
            response.headers_mut().remove(header::CONTENT_TYPE);
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
                    response.headers_mut().insert(name, value);
                }
            }
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            Ok(response)
        }
    }
}

/// Carries a request out, and keeps what it did with its answer. One that was refused changed nothing; what a
/// provisional answer tells of is kept already.
async fn carry_out(
    state: AppState,
    once: Once,
    fingerprint: Fingerprint,
    request: Request,
    next: Next,
) -> Result<Response> {
    let response = once.clone().scope(next.run(request)).await;
    if !response.status().is_success() || response.extensions().get::<Provisional>().is_some() {
        if let Err(error) = once.undo().await {
            tracing::debug!("a refused request ended with its connection: {error}");
        }
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let secret = parts.headers.get(header::CACHE_CONTROL).is_some_and(|value| value == "no-store");
    let short = body.size_hint().upper().is_some_and(|size| size <= MAX_ANSWER_BYTES);
    let (body, kept) = match short {
        true => {
            // The body is in memory already.
            let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
            (Body::from(Bytes::clone(&bytes)), (!secret).then(|| bytes.to_vec()))
        }
        false => (body, None),
    };
    let headers = KEPT.iter().filter_map(|name| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    });
    let answer = Answer { status: parts.status.as_u16(), headers: headers.collect(), body: kept };
    idempotency::keep(&state, &once, fingerprint, &answer).await?;
    Ok(Response::from_parts(parts, body))
}
