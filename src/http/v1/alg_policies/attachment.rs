//! Attaching a policy to a profile and detaching it.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{AppState, alg_policies};
use crate::http::extract::{Caller, IfMatch, JsonBody, ObjectPath, Write};
use crate::http::problem::{Problem, Result};
use crate::http::v1::master_profiles::MasterProfileView;
use crate::http::v1::objects::respond;
use crate::http::v1::sub_profiles::SubProfileView;

/// The profile that a policy is attached to or detached from.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the use case, since it reports all errors"
)]
pub(in crate::http) struct AttachmentInput {
    /// A basic master profile or a sub-profile: by id, or by name as `name:Default-Basic-MP` if only one of the two kinds
    /// has it.
    profile: String,
}

/// A profile that can hold a policy.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = PolicyHolder)]
pub(in crate::http) enum ProfileView {
    /// A basic master profile.
    Master(MasterProfileView),
    /// A sub-profile.
    Sub(SubProfileView),
}

/// The endpoints.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(attach)).routes(routes!(detach))
}

/// Attaches a policy to a profile, in place of the one that the profile has.
#[utoipa::path(post, path = "/{id}/attach", tag = "alg-policies", operation_id = "attach_alg_policy",
    request_body = AttachmentInput,
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 200, description = "The profile as it is now", body = ProfileView,
               headers(("ETag" = String)))))]
async fn attach(
    State(state): State<AppState>,
    Caller(claims): Caller,
    ObjectPath(tenant, policy): ObjectPath,
    IfMatch(precondition): IfMatch,
    Write(finish): Write,
    JsonBody(document): JsonBody,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let profile = alg_policies::attach(scope, &policy, &document, &precondition, finish).await?;
    respond::changed(profile.object.version, &view(&profile)?)
}

/// Detaches a policy from a profile, if the profile has it.
#[utoipa::path(post, path = "/{id}/detach", tag = "alg-policies", operation_id = "detach_alg_policy",
    request_body = AttachmentInput,
    params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
    responses((status = 200, description = "The profile as it is now", body = ProfileView,
               headers(("ETag" = String)))))]
async fn detach(
    State(state): State<AppState>,
    Caller(claims): Caller,
    ObjectPath(tenant, policy): ObjectPath,
    IfMatch(precondition): IfMatch,
    Write(finish): Write,
    JsonBody(document): JsonBody,
) -> Result<Response> {
    let scope = state.scope(&claims, &tenant).await?;
    let profile = alg_policies::detach(scope, &policy, &document, &precondition, finish).await?;
    respond::changed(profile.object.version, &view(&profile)?)
}

fn view(profile: &crate::app::objects::Detail) -> Result<ProfileView> {
    let master = MasterProfileView::new(profile).map(ProfileView::Master);
    let view = master.or_else(|| SubProfileView::new(profile).map(ProfileView::Sub));
    view.ok_or_else(|| Problem::internal("an object of another kind".to_owned()))
}
