//! What gateways tell of their traffic.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::traffic_view::{CountersView, EventsView};
use crate::app::{AppState, live};
use crate::http::extract::{After, Caller, NoQuery, ObjectPath};
use crate::http::problem::Result;

/// The endpoints.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(events)).routes(routes!(counters))
}

/// Reads the newest events of an appliance's gateway, oldest first. They are kept in memory, about a thousand of each
/// appliance, by the controller that the gateway is connected to, and read by way of any.
#[utoipa::path(get, path = "/{id}/events", tag = "appliances", operation_id = "read_events",
    params(
        ("after" = Option<u64>, Query, description = "The number to go on after: `next` of the answer before"),
        ("limit" = Option<u32>, Query, description = "The most events, 100 if not given", minimum = 1, maximum = 1_000),
    ),
    responses((status = 200, description = "Events", body = EventsView)))]
async fn events(
    State(state): State<AppState>,
    Caller(claims): Caller,
    ObjectPath(tenant, appliance): ObjectPath,
    After { after, limit }: After,
) -> Result<Json<EventsView>> {
    let scope = state.scope(&claims, &tenant).await?;
    let page = live::events(&state, scope, &appliance, after, limit).await?;
    Ok(Json(page.into()))
}

/// Reads the last counters of an appliance's gateway. They are kept in memory by the controller that the gateway is
/// connected to, and read by way of any.
#[utoipa::path(get, path = "/{id}/counters", tag = "appliances", operation_id = "read_counters",
    responses((status = 200, description = "Counters", body = CountersView)))]
async fn counters(
    State(state): State<AppState>,
    Caller(claims): Caller,
    ObjectPath(tenant, appliance): ObjectPath,
    NoQuery: NoQuery,
) -> Result<Json<CountersView>> {
    let scope = state.scope(&claims, &tenant).await?;
    let reading = live::counters(&state, scope, &appliance).await?;
    Ok(Json(reading.into()))
}
