//! `/problems`: what each type of problem means and what to do about it, for people.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::Path;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;

use crate::app::AppState;
use crate::error::Error;
use crate::http::docs::POLICY;
use crate::http::problem::Problem;

/// A type of problem.
struct Entry {
    slug: &'static str,
    status: u16,
    meaning: &'static str,
}

const fn entry(slug: &'static str, status: u16, meaning: &'static str) -> Entry {
    Entry { slug, status, meaning }
}

/// Every type of problem that there is. A test finds those that are missing.
const CATALOGUE: [Entry; 32] = [
    entry(
        "answer-not-kept",
        409,
        "A request with this Idempotency-Key was carried out before. Its answer was a secret, which is not shown twice, or too long to be kept. Read what it made, or make another with a new key.",
    ),
    entry(
        "appliance-answer",
        502,
        "The gateway of the appliance refused the question, or its answer makes no sense. The detail has its reason, if it gave one. Another version of the gateway may do better.",
    ),
    entry(
        "appliance-not-connected",
        409,
        "No gateway of the appliance is connected to any controller, so there is nobody to ask. The state of the appliance says when it was last there.",
    ),
    entry(
        "appliance-silent",
        503,
        "The gateway of the appliance is connected and did not answer within some seconds, or has many questions to answer already. Try again after the time in Retry-After; something that was to end may have ended.",
    ),
    entry(
        "appliance-unable",
        409,
        "The gateway of the appliance is of a version that cannot be asked this. Update it.",
    ),
    entry(
        "bad-parameter",
        400,
        "A parameter of the path, the query or a header does not parse or does not exist. The detail names it.",
    ),
    entry("bad-request", 400, "The request is not acceptable as HTTP; see the status."),
    entry("body-too-large", 413, "The body is larger than 1 MiB."),
    entry(
        "forbidden",
        403,
        "You can see this and your role may not do that with it. An administrator can change the object's permissions.",
    ),
    entry(
        "grant-refused",
        400,
        "The token endpoint gives no token; the member error has the code of RFC 6749 section 5.2. Sign in again.",
    ),
    entry(
        "in-use",
        409,
        "Other objects refer to this one; used_by names those that you can see. Remove these references first.",
    ),
    entry("internal", 500, "An error on this side. The request id finds it in the server's log."),
    entry(
        "invalid-fields",
        422,
        "Fields of the body are wrong or unknown. The member errors has all of them, each with its JSON pointer.",
    ),
    entry(
        "issuer-unavailable",
        503,
        "The issuer that signs people in does not answer, or not as an issuer does. Try again after the time in Retry-After; the server's log says why.",
    ),
    entry(
        "key-in-use",
        409,
        "A request with this Idempotency-Key is under way. Try again after the time in Retry-After; you will be given its answer.",
    ),
    entry(
        "key-reused",
        409,
        "This Idempotency-Key came with another request before. A key belongs to one request; choose a new one.",
    ),
    entry("malformed-body", 400, "The body is not well-formed JSON, or not a well-formed form."),
    entry(
        "method-not-allowed",
        405,
        "The resource does not have this method; the header Allow lists those that it has.",
    ),
    entry("name-taken", 409, "Another one of its kind has that name; case makes no difference."),
    entry("not-found", 404, "There is nothing here, or nothing that you can see."),
    entry(
        "not-ready",
        503,
        "The server is starting, or its database does not answer. Try again after the time in Retry-After.",
    ),
    entry(
        "precondition-required",
        428,
        "A change takes the ETag of the version that it changes, in If-Match, so that nobody's change is lost. Read the object first.",
    ),
    entry(
        "publication-ended",
        409,
        "Every appliance of the publication has applied or rejected its revision already.",
    ),
    entry(
        "sign-in-failed",
        400,
        "The sign-in with the issuer came to nothing: it was begun in another browser, was finished before or took too long, or the issuer did not sign the person in, or its answer is not acceptable. Begin again.",
    ),
    entry(
        "sign-in-refused",
        403,
        "The issuer knows the person, and this installation has no place for that person, or not now. An administrator can say why.",
    ),
    entry(
        "sign-in-throttled",
        429,
        "Too many sign-ins from your address have failed. Try again after the time in Retry-After.",
    ),
    entry(
        "stale",
        412,
        "The object has changed since you read it. The header ETag has the current version; read it, and decide again.",
    ),
    entry("tenant-not-empty", 409, "The tenant still holds objects. Delete them first."),
    entry(
        "too-many-requests",
        429,
        "Too many requests, sign-ins or idempotency keys. Try again after the time in Retry-After.",
    ),
    entry(
        "unauthenticated",
        401,
        "No access token was sent, or it is not good any more. Sign in, or refresh the token.",
    ),
    entry(
        "unavailable",
        503,
        "The database does not answer, or not now. Try again after the time in Retry-After.",
    ),
    entry("unsupported-media-type", 415, "The body is to be of the media type that the detail names."),
];

/// The pages.
pub(in crate::http) fn routes() -> Router<AppState> {
    Router::new().route("/problems", get(index)).route("/problems/{slug}", get(page))
}

async fn index() -> Response {
    let mut list = String::from("<ul>");
    for Entry { slug, status, .. } in &CATALOGUE {
        // Writing to a string does not fail.
        let _ = write!(list, "<li>{status} <a href=\"/problems/{slug}\">{slug}</a></li>");
    }
    list.push_str("</ul>");
    render("Problems", &list)
}

async fn page(Path(slug): Path<String>) -> Response {
    match CATALOGUE.iter().find(|entry| entry.slug == slug) {
        Some(Entry { slug, status, meaning }) => {
            let body = format!(
                "<p>Status {status}, type <code>/problems/{slug}</code></p><p>{meaning}</p>\
                 <p><a href=\"/problems\">All problems</a></p>"
            );
            render(slug, &body)
        }
        None => Problem::from(Error::NotFound).into_response(),
    }
}

/// A page of what stands in the catalogue, which needs no escaping.
fn render(title: &str, body: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body><h1>{title}</h1>{body}</body></html>\n"
    );
    ([POLICY], Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    use super::CATALOGUE;

    /// The type is the first text in what makes a problem.
    #[test]
    fn every_problem_is_in_the_catalogue() {
        let source = include_str!("../problem.rs");
        let mut made: Vec<&str> =
            source.split("Self::new(").skip(1).filter_map(|call| call.split('"').nth(1)).collect();
        made.sort_unstable();
        made.dedup();
        let listed: Vec<&str> = CATALOGUE.iter().map(|entry| entry.slug).collect();
        assert_eq!(made, listed);
        for entry in &CATALOGUE {
            assert!(!entry.meaning.contains(['<', '>', '&']), "{}", entry.slug);
        }
    }
}
