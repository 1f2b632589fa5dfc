//! What the gateways on appliances do now, and what they are to end.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::live_view::{MappingsView, PinholesView, SessionsView};
use crate::app::AppState;
use crate::app::live::{self, Kill};
use crate::domain::alg_protocol::AlgProtocol;
use crate::domain::live::SessionProtocol;
use crate::http::extract::{
    Caller, LivePath, MappingListing, ObjectPath, PinholeListing, SessionListing, Write,
};
use crate::http::problem::Result;

/// The endpoints.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(sessions))
        .routes(routes!(end_session))
        .routes(routes!(pinholes))
        .routes(routes!(close_pinhole))
        .routes(routes!(mappings))
}

/// Lists the sessions that an appliance's gateway has now. They come in no order, and while one reads page after page
/// some come and go.
#[utoipa::path(get, path = "/{id}/sessions", tag = "appliances", operation_id = "list_appliance_sessions",
    params(
        ("address" = Option<String>, Query, description = "One of the addresses of a session", format = Ipv4),
        ("port" = Option<u16>, Query, description = "One of its ports, or its ICMP identifier", minimum = 1, maximum = 65_535),
        ("protocol" = Option<SessionProtocol>, Query, description = "Its protocol"),
        ("alg" = Option<AlgProtocol>, Query, description = "The ALG that reads it, or that announced it"),
        ("state" = Option<String>, Query, description = "How far it has come", pattern = "^(unreplied|replied|syn_sent|syn_received|established|closing|closed)$"),
        ("cursor" = Option<String>, Query, description = "Where to go on: `next_cursor` of the answer before", pattern = "^[0-9]{1,18}$"),
        ("limit" = Option<u32>, Query, description = "The most sessions, 100 if not given", minimum = 1, maximum = 256),
    ),
    responses((status = 200, description = "Sessions", body = SessionsView)))]
async fn sessions(
    State(state): State<AppState>,
    Caller(claims): Caller,
    ObjectPath(tenant, appliance): ObjectPath,
    SessionListing(listing): SessionListing,
) -> Result<Json<SessionsView>> {
    let scope = state.scope(&claims, &tenant).await?;
    Ok(Json(live::sessions(&state, scope, &appliance, listing).await?.into()))
}

/// Ends a session. Both ends of a TCP connection are told; hosts that go on with another protocol may open it anew.
#[utoipa::path(delete, path = "/{id}/sessions/{live}", tag = "appliances", operation_id = "end_appliance_session",
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and end nothing")),
    responses((status = 204, description = "It has ended")))]
async fn end_session(
    State(state): State<AppState>,
    Caller(claims): Caller,
    LivePath { tenant, appliance, target }: LivePath,
    Write(finish): Write,
) -> Result<StatusCode> {
    let scope = state.scope(&claims, &tenant).await?;
    live::kill(&state, scope, &appliance, Kill::Session, target, finish).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the pinholes that an appliance's gateway has open now, oldest first.
#[utoipa::path(get, path = "/{id}/pinholes", tag = "appliances", operation_id = "list_appliance_pinholes",
    params(
        ("address" = Option<String>, Query, description = "One of the addresses of a pinhole", format = Ipv4),
        ("port" = Option<u16>, Query, description = "One of its ports", minimum = 1, maximum = 65_535),
        ("protocol" = Option<SessionProtocol>, Query, description = "The announced session's protocol"),
        ("alg" = Option<AlgProtocol>, Query, description = "The ALG that opened it"),
        ("cursor" = Option<String>, Query, description = "Where to go on: `next_cursor` of the answer before", pattern = "^[0-9]{1,18}$"),
        ("limit" = Option<u32>, Query, description = "The most pinholes, 100 if not given", minimum = 1, maximum = 256),
    ),
    responses((status = 200, description = "Pinholes", body = PinholesView)))]
async fn pinholes(
    State(state): State<AppState>,
    Caller(claims): Caller,
    ObjectPath(tenant, appliance): ObjectPath,
    PinholeListing(listing): PinholeListing,
) -> Result<Json<PinholesView>> {
    let scope = state.scope(&claims, &tenant).await?;
    Ok(Json(live::pinholes(&state, scope, &appliance, listing).await?.into()))
}

/// Closes a pinhole: who was announced is not let in any more.
#[utoipa::path(delete, path = "/{id}/pinholes/{live}", tag = "appliances", operation_id = "close_appliance_pinhole",
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and close nothing")),
    responses((status = 204, description = "It is closed")))]
async fn close_pinhole(
    State(state): State<AppState>,
    Caller(claims): Caller,
    LivePath { tenant, appliance, target }: LivePath,
    Write(finish): Write,
) -> Result<StatusCode> {
    let scope = state.scope(&claims, &tenant).await?;
    live::kill(&state, scope, &appliance, Kill::Pinhole, target, finish).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the mappings that an appliance's gateway has now, in no order.
#[utoipa::path(get, path = "/{id}/mappings", tag = "appliances", operation_id = "list_appliance_mappings",
    params(
        ("address" = Option<String>, Query, description = "One of the addresses of a mapping", format = Ipv4),
        ("port" = Option<u16>, Query, description = "One of its ports, or its ICMP identifier", minimum = 1, maximum = 65_535),
        ("protocol" = Option<SessionProtocol>, Query, description = "Its protocol"),
        ("cursor" = Option<String>, Query, description = "Where to go on: `next_cursor` of the answer before", pattern = "^[0-9]{1,18}$"),
        ("limit" = Option<u32>, Query, description = "The most mappings, 100 if not given", minimum = 1, maximum = 256),
    ),
    responses((status = 200, description = "Mappings", body = MappingsView)))]
async fn mappings(
    State(state): State<AppState>,
    Caller(claims): Caller,
    ObjectPath(tenant, appliance): ObjectPath,
    MappingListing(listing): MappingListing,
) -> Result<Json<MappingsView>> {
    let scope = state.scope(&claims, &tenant).await?;
    Ok(Json(live::mappings(&state, scope, &appliance, listing).await?.into()))
}
