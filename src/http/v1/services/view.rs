//! How a service looks in bodies and answers.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::objects::Detail;
use crate::domain::object::Spec;
use crate::domain::port::PortSet;
use crate::domain::service::ServiceProtocol;
use crate::http::v1::objects::view::{Common, CommonInput};

/// A service: transport and ports under a name.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Service {
    #[serde(flatten)]
    common: Common,
    protocol: ServiceProtocol,
    /// The client's ports; `null` is any.
    #[schema(required = true, value_type = Option<String>, example = json!(null))]
    source_port: Option<PortSet>,
    /// The server's ports; `null` is any.
    #[schema(required = true, value_type = Option<String>, example = "2121,2200-2299")]
    destination_port: Option<PortSet>,
}

impl Service {
    /// The view of a service, if the object is one.
    pub(super) fn new(detail: &Detail) -> Option<Self> {
        match &detail.object.draft.spec {
            Spec::Service(service) => Some(Self {
                common: Common::new(detail),
                protocol: service.protocol,
                source_port: service.source_port.clone(),
                destination_port: service.destination_port.clone(),
            }),
            Spec::AlgPolicy(_) | Spec::SubProfile(_) | Spec::MasterProfile(_) | Spec::Appliance(_) => None,
        }
    }
}

/// A service to be. At least one of the two ports is given.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct ServiceInput {
    #[schema(inline)]
    #[serde(flatten)]
    common: CommonInput,
    protocol: ServiceProtocol,
    /// A port, a range of ports, or a comma list of both, 1 to 65535; `null` is any.
    #[schema(example = json!(null))]
    source_port: Option<String>,
    /// A port, a range of ports, or a comma list of both, 1 to 65535; `null` is any.
    #[schema(example = "2121,2200-2299")]
    destination_port: Option<String>,
}
