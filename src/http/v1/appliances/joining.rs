//! How the gateways on appliances get in, and how they are put out.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{AppState, appliances};
use crate::http::extract::{Caller, ObjectPath, Write};
use crate::http::problem::Result;
use crate::store::tx::Finish;

/// What makes a gateway an appliance's. Shown once.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct JoinToken {
    /// The token, for the file that the command names, good once; `null` after a dry run, which makes none.
    #[schema(required = true)]
    token: Option<String>,
    /// When it stops being good.
    expires_at: DateTime<Utc>,
    /// The command that starts the gateway on the appliance, once the token is in the file that it names.
    command: String,
}

/// The endpoints.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(join)).routes(routes!(revoke))
}

/// Makes a token that an appliance's gateway enrols with, once; it takes the place of one that was not used.
#[utoipa::path(post, path = "/{id}/join-token", tag = "appliances", operation_id = "create_join_token",
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses(
        (status = 201, description = "The token, which is not shown again", body = JoinToken),
        (status = 200, description = "What would be answered, without a token (dry_run)", body = JoinToken)))]
async fn join(
    State(state): State<AppState>,
    Caller(claims): Caller,
    ObjectPath(tenant, appliance): ObjectPath,
    Write(finish): Write,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let joining = appliances::join(&state, scope, &appliance, finish).await?;
    let status = match finish {
        Finish::Commit => StatusCode::CREATED,
        Finish::Rollback => StatusCode::OK,
    };
    let token = joining.token.map(|token| token.reveal().to_owned());
    let view = JoinToken { token, expires_at: joining.expires_at, command: joining.command };
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Json(view)).into_response())
}

/// Revokes the certificates and the join token of an appliance's gateway, whose stream ends at once. It can come back
/// with a new join token.
#[utoipa::path(delete, path = "/{id}/certificates", tag = "appliances", operation_id = "revoke_certificates",
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 204, description = "There is no certificate that is good (any more)")))]
async fn revoke(
    State(state): State<AppState>,
    Caller(claims): Caller,
    ObjectPath(tenant, appliance): ObjectPath,
    Write(finish): Write,
) -> Result<StatusCode> {
    let scope = state.scope(&claims, &tenant).await?;
    appliances::revoke(&state, scope, &appliance, finish).await?;
    Ok(StatusCode::NO_CONTENT)
}
