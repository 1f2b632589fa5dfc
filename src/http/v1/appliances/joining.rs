//! Credentials for the gateways on appliances.

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
    /// The gateway's credential, for its token file; `null` after a dry run, which makes none.
    #[schema(required = true)]
    token: Option<String>,
    /// When it stops being good by itself; `null` is never.
    #[schema(required = true)]
    expires_at: Option<DateTime<Utc>>,
    /// The command that starts the gateway on the appliance, once the token is in the file that it names.
    command: String,
}

/// The endpoints.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(join))
}

/// Makes a credential for an appliance's gateway. The newest two of an appliance are good.
#[utoipa::path(post, path = "/{id}/join-token", tag = "appliances", operation_id = "create_join_token",
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses(
        (status = 201, description = "The credential, which is not shown again", body = JoinToken),
        (status = 200, description = "What would be answered, without a credential (dry_run)", body = JoinToken)))]
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
    let view = JoinToken { token, expires_at: None, command: joining.command };
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Json(view)).into_response())
}
