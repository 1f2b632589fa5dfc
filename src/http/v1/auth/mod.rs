//! Signing in, and who is signed in.

mod view;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{GrantInput, KeySet, Me, TokenView};
use crate::access::token::Secret;
use crate::app::{AppState, auth};
use crate::domain::user::Password;
use crate::error::{Error, GrantRefusal};
use crate::http::extract::{Caller, FormBody, NoQuery};
use crate::http::problem::Result;

/// The endpoints under `/v1/auth`.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(token)).routes(routes!(me))
}

/// The endpoint under `/.well-known`.
pub(in crate::http) fn well_known_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(jwks))
}

/// Gives tokens for a password or a refresh token (OAuth 2.0). A refresh token is good once.
#[utoipa::path(post, path = "/token", tag = "auth", operation_id = "create_token", security(()),
    request_body(content = GrantInput, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "Tokens", body = TokenView)))]
async fn token(State(state): State<AppState>, FormBody(fields): FormBody) -> Result<Response> {
    let tokens = match field(&fields, "grant_type")? {
        "password" => {
            let (username, password) = (field(&fields, "username")?, field(&fields, "password")?);
            auth::password_grant(&state, username, Password::candidate(password.to_owned())).await?
        }
        "refresh_token" => {
            let presented = Secret::presented(field(&fields, "refresh_token")?);
            auth::refresh_grant(&state, &presented).await?
        }
        _ => return Err(Error::Grant(GrantRefusal::UnsupportedGrantType).into()),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(TokenView::new(tokens))).into_response())
}

/// A parameter that has to be there once.
fn field<'a>(fields: &'a [(String, String)], name: &str) -> Result<&'a str> {
    let mut values = fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (None | Some(_), _) => Err(Error::Grant(GrantRefusal::BadRequest).into()),
    }
}

/// Says who is signed in.
#[utoipa::path(get, path = "/me", tag = "auth", operation_id = "read_me",
    responses((status = 200, description = "The caller", body = Me)))]
async fn me(State(state): State<AppState>, Caller(claims): Caller, NoQuery: NoQuery) -> Result<Json<Me>> {
    let scope = auth::me(&state, &claims).await?;
    Ok(Json(Me::new(&scope.actor, &scope.tenant)))
}

/// Publishes the keys that access tokens are checked with (RFC 7517).
#[utoipa::path(get, path = "/jwks.json", tag = "auth", operation_id = "read_jwks", security(()),
    responses((status = 200, description = "The keys", body = KeySet)))]
async fn jwks(State(state): State<AppState>) -> Response {
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(state.keys.jwks())).into_response()
}
