//! `/permission-defaults`: what roles may do with objects on which nothing is set.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::objects::respond;
use super::objects::view::{PermissionChange, PermissionView};
use crate::app::AppState;
use crate::app::permission_defaults::{self, Block, Effective};
use crate::domain::version::Version;
use crate::http::extract::{Caller, IfMatch, IfNoneMatch, JsonBody, NoQuery, TenantPath, Write};
use crate::http::problem::Result;

/// What roles may do with objects on which nothing is set, for each kind of object.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PermissionDefaults {
    /// How often they were saved.
    version: Version,
    /// Those of the tenant's objects, by kind; `inherited` is what its provider says, or what is built in.
    defaults: BTreeMap<&'static str, Vec<PermissionView>>,
    /// Those that the provider gives its enterprises, which may set their own; only on the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    enterprises: Option<BTreeMap<&'static str, Vec<PermissionView>>>,
}

impl From<Effective> for PermissionDefaults {
    fn from(effective: Effective) -> Self {
        let block = |block: Block| {
            let views = block
                .into_iter()
                .map(|(kind, roles)| (kind.as_str(), roles.into_iter().map(PermissionView::from).collect()));
            views.collect()
        };
        Self {
            version: effective.version,
            defaults: block(effective.own),
            enterprises: effective.enterprises.map(block),
        }
    }
}

/// Permission defaults to be. What is left out is as the provider says, or built in; in place of a kind's roles the list
/// that answers have may be sent. At least one administrator keeps `edit`: where only inheriting would leave one, it is
/// written down, so that later defaults of the provider cannot take it away.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the use case, since it reports all errors"
)]
pub(in crate::http) struct PermissionDefaultsInput {
    /// By kind: `service`, `alg_policy`, `sub_profile`, `master_profile`, `appliance`.
    #[schema(nullable = false)]
    defaults: Option<BTreeMap<String, PermissionChange>>,
    /// Those of a provider's enterprises, by kind.
    #[schema(nullable = false)]
    enterprises: Option<BTreeMap<String, PermissionChange>>,
}

/// The endpoints.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read, replace))
}

/// Reads what roles may do with objects on which nothing is set.
#[utoipa::path(get, path = "/", tag = "permission-defaults", operation_id = "read_permission_defaults",
    responses((status = 200, description = "For each kind one entry for each role", body = PermissionDefaults,
               headers(("ETag" = String)))))]
async fn read(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    IfNoneMatch(known): IfNoneMatch,
    NoQuery: NoQuery,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let effective = permission_defaults::read(scope).await?;
    respond::read(effective.version, &PermissionDefaults::from(effective), known.as_ref())
}

/// Replaces what roles may do with objects on which nothing is set. Nobody can give more than the own permission.
#[utoipa::path(put, path = "/", tag = "permission-defaults", operation_id = "replace_permission_defaults",
    request_body = PermissionDefaultsInput,
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 200, description = "As they are now", body = PermissionDefaults, headers(("ETag" = String)))))]
async fn replace(
    State(state): State<AppState>,
    Caller(claims): Caller,
    TenantPath(tenant): TenantPath,
    IfMatch(precondition): IfMatch,
    Write(finish): Write,
    JsonBody(document): JsonBody,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let effective = permission_defaults::replace(scope, &precondition, &document, finish).await?;
    respond::changed(effective.version, &PermissionDefaults::from(effective))
}
