//! `/v1/tenants`: the provider and its enterprises. An enterprise's user sees just its own.

mod view;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{RemovedTenant, Tenant, TenantInput};
use super::objects::respond;
use super::objects::view::List;
use crate::app::objects::Change;
use crate::app::tenants::Extent;
use crate::app::{AppState, tenants};
use crate::http::extract::{
    Caller, IfMatch, IfNoneMatch, JsonBody, NoQuery, PatchBody, Removal, TenantList, TenantPath, Write,
};
use crate::http::problem::Result;

/// The endpoints.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, replace, patch, delete))
        .routes(routes!(suspend))
        .routes(routes!(resume))
}

/// Lists the tenants that the caller sees.
#[utoipa::path(get, path = "/", tag = "tenants", operation_id = "list_tenants",
    params(
        ("q" = Option<String>, Query, description = "Text to look for in names and descriptions", max_length = 200),
        ("state" = Option<String>, Query, description = "`active` or `suspended`", pattern = "^(active|suspended)$"),
        ("sort" = Option<String>, Query, description = "`name`, `-name`, `updated_at` or `-updated_at`", pattern = "^-?(name|updated_at)$"),
        ("page" = Option<u32>, Query, description = "The page, counted from 1", minimum = 1, maximum = 1_000_000),
        ("per_page" = Option<u32>, Query, description = "The items of a page, 10 if not given", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "A page", body = List<Tenant>)))]
async fn list(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantList(query, wanted): TenantList,
) -> Result<Json<List<Tenant>>> {
    let scope = state.home_scope(&claims).await?;
    let page = tenants::list(scope, &query, wanted).await?;
    Ok(Json(List::new(page.map(Tenant::from), &query)))
}

/// Creates an enterprise. It starts with the master profile `Default-Basic-MP`.
#[utoipa::path(post, path = "/", tag = "tenants", operation_id = "create_tenant", request_body = TenantInput,
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses(
        (status = 201, description = "Created", body = Tenant, headers(("ETag" = String), ("Location" = String))),
        (status = 200, description = "What would be created (dry_run)", body = Tenant)))]
async fn create(
    State(state): State<AppState>,
    Caller(claims): Caller,
    Write(finish): Write,
    JsonBody(document): JsonBody,
) -> Result<Response> {
    let scope = state.home_scope(&claims).await?;
    let tenant = tenants::create(scope, &document, finish).await?;
    let location = format!("/v1/tenants/{}", tenant.id);
    respond::created(tenant.version, &Tenant::from(tenant), &location, finish)
}

/// Reads a tenant.
#[utoipa::path(get, path = "/{tenant}", tag = "tenants", operation_id = "read_tenant",
    responses((status = 200, description = "It", body = Tenant, headers(("ETag" = String)))))]
async fn read(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    IfNoneMatch(known): IfNoneMatch,
    NoQuery: NoQuery,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let tenant = tenants::read(scope).await?;
    respond::read(tenant.version, &Tenant::from(tenant), known.as_ref())
}

/// Replaces what is said about a tenant.
#[utoipa::path(put, path = "/{tenant}", tag = "tenants", operation_id = "replace_tenant", request_body = TenantInput,
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 200, description = "As it is now", body = Tenant, headers(("ETag" = String)))))]
async fn replace(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    IfMatch(precondition): IfMatch,
    Write(finish): Write,
    JsonBody(document): JsonBody,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let tenant = tenants::change(scope, &precondition, Change::Replace(document), finish).await?;
    respond::changed(tenant.version, &Tenant::from(tenant))
}

/// Changes what is said about a tenant by a JSON merge patch (RFC 7396).
#[utoipa::path(patch, path = "/{tenant}", tag = "tenants", operation_id = "patch_tenant",
    request_body(content = serde_json::Map<String, serde_json::Value>, content_type = "application/merge-patch+json"),
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 200, description = "As it is now", body = Tenant, headers(("ETag" = String)))))]
async fn patch(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    IfMatch(precondition): IfMatch,
    Write(finish): Write,
    PatchBody(document): PatchBody,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let tenant = tenants::change(scope, &precondition, Change::Merge(document), finish).await?;
    respond::changed(tenant.version, &Tenant::from(tenant))
}

/// Deletes an enterprise that holds nothing but its first master profile, or with `cascade` all that it holds. Its users go
/// with it.
#[utoipa::path(delete, path = "/{tenant}", tag = "tenants", operation_id = "delete_tenant",
    params(
        ("cascade" = Option<bool>, Query, description = "Delete all that it holds, too; `dry_run` shows what that is"),
        ("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 200, description = "What goes, or would go, with it (cascade)", body = RemovedTenant)))]
async fn delete(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    IfMatch(precondition): IfMatch,
    Removal(extent, finish): Removal,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let removed = tenants::delete(scope, &precondition, extent, finish).await?;
    Ok(match extent {
        Extent::Empty => StatusCode::NO_CONTENT.into_response(),
        Extent::Cascade => Json(RemovedTenant::from(removed)).into_response(),
    })
}

/// Suspends an enterprise: its users cannot sign in, and their tokens stop working; its gateways keep what they have.
#[utoipa::path(post, path = "/{tenant}/suspend", tag = "tenants", operation_id = "suspend_tenant",
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 200, description = "As it is now", body = Tenant, headers(("ETag" = String)))))]
async fn suspend(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    IfMatch(precondition): IfMatch,
    Write(finish): Write,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let tenant = tenants::suspend(scope, &precondition, finish).await?;
    respond::changed(tenant.version, &Tenant::from(tenant))
}

/// Ends the suspension of an enterprise.
#[utoipa::path(post, path = "/{tenant}/resume", tag = "tenants", operation_id = "resume_tenant",
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 200, description = "As it is now", body = Tenant, headers(("ETag" = String)))))]
async fn resume(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    IfMatch(precondition): IfMatch,
    Write(finish): Write,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let tenant = tenants::resume(scope, &precondition, finish).await?;
    respond::changed(tenant.version, &Tenant::from(tenant))
}
