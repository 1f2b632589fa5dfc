//! Problem documents, RFC 9457.

pub(super) mod catalogue;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;

use super::docs::{POLICY, escape};
use super::etag;
use super::v1::NamedView;
use crate::domain::input::FieldError;
use crate::error::{ApplianceFault, Error, GrantRefusal, SignInFailure, Unauthenticated};

/// When a caller that was turned away for want of room or of a database may come back.
const RETRY_AFTER_S: &str = "2";

/// The same, when a day's keys are used up.
const KEYS_RETRY_AFTER_S: &str = "3600";

/// What a refused request is answered with.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemView {
    /// What kind of problem it is: stable, `/problems/<slug>`.
    #[serde(rename = "type")]
    #[schema(example = "/problems/invalid-fields")]
    kind: String,
    /// The kind of problem in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened this time.
    detail: String,
    /// The request's path.
    instance: String,
    /// The request, as the server's log names it.
    request_id: String,
    /// The fields that are wrong, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Who refers to the object that cannot be deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    used_by: Vec<NamedView>,
    /// The token endpoint's error code, RFC 6749 section 5.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

impl ProblemView {
    /// The problem as a page, for people whose browser was sent here.
    pub(super) fn page(&self) -> Response {
        let (title, detail, id) = (escape(self.title), escape(&self.detail), escape(&self.request_id));
        let page = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body><h1>{title}</h1><p>{detail}</p>\
             <p>Request {id}</p></body></html>\n"
        );
        ([POLICY], Html(page)).into_response()
    }
}

/// A problem on its way out, until [`super::layer::problem`] writes it into the response.
#[derive(Debug, Clone)]
pub(super) struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    status: StatusCode,
    slug: &'static str,
    title: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    used_by: Vec<NamedView>,
    error: Option<&'static str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log only.
    internal: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, slug: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            status,
            slug,
            title,
            detail: detail.into(),
            errors: Vec::new(),
            used_by: Vec::new(),
            error: None,
            headers: Vec::new(),
            internal: None,
        }))
    }

    pub(super) fn malformed_body(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed-body", "The body is not well-formed", detail)
    }

    pub(super) fn too_large() -> Self {
        let detail = "the body is larger than 1 MiB";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large", detail)
    }

    pub(super) fn media_type(wanted: &str) -> Self {
        let detail = format!("the body is to be {wanted}");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Not this media type", detail)
    }

    pub(super) fn key_reused() -> Self {
        let detail = "another request came with this Idempotency-Key";
        Self::new(StatusCode::CONFLICT, "key-reused", "The key is another request's", detail)
    }

    pub(super) fn answer_not_kept() -> Self {
        let detail = "the request was carried out before, and its answer is not shown twice";
        Self::new(StatusCode::CONFLICT, "answer-not-kept", "The answer is not shown twice", detail)
    }

    pub(super) fn too_many_keys() -> Self {
        let detail = "too many idempotency keys in a day";
        Self::too_many(detail).header(header::RETRY_AFTER, KEYS_RETRY_AFTER_S)
    }

    pub(super) fn rate_limited(retry_after_s: u64) -> Self {
        let detail = format!("too many requests; try again in {retry_after_s} s");
        Self::too_many(detail).header(header::RETRY_AFTER, &retry_after_s.to_string())
    }

    fn too_many(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too much at once", detail)
    }

    /// The problem of a response that some library made, by its status.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Error::NotFound.into(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(),
            StatusCode::METHOD_NOT_ALLOWED => {
                let detail = "the resource does not have this method";
                Self::new(status, "method-not-allowed", "Method not allowed", detail)
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => {
                Error::Unavailable("the request took too long".to_owned()).into()
            }
            status if status.is_server_error() => {
                Self::internal(format!("a bare response of status {status}"))
            }
            status => Self::new(status, "bad-request", "The request is not acceptable", "see the status"),
        }
    }

    /// Not to be sent requests now. Whoever asks does so again and again, so it is not logged each time.
    pub(super) fn not_ready(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready", detail)
            .header(header::RETRY_AFTER, RETRY_AFTER_S)
    }

    pub(super) fn internal(text: String) -> Self {
        let detail = "an error on this side; the request id finds it in the server's log";
        let mut problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail);
        problem.0.internal = Some(text);
        problem
    }

    pub(super) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The text for the log, if the problem is the server's own.
    pub(super) fn internal_text(&self) -> Option<&str> {
        self.0.internal.as_deref()
    }

    pub(super) fn view(self, instance: String, request_id: String) -> ProblemView {
        let Parts { status, slug, title, detail, errors, used_by, error, .. } = *self.0;
        let kind = format!("/problems/{slug}");
        let status = status.as_u16();
        ProblemView { kind, title, status, detail, instance, request_id, errors, used_by, error }
    }

    fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.push((name, value));
        }
        self
    }

    fn grant(refusal: GrantRefusal) -> Self {
        let code = match refusal {
            GrantRefusal::WrongPassword | GrantRefusal::BadRefreshToken | GrantRefusal::BadCode => {
                "invalid_grant"
            }
            GrantRefusal::WrongClient => "invalid_client",
            GrantRefusal::UnsupportedGrantType => "unsupported_grant_type",
            GrantRefusal::BadRequest => "invalid_request",
        };
        let mut problem =
            Self::new(StatusCode::BAD_REQUEST, "grant-refused", "No token is given", refusal.to_string());
        problem.0.error = Some(code);
        problem
    }

    fn sign_in(failure: SignInFailure) -> Self {
        match failure {
            SignInFailure::NoAttempt | SignInFailure::IssuerRefused | SignInFailure::IssuerAnswer => {
                let title = "The sign-in failed";
                Self::new(StatusCode::BAD_REQUEST, "sign-in-failed", title, failure.to_string())
            }
            SignInFailure::NotGranted => {
                let title = "No place for you";
                Self::new(StatusCode::FORBIDDEN, "sign-in-refused", title, failure.to_string())
            }
        }
    }

    fn appliance(fault: ApplianceFault) -> Self {
        let detail = fault.to_string();
        match fault {
            ApplianceFault::NotConnected => {
                Self::new(StatusCode::CONFLICT, "appliance-not-connected", "Not connected", detail)
            }
            ApplianceFault::Unable => {
                Self::new(StatusCode::CONFLICT, "appliance-unable", "Too old a gateway", detail)
            }
            ApplianceFault::Silent | ApplianceFault::Busy => {
                let title = "The gateway does not answer";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "appliance-silent", title, detail)
                    .header(header::RETRY_AFTER, RETRY_AFTER_S)
            }
            ApplianceFault::Refused(_) | ApplianceFault::Nonsense => {
                let title = "The gateway's answer is of no use";
                Self::new(StatusCode::BAD_GATEWAY, "appliance-answer", title, detail)
            }
        }
    }

    fn unauthenticated(why: Unauthenticated) -> Self {
        // RFC 6750 section 3: without a token there is no error to name.
        let challenge = match why {
            Unauthenticated::NoToken => "Bearer realm=\"pinhole\"".to_owned(),
            Unauthenticated::BadToken | Unauthenticated::ExpiredToken | Unauthenticated::Ended => {
                format!("Bearer realm=\"pinhole\", error=\"invalid_token\", error_description=\"{why}\"")
            }
        };
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Not signed in", why.to_string())
            .header(header::WWW_AUTHENTICATE, &challenge)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(errors) => {
                let detail = match errors.as_slice() {
                    [error] => format!("{} {}", error.pointer, error.detail),
                    errors => format!("{} fields are wrong", errors.len()),
                };
                let mut problem =
                    Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-fields", "Fields are wrong", detail);
                problem.0.errors = errors;
                problem
            }
            Error::Parameter { parameter, detail } => Self::new(
                StatusCode::BAD_REQUEST,
                "bad-parameter",
                "A parameter does not parse",
                format!("{parameter}: {detail}"),
            ),
            Error::Unauthenticated(why) => Self::unauthenticated(why),
            Error::Grant(refusal) => Self::grant(refusal),
            Error::SignIn(failure) => Self::sign_in(failure),
            Error::IssuerUnavailable(text) => {
                let detail = "the issuer that signs you in does not answer; try again";
                let mut problem = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "issuer-unavailable",
                    "The issuer is unavailable",
                    detail,
                )
                .header(header::RETRY_AFTER, RETRY_AFTER_S);
                problem.0.internal = Some(text);
                problem
            }
            Error::Appliance(fault) => Self::appliance(fault),
            Error::Forbidden(detail) => Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail),
            Error::NotFound => {
                let detail = "there is nothing here, or nothing that you can see";
                Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
            }
            Error::NameTaken { name } => Self::new(
                StatusCode::CONFLICT,
                "name-taken",
                "The name is taken",
                format!("another one is called \"{name}\"; case makes no difference"),
            ),
            Error::InUse { by } => {
                let detail = "others refer to it; remove those references first";
                let mut problem = Self::new(StatusCode::CONFLICT, "in-use", "In use", detail);
                problem.0.used_by = by.into_iter().map(NamedView::from).collect();
                problem
            }
            Error::TenantNotEmpty => {
                let detail = "the tenant still holds objects; delete them first, or delete it with cascade";
                Self::new(StatusCode::CONFLICT, "tenant-not-empty", "The tenant is not empty", detail)
            }
            Error::KeyInUse => {
                let detail = "a request with this Idempotency-Key is under way";
                Self::new(StatusCode::CONFLICT, "key-in-use", "The request is under way", detail)
                    .header(header::RETRY_AFTER, RETRY_AFTER_S)
            }
            Error::PublicationEnded => {
                let detail = "every appliance has applied or rejected its revision already";
                Self::new(StatusCode::CONFLICT, "publication-ended", "The publication has ended", detail)
            }
            Error::PreconditionRequired => Self::new(
                StatusCode::PRECONDITION_REQUIRED,
                "precondition-required",
                "If-Match is required",
                "a change takes the ETag of the version that it changes, in If-Match",
            ),
            Error::Stale { current } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "stale",
                "Changed since",
                format!("If-Match names another version than the current one, which is {current}"),
            )
            .header(header::ETAG, &etag::of_version(current)),
            Error::Throttled { wait_s } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "sign-in-throttled",
                "Too many failures",
                "too many sign-ins from this address have failed; see Retry-After",
            )
            .header(header::RETRY_AFTER, &wait_s.to_string()),
            Error::TooMany => {
                Self::too_many("too much at once; try again").header(header::RETRY_AFTER, RETRY_AFTER_S)
            }
            Error::Unavailable(text) => {
                let detail = "the database does not answer; try again";
                let mut problem =
                    Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable", detail)
                        .header(header::RETRY_AFTER, RETRY_AFTER_S);
                problem.0.internal = Some(text);
                problem
            }
            Error::Internal(text) => Self::internal(text),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let headers = std::mem::take(&mut self.0.headers);
        let mut response = self.0.status.into_response();
        for (name, value) in headers {
            response.headers_mut().append(name, value);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// What handlers fail with.
pub(super) type Result<T, E = Problem> = std::result::Result<T, E>;
