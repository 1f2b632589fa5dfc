//! ALG settings: always all five, in the contract's order, each with its services by name.

use pinhole_proto::v1;

use super::CompileError;
use super::resolve::{Inputs, Resolved};
use crate::domain::alg_policy::ProtocolPolicy;
use crate::domain::alg_protocol::AlgProtocol;
use crate::domain::name::Name;
use crate::domain::port::PortSet;
use crate::domain::service::{Service, ServiceProtocol};

/// Compiles a policy; without one all five ALGs are on, at their well-known ports.
pub(super) fn compile(policy: Option<&Resolved<'_>>, inputs: &Inputs) -> Result<Vec<v1::Alg>, CompileError> {
    let default = ProtocolPolicy::default();
    AlgProtocol::ALL
        .into_iter()
        .map(|protocol| {
            let setting = policy.map_or(&default, |resolved| resolved.policy.protocol(protocol));
            Ok(v1::Alg {
                protocol: number(protocol).into(),
                enabled: setting.enabled,
                services: services(setting, inputs)?,
                policy_id: policy.map(|resolved| resolved.id.to_string()).unwrap_or_default(),
                policy_name: policy.map(|resolved| resolved.name.to_string()).unwrap_or_default(),
            })
        })
        .collect()
}

fn services(setting: &ProtocolPolicy, inputs: &Inputs) -> Result<Vec<v1::AlgService>, CompileError> {
    let mut services: Vec<(&Name, &Service)> =
        setting.services.iter().map(|id| inputs.service(*id)).collect::<Result<_, _>>()?;
    // Names are unique in a tenant by this key, so the order is total.
    services.sort_by_cached_key(|(name, _)| name.key());
    Ok(services.into_iter().map(|(name, service)| service_message(name, service)).collect())
}

fn service_message(name: &Name, service: &Service) -> v1::AlgService {
    v1::AlgService {
        name: name.to_string(),
        protocol: transport_number(service.protocol).into(),
        source_ports: ranges(service.source_port.as_ref()),
        destination_ports: ranges(service.destination_port.as_ref()),
    }
}

fn ranges(ports: Option<&PortSet>) -> Vec<v1::PortRange> {
    let ranges = ports.map(PortSet::ranges).unwrap_or_default();
    ranges
        .iter()
        .map(|range| v1::PortRange { first: range.first().into(), last: range.last().into() })
        .collect()
}

/// The contract's number of a transport.
pub(super) fn transport_number(protocol: ServiceProtocol) -> v1::ServiceProtocol {
    match protocol {
        ServiceProtocol::Tcp => v1::ServiceProtocol::Tcp,
        ServiceProtocol::Udp => v1::ServiceProtocol::Udp,
        ServiceProtocol::TcpUdp => v1::ServiceProtocol::TcpUdp,
    }
}

/// The contract's number of a protocol.
fn number(protocol: AlgProtocol) -> v1::AlgProtocol {
    match protocol {
        AlgProtocol::Ftp => v1::AlgProtocol::Ftp,
        AlgProtocol::IkeEsp => v1::AlgProtocol::IkeEsp,
        AlgProtocol::Pptp => v1::AlgProtocol::Pptp,
        AlgProtocol::Sip => v1::AlgProtocol::Sip,
        AlgProtocol::Tftp => v1::AlgProtocol::Tftp,
    }
}
