//! The checks that files and messages share: a draft remembers where each value stands, so that every problem
//! can be named at its place.

use pinhole_dataplane::alg::AlgProtocol;
use pinhole_dataplane::config::PortRange;
use pinhole_dataplane::config::ipv6::{self, Ipv6Draft, Ipv6Problem, Ipv6Settings};
use pinhole_dataplane::config::nat::{self, Allocation, Located, NatDraft, NatProblem, NatSettings};
use pinhole_dataplane::config::order::{Deterministic, SubscriberOrder};
use pinhole_dataplane::limits::FIRST_UNPRIVILEGED_PORT;

use crate::config::ports::PortSet;
use crate::config::{
    ALG_PROTOCOLS, AlgService, AlgSetting, AlgState, Config, HostEcho, MAX_SERVICE_NAME, MAX_SERVICES,
    ServiceProtocol, alg_name,
};

/// Something wrong with a configuration, at a place in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem<L> {
    /// Where.
    pub at: L,
    /// What, in one sentence for the administrator.
    pub message: String,
}

/// A configuration before its checks. What is `None` was already reported as a problem, or is left out where
/// that is allowed.
#[derive(Clone, Debug)]
pub(super) struct Draft<L> {
    pub(super) nat: NatDraft<L>,
    /// `None` where there is none.
    pub(super) ipv6: Option<Ipv6Draft<L>>,
    pub(super) nat_ports: Option<Located<PortSet, L>>,
    pub(super) host_echo: HostEcho,
    pub(super) algs: Vec<AlgDraft<L>>,
}

#[derive(Clone, Debug)]
pub(super) struct AlgDraft<L> {
    pub(super) protocol: Located<AlgProtocol, L>,
    pub(super) state: AlgState,
    pub(super) services: Vec<ServiceDraft<L>>,
    pub(super) services_at: L,
}

#[derive(Clone, Debug)]
pub(super) struct ServiceDraft<L> {
    pub(super) at: L,
    pub(super) name: Located<String, L>,
    pub(super) protocol: ServiceProtocol,
    pub(super) source_ports: Option<PortSet>,
    pub(super) destination_ports: Option<PortSet>,
}

/// Checks a draft and adds what is wrong to `problems`; returns the configuration when nothing ever was.
pub(super) fn check<L: Clone>(draft: Draft<L>, problems: &mut Vec<Problem<L>>) -> Option<Config> {
    let nat = check_nat(draft.nat, problems);
    let ipv6 = draft.ipv6.and_then(|draft| check_ipv6(draft, problems));
    let nat_ports = draft.nat_ports.and_then(|ports| {
        let range = check_nat_ports(&ports, problems)?;
        check_ports_suffice(range, &ports.at, nat.as_ref(), problems);
        Some(range)
    });
    check_service_overlaps(&draft.algs, problems);
    let algs = check_algs(draft.algs, problems);
    let nat = nat.filter(|_| problems.is_empty())?;
    Some(Config {
        inside: nat.inside,
        outside: nat.outside,
        inside_prefixes: nat.inside_prefixes,
        pool: nat.pool,
        translation: nat.translation,
        ipv6,
        nat_ports,
        host_echo: draft.host_echo,
        algs,
        pcp: nat.pcp,
        exports: nat.exports,
    })
}

fn report<L: Clone>(problems: &mut Vec<Problem<L>>, at: &L, message: String) {
    problems.push(Problem { at: at.clone(), message });
}

fn check_nat<L: Clone>(draft: NatDraft<L>, problems: &mut Vec<Problem<L>>) -> Option<NatSettings> {
    let found = match nat::check(draft) {
        Ok(settings) => return Some(settings),
        Err(found) => found,
    };
    let problem = |found: NatProblem<L>| Problem { at: found.at, message: found.error.to_string() };
    problems.extend(found.into_iter().map(problem));
    None
}

fn check_ipv6<L: Clone>(draft: Ipv6Draft<L>, problems: &mut Vec<Problem<L>>) -> Option<Ipv6Settings> {
    let found = match ipv6::check(draft) {
        Ok(settings) => return Some(settings),
        Err(found) => found,
    };
    let problem = |found: Ipv6Problem<L>| Problem { at: found.at, message: found.error.to_string() };
    problems.extend(found.into_iter().map(problem));
    None
}

fn check_nat_ports<L: Clone>(
    ports: &Located<PortSet, L>,
    problems: &mut Vec<Problem<L>>,
) -> Option<PortRange> {
    let &[range] = ports.value.ranges() else {
        report(problems, &ports.at, format!("the ports {} are more than one range", ports.value));
        return None;
    };
    if range.first() < FIRST_UNPRIVILEGED_PORT {
        report(problems, &ports.at, format!("the ports {range} start below {FIRST_UNPRIVILEGED_PORT}"));
    }
    Some(range)
}

/// Reports ports of which no block can be given out, or too few for the subscribers that each have their own.
fn check_ports_suffice<L: Clone>(
    range: PortRange,
    at: &L,
    nat: Option<&NatSettings>,
    problems: &mut Vec<Problem<L>>,
) {
    let Some(nat) = nat else { return };
    match nat.translation.allocation {
        Allocation::Random | Allocation::OneToOne | Allocation::Untranslated => {}
        Allocation::Blocks(rule) if rule.size.fits(range) => {}
        Allocation::Blocks(rule) => {
            let size = rule.size.ports();
            report(problems, at, format!("the ports {range} hold no block of {size} ports"));
        }
        Allocation::Deterministic(ports) => {
            let pool = nat.pool.iter().flat_map(|range| range.addresses()).collect();
            let order = SubscriberOrder::new(&nat.inside_prefixes);
            let relation = Deterministic::new(order, pool, range, ports.get());
            let (room, wanted) = (relation.capacity(), relation.subscribers());
            if room < wanted {
                let message = format!("the ports {range} are enough for {room} of {wanted} inside addresses");
                report(problems, at, message);
            }
        }
    }
}

fn check_algs<L: Clone>(drafts: Vec<AlgDraft<L>>, problems: &mut Vec<Problem<L>>) -> Vec<AlgSetting> {
    let mut settings: Vec<AlgSetting> = Vec::with_capacity(ALG_PROTOCOLS.len());
    for draft in drafts {
        let protocol = draft.protocol.value;
        if settings.iter().any(|earlier| earlier.protocol == protocol) {
            report(problems, &draft.protocol.at, format!("the ALG {} is listed twice", alg_name(protocol)));
            continue;
        }
        if draft.services.len() > MAX_SERVICES {
            report(
                problems,
                &draft.services_at,
                format!("{} services, at most {MAX_SERVICES} are allowed", draft.services.len()),
            );
            continue;
        }
        let services = check_services(draft.services, problems);
        settings.push(AlgSetting { protocol, state: draft.state, services });
    }
    for protocol in ALG_PROTOCOLS {
        if !settings.iter().any(|setting| setting.protocol == protocol) {
            settings.push(AlgSetting { protocol, state: AlgState::Enabled, services: Vec::new() });
        }
    }
    settings.sort_by_key(|setting| setting.protocol);
    settings
}

fn check_services<L: Clone>(drafts: Vec<ServiceDraft<L>>, problems: &mut Vec<Problem<L>>) -> Vec<AlgService> {
    let mut services: Vec<AlgService> = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let name = draft.name.value;
        if name.is_empty() || name.chars().count() > MAX_SERVICE_NAME {
            report(
                problems,
                &draft.name.at,
                format!("a service's name has 1 to {MAX_SERVICE_NAME} characters"),
            );
        }
        if services.iter().any(|earlier| earlier.name == name) {
            report(problems, &draft.name.at, format!("the service \"{name}\" is listed twice"));
        }
        if draft.source_ports.is_none() && draft.destination_ports.is_none() {
            report(
                problems,
                &draft.at,
                format!("the service \"{name}\" needs a source_port or a destination_port"),
            );
        }
        services.push(AlgService {
            name,
            protocol: draft.protocol,
            source_ports: draft.source_ports,
            destination_ports: draft.destination_ports,
        });
    }
    services
}

/// One flow pattern that an ALG reads, as far as two of them can collide.
struct Pattern<'a, L> {
    alg: AlgProtocol,
    service: Option<&'a Located<String, L>>,
    protocol: ServiceProtocol,
    source_ports: Option<&'a PortSet>,
    destination_ports: Option<&'a PortSet>,
}

/// Reports user-defined services of one enabled ALG that another enabled ALG reads, too.
fn check_service_overlaps<L: Clone>(algs: &[AlgDraft<L>], problems: &mut Vec<Problem<L>>) {
    let well_known = ALG_PROTOCOLS.map(well_known_ports);
    let mut patterns: Vec<Pattern<'_, L>> = Vec::new();
    for (protocol, (transport, ports)) in ALG_PROTOCOLS.into_iter().zip(&well_known) {
        let off = algs.iter().any(|alg| alg.protocol.value == protocol && alg.state == AlgState::Disabled);
        if !off {
            patterns.push(Pattern {
                alg: protocol,
                service: None,
                protocol: *transport,
                source_ports: None,
                destination_ports: ports.as_ref(),
            });
        }
    }
    for alg in algs.iter().filter(|alg| alg.state == AlgState::Enabled) {
        for service in &alg.services {
            let Some(protocol) = effective(service.protocol, alg.protocol.value) else { continue };
            let pattern = Pattern {
                alg: alg.protocol.value,
                service: Some(&service.name),
                protocol,
                source_ports: service.source_ports.as_ref(),
                destination_ports: service.destination_ports.as_ref(),
            };
            if let Some(other) = patterns.iter().find(|other| pattern.collides(other)) {
                let message = match other.service {
                    Some(name) => format!(
                        "the service \"{}\" of {} covers the same flows as \"{}\" of {}",
                        service.name.value,
                        alg_name(pattern.alg),
                        name.value,
                        alg_name(other.alg)
                    ),
                    None => format!(
                        "the service \"{}\" of {} covers the well-known ports of {}",
                        service.name.value,
                        alg_name(pattern.alg),
                        alg_name(other.alg)
                    ),
                };
                report(problems, &service.name.at, message);
            }
            patterns.push(pattern);
        }
    }
}

impl<L> Pattern<'_, L> {
    /// Whether two ALGs would read the same flows: patterns of equal shape with ports in common. Patterns of
    /// different shape may meet in a flow too; the one that names the destination port wins there.
    fn collides(&self, other: &Self) -> bool {
        self.alg != other.alg
            && self.protocol.overlaps(other.protocol)
            && meet(self.source_ports, other.source_ports)
            && meet(self.destination_ports, other.destination_ports)
    }
}

fn meet(left: Option<&PortSet>, right: Option<&PortSet>) -> bool {
    match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => left.overlaps(right),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// Returns the transport and ports that IANA assigned to a protocol, as far as its ALG reads them.
fn well_known_ports(protocol: AlgProtocol) -> (ServiceProtocol, Option<PortSet>) {
    let (transport, ports): (_, &[u16]) = match protocol {
        AlgProtocol::Ftp => (ServiceProtocol::Tcp, &[21]),
        AlgProtocol::IkeEsp => (ServiceProtocol::Udp, &[500, 4500]),
        AlgProtocol::Pptp => (ServiceProtocol::Tcp, &[1723]),
        AlgProtocol::Sip => (ServiceProtocol::TcpUdp, &[5060]),
        AlgProtocol::Tftp => (ServiceProtocol::Udp, &[69]),
    };
    (transport, PortSet::from_ranges(ports.iter().filter_map(|port| PortRange::new(*port, *port))).ok())
}

/// Returns the part of a service's transport that an ALG's protocol uses.
fn effective(service: ServiceProtocol, protocol: AlgProtocol) -> Option<ServiceProtocol> {
    let (transport, _) = well_known_ports(protocol);
    match (service, transport) {
        (ServiceProtocol::TcpUdp, used) => Some(used),
        (given, ServiceProtocol::TcpUdp) => Some(given),
        (given, used) => (given == used).then_some(given),
    }
}
