//! `/sessions`: sign-ins, one's own and for administrators all of the tenant.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::objects::view::List;
use crate::app::{AppState, sessions};
use crate::http::extract::{Caller, Pages, SessionPath, TenantPath, Write};
use crate::http::problem::Result;
use crate::ids::{SessionId, UserId};
use crate::store;

/// A sign-in that has not ended.
#[derive(Debug, Serialize, ToSchema)]
struct Session {
    id: SessionId,
    user: SessionUser,
    created_at: DateTime<Utc>,
    /// When it was refreshed last.
    last_used_at: DateTime<Utc>,
    /// When it ends by itself.
    expires_at: DateTime<Utc>,
    /// Whether it is the caller's own that asks.
    current: bool,
}

/// Whose sign-in it is.
#[derive(Debug, Serialize, ToSchema)]
struct SessionUser {
    id: UserId,
    name: String,
}

/// The endpoints.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(end))
}

/// Lists the sign-ins that have not ended, the newest first: the caller's own, and all of the tenant for an
/// administrator.
#[utoipa::path(get, path = "/", tag = "sessions", operation_id = "list_sessions",
    params(
        ("page" = Option<u32>, Query, description = "The page, counted from 1", minimum = 1, maximum = 1_000_000),
        ("per_page" = Option<u32>, Query, description = "The items of a page, 10 if not given", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "A page", body = List<Session>)))]
async fn list(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    Pages(query): Pages,
) -> Result<Json<List<Session>>> {
    let scope = state.scope(&claims, &tenant).await?;
    let current = scope.actor.session;
    let page = sessions::list(scope, &query).await?;
    let view = |session: store::sessions::Session| Session {
        id: session.id,
        user: SessionUser { id: session.user_id, name: session.username },
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
        current: session.id == current,
    };
    Ok(Json(List::new(page.map(view), &query)))
}

/// Ends a sign-in, whose tokens are over at once.
#[utoipa::path(delete, path = "/{id}", tag = "sessions", operation_id = "end_session",
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 204, description = "Ended")))]
async fn end(
    State(state): State<AppState>,
    Caller(claims): Caller,
    SessionPath(tenant, session): SessionPath,
    Write(finish): Write,
) -> Result<StatusCode> {
    let scope = state.scope(&claims, &tenant).await?;
    sessions::end(scope, session, finish).await?;
    Ok(StatusCode::NO_CONTENT)
}
