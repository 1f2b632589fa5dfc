//! `/publications/{id}/events`: what becomes of a publication, as it happens.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::view::Publication;
use crate::app::AppState;
use crate::app::publications::{self, Detail, Progress, Watch};
use crate::domain::publication::PublicationState;
use crate::http::extract::{Caller, DONE, NoQuery, PublicationPath, Resume};
use crate::http::problem::Result;
use crate::origin::Origin;

/// Keeps proxies that would collect the stream from doing so.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// The endpoint.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Tells what becomes of a publication, as server-sent events until it is done.
///
/// The data of an event is the publication as it is now, with the appliances whose status has changed since the event
/// before: all of them in the first event, or what has changed since `Last-Event-ID`. Events are called `progress`, and
/// the last one `done`. The stream also ends when the caller may not read the publication any longer, at the latest with
/// the access token; then it is to be asked for again.
#[utoipa::path(get, path = "/{id}/events", tag = "publications", operation_id = "watch_publication",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was read",
            pattern = "^([0-9]{1,19}|done)$")),
    responses(
        (status = 200, description = "Events", content_type = "text/event-stream", body = String,
         example = "id: 742\nevent: progress\ndata: {\"state\": \"running\"}\n\n"),
        (status = 204, description = "The last event was read already")))]
async fn events(
    State(state): State<AppState>,
    Caller(claims): Caller,
    PublicationPath(tenant, publication): PublicationPath,
    resume: Resume,
    NoQuery: NoQuery,
) -> Result<Response> {
    let since = match resume {
        Resume::Start | Resume::Done => None,
        Resume::After(mark) => Some(mark),
    };
    // Also for one who has read everything: what it may not see is not there.
    let (first, watch) = publications::watch(&state, claims, tenant, publication, since).await?;
    if resume == Resume::Done && first.publication.state != PublicationState::Running {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let origin = Origin::current();
    let events = stream::unfold(Some((Some(first), watch)), move |rest| origin.scope(next(rest)));
    Ok(([UNBUFFERED], Sse::new(events).keep_alive(KeepAlive::default())).into_response())
}

/// What is left of a stream: an event that is known already, and who watches.
type Rest = Option<(Option<Progress>, Watch)>;

async fn next(rest: Rest) -> Option<(std::result::Result<Event, axum::Error>, Rest)> {
    let (known, mut watch) = rest?;
    let progress = match known {
        Some(progress) => progress,
        None => watch.next().await?,
    };
    let running = progress.publication.state == PublicationState::Running;
    Some((event(progress), running.then_some((None, watch))))
}

fn event(progress: Progress) -> std::result::Result<Event, axum::Error> {
    let Progress { publication, changed, mark } = progress;
    let event = match publication.state {
        PublicationState::Running => Event::default().id(mark.to_string()).event("progress"),
        PublicationState::Succeeded | PublicationState::Failed | PublicationState::Cancelled => {
            Event::default().id(DONE).event(DONE)
        }
    };
    event.json_data(Publication::from(Detail { publication, deliveries: changed }))
}
