//! `/users`: who can sign in. For administrators.

mod view;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{NewUser, User, UserInput, UserPatch};
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

/// Lists the users of a tenant.
#[utoipa::path(get, path = "/", tag = "users", operation_id = "list_users",
    params(
        ("q" = Option<String>, Query, description = "Text to look for in names and e-mail addresses", max_length = 200),
        ("sort" = Option<String>, Query, description = "`name`, `-name`, `updated_at` or `-updated_at`", pattern = "^-?(name|updated_at)$"),
        ("page" = Option<u32>, Query, description = "The page, counted from 1", minimum = 1, maximum = 1_000_000),
        ("per_page" = Option<u32>, Query, description = "The items of a page, 10 if not given", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "A page", body = List<User>)))]
async fn list(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    ListParameters(query): ListParameters,
) -> Result<Json<List<User>>> {
    let scope = state.scope(&claims, &tenant).await?;
    let page = users::list(scope, AccountKind::Person, &query).await?;
    Ok(Json(List::new(page.map(User::from), &query)))
}

/// Creates a user. User names are unique in the whole installation, since signing in names no tenant.
#[utoipa::path(post, path = "/", tag = "users", operation_id = "create_user", request_body = UserInput,
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses(
        (status = 201, description = "Created", body = NewUser, headers(("ETag" = String), ("Location" = String))),
        (status = 200, description = "What would be created (dry_run)", body = NewUser)))]
async fn create(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    Write(finish): Write,
    JsonBody(document): JsonBody,
) -> Result<Response> {
    let Created { user, secret } = users::create(&state, &claims, &tenant, &document, finish).await?;
    let location = format!("/v1/tenants/{}/users/{}", user.tenant, user.id);
    respond::created(user.version, &NewUser::new(user, secret.as_ref()), &location, finish).map(no_store)
}

/// Reads a user.
#[utoipa::path(get, path = "/{id}", tag = "users", operation_id = "read_user",
    responses((status = 200, description = "The user", body = User, headers(("ETag" = String)))))]
async fn read(
    State(state): State<AppState>,
    Caller(claims): Caller,
    UserPath(tenant, user): UserPath,
    NoQuery: NoQuery,
    IfNoneMatch(known): IfNoneMatch,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let user = users::read(scope, AccountKind::Person, &user).await?;
    respond::read(user.version, &User::from(user), known.as_ref())
}

/// Changes a user by merge patch (RFC 7396). One who is disabled is signed out at once.
#[utoipa::path(patch, path = "/{id}", tag = "users", operation_id = "change_user",
    request_body(content = UserPatch, content_type = "application/merge-patch+json"),
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 200, description = "The user now", body = User, headers(("ETag" = String)))))]
async fn change(
    State(state): State<AppState>,
    Caller(claims): Caller,
    UserPath(tenant, user): UserPath,
    Write(finish): Write,
    IfMatch(precondition): IfMatch,
    PatchBody(patch): PatchBody,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let user = users::change(scope, AccountKind::Person, &user, &precondition, &patch, finish).await?;
    respond::changed(user.version, &User::from(user))
}

/// Deletes a user, whose sign-ins end at once.
#[utoipa::path(delete, path = "/{id}", tag = "users", operation_id = "delete_user",
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 204, description = "Deleted")))]
async fn delete(
    State(state): State<AppState>,
    Caller(claims): Caller,
    UserPath(tenant, user): UserPath,
    Write(finish): Write,
) -> Result<StatusCode> {
    let scope = state.scope(&claims, &tenant).await?;
    users::delete(scope, AccountKind::Person, &user, finish).await?;
    Ok(StatusCode::NO_CONTENT)
}
