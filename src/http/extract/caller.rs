//! Who is calling, by the bearer token, RFC 6750.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::access::token::Claims;
use crate::app::AppState;
use crate::error::{Error, Unauthenticated};
use crate::http::problem::{Problem, Result};

/// What the caller's access token says, its signature and time checked.
#[derive(Debug)]
pub(in crate::http) struct Caller(pub(in crate::http) Claims);

impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let fail = |why| Problem::from(Error::Unauthenticated(why));
        let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next().ok_or_else(|| fail(Unauthenticated::NoToken))?;
        if values.next().is_some() {
            return Err(fail(Unauthenticated::BadToken));
        }
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| fail(Unauthenticated::BadToken))?;
        Ok(Self(state.keys.verify(token, state.clock.now())?))
    }
}
