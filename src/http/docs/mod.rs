//! `/docs`: the OpenAPI document as a page. Made on the server, without a script, so that it also works where there
//! is no Internet and no JavaScript.

mod page;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Html;
use axum::routing::get;

pub(super) use self::page::escape;
use crate::app::AppState;

const STYLE: &str = include_str!("style.css");
/// The page has a style sheet of its own and nothing else.
pub(super) const POLICY: (HeaderName, HeaderValue) = (
    header::CONTENT_SECURITY_POLICY,
    HeaderValue::from_static(
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
);

/// The routes of the page, made from the OpenAPI document.
pub(super) fn routes(document: &str) -> Router<AppState> {
    let page = page::render(&serde_json::from_str(document).unwrap_or_default());
    let serve = move || {
        let page = page.clone();
        async move { ([POLICY], Html(page)) }
    };
    let style = || async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) };
    Router::new().route("/docs", get(serve)).route("/docs/style.css", get(style))
}
