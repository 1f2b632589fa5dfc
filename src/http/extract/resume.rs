//! Where a stream of events was cut off: `Last-Event-ID`, as the HTML standard has it (9.2, server-sent events).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::AppState;
use crate::error::Error;
use crate::http::problem::{Problem, Result};
use crate::store::tx::Mark;

const HEADER: &str = "last-event-id";
/// The id of a last event.
pub(in crate::http) const DONE: &str = "done";

/// From where a client wants to read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Resume {
    /// From the start.
    Start,
    /// After an event.
    After(Mark),
    /// It has read the last event.
    Done,
}

impl FromRequestParts<AppState> for Resume {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        let Some(value) = parts.headers.get(HEADER) else { return Ok(Self::Start) };
        let malformed = || Error::Parameter {
            parameter: HEADER.to_owned(),
            detail: "is to be the id of an event of this stream".to_owned(),
        };
        match value.to_str().map_err(|_| malformed())? {
            DONE => Ok(Self::Done),
            text if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Self::After(text.parse().map_err(|_| malformed())?))
            }
            _ => Err(malformed().into()),
        }
    }
}
