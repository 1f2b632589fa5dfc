use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::alg_policy::ProtocolPolicy;
use crate::domain::service::ServiceProtocol;

fn service(protocol: ServiceProtocol, source: Option<&str>, destination: Option<&str>) -> Service {
    let ports = |text: &str| PortSet::parse(text).unwrap();
    Service { protocol, source_port: source.map(ports), destination_port: destination.map(ports) }
}

fn id(number: usize) -> ObjectId {
    ObjectId::from(Uuid::from_u128(number as u128))
}

fn policy(services: &[(AlgProtocol, usize)]) -> AlgPolicy {
    let mut policy = AlgPolicy::default();
    for (protocol, number) in services {
        policy.protocol_mut(*protocol).services.insert(id(*number));
    }
    policy
}

#[test]
fn the_same_service_on_two_protocols() {
    let services = BTreeMap::from([(id(1), service(ServiceProtocol::Tcp, None, Some("2121")))]);
    let both = policy(&[(AlgProtocol::Ftp, 1), (AlgProtocol::Sip, 1)]);
    assert_eq!(
        overlaps(&both, &services),
        [Overlap {
            protocol: AlgProtocol::Sip,
            service: id(1),
            other: AlgProtocol::Ftp,
            other_service: Some(id(1)),
        }]
    );

    let mut one_off = both;
    one_off.ftp.enabled = false;
    assert_eq!(overlaps(&one_off, &services), []);
}

#[test]
fn a_well_known_port_of_another_protocol() {
    let services = BTreeMap::from([
        (id(1), service(ServiceProtocol::Tcp, None, Some("20-30"))),
        (id(2), service(ServiceProtocol::Tcp, Some("40"), None)),
    ]);
    let policy = policy(&[(AlgProtocol::Sip, 1), (AlgProtocol::Sip, 2)]);
    let found = overlaps(&policy, &services);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].other, found[0].other_service), (AlgProtocol::Ftp, None));
}

#[test]
fn a_transport_that_a_protocol_never_uses_claims_nothing() {
    let tcp = service(ServiceProtocol::Tcp, None, Some("6969"));
    assert!(never_matches(AlgProtocol::Tftp, &tcp));
    assert!(never_matches(AlgProtocol::IkeEsp, &tcp));
    assert!(!never_matches(AlgProtocol::Sip, &tcp));
    assert!(!never_matches(AlgProtocol::Ftp, &service(ServiceProtocol::TcpUdp, None, Some("1"))));
    let services = BTreeMap::from([(id(1), tcp)]);
    assert_eq!(overlaps(&policy(&[(AlgProtocol::Tftp, 1), (AlgProtocol::Ftp, 1)]), &services), []);
}

/// Ports that the brute force below looks at; the services of the property test name no others.
const PORTS: std::ops::RangeInclusive<u16> = 1..=8;

fn small_service() -> impl Strategy<Value = Service> {
    let ports = proptest::option::of(proptest::collection::btree_set(PORTS, 1..3).prop_map(|ports| {
        let text: Vec<String> = ports.iter().map(u16::to_string).collect();
        PortSet::parse(&text.join(",")).unwrap()
    }));
    (proptest::sample::select(&ServiceProtocol::ALL[..]), ports.clone(), ports).prop_map(
        |(protocol, source_port, destination_port)| Service { protocol, source_port, destination_port },
    )
}

/// Every flow (transport, source port, destination port) that a protocol's service matches.
fn flows(protocol: AlgProtocol, service: &Service) -> BTreeSet<(Transport, u16, u16)> {
    let holds = |ports: &Option<PortSet>, port| ports.as_ref().is_none_or(|ports| ports.contains(port));
    let mut flows = BTreeSet::new();
    for transport in Transport::ALL {
        for source in PORTS {
            for destination in PORTS {
                if service.protocol.includes(transport)
                    && protocol.uses(transport)
                    && holds(&service.source_port, source)
                    && holds(&service.destination_port, destination)
                {
                    flows.insert((transport, source, destination));
                }
            }
        }
    }
    flows
}

proptest! {
    #[test]
    fn overlaps_agree_with_counting_flows(
        list in proptest::collection::vec(small_service(), 1..5),
        uses in proptest::collection::vec((proptest::sample::select(&AlgProtocol::ALL[..]), 0usize..5), 1..8),
        disabled in proptest::sample::subsequence(AlgProtocol::ALL.to_vec(), 0..3),
    ) {
        let services: BTreeMap<_, _> = list.iter().cloned().enumerate().map(|(n, s)| (id(n), s)).collect();
        let mut policy = policy(&uses);
        for protocol in disabled {
            policy.protocol_mut(protocol).enabled = false;
        }

        let on = |(protocol, policy): (AlgProtocol, &ProtocolPolicy)| {
            let on = if policy.enabled { policy.services.clone() } else { BTreeSet::new() };
            on.into_iter().map(move |id| (protocol, id)).collect::<Vec<_>>()
        };
        let claims: Vec<_> = policy.protocols().flat_map(on).filter(|(_, id)| services.contains_key(id)).collect();
        let mut expected = BTreeSet::new();
        for (protocol, service) in &claims {
            for (other, other_service) in &claims {
                let shared = !flows(*protocol, &services[service]).is_disjoint(&flows(*other, &services[other_service]));
                if other < protocol && shared {
                    expected.insert((*protocol, *service, *other, *other_service));
                }
            }
        }
        let found: BTreeSet<_> = overlaps(&policy, &services)
            .into_iter()
            .filter_map(|o| o.other_service.map(|other| (o.protocol, o.service, o.other, other)))
            .collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn both_ports_of_ipsec_are_its_own() {
    for port in ["500", "4500"] {
        let services = BTreeMap::from([(id(1), service(ServiceProtocol::Udp, None, Some(port)))]);
        let found = overlaps(&policy(&[(AlgProtocol::Tftp, 1)]), &services);
        assert_eq!(found.iter().map(|overlap| overlap.other).collect::<Vec<_>>(), [AlgProtocol::IkeEsp]);
        assert_eq!(overlaps(&policy(&[(AlgProtocol::Ftp, 1)]), &services), []);
    }
}
