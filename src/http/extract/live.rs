//! What a gateway is asked, and what it is to end.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::path::{segments, tenant};
use super::query::parse;
use crate::app::AppState;
use crate::domain::live::{Listed, Listing, LiveId};
use crate::domain::reference::{ObjectRef, Ref};
use crate::error::Error;
use crate::http::problem::{Problem, Result};
use crate::ids::TenantId;

/// `.../{tenant}/appliances/{id}/<what>/{live}`
#[derive(Debug)]
pub(in crate::http) struct LivePath {
    pub(in crate::http) tenant: Ref<TenantId>,
    pub(in crate::http) appliance: ObjectRef,
    pub(in crate::http) target: LiveId,
}

/// Which sessions are asked for.
#[derive(Debug)]
pub(in crate::http) struct SessionListing(pub(in crate::http) Listing);

/// Which pinholes are asked for.
#[derive(Debug)]
pub(in crate::http) struct PinholeListing(pub(in crate::http) Listing);

/// Which mappings are asked for.
#[derive(Debug)]
pub(in crate::http) struct MappingListing(pub(in crate::http) Listing);

impl FromRequestParts<AppState> for LivePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let segments = segments(parts, state).await?;
        let appliance = segments.get("id").and_then(|text| ObjectRef::parse(text));
        let target = segments.get("live").and_then(|text| LiveId::parse(text));
        Ok(Self {
            tenant: tenant(&segments).ok_or(Error::NotFound)?,
            appliance: appliance.ok_or(Error::NotFound)?,
            target: target.ok_or(Error::NotFound)?,
        })
    }
}

impl FromRequestParts<AppState> for SessionListing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        parse(parts, |pairs| Listing::parse(Listed::Sessions, pairs)).map(Self)
    }
}

impl FromRequestParts<AppState> for PinholeListing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        parse(parts, |pairs| Listing::parse(Listed::Pinholes, pairs)).map(Self)
    }
}

impl FromRequestParts<AppState> for MappingListing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        parse(parts, |pairs| Listing::parse(Listed::Mappings, pairs)).map(Self)
    }
}
