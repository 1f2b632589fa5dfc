//! Signing in, and who is signed in.

mod oidc;
mod view;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{GrantInput, InvitationAcceptance, KeySet, Me, PasswordChange, TokenView};
use crate::access::token::Secret;
use crate::app::{AppState, auth};
use crate::domain::password::Password;
use crate::error::{Error, GrantRefusal};
use crate::http::extract::{Address, Caller, FormBody, JsonBody, NoQuery};
use crate::http::problem::Result;

/// The endpoints under `/v1/auth`.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(token))
        .routes(routes!(me))
        .routes(routes!(accept))
        .routes(routes!(change_password))
        .merge(oidc::routes())
}

/// The endpoint under `/.well-known`.
pub(in crate::http) fn well_known_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(jwks))
}

/// Gives tokens (OAuth 2.0) for a password, a refresh token, the id and the secret of a service account, or the one-time
/// code of a sign-in with an outside issuer. A refresh token is good once, and so is a code.
#[utoipa::path(post, path = "/token", tag = "auth", operation_id = "create_token", security(()),
    request_body(content = GrantInput, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "Tokens", body = TokenView)))]
async fn token(
    State(state): State<AppState>,
    Address(address): Address,
    FormBody(fields): FormBody,
) -> Result<Response> {
    let tokens = match field(&fields, "grant_type")? {
        "password" => {
            let (username, password) = (field(&fields, "username")?, field(&fields, "password")?);
            auth::password_grant(&state, username, Password::candidate(password.to_owned()), address).await?
        }
        "refresh_token" => {
            let presented = Secret::presented(field(&fields, "refresh_token")?);
            auth::refresh_grant(&state, &presented).await?
        }
        "client_credentials" => {
            let secret = Secret::presented(field(&fields, "client_secret")?);
            auth::client_grant(&state, field(&fields, "client_id")?, &secret, address).await?
        }
        "authorization_code" => {
            let code = Secret::presented(field(&fields, "code")?);
            auth::oidc::code_grant(&state, &code, field(&fields, "code_verifier")?).await?
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

/// Accepts an invitation: the person who was invited chooses a password.
#[utoipa::path(post, path = "/invitations", tag = "auth", operation_id = "accept_invitation", security(()),
    request_body = InvitationAcceptance,
    responses((status = 204, description = "The person can sign in now")))]
async fn accept(State(state): State<AppState>, JsonBody(document): JsonBody) -> Result<StatusCode> {
    auth::accept_invitation(&state, &document).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the caller's own password, which ends the caller's other sign-ins.
#[utoipa::path(put, path = "/password", tag = "auth", operation_id = "change_password",
    request_body = PasswordChange,
    responses((status = 204, description = "Changed")))]
async fn change_password(
    State(state): State<AppState>,
    Caller(claims): Caller,
    JsonBody(document): JsonBody,
) -> Result<StatusCode> {
    auth::change_password(&state, &claims, &document).await?;
    Ok(StatusCode::NO_CONTENT)
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
