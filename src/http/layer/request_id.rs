//! Gives each request an id, by which the log, the answer's header and problem documents name it.

use axum::http::{HeaderName, HeaderValue, Request};
use uuid::Uuid;

/// The header of a request within the program, and of its answer.
pub(in crate::http) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Gives a request its id; one that the client gave it is not believed.
pub(in crate::http) fn assign<B>(mut request: Request<B>) -> Request<B> {
    let mut text = Uuid::encode_buffer();
    let text: &str = Uuid::now_v7().hyphenated().encode_lower(&mut text);
    request.headers_mut().remove(HEADER);
    if let Ok(id) = HeaderValue::from_str(text) {
        request.headers_mut().insert(HEADER, id);
    }
    request
}

/// The id that a request was given.
pub(in crate::http) fn of<B>(request: &Request<B>) -> Option<&str> {
    request.headers().get(HEADER)?.to_str().ok()
}
