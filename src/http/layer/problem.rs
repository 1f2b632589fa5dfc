//! Writes problem documents, also for errors that a library answered with in its own way, and logs the ones that
//! are the server's.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::request_id;
use crate::http::problem::Problem;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Where people are sent by links, and read what went wrong themselves.
const NAVIGATED: &str = "/v1/auth/oidc/";

/// The middleware.
pub(in crate::http) async fn render(request: Request, next: Next) -> Response {
    let instance = request.uri().path().to_owned();
    let page = instance.starts_with(NAVIGATED) && prefers_html(request.headers());
    let request_id = request_id::of(&request).unwrap_or_default().to_owned();
    let mut response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let problem = response.extensions_mut().remove().unwrap_or_else(|| Problem::of_status(status));
    if let Some(text) = problem.internal_text() {
        tracing::error!(request.id = %request_id, request.path = %instance, "request failed: {text}");
    }
    let status = problem.status();
    let mut headers = std::mem::take(response.headers_mut());
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, MEDIA_TYPE);
    // Made with the problem's own headers, should a bare response have been given one.
    let bare = problem.clone().into_response();
    for (name, value) in bare.headers() {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    let view = problem.view(instance, request_id);
    let mut rendered = if page {
        headers.remove(header::CONTENT_TYPE);
        (status, view.page()).into_response()
    } else {
        (status, Json(view)).into_response()
    };
    for (name, value) in std::mem::take(rendered.headers_mut()) {
        if let (true, Some(name)) = (page, name) {
            headers.insert(name, value);
        }
    }
    *rendered.headers_mut() = headers;
    rendered
}

/// Whether it is a browser that shows a page: it names HTML, and programs do not.
fn prefers_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| kind.trim().starts_with("text/html"))
}

/// What a handler that panicked is answered with.
pub(in crate::http) fn of_panic(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Problem::internal(format!("panic: {text}")).into_response()
}
