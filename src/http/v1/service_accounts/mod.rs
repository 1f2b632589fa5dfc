//! `/service-accounts`: programs that act as users. For administrators.

mod view;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{NewServiceAccount, ServiceAccount, ServiceAccountInput, ServiceAccountPatch};
use super::objects::respond::{self, no_store};
use super::objects::view::List;
use crate::app::AppState;
use crate::app::users::{self, Created};
use crate::domain::user::AccountKind;
use crate::http::extract::{
    Caller, IfMatch, IfNoneMatch, JsonBody, List as ListParameters, NoQuery, PatchBody, TenantPath, UserPath,
    Write,
};
use crate::http::problem::Result;

/// The endpoints.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, change, delete))
}

/// Lists the service accounts of a tenant.
#[utoipa::path(get, path = "/", tag = "service accounts", operation_id = "list_service_accounts",
    params(
        ("q" = Option<String>, Query, description = "Text to look for in names", max_length = 200),
        ("sort" = Option<String>, Query, description = "`name`, `-name`, `updated_at` or `-updated_at`", pattern = "^-?(name|updated_at)$"),
        ("page" = Option<u32>, Query, description = "The page, counted from 1", minimum = 1, maximum = 1_000_000),
        ("per_page" = Option<u32>, Query, description = "The items of a page, 10 if not given", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "A page", body = List<ServiceAccount>)))]
async fn list(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    ListParameters(query): ListParameters,
) -> Result<Json<List<ServiceAccount>>> {
    let scope = state.scope(&claims, &tenant).await?;
    let page = users::list(scope, AccountKind::ServiceAccount, &query).await?;
    Ok(Json(List::new(page.map(ServiceAccount::from), &query)))
}

/// Creates a service account, which gets tokens with `grant_type=client_credentials`. The secret is shown once.
#[utoipa::path(post, path = "/", tag = "service accounts", operation_id = "create_service_account", request_body = ServiceAccountInput,
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses(
        (status = 201, description = "Created", body = NewServiceAccount, headers(("ETag" = String), ("Location" = String))),
        (status = 200, description = "What would be created (dry_run)", body = NewServiceAccount)))]
async fn create(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    Write(finish): Write,
    JsonBody(document): JsonBody,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let Created { user, secret } = users::create_service_account(scope, &document, finish).await?;
    let location = format!("/v1/tenants/{}/service-accounts/{}", user.tenant, user.id);
    respond::created(user.version, &NewServiceAccount::new(user, secret.as_ref()), &location, finish)
        .map(no_store)
}

/// Reads a service account.
#[utoipa::path(get, path = "/{id}", tag = "service accounts", operation_id = "read_service_account",
    responses((status = 200, description = "The service account", body = ServiceAccount, headers(("ETag" = String)))))]
async fn read(
    State(state): State<AppState>,
    Caller(claims): Caller,
    UserPath(tenant, user): UserPath,
    NoQuery: NoQuery,
    IfNoneMatch(known): IfNoneMatch,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let user = users::read(scope, AccountKind::ServiceAccount, &user).await?;
    respond::read(user.version, &ServiceAccount::from(user), known.as_ref())
}

/// Changes a service account by merge patch (RFC 7396). The tokens of one that is disabled are over at once.
#[utoipa::path(patch, path = "/{id}", tag = "service accounts", operation_id = "change_service_account",
    request_body(content = ServiceAccountPatch, content_type = "application/merge-patch+json"),
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 200, description = "The service account now", body = ServiceAccount, headers(("ETag" = String)))))]
async fn change(
    State(state): State<AppState>,
    Caller(claims): Caller,
    UserPath(tenant, user): UserPath,
    Write(finish): Write,
    IfMatch(precondition): IfMatch,
    PatchBody(patch): PatchBody,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let user =
        users::change(scope, AccountKind::ServiceAccount, &user, &precondition, &patch, finish).await?;
    respond::changed(user.version, &ServiceAccount::from(user))
}

/// Deletes a service account, whose tokens are over at once.
#[utoipa::path(delete, path = "/{id}", tag = "service accounts", operation_id = "delete_service_account",
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 204, description = "Deleted")))]
async fn delete(
    State(state): State<AppState>,
    Caller(claims): Caller,
    UserPath(tenant, user): UserPath,
    Write(finish): Write,
) -> Result<StatusCode> {
    let scope = state.scope(&claims, &tenant).await?;
    users::delete(scope, AccountKind::ServiceAccount, &user, finish).await?;
    Ok(StatusCode::NO_CONTENT)
}
