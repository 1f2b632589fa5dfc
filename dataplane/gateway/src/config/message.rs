//! The configuration as the controller's message carries it.

mod export;
mod ipv6;
mod translation;

use pinhole_dataplane::alg::AlgProtocol;
use pinhole_dataplane::config::nat::export::Trust;
use pinhole_dataplane::config::nat::pcp::PcpDraft;
use pinhole_dataplane::config::nat::{List, Located, NatDraft};
use pinhole_proto::v1;

use crate::config::draft::{self, AlgDraft, Draft, ServiceDraft};
use crate::config::ports::{MAX_RANGES, PortError, PortSet, port_range};
use crate::config::{AlgState, Config, HostEcho, Problem, ServiceProtocol};

/// At most this many problems are named to the controller.
const MAX_REPORTED: usize = 8;

/// Why a message is no configuration; its text is the reason of a NACK.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", summary(.0))]
pub struct MessageError(pub Vec<Problem<String>>);

fn summary(problems: &[Problem<String>]) -> String {
    let named: Vec<String> = problems
        .iter()
        .take(MAX_REPORTED)
        .map(|problem| format!("{}: {}", problem.at, problem.message))
        .collect();
    let more = problems.len().saturating_sub(named.len());
    if more == 0 { named.join("; ") } else { format!("{}; and {more} more", named.join("; ")) }
}

/// Checks a message and returns the configuration, or every problem with the path of its field.
pub fn parse(message: &v1::GatewayConfig) -> Result<Config, MessageError> {
    let mut problems = Vec::new();
    let draft = read(message, &mut problems);
    draft::check(draft, &mut problems).ok_or(MessageError(problems))
}

fn read(message: &v1::GatewayConfig, problems: &mut Vec<Problem<String>>) -> Draft<String> {
    let mut draft = Draft {
        nat: NatDraft {
            inside: None,
            outside: None,
            inside_prefixes: None,
            pool: None,
            translation: None,
            pcp: None,
            exports: Vec::new(),
            trust: Trust::Remote,
        },
        ipv6: message.ipv6.as_ref().and_then(|ipv6| ipv6::read(ipv6, problems)),
        nat_ports: None,
        host_echo: HostEcho::Answer,
        algs: Vec::new(),
    };
    match &message.nat {
        Some(nat) => {
            draft.nat.inside = Some(list("nat.inside_interfaces", &nat.inside_interfaces));
            draft.nat.outside = Some(list("nat.outside_interfaces", &nat.outside_interfaces));
            draft.nat.inside_prefixes = Some(list("nat.inside_prefixes", &nat.inside_prefixes));
            draft.nat.pool = Some(list("nat.pool", &nat.pool));
            draft.nat.translation = translation::read(nat, problems);
            draft.nat.pcp = nat.pcp.as_ref().map(read_pcp);
        }
        None => report(problems, "nat", "the NAT settings are missing".to_owned()),
    }
    for (index, alg) in message.algs.iter().enumerate() {
        draft.algs.extend(read_alg(&format!("algs[{index}]"), alg, problems));
    }
    for (index, export) in message.exports.iter().enumerate() {
        draft.nat.exports.push(export::read(&format!("exports[{index}]"), export));
    }
    draft
}

fn report(problems: &mut Vec<Problem<String>>, at: &str, message: String) {
    problems.push(Problem { at: at.to_owned(), message });
}

fn list(path: &str, items: &[String]) -> List<String> {
    let items = items
        .iter()
        .enumerate()
        .map(|(index, item)| Located { value: item.clone(), at: format!("{path}[{index}]") })
        .collect();
    List { at: path.to_owned(), items }
}

fn read_pcp(pcp: &v1::Pcp) -> PcpDraft<String> {
    let seconds = |name: &str, seconds: u32| {
        (seconds > 0).then(|| Located { value: seconds.into(), at: format!("nat.pcp.{name}") })
    };
    PcpDraft {
        at: "nat.pcp".to_owned(),
        nat_pmp: Some(pcp.nat_pmp),
        third_party: Some(pcp.third_party),
        min_lifetime: seconds("min_lifetime_seconds", pcp.min_lifetime_seconds),
        max_lifetime: seconds("max_lifetime_seconds", pcp.max_lifetime_seconds),
    }
}

fn read_alg(path: &str, alg: &v1::Alg, problems: &mut Vec<Problem<String>>) -> Option<AlgDraft<String>> {
    let services: Vec<ServiceDraft<String>> = alg
        .services
        .iter()
        .enumerate()
        .filter_map(|(index, service)| read_service(&format!("{path}.services[{index}]"), service, problems))
        .collect();
    let Some(protocol) = parse_protocol(alg.protocol) else {
        report(problems, &format!("{path}.protocol"), format!("{} is no protocol known here", alg.protocol));
        return None;
    };
    Some(AlgDraft {
        protocol: Located { value: protocol, at: format!("{path}.protocol") },
        state: AlgState::from(alg.enabled),
        services,
        services_at: format!("{path}.services"),
    })
}

/// Returns the protocol of the contract's number.
pub fn parse_protocol(number: i32) -> Option<AlgProtocol> {
    match v1::AlgProtocol::try_from(number) {
        Ok(v1::AlgProtocol::Ftp) => Some(AlgProtocol::Ftp),
        Ok(v1::AlgProtocol::IkeEsp) => Some(AlgProtocol::IkeEsp),
        Ok(v1::AlgProtocol::Pptp) => Some(AlgProtocol::Pptp),
        Ok(v1::AlgProtocol::Sip) => Some(AlgProtocol::Sip),
        Ok(v1::AlgProtocol::Tftp) => Some(AlgProtocol::Tftp),
        Ok(v1::AlgProtocol::Unspecified) | Err(_) => None,
    }
}

/// Returns the contract's number of a protocol.
pub const fn protocol_message(protocol: AlgProtocol) -> v1::AlgProtocol {
    match protocol {
        AlgProtocol::Ftp => v1::AlgProtocol::Ftp,
        AlgProtocol::IkeEsp => v1::AlgProtocol::IkeEsp,
        AlgProtocol::Pptp => v1::AlgProtocol::Pptp,
        AlgProtocol::Sip => v1::AlgProtocol::Sip,
        AlgProtocol::Tftp => v1::AlgProtocol::Tftp,
    }
}

fn read_service(
    path: &str,
    service: &v1::AlgService,
    problems: &mut Vec<Problem<String>>,
) -> Option<ServiceDraft<String>> {
    let protocol = read_transport(path, service.protocol, problems);
    let source = read_ports(&format!("{path}.source_ports"), &service.source_ports, problems);
    let destination = read_ports(&format!("{path}.destination_ports"), &service.destination_ports, problems);
    Some(ServiceDraft {
        at: path.to_owned(),
        name: Located { value: service.name.clone(), at: format!("{path}.name") },
        protocol: protocol?,
        source_ports: source.ok()?,
        destination_ports: destination.ok()?,
    })
}

fn read_transport(path: &str, number: i32, problems: &mut Vec<Problem<String>>) -> Option<ServiceProtocol> {
    match v1::ServiceProtocol::try_from(number) {
        Ok(v1::ServiceProtocol::Tcp) => Some(ServiceProtocol::Tcp),
        Ok(v1::ServiceProtocol::Udp) => Some(ServiceProtocol::Udp),
        Ok(v1::ServiceProtocol::TcpUdp) => Some(ServiceProtocol::TcpUdp),
        Ok(v1::ServiceProtocol::Unspecified) | Err(_) => {
            report(problems, &format!("{path}.protocol"), format!("{number} is no transport known here"));
            None
        }
    }
}

/// Ports that were reported as wrong.
struct Reported;

fn read_ports(
    path: &str,
    ranges: &[v1::PortRange],
    problems: &mut Vec<Problem<String>>,
) -> Result<Option<PortSet>, Reported> {
    if ranges.is_empty() {
        return Ok(None);
    }
    let parsed = if ranges.len() > MAX_RANGES {
        Err(PortError::TooMany(ranges.len()))
    } else {
        ranges
            .iter()
            .map(|range| port_range(range.first, range.last))
            .collect::<Result<Vec<_>, _>>()
            .and_then(PortSet::from_ranges)
    };
    parsed.map(Some).map_err(|error| {
        report(problems, path, error.to_string());
        Reported
    })
}
