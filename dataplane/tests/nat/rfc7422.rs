//! Deterministic Address Mapping to Reduce Logging in Carrier-Grade NAT Deployments.

use std::num::NonZeroU16;

use pinhole_dataplane::config::nat::{Allocation, Translation};
use pinhole_dataplane::config::{Config, Snapshot};
use pinhole_dataplane::engine::DropReason;

use crate::network::config;
use crate::packets::Address;
use crate::world::{host, network, pool_of, ports};

fn deterministic(ports_per_subscriber: u16) -> Translation {
    let ports = NonZeroU16::new(ports_per_subscriber).unwrap();
    Translation { allocation: Allocation::Deterministic(ports), ..Translation::default() }
}

/// 256 inside addresses, 64 on each of four outside ones.
fn quarter() -> Config {
    Config { nat: deterministic(1_000), ..pool_of(4, ports(1_024, 65_535)) }
}

#[test]
fn rfc7422_section_2_ports_follow_from_the_configuration_and_the_other_way_round() {
    let snapshot = Snapshot::new(quarter()).unwrap();
    let relation = snapshot.deterministic().unwrap();
    let mut network = network(quarter(), deterministic(1_000));
    for number in [0, 1, 63, 64, 65, 255] {
        let (address, range) = relation.outside_of(host(number)).unwrap();
        assert_eq!(address.octets()[3], number / 64 + 1);
        assert_eq!(range.first(), 1_024 + 1_000 * u16::from(number % 64));
        assert_eq!(range.count(), 1_000);
        for endpoint in network.mapped_from(host(number), 100) {
            assert!(endpoint.0 == address && range.contains(endpoint.1), "{endpoint:?}");
            assert_eq!(relation.subscriber_of(endpoint.0, endpoint.1), Some(host(number)));
        }
    }
    assert_eq!(network.block_events(), [], "nothing has to be logged");
    for (address, port) in [([203, 0, 113, 1], 1_023), ([203, 0, 113, 1], 65_024), ([203, 0, 113, 9], 2_000)]
    {
        assert_eq!(relation.subscriber_of(address.into(), port), None);
    }
    assert_eq!(relation.outside_of([10, 0, 1, 0].into()), None);
}

#[test]
fn rfc7422_section_2_who_has_used_its_ports_gets_no_other() {
    let mut network = network(pool_of(4, ports(1_024, 65_535)), deterministic(100));
    let all = network.mapped_from(host(2), 100);
    assert_eq!(network.unmapped((host(2), 9_000)), DropReason::NoPort);
    network.mapped_from(host(3), 100);
    let ports: Vec<u16> = all.into_iter().map(|(_, port)| port).collect();
    assert_eq!((ports[0], ports[99]), (1_224, 1_323));
}

#[test]
fn rfc7422_section_2_a_pool_that_is_too_small_is_refused() {
    let config = Config { nat: deterministic(1_009), ..pool_of(4, ports(1_024, 65_535)) };
    let errors = Snapshot::new(config).unwrap_err();
    assert_eq!(errors[0].to_string(), "pool: has ports for 252 of 256 inside addresses");
    let mut config = quarter();
    config.pool[2].ports = ports(2_000, 65_535);
    let errors = Snapshot::new(config).unwrap_err();
    assert_eq!(errors[0].to_string(), "pool: deterministic mapping needs the same ports of each address");
}

#[test]
fn the_order_of_prefixes_and_addresses_makes_no_difference() {
    let prefixes = ["10.9.0.0/30", "10.0.0.0/31", "172.16.0.0/32"];
    let mut config = Config { nat: deterministic(20_000), ..pool_of(3, ports(1_024, 65_535)) };
    config.inside_prefixes = prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect();
    let one = Snapshot::new(config.clone()).unwrap();
    config.inside_prefixes.reverse();
    config.pool.reverse();
    let other = Snapshot::new(config).unwrap();
    assert_eq!(one.deterministic(), other.deterministic());
    let relation = one.deterministic().unwrap();
    for (inside, address, first) in [
        ([10, 0, 0, 0], 1, 1_024),
        ([10, 0, 0, 1], 1, 21_024),
        ([10, 9, 0, 0], 1, 41_024),
        ([10, 9, 0, 1], 2, 1_024),
        ([172, 16, 0, 0], 3, 1_024),
    ] {
        let (outside, range) = relation.outside_of(inside.into()).unwrap();
        assert_eq!((outside.octets()[3], range.first()), (address, first), "{inside:?}");
        assert_eq!(relation.subscriber_of(outside, range.last()), Some(inside.into()));
    }
}

#[test]
fn a_change_ends_the_sessions_whose_ports_are_another_s_now() {
    let mut network = network(quarter(), deterministic(1_000));
    let kept: Address = network.mapped((host(0), 2_000));
    network.mapped((host(200), 2_000));
    network.apply(Config { nat: deterministic(500), ..quarter() });
    assert_eq!(network.engine.session_count(), usize::from(kept.1 < 1_524));
    network.apply(config());
    assert_eq!(network.engine.session_count(), 0);
}
