//! Network Address Translation Behavioral Requirements for Unicast UDP.

use std::collections::BTreeSet;

use pinhole_dataplane::config::nat::Translation;

use crate::network::{Network, STRANGER};
use crate::packets::udp;
use crate::world::{DNS, blocks, host, network, pool_of, ports};

#[test]
fn rfc4787_req_1_a_mapping_is_independent_of_the_destination() {
    let mut network = Network::small();
    let first = network.mapped((host(2), 5353));
    for to in [(DNS.0, 54), (STRANGER, 53)] {
        assert_eq!(network.outbound(&udp((host(2), 5353), to, b"")).from, first);
    }
    assert_eq!(network.engine.mappings().count(), 1);
}

#[test]
fn rfc4787_req_2_all_sessions_of_a_host_have_one_address() {
    for allocation in [Translation::default().allocation, blocks(4)] {
        let nat = Translation { allocation, ..Translation::default() };
        let mut network = network(pool_of(16, ports(1024, 65_535)), nat);
        let mut used = BTreeSet::new();
        for number in 2..40 {
            let addresses: BTreeSet<_> =
                network.mapped_from(host(number), 100).into_iter().map(|(address, _)| address).collect();
            assert_eq!(addresses.len(), 1);
            used.extend(addresses);
        }
        assert!(used.len() > 8, "hosts are spread over the pool");
    }
}

#[test]
fn rfc4787_req_3_no_outside_endpoint_means_two_inside_endpoints() {
    let mut network = network(pool_of(1, ports(1024, 2047)), Translation::default());
    let mut all = BTreeSet::new();
    for number in 2..10 {
        let outside = network.mapped_from(host(number), 128);
        assert!(outside.iter().all(|(_, port)| (1024..=2047).contains(port)), "3a: not below 1024");
        all.extend(outside);
    }
    assert_eq!(all.len(), 1024, "each port once, and none is wasted");
}

#[test]
fn rfc4787_req_4_even_ports_stay_even_and_odd_ones_odd() {
    for allocation in [Translation::default().allocation, blocks(4)] {
        let mut network =
            network(pool_of(1, ports(1024, 65_535)), Translation { allocation, ..Translation::default() });
        for port in 2_000..2_100 {
            assert_eq!(network.mapped((host(2), port)).1 % 2, port % 2);
        }
    }
}

#[test]
fn rfc4787_req_4_a_port_of_the_other_parity_is_better_than_none() {
    let mut network = network(pool_of(1, ports(1024, 1033)), Translation::default());
    for index in 0..10 {
        network.mapped((host(2), 2_000 + 2 * index));
    }
}
