//! `/publications`: pushing what was saved to appliances.

mod events;
mod view;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{OrderInput, Preview, Publication, PublicationSummary};
use super::objects::respond;
use super::objects::view::List;
use crate::app::{AppState, publications};
use crate::domain::version::Version;
use crate::http::extract::{
    Caller, IfNoneMatch, JsonBody, NoQuery, Pages, PublicationPath, TenantPath, Write,
};
use crate::http::problem::{Problem, Result};
use crate::store::tx::Finish;

/// The endpoints.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(preview))
        .routes(routes!(read))
        .routes(routes!(cancel))
        .merge(events::routes())
}

/// Lists publications, the newest first.
#[utoipa::path(get, path = "/", tag = "publications", operation_id = "list_publications",
    params(
        ("page" = Option<u32>, Query, description = "The page, counted from 1", minimum = 1, maximum = 1_000_000),
        ("per_page" = Option<u32>, Query, description = "The items of a page, 10 if not given", minimum = 1, maximum = 100),
    ),
    responses((status = 200, description = "A page", body = List<PublicationSummary>)))]
async fn list(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    Pages(query): Pages,
) -> Result<Json<List<PublicationSummary>>> {
    let scope = state.scope(&claims, &tenant).await?;
    let page = publications::list(scope, &query).await?;
    Ok(Json(List::new(page.map(PublicationSummary::from), &query)))
}

/// Publishes to appliances what their objects say now, or an earlier revision again.
#[utoipa::path(post, path = "/", tag = "publications", operation_id = "create_publication", request_body = OrderInput,
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses(
        (status = 202, description = "On its way", body = Publication, headers(("Location" = String))),
        (status = 200, description = "What would be published (dry_run)", body = Publication)))]
async fn create(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    Write(finish): Write,
    JsonBody(document): JsonBody,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let tenant = scope.tenant.id;
    let detail = publications::publish(&state, scope, &document, finish).await?;
    match finish {
        Finish::Rollback => Ok(Json(Publication::from(detail)).into_response()),
        Finish::Commit => {
            let location = format!("/v1/tenants/{tenant}/publications/{}", detail.publication.id);
            let location = HeaderValue::from_str(&location)
                .map_err(|error| Problem::internal(format!("a header: {error}")))?;
            let headers = [(header::LOCATION, location)];
            Ok((StatusCode::ACCEPTED, headers, Json(Publication::from(detail))).into_response())
        }
    }
}

/// Shows what a publication would change on each appliance, against what was published to it last.
#[utoipa::path(post, path = "/preview", tag = "publications", operation_id = "preview_publication",
    request_body = OrderInput,
    responses((status = 200, description = "One entry for each appliance", body = Preview)))]
async fn preview(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    NoQuery: NoQuery,
    JsonBody(document): JsonBody,
) -> Result<Json<Preview>> {
    let scope = state.scope(&claims, &tenant).await?;
    Ok(Json(Preview::from(publications::preview(scope, &document).await?)))
}

/// Reads a publication.
#[utoipa::path(get, path = "/{id}", tag = "publications", operation_id = "read_publication",
    responses((status = 200, description = "It", body = Publication, headers(("ETag" = String)))))]
async fn read(
    State(state): State<AppState>,
    Caller(claims): Caller,
    PublicationPath(tenant, publication): PublicationPath,
    IfNoneMatch(known): IfNoneMatch,
    NoQuery: NoQuery,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let detail = publications::read(scope, publication).await?;
    // Nobody saves versions of a publication; what tells its answers apart is the hash in the tag.
    respond::read(Version::FIRST, &Publication::from(detail), known.as_ref())
}

/// Cancels what of a publication is not delivered yet: those appliances are to run again what they applied last.
#[utoipa::path(post, path = "/{id}/cancel", tag = "publications", operation_id = "cancel_publication",
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 200, description = "As it is now", body = Publication)))]
async fn cancel(
    State(state): State<AppState>,
    Caller(claims): Caller,
    PublicationPath(tenant, publication): PublicationPath,
    Write(finish): Write,
) -> Result<Json<Publication>> {
    let scope = state.scope(&claims, &tenant).await?;
    let detail = publications::cancel(&state, scope, publication, finish).await?;
    Ok(Json(Publication::from(detail)))
}
