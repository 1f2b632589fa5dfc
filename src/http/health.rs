//! `/healthz` and `/readyz`: whether the process lives, and whether it can do its work.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::NoQuery;
use super::problem::{Problem, Result};
use crate::app::AppState;
use crate::store::readiness::{self, Readiness};

/// A state of the process.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(super) struct HealthView {
    status: HealthStatus,
}

/// The states that are answered with success.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum HealthStatus {
    /// The process answers.
    Alive,
    /// The database answers and has the schema that this program needs.
    Ready,
}

/// The endpoints.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(alive)).routes(routes!(ready))
}

/// Answers as long as the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", operation_id = "read_liveness", security(()),
    responses((status = 200, description = "The process lives", body = HealthView)))]
pub(super) async fn alive() -> Json<HealthView> {
    Json(HealthView { status: HealthStatus::Alive })
}

/// Says whether requests can be served: the database answers and is migrated.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "read_readiness", security(()),
    responses((status = 200, description = "Requests can be served", body = HealthView)))]
async fn ready(State(state): State<AppState>, NoQuery: NoQuery) -> Result<Json<HealthView>> {
    match readiness::check(&state.store).await {
        Ok(Readiness::Ready) => Ok(Json(HealthView { status: HealthStatus::Ready })),
        Ok(Readiness::Behind) => Err(Problem::not_ready("the database is not migrated")),
        Err(error) => {
            tracing::debug!(%error, "not ready");
            Err(Problem::not_ready("the database does not answer"))
        }
    }
}
