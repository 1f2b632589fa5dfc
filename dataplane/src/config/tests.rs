use std::net::Ipv4Addr;

use super::nat::Translation;
use super::{AlgConfig, AlgService, Config, PoolAddress, PortRange, ServiceTransport, Snapshot};
use crate::alg::{AlgProtocol, Transport};
use crate::limits::Timeouts;

pub(crate) fn config() -> Config {
    with_ports(PortRange::new(1024, 65535).unwrap())
}

/// A configuration with one pool address that has these ports.
pub(crate) fn with_ports(ports: PortRange) -> Config {
    Config {
        inside_prefixes: vec!["10.0.0.0/24".parse().unwrap()],
        pool: vec![PoolAddress { address: Ipv4Addr::new(203, 0, 113, 1), ports, host: false }],
        nat: Translation::default(),
        ipv6: None,
        host_addresses: vec![],
        algs: vec![],
        timeouts: Timeouts::default(),
        decrement_ttl: true,
        mtu: 1500,
    }
}

#[test]
fn an_unlisted_alg_is_on_at_its_well_known_ports() {
    let snapshot = Snapshot::new(config()).unwrap();
    assert_eq!(snapshot.alg_for(Transport::Tcp, 40000, 21), Some(AlgProtocol::Ftp));
    assert_eq!(snapshot.alg_for(Transport::Udp, 40000, 21), None);
    assert_eq!(snapshot.alg_for(Transport::Tcp, 40000, 2121), None);
}

#[test]
fn a_service_matches_source_and_destination_ports() {
    let mut config = config();
    config.algs.push(AlgConfig {
        protocol: AlgProtocol::Ftp,
        enabled: true,
        services: vec![AlgService {
            name: "odd".into(),
            transport: ServiceTransport::TcpUdp,
            source_ports: vec![PortRange::new(1000, 2000).unwrap()],
            destination_ports: vec![PortRange::new(2121, 2121).unwrap()],
        }],
    });
    let snapshot = Snapshot::new(config.clone()).unwrap();
    assert_eq!(snapshot.alg_for(Transport::Tcp, 1500, 2121), Some(AlgProtocol::Ftp));
    assert_eq!(snapshot.alg_for(Transport::Tcp, 2001, 2121), None);
    assert_eq!(snapshot.alg_for(Transport::Tcp, 2001, 21), Some(AlgProtocol::Ftp));
    config.algs[0].enabled = false;
    let snapshot = Snapshot::new(config).unwrap();
    assert_eq!(snapshot.alg_for(Transport::Tcp, 1500, 2121), None);
    assert_eq!(snapshot.alg_for(Transport::Tcp, 1500, 21), None);
}

#[test]
fn every_error_is_reported_with_its_field() {
    let mut config = config();
    config.inside_prefixes.push("10.0.0.128/25".parse().unwrap());
    config.pool.push(PoolAddress {
        address: Ipv4Addr::new(10, 0, 0, 9),
        ports: PortRange::new(80, 65535).unwrap(),
        host: false,
    });
    config.mtu = 20;
    let fields: Vec<_> = Snapshot::new(config).unwrap_err().into_iter().map(|error| error.field).collect();
    assert_eq!(fields, ["inside_prefixes[1]", "pool[1]", "pool[1]", "mtu"]);
}
