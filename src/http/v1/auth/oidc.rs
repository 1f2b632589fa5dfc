//! Signing in with an outside issuer, for browsers. A page or a program makes a verifier, sends the browser to `start`
//! with its SHA-256, is given a one-time code in the end, and exchanges that with the verifier for tokens. So no token is
//! in a URL, and a code is of no use to who finds it.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::view::SignIns;
use crate::app::AppState;
use crate::app::auth::oidc;
use crate::http::extract::{Address, NoQuery, SentBack, SignIn};
use crate::http::problem::{Problem, Result};
use crate::oidc::{CALLBACK_PATH, LIFETIME};

/// What the browser keeps a sign-in under. With TLS, browsers see to it that nobody else sets it (RFC 6265bis, section
/// 4.1.3.2).
const COOKIE: &str = "pinhole-sign-in";
const SECURE_COOKIE: &str = "__Host-pinhole-sign-in";

/// The endpoints under `/v1/auth`.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(start)).routes(routes!(callback))
}

/// Lists the ways to sign in with an outside issuer, for the page to show.
#[utoipa::path(get, path = "/oidc", tag = "auth", operation_id = "list_sign_ins", security(()),
    responses((status = 200, description = "The ways", body = SignIns)))]
async fn list(State(state): State<AppState>, NoQuery: NoQuery) -> Json<SignIns> {
    Json(SignIns::new(state.oidc.as_ref()))
}

/// Sends a browser to the issuer (OpenID Connect Core 1.0). It is sent back to `callback`, and from there with `code` to
/// `/sign-in` of this origin, in the fragment, or to `loopback_port` of 127.0.0.1, in the query.
#[utoipa::path(get, path = "/oidc/start", tag = "auth", operation_id = "start_sign_in", security(()),
    params(
        ("code_challenge" = String, Query, description = "The base64url of the SHA-256 of a verifier (RFC 7636)", pattern = "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$", example = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method" = String, Query, description = "`S256`", pattern = "^S256$", example = "S256"),
        ("loopback_port" = Option<u16>, Query, description = "Where a program on the browser's host listens for the code (RFC 8252)", minimum = 1, maximum = 65535),
    ),
    responses((status = 303, description = "To the issuer", headers(("Location" = String), ("Set-Cookie" = String)))))]
async fn start(State(state): State<AppState>, SignIn(challenge, target): SignIn) -> Result<Response> {
    let begun = oidc::begin(&state, challenge, target).await?;
    redirect(&begun.location, &cookie(&state, &begun.kept, LIFETIME.num_seconds()))
}

/// Takes a browser that the issuer sends back, and sends it on with a one-time code.
#[utoipa::path(get, path = "/oidc/callback", tag = "auth", operation_id = "finish_sign_in", security(()),
    params(
        ("state" = String, Query, description = "What `start` has sent the issuer", example = "af0ifjsldkj"),
        ("code" = Option<String>, Query, description = "The issuer's code"),
        ("error" = Option<String>, Query, description = "Instead of a code, why there is none (RFC 6749, section 4.1.2.1)"),
        ("iss" = Option<String>, Query, description = "The issuer (RFC 9207)"),
    ),
    responses((status = 303, description = "On, with a one-time code", headers(("Location" = String)))))]
async fn callback(
    State(state): State<AppState>,
    Address(address): Address,
    headers: HeaderMap,
    SentBack(callback): SentBack,
) -> Result<Response> {
    let kept = kept(&headers, cookie_name(&state));
    let location = oidc::go_on(&state, &callback, kept, address).await?;
    redirect(&location, &cookie(&state, "", 0))
}

fn redirect(location: &str, cookie: &str) -> Result<Response> {
    let value = |text: &str| {
        HeaderValue::from_str(text).map_err(|error| Problem::internal(format!("a redirect: {error}")))
    };
    let headers = [
        (header::LOCATION, value(location)?),
        (header::SET_COOKIE, value(cookie)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

fn cookie_name(state: &AppState) -> &'static str {
    if state.oidc.as_ref().is_some_and(|party| party.is_secure()) { SECURE_COOKIE } else { COOKIE }
}

/// The issuer's redirect is a navigation from another site, which `Lax` lets through and `Strict` would not.
fn cookie(state: &AppState, value: &str, seconds: i64) -> String {
    let name = cookie_name(state);
    let bounds =
        if name == SECURE_COOKIE { "Path=/; Secure".to_owned() } else { format!("Path={CALLBACK_PATH}") };
    format!("{name}={value}; {bounds}; Max-Age={seconds}; HttpOnly; SameSite=Lax")
}

/// The cookie of that name, if there is just one.
fn kept<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut named = cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .filter(|(given, _)| *given == name)
        .map(|(_, value)| value);
    named.next().filter(|_| named.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_only_alone() {
        let found = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, line.parse().unwrap());
            }
            kept(&headers, COOKIE).map(str::to_owned)
        };
        assert_eq!(found(&["a=b; pinhole-sign-in=x=y; c"]), Some("x=y".to_owned()));
        assert_eq!(found(&["a=b", "pinhole-sign-in=x"]), Some("x".to_owned()));
        assert_eq!(found(&["pinhole-sign-in=x; pinhole-sign-in=y"]), None);
        assert_eq!(found(&["__Host-pinhole-sign-in=x", "pinhole-sign-in2=x", "pinhole-sign-in"]), None);
    }
}
