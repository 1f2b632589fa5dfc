//! `/audit`: who did what, as pages of JSON or all of it as lines.

mod view;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{EntryView, PageView};
use crate::access::token::Claims;
use crate::app::AppState;
use crate::app::audit::{self, AuditPage};
use crate::domain::audit::AuditQuery;
use crate::domain::page::MAX_PER_PAGE;
use crate::domain::reference::Ref;
use crate::error::Error;
use crate::http::extract::{AuditParameters, Caller, TenantPath};
use crate::http::problem::{Problem, Result};
use crate::ids::TenantId;
use crate::origin::Origin;

const LINES: &str = "application/x-ndjson";

/// The endpoint.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Reads what was done in a tenant, the newest first. With `Accept: application/x-ndjson` everything that fits is sent, an
/// entry in a line.
#[utoipa::path(get, path = "/", tag = "audit", operation_id = "list_audit",
    params(
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before", pattern = "^[1-9][0-9]{0,17}$"),
        ("per_page" = Option<u32>, Query, description = "The most entries of a page, 50 if not given", minimum = 1, maximum = 100),
        ("q" = Option<String>, Query, description = "Text to look for in actions, kinds and names", max_length = 200),
        ("object" = Option<String>, Query, description = "The id or the name of what it was done to", max_length = 200),
        ("actor" = Option<String>, Query, description = "The id or the name of who did it", max_length = 200),
        ("from" = Option<chrono::DateTime<chrono::Utc>>, Query, description = "Not earlier than this"),
        ("to" = Option<chrono::DateTime<chrono::Utc>>, Query, description = "Earlier than this"),
    ),
    responses((status = 200, description = "Entries", content(
        (PageView = "application/json"), (EntryView = "application/x-ndjson")))))]
async fn list(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    AuditParameters(query): AuditParameters,
    headers: HeaderMap,
) -> Result<Response> {
    if wants_lines(&headers) {
        return lines(state, claims, tenant, query).await;
    }
    let page = audit::list(state.scope(&claims, &tenant).await?, &query).await?;
    Ok(Json(PageView::from(page)).into_response())
}

fn wants_lines(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|range| range.split(';').next().is_some_and(|range| range.trim().eq_ignore_ascii_case(LINES)))
}

/// Sends all entries page by page, each page in a transaction of its own: whoever stops being allowed to read on, stops.
async fn lines(
    state: AppState,
    claims: Claims,
    tenant: Ref<TenantId>,
    mut query: AuditQuery,
) -> Result<Response> {
    query.limit = MAX_PER_PAGE;
    let origin = Origin::current();
    // The first page is read before anything is answered, so that a refusal has its status.
    let first = audit::list(state.scope(&claims, &tenant).await?, &query).await?;
    let (bytes, cursor) = encode(first)?;
    let rest = stream::try_unfold(cursor, move |cursor| {
        let (state, claims, tenant) = (state.clone(), claims.clone(), tenant.clone());
        let query = AuditQuery { cursor, ..query.clone() };
        async move {
            if query.cursor.is_none() {
                return Ok(None);
            }
            let read = origin.scope(async {
                let page = audit::list(state.scope(&claims, &tenant).await?, &query).await?;
                encode(page)
            });
            read.await.map(Some).map_err(|problem| cut(&problem))
        }
    });
    let body = futures_util::StreamExt::chain(stream::iter([Ok::<_, std::io::Error>(bytes)]), rest);
    Ok(([(header::CONTENT_TYPE, LINES)], Body::from_stream(body)).into_response())
}

/// The answer has begun, so all that is left is to end it early; the client sees that it is incomplete.
fn cut(problem: &Problem) -> std::io::Error {
    tracing::warn!(reason = problem.internal_text(), "an export of the audit was cut off");
    std::io::Error::other("the export was cut off")
}

fn encode(page: AuditPage) -> Result<(Bytes, Option<i64>)> {
    let next = page.next;
    let mut text = Vec::new();
    for shown in page.items {
        serde_json::to_writer(&mut text, &EntryView::from(shown))
            .map_err(|error| Problem::from(Error::Internal(format!("a view: {error}"))))?;
        text.push(b'\n');
    }
    Ok((text.into(), next))
}
