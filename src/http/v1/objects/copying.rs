//! Copying the provider's objects to enterprises: the endpoint, by a macro for the same reason as in
//! [`super::endpoints`], and how it is answered.

use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::copying::{Copied, Failure, Outcome};
use crate::http::layer::idempotency::Provisional;
use crate::ids::{ObjectId, TenantId};

/// What became of a copy, enterprise by enterprise.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CopyReport)]
pub(in crate::http) struct ReportView {
    /// By the enterprises' names.
    items: Vec<CopiedView>,
}

/// What became of a copy to one enterprise.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CopyResult)]
struct CopiedView {
    tenant: TenantRef,
    outcome: OutcomeWord,
    /// The copy; `null` when it failed.
    #[schema(required = true)]
    id: Option<ObjectId>,
    /// Why it failed.
    #[schema(required = true)]
    reason: Option<Failure>,
    /// Why it failed, for people.
    #[schema(required = true)]
    detail: Option<String>,
}

/// A tenant by id and name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantReference)]
struct TenantRef {
    id: TenantId,
    name: String,
}

/// What became of a copy.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CopyOutcome)]
enum OutcomeWord {
    /// The object is new there.
    Created,
    /// The object, or something that it refers to, was another version there.
    Updated,
    /// All was there already.
    Unchanged,
    /// Nothing was changed there.
    Failed,
}

impl From<Vec<Copied>> for ReportView {
    fn from(copied: Vec<Copied>) -> Self {
        Self { items: copied.into_iter().map(CopiedView::from).collect() }
    }
}

/// Answers with what became of copies. Where the database did not answer it is worth another try, with the same key, too.
pub(in crate::http) fn report(copied: Vec<Copied>) -> Response {
    let again = |copied: &Copied| matches!(copied.outcome, Outcome::Failed(Failure::Unavailable, _));
    let provisional = copied.iter().any(again);
    let mut response = axum::Json(ReportView::from(copied)).into_response();
    if provisional {
        response.extensions_mut().insert(Provisional);
    }
    response
}

impl From<Copied> for CopiedView {
    fn from(copied: Copied) -> Self {
        let (outcome, id, failure) = match copied.outcome {
            Outcome::Created(id) => (OutcomeWord::Created, Some(id), None),
            Outcome::Updated(id) => (OutcomeWord::Updated, Some(id), None),
            Outcome::Unchanged(id) => (OutcomeWord::Unchanged, Some(id), None),
            Outcome::Failed(failure, detail) => (OutcomeWord::Failed, None, Some((failure, detail))),
        };
        let (reason, detail) = failure.unzip();
        let tenant = TenantRef { id: copied.tenant.id, name: copied.tenant.draft.name.to_string() };
        Self { tenant, outcome, id, reason, detail }
    }
}

/// Where to copy an object.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the use case, since it reports all errors"
)]
pub(in crate::http) struct CopyInput {
    tenants: CopyTargets,
}

/// Enterprises.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the use case, since it reports all errors"
)]
enum CopyTargets {
    /// By id or name, 2,000 at most.
    Listed(Vec<String>),
    /// `all_enterprises`
    All(String),
}

/// Writes the endpoint into a module, with `copy_routes()` to merge into its routes.
macro_rules! copy_endpoint {
    (kind: $kind:expr, tag: $tag:literal, one: $one:literal $(,)?) => {
        use crate::app::copying;
        use crate::http::v1::objects::copying::{CopyInput, ReportView, report};

        /// The endpoint that copies one of the kind.
        pub(in crate::http) fn copy_routes() -> OpenApiRouter<AppState> {
            OpenApiRouter::new().routes(routes!(copy))
        }

        #[doc = concat!("Copies ", $one, " of the provider to enterprises, with what it refers to. What came from the same object is updated; a name that anything else has there makes the copy fail. In each enterprise all is copied, or nothing.")]
        #[utoipa::path(post, summary = concat!("Copies ", $one, " to enterprises."), path = "/{id}/copy", tag = $tag, operation_id = concat!("copy_", $tag), request_body = CopyInput,
            params(("dry_run" = Option<bool>, Query, description = "Check and answer, and store nothing")),
            responses((status = 200, description = "What became of it in each enterprise", body = ReportView)))]
        async fn copy(
            State(state): State<AppState>,
            Caller(claims): Caller,
            ObjectPath(tenant, reference): ObjectPath,
            Write(finish): Write,
            JsonBody(document): JsonBody,
        ) -> Result<Response> {
            let scope = state.scope(&claims, &tenant).await?;
            let copied = copying::copy(&state, &claims, scope, $kind, &reference, &document, finish).await?;
            Ok(report(copied))
        }
    };
}

pub(in crate::http::v1) use copy_endpoint;
