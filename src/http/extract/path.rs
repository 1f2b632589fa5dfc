//! What a path names. A segment that can name nothing is not found, like one that names nothing.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::app::AppState;
use crate::domain::reference::{ObjectRef, Ref};
use crate::domain::version::Version;
use crate::error::Error;
use crate::http::problem::{Problem, Result};
use crate::ids::{PublicationId, SessionId, TenantId, UserId};

/// `/v1/tenants/{tenant}`: by id, by name, or as `name:...`.
#[derive(Debug)]
pub(in crate::http) struct TenantPath(pub(in crate::http) Ref<TenantId>);

/// `.../{tenant}/<kind>/{id}`
#[derive(Debug)]
pub(in crate::http) struct ObjectPath(pub(in crate::http) Ref<TenantId>, pub(in crate::http) ObjectRef);

/// `.../{tenant}/<kind>/{id}/versions/{version}`
#[derive(Debug)]
pub(in crate::http) struct VersionPath(
    pub(in crate::http) Ref<TenantId>,
    pub(in crate::http) ObjectRef,
    pub(in crate::http) Version,
);

/// `.../{tenant}/users/{id}`
#[derive(Debug)]
pub(in crate::http) struct UserPath(pub(in crate::http) Ref<TenantId>, pub(in crate::http) Ref<UserId>);

/// `.../{tenant}/sessions/{id}`
#[derive(Debug)]
pub(in crate::http) struct SessionPath(pub(in crate::http) Ref<TenantId>, pub(in crate::http) SessionId);

impl FromRequestParts<AppState> for SessionPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let segments = segments(parts, state).await?;
        let session = segments.get("id").and_then(|text| text.parse().ok());
        Ok(Self(tenant(&segments).ok_or(Error::NotFound)?, session.ok_or(Error::NotFound)?))
    }
}

/// `.../{tenant}/publications/{id}`
#[derive(Debug)]
pub(in crate::http) struct PublicationPath(
    pub(in crate::http) Ref<TenantId>,
    pub(in crate::http) PublicationId,
);

impl FromRequestParts<AppState> for TenantPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let segments = segments(parts, state).await?;
        Ok(Self(tenant(&segments).ok_or(Error::NotFound)?))
    }
}

impl FromRequestParts<AppState> for ObjectPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let segments = segments(parts, state).await?;
        let object = segments.get("id").and_then(|text| ObjectRef::parse(text));
        Ok(Self(tenant(&segments).ok_or(Error::NotFound)?, object.ok_or(Error::NotFound)?))
    }
}

impl FromRequestParts<AppState> for VersionPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let segments = segments(parts, state).await?;
        let object = segments.get("id").and_then(|text| ObjectRef::parse(text));
        let version = segments.get("version").and_then(|text| Version::parse(text));
        Ok(Self(
            tenant(&segments).ok_or(Error::NotFound)?,
            object.ok_or(Error::NotFound)?,
            version.ok_or(Error::NotFound)?,
        ))
    }
}

impl FromRequestParts<AppState> for UserPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let segments = segments(parts, state).await?;
        let user = segments.get("id").and_then(|text| Ref::parse(text));
        Ok(Self(tenant(&segments).ok_or(Error::NotFound)?, user.ok_or(Error::NotFound)?))
    }
}

impl FromRequestParts<AppState> for PublicationPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let segments = segments(parts, state).await?;
        let publication = segments.get("id").and_then(|text| text.parse().ok());
        Ok(Self(tenant(&segments).ok_or(Error::NotFound)?, publication.ok_or(Error::NotFound)?))
    }
}

pub(super) fn tenant(segments: &HashMap<String, String>) -> Option<Ref<TenantId>> {
    segments.get("tenant").and_then(|text| Ref::parse_bare(text))
}

pub(super) async fn segments(parts: &mut Parts, state: &AppState) -> Result<HashMap<String, String>> {
    match Path::<HashMap<String, String>>::from_request_parts(parts, state).await {
        Ok(Path(segments)) => Ok(segments),
        Err(_) => Err(Error::NotFound.into()),
    }
}
