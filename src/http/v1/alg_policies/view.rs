//! How an ALG policy looks in bodies and answers.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::objects::Detail;
use crate::domain::alg_policy::ProtocolPolicy;
use crate::domain::object::Spec;
use crate::http::v1::objects::view::{Common, CommonInput, RefInput, RefView};

/// An ALG policy.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct AlgPolicy {
    #[serde(flatten)]
    common: Common,
    protocols: Protocols,
}

/// What a policy says about each protocol.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Protocols {
    ftp: Protocol,
    ike_esp: Protocol,
    pptp: Protocol,
    sip: Protocol,
    tftp: Protocol,
}

/// What a policy says about one protocol.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Protocol {
    /// Whether its ALG is on.
    enabled: bool,
    /// The services that it listens on besides its well-known port.
    services: Vec<RefView>,
    /// Strictness, timers, limits; there are none yet.
    options: Options,
}

/// Options of a protocol; there are none yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProtocolOptions)]
pub(in crate::http) struct Options {}

impl AlgPolicy {
    /// The view of a policy, if the object is one.
    pub(super) fn new(detail: &Detail) -> Option<Self> {
        let protocol = |policy: &ProtocolPolicy| Protocol {
            enabled: policy.enabled,
            services: policy.services.iter().filter_map(|id| RefView::of(detail, *id)).collect(),
            options: Options {},
        };
        match &detail.object.draft.spec {
            Spec::AlgPolicy(policy) => Some(Self {
                common: Common::new(detail),
                protocols: Protocols {
                    ftp: protocol(&policy.ftp),
                    ike_esp: protocol(&policy.ike_esp),
                    pptp: protocol(&policy.pptp),
                    sip: protocol(&policy.sip),
                    tftp: protocol(&policy.tftp),
                },
            }),
            Spec::Service(_) | Spec::SubProfile(_) | Spec::MasterProfile(_) | Spec::Appliance(_) => None,
        }
    }
}

/// An ALG policy to be.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct AlgPolicyInput {
    #[schema(inline)]
    #[serde(flatten)]
    common: CommonInput,
    /// A protocol that is left out is enabled, without services.
    #[schema(nullable = false)]
    protocols: Option<ProtocolsInput>,
}

/// What a policy is to say about each protocol.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct ProtocolsInput {
    #[schema(nullable = false)]
    ftp: Option<ProtocolInput>,
    #[schema(nullable = false)]
    ike_esp: Option<ProtocolInput>,
    #[schema(nullable = false)]
    pptp: Option<ProtocolInput>,
    #[schema(nullable = false)]
    sip: Option<ProtocolInput>,
    #[schema(nullable = false)]
    tftp: Option<ProtocolInput>,
}

/// What a policy is to say about one protocol.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct ProtocolInput {
    /// Whether its ALG is on; it is, when this is left out.
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// The services that it listens on besides its well-known port.
    #[schema(nullable = false, max_items = 64)]
    services: Option<Vec<RefInput>>,
    #[schema(nullable = false)]
    options: Option<Options>,
}
