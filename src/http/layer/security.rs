//! Headers that keep browsers from doing with an answer what it was not meant for.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

const DEFAULTS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    ),
    // An answer depends on who asks and is checked by its ETag each time.
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
];

/// Completes an answer. A handler's own headers stand.
pub(in crate::http) fn defend<B>(mut response: Response<B>) -> Response<B> {
    for (name, value) in DEFAULTS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}
