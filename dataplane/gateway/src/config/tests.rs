mod export;
mod pcp;

use super::message::parse as parse_message;
use super::*;
use pinhole_dataplane::config::nat::{Allocation, Dependence, Mss, OtherProtocols};
use pinhole_proto::v1;

#[test]
fn ports_are_lists_of_numbers_and_ranges() {
    let set: PortSet = "2121, 30-20".parse().unwrap_or_else(|_| "2121,20-30,25-40,41".parse().unwrap());
    assert_eq!(set.to_string(), "20-41,2121");
    for bad in ["", " ", "0", "65536", "-1", "1-", "5-4", "a", "1,,2", "+1", "1-2-3"] {
        assert!(bad.parse::<PortSet>().is_err(), "{bad:?}");
    }
    let many: Vec<String> = (1..=65).map(|port| (port * 2).to_string()).collect();
    assert_eq!(many.join(",").parse::<PortSet>(), Err(ports::PortError::TooMany(65)));
}

fn message() -> v1::GatewayConfig {
    v1::GatewayConfig {
        nat: Some(v1::Nat {
            inside_interfaces: vec!["in0".to_owned()],
            outside_interfaces: vec!["out0".to_owned()],
            inside_prefixes: vec!["10.0.0.0/24".to_owned()],
            pool: vec!["203.0.113.1".to_owned()],
            ..v1::Nat::default()
        }),
        algs: vec![v1::Alg {
            protocol: v1::AlgProtocol::Ftp.into(),
            enabled: true,
            services: vec![v1::AlgService {
                name: "ftp-alt".to_owned(),
                protocol: v1::ServiceProtocol::Tcp.into(),
                source_ports: vec![],
                destination_ports: vec![v1::PortRange { first: 2121, last: 2121 }],
            }],
            policy_id: String::new(),
            policy_name: String::new(),
        }],
        ipv6: None,
        exports: vec![],
    }
}

#[test]
fn a_message_means_what_the_same_file_means() {
    let file = r#"
        inside = ["in0"]
        outside = ["out0"]
        [nat]
        inside_prefixes = ["10.0.0.0/24"]
        pool = ["203.0.113.1"]
        [[alg]]
        protocol = "ftp"
        enabled = true
        services = [{ name = "ftp-alt", protocol = "tcp", destination_port = "2121" }]
    "#;
    let config = parse_message(&message()).unwrap();
    assert_eq!(config, file::parse(file).unwrap());
    assert_eq!(config.algs.len(), 5);
    assert!(config.algs.iter().all(|alg| alg.state == AlgState::Enabled));
}

#[test]
fn a_bad_message_is_refused_with_the_path_of_each_problem() {
    let mut bad = message();
    let nat = bad.nat.as_mut().unwrap();
    nat.inside_prefixes.push("10.0.0.128/25".to_owned());
    nat.pool = vec!["10.0.0.7".to_owned()];
    bad.algs[0].services[0].destination_ports[0].last = 70_000;
    bad.algs.push(v1::Alg { protocol: 99, ..v1::Alg::default() });
    let text = parse_message(&bad).unwrap_err().to_string();
    assert_eq!(
        text,
        "algs[0].services[0].destination_ports: \"70000\" is not a port from 1 to 65535; \
         algs[1].protocol: 99 is no protocol known here; \
         nat.inside_prefixes[1]: 10.0.0.128/25 overlaps with the inside prefix 10.0.0.0/24; \
         nat.pool[0]: the pool's 10.0.0.7 overlaps with the inside prefix 10.0.0.0/24"
    );
    let empty = parse_message(&v1::GatewayConfig::default()).unwrap_err();
    assert_eq!(empty.to_string(), "nat: the NAT settings are missing");
}

#[test]
fn services_of_two_algs_may_not_cover_the_same_flows() {
    let mut bad = message();
    let mut sip = bad.algs[0].clone();
    sip.protocol = v1::AlgProtocol::Sip.into();
    bad.algs.push(sip.clone());
    let text = parse_message(&bad).unwrap_err().to_string();
    assert_eq!(
        text,
        "algs[1].services[0].name: the service \"ftp-alt\" of sip covers the same flows as \"ftp-alt\" of ftp"
    );
    // Only where both would read them.
    bad.algs[1].enabled = false;
    assert!(parse_message(&bad).is_ok());
    bad.algs[1].enabled = true;
    bad.algs[1].services[0].protocol = v1::ServiceProtocol::Udp.into();
    assert!(parse_message(&bad).is_ok());
    sip.services[0].destination_ports[0] = v1::PortRange { first: 20, last: 30 };
    bad.algs[1] = sip;
    let text = parse_message(&bad).unwrap_err().to_string();
    assert!(text.ends_with("covers the well-known ports of ftp"), "{text}");
}

#[test]
fn many_problems_are_cut_short_for_the_controller() {
    let mut bad = message();
    bad.nat.as_mut().unwrap().pool = (0..20).map(|index| format!("bad{index}")).collect();
    let text = parse_message(&bad).unwrap_err().to_string();
    assert!(text.ends_with("; and 12 more"), "{text}");
}

#[test]
fn blocks_and_limits_of_a_message_are_checked_as_those_of_a_file() {
    let mut message = message();
    let nat = message.nat.as_mut().unwrap();
    nat.port_blocks = Some(v1::PortBlocks { size: 256, per_subscriber: 2, hold_seconds: 0 });
    nat.limits = Some(v1::SubscriberLimits { sessions: 100, ..v1::SubscriberLimits::default() });
    let translation = parse_message(&message).unwrap().translation;
    let Allocation::Blocks(rule) = translation.allocation else { panic!("no blocks") };
    assert_eq!((rule.size.ports(), rule.per_subscriber, rule.hold.as_secs()), (256, 2, 0));
    let limits = translation.limits;
    assert_eq!((limits.ports, limits.sessions.map(|limit| limit.get())), (None, Some(100)));

    let nat = message.nat.as_mut().unwrap();
    nat.port_blocks = Some(v1::PortBlocks::default());
    nat.limits = Some(v1::SubscriberLimits { ports: u32::MAX, ..v1::SubscriberLimits::default() });
    nat.tcp_mss = 535;
    assert_eq!(
        parse_message(&message).unwrap_err().to_string(),
        "nat.port_blocks.size: 0 is not a power of two from 64 to 4096; \
         nat.port_blocks.per_subscriber: 0 is out of range: per_subscriber is 1 to 64; \
         nat.tcp_mss: 535 is out of range: tcp_mss is 536 to 65495; \
         nat.limits.ports: 4294967295 is out of range: ports_per_subscriber is 1 to 10000000"
    );
}

#[test]
fn the_whole_of_the_translation_of_a_message_is_read_and_checked() {
    let ports = |first, last| Some(v1::PortRange { first, last });
    let mut message = message();
    let nat = message.nat.as_mut().unwrap();
    nat.mapping = v1::Dependence::AddressAndPortDependent.into();
    nat.filtering = v1::Dependence::EndpointIndependent.into();
    nat.other_protocols = v1::OtherProtocols::Translate.into();
    nat.tcp_mss = 536;
    nat.deterministic = Some(v1::Deterministic { ports_per_subscriber: 200 });
    nat.forwards = vec![v1::Forward {
        protocol: v1::ServiceProtocol::Tcp.into(),
        outside_address: "203.0.113.1".to_owned(),
        outside_ports: ports(8_080, 8_081),
        inside_address: "10.0.0.9".to_owned(),
        inside_ports: ports(80, 81),
    }];
    nat.exempt_destinations =
        vec![v1::Exemption { prefix: "192.0.2.0/24".to_owned(), ports: vec![ports(1, 2).unwrap()] }];
    let translation = parse_message(&message).unwrap().translation;
    assert_eq!(translation.mapping, Dependence::AddressAndPort);
    assert_eq!(translation.filtering, Dependence::Independent);
    assert_eq!(translation.other_protocols, OtherProtocols::Translate);
    assert_eq!(translation.tcp_mss.map(Mss::bytes), Some(536));
    assert!(matches!(translation.allocation, Allocation::Deterministic(ports) if ports.get() == 200));
    assert_eq!(translation.forwards[0].inside_ports.last(), 81);
    assert_eq!(translation.exempt[0].ports.len(), 1);

    let nat = message.nat.as_mut().unwrap();
    nat.mode = 9;
    nat.mapping = -1;
    nat.other_protocols = 3;
    nat.forwards[0].outside_ports = None;
    nat.forwards[0].inside_address = "x".to_owned();
    nat.exempt_destinations[0].prefix = String::new();
    assert_eq!(
        parse_message(&message).unwrap_err().to_string(),
        "nat.mode: 9 is no mode known here; nat.mapping: -1 is no dependence known here; \
         nat.other_protocols: 3 is no choice known here; \
         nat.forwards[0].outside_ports: \"0\" is not a port from 1 to 65535; \
         nat.forwards[0].inside_address: \"x\" is not an IPv4 address; \
         nat.exempt_destinations[0].prefix: \"\" is not an IPv4 prefix such as 10.0.0.0/24"
    );
}

#[test]
fn ipv6_means_the_same_in_a_message_and_in_a_file() {
    use pinhole_dataplane::config::ipv6::{Ipv6Filtering, Ipv6Opening};
    use pinhole_dataplane::config::{PortRange, ServiceTransport};

    let file = r#"
        inside = ["in0"]
        outside = ["out0"]
        [nat]
        inside_prefixes = ["10.0.0.0/24"]
        pool = ["203.0.113.1"]
        [ipv6]
        inside_prefixes = ["2001:db8:1::/48"]
        filtering = "endpoint_independent"
        ipsec = false
        openings = [{ protocol = "tcp", address = "2001:db8:1::9", port = "80-81" }]
    "#;
    let opening = v1::Ipv6Opening {
        protocol: v1::ServiceProtocol::Tcp.into(),
        address: "2001:db8:1::9".to_owned(),
        ports: Some(v1::PortRange { first: 80, last: 81 }),
    };
    let mut message = message();
    message.algs.clear();
    message.ipv6 = Some(v1::Ipv6 {
        inside_prefixes: vec!["2001:db8:1::/48".to_owned()],
        filtering: v1::Ipv6Filtering::EndpointIndependent.into(),
        refuse_ipsec: true,
        openings: vec![opening],
    });
    let config = parse_message(&message).unwrap();
    assert_eq!(config, file::parse(file).unwrap());
    let ipv6 = config.ipv6.unwrap();
    assert_eq!((ipv6.filtering, ipv6.ipsec), (Ipv6Filtering::Independent, false));
    let ports = PortRange::new(80, 81).unwrap();
    let inside = "2001:db8:1::9".parse().unwrap();
    assert_eq!(ipv6.openings, [Ipv6Opening { inside, transport: ServiceTransport::Tcp, ports }]);

    let ipv6 = message.ipv6.as_mut().unwrap();
    ipv6.inside_prefixes = vec!["2001:db8:1::/48".to_owned(), "2001:db8:1:8::/64".to_owned()];
    ipv6.openings[0].address = "2001:db8:2::9".to_owned();
    assert_eq!(
        parse_message(&message).unwrap_err().to_string(),
        "ipv6.inside_prefixes[1]: 2001:db8:1:8::/64 overlaps with the inside prefix 2001:db8:1::/48; \
         ipv6.openings[0]: 2001:db8:2::9 is in no inside prefix"
    );
    let ipv6 = message.ipv6.as_mut().unwrap();
    (ipv6.filtering, ipv6.openings[0].address) = (9, "10.0.0.1".to_owned());
    assert_eq!(
        parse_message(&message).unwrap_err().to_string(),
        "ipv6.filtering: 9 is no kind of filtering known here; \
         ipv6.openings[0].address: \"10.0.0.1\" is not an IPv6 address"
    );
}
