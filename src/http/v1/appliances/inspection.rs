//! Which ALG inspects a flow.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
use crate::app::inspection::{Inspection, Reason, Verdict, explain};
use crate::domain::alg_protocol::AlgProtocol;
use crate::error::Named;
use crate::http::extract::{Caller, FlowQuery, ObjectPath};
use crate::http::problem::Result;
use crate::http::v1::objects::view::RefView;
use crate::ids::RevisionId;

/// Which ALG inspects a flow on an appliance, and why, or why none does.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct EffectiveAlg {
    /// The ALG that inspects the flow.
    #[schema(required = true)]
    alg: Option<AlgProtocol>,
    verdict: VerdictWord,
    /// The service that the flow matches; `null` for a well-known port, and for a service that is hidden from the caller.
    #[schema(required = true)]
    service: Option<String>,
    /// The verdict in one sentence.
    detail: String,
    /// The policy that the revision was compiled from, with the name it had then.
    #[schema(required = true)]
    policy: Option<RefView>,
    /// The profile that gives the appliance that policy; `null` when by now it would give it another one.
    #[schema(required = true)]
    master_profile: Option<RefView>,
    /// The revision that was looked at: what was published to the appliance last.
    #[schema(required = true)]
    revision: Option<RevisionId>,
}

/// Whether an ALG inspects a flow.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EffectiveAlgVerdict)]
pub(in crate::http) enum VerdictWord {
    /// One does, the destination being its protocol's own port.
    WellKnownPort,
    /// One does, listening on a service.
    Service,
    /// One would, and is off.
    Disabled,
    /// None listens on these ports.
    Unclaimed,
    /// Nothing was published to the appliance yet.
    Unpublished,
    /// A gateway does not take the revision.
    Unusable,
}

/// The endpoints.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(effective_alg))
}

/// Says which ALG inspects a flow, by what was published to the appliance last.
#[utoipa::path(get, path = "/{id}/effective-alg", tag = "appliances", operation_id = "read_effective_alg",
    params(
        ("protocol" = String, Query, description = "`tcp` or `udp`", pattern = "^(tcp|udp)$"),
        ("destination_port" = u16, Query, description = "The server's port", minimum = 1, maximum = 65_535),
        ("source_port" = Option<u16>, Query, description = "The client's port; if not given, one that no service names", minimum = 1, maximum = 65_535),
    ),
    responses((status = 200, description = "The verdict", body = EffectiveAlg)))]
async fn effective_alg(
    State(state): State<AppState>,
    Caller(claims): Caller,
    ObjectPath(tenant, appliance): ObjectPath,
    FlowQuery(flow): FlowQuery,
) -> Result<Json<EffectiveAlg>> {
    let scope = state.scope(&claims, &tenant).await?;
    Ok(Json(EffectiveAlg::from(explain(scope, &appliance, flow).await?)))
}

impl From<Inspection> for EffectiveAlg {
    fn from(inspection: Inspection) -> Self {
        let detail = detail(&inspection);
        let reference = |named: Named| RefView::new(named.id, named.name);
        let (alg, verdict, service) = match inspection.verdict {
            Verdict::Inspected(alg, Reason::WellKnownPort) => (Some(alg), VerdictWord::WellKnownPort, None),
            Verdict::Inspected(alg, Reason::Service(name)) => (Some(alg), VerdictWord::Service, name),
            Verdict::Disabled(_) => (None, VerdictWord::Disabled, None),
            Verdict::Unclaimed => (None, VerdictWord::Unclaimed, None),
            Verdict::Unpublished => (None, VerdictWord::Unpublished, None),
            Verdict::Unusable(_) => (None, VerdictWord::Unusable, None),
        };
        Self {
            alg,
            verdict,
            service,
            detail,
            policy: inspection.policy.map(reference),
            master_profile: inspection.master_profile.map(reference),
            revision: inspection.revision,
        }
    }
}

fn detail(inspection: &Inspection) -> String {
    match &inspection.verdict {
        Verdict::Inspected(alg, Reason::WellKnownPort) => {
            format!("{alg} inspects it: the destination is {alg}'s own port")
        }
        Verdict::Inspected(alg, Reason::Service(Some(name))) => {
            format!("{alg} inspects it: it matches the service \"{name}\"")
        }
        Verdict::Inspected(alg, Reason::Service(None)) => format!("{alg} inspects it: it matches a service"),
        Verdict::Disabled(alg) => match &inspection.policy {
            Some(policy) => {
                format!("{alg} would inspect it, and is disabled by the policy \"{}\"", policy.name)
            }
            None => format!("{alg} would inspect it, and is disabled"),
        },
        Verdict::Unclaimed => "no ALG listens on these ports".to_owned(),
        Verdict::Unpublished => "nothing was published to the appliance yet".to_owned(),
        Verdict::Unusable(reason) => format!("a gateway does not take the revision: {reason}"),
    }
}
