use std::net::Ipv4Addr;

use pinhole_dataplane::alg::{AlgProtocol, Transport};
use pinhole_dataplane::config::PortRange;

use super::*;
use crate::host::addresses::HostAddresses;

const FILE: &str = r#"
    inside = ["in0"]
    outside = ["out0"]
    [nat]
    inside_prefixes = ["10.0.0.0/24"]
    pool = ["203.0.113.1-203.0.113.3"]
    [[alg]]
    protocol = "ftp"
    services = [{ name = "ftp-alt", protocol = "tcp", destination_port = "2121", source_port = "1024-65535" }]
    [[alg]]
    protocol = "tftp"
    enabled = false
"#;

fn facts() -> HostFacts {
    let own = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(203, 0, 113, 2)].into();
    HostFacts {
        addresses: HostAddresses { own, ..HostAddresses::default() },
        local_ports: PortRange::new(32_768, 60_999).unwrap(),
        mtu: 1400,
    }
}

fn compiled() -> Snapshot {
    snapshot(&crate::config::file::parse(FILE).unwrap(), &facts()).unwrap()
}

#[test]
fn only_addresses_of_the_host_give_fewer_ports() {
    let snapshot = compiled();
    let ports: Vec<_> = snapshot
        .config()
        .pool
        .iter()
        .map(|entry| (entry.address.octets()[3], entry.ports.first(), entry.ports.last(), entry.host))
        .collect();
    assert_eq!(ports, [(1, 1024, 65_535, false), (2, 16_384, 59_975, true), (3, 1024, 65_535, false)]);
    assert!(snapshot.is_host(Ipv4Addr::new(10, 0, 0, 1)));
    assert_eq!(snapshot.config().mtu, 1400);
    assert!(!snapshot.config().decrement_ttl);
}

#[test]
fn services_and_switches_arrive_in_the_engine() {
    let snapshot = compiled();
    assert_eq!(snapshot.alg_for(Transport::Tcp, 40_000, 21), Some(AlgProtocol::Ftp));
    assert_eq!(snapshot.alg_for(Transport::Tcp, 40_000, 2121), Some(AlgProtocol::Ftp));
    assert_eq!(snapshot.alg_for(Transport::Tcp, 1023, 2121), None);
    assert_eq!(snapshot.alg_for(Transport::Udp, 40_000, 69), None);
    assert_eq!(snapshot.alg_for(Transport::Udp, 40_000, 500), Some(AlgProtocol::IkeEsp));
}

#[test]
fn what_the_engine_refuses_is_said_in_its_words() {
    let facts = HostFacts { mtu: 20, ..facts() };
    let config = crate::config::file::parse(FILE).unwrap();
    assert_eq!(snapshot(&config, &facts).unwrap_err().to_string(), "mtu: is below 68");
}
