//! Where a request comes from.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::AppState;
use crate::origin::Origin;

/// The client's address, as the audit and the rate limit know it; `None` when there is no connection.
#[derive(Debug)]
pub(in crate::http) struct Address(pub(in crate::http) Option<IpAddr>);

impl FromRequestParts<AppState> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Origin>().and_then(|origin| origin.client)))
    }
}
