//! Common Requirements for Carrier-Grade NATs.

use std::collections::BTreeSet;
use std::time::Duration;

use pinhole_dataplane::config::Config;
use pinhole_dataplane::config::nat::{Dependence, Exemption, SubscriberLimits, Translation};
use pinhole_dataplane::engine::DropReason;
use pinhole_dataplane::limits::Limits;

use crate::network::{Network, SERVER, config};
use crate::packets::udp;
use crate::world::{DNS, blocks, host, is_in, most, network, pool_of, ports};

fn limited(limits: SubscriberLimits) -> Network {
    network(config(), Translation { limits, ..Translation::default() })
}

fn in_blocks(per_subscriber: u16) -> Translation {
    Translation { allocation: blocks(per_subscriber), ..Translation::default() }
}

#[test]
fn rfc6888_req_3_the_pool_is_any_list_of_addresses() {
    let addresses = [[203, 0, 113, 1], [192, 0, 2, 200], [203, 0, 113, 2], [198, 18, 0, 7], [5, 6, 7, 8]];
    let mut config = pool_of(5, ports(1024, 65_535));
    for (entry, address) in config.pool.iter_mut().zip(addresses) {
        entry.address = address.into();
    }
    let mut network = network(config, Translation::default());
    let mut used = BTreeSet::new();
    for number in 2..80 {
        let outside = network.mapped((host(number), 2_000));
        assert_eq!(network.inbound(&udp(DNS, outside, b"")).to, (host(number), 2_000));
        used.insert(outside.0.octets());
    }
    assert_eq!(used, addresses.into());
}

#[test]
fn rfc6888_req_4_a_subscriber_has_no_more_ports_than_its_limit() {
    let mut network = limited(SubscriberLimits { ports: most(10), ..SubscriberLimits::default() });
    network.mapped_from(host(2), 10);
    assert_eq!(network.unmapped((host(2), 9_000)), DropReason::SubscriberPorts);
    // What it has goes on, also to other destinations, and nobody else notices.
    network.outbound(&udp((host(2), 2_000), (SERVER, 99), b""));
    network.mapped_from(host(3), 10);
    assert_eq!(network.engine.stats().drops(DropReason::SubscriberPorts), 1);
    // With time it may again.
    network.advance(Duration::from_secs(100));
    network.mapped((host(2), 9_000));
}

#[test]
fn rfc6888_req_5_a_subscriber_has_no_more_sessions_than_its_limit() {
    let mut network = limited(SubscriberLimits { sessions: most(10), ..SubscriberLimits::default() });
    for port in 1..=10 {
        network.outbound(&udp((host(2), 2_000), (SERVER, port), b""));
    }
    let eleventh = udp((host(2), 2_000), (SERVER, 11), b"");
    let inside = pinhole_dataplane::addr::Realm::Inside;
    assert_eq!(network.refused(inside, &eleventh), DropReason::SubscriberSessions);
    assert_eq!(network.unmapped((host(2), 9_000)), DropReason::SubscriberSessions);
    for port in 1..=10 {
        network.outbound(&udp((host(2), 2_000), (SERVER, port), b""));
    }
    network.mapped((host(3), 2_000));
    network.advance(Duration::from_secs(100));
    network.outbound(&eleventh);
    assert_eq!(network.engine.session_count(), 1);
}

#[test]
fn rfc6888_req_5_a_subscriber_opens_no_more_sessions_a_second_than_its_limit() {
    let rate = SubscriberLimits { new_sessions_per_second: most(10), ..SubscriberLimits::default() };
    let mut network = limited(rate);
    network.mapped_from(host(2), 10);
    assert_eq!(network.unmapped((host(2), 9_000)), DropReason::SubscriberRate);
    network.outbound(&udp((host(2), 2_000), DNS, b""));
    network.mapped_from(host(3), 10);
    // A tenth of a second is one more session, a long rest is a second's.
    network.advance(Duration::from_millis(99));
    assert_eq!(network.unmapped((host(2), 9_000)), DropReason::SubscriberRate);
    network.advance(Duration::from_millis(1));
    network.mapped((host(2), 9_000));
    assert_eq!(network.unmapped((host(2), 9_001)), DropReason::SubscriberRate);
    network.advance(Duration::from_secs(30));
    for port in 0..10 {
        network.mapped((host(2), 9_100 + port));
    }
    assert_eq!(network.unmapped((host(2), 9_200)), DropReason::SubscriberRate);
}

#[test]
fn rfc6888_req_6_towards_chosen_destinations_nothing_is_translated() {
    let exempt = |prefix: &str, ports| Exemption { destination: prefix.parse().unwrap(), ports };
    let exempt = vec![exempt("198.51.100.0/26", vec![ports(5_000, 5_009)]), exempt("192.0.2.0/24", vec![])];
    let nat = Translation { exempt, ..Translation::default() };
    let mut network = network(config(), nat.clone());
    let client = (host(2), 2_000);
    for (to, translated) in [
        ((SERVER, 5_005), false),
        ((SERVER, 5_010), true),
        (([192, 0, 2, 9].into(), 53), false),
        (([198, 51, 100, 200].into(), 5_005), true),
    ] {
        let seen = network.outbound(&udp(client, to, b""));
        assert_eq!(seen.from != client, translated, "{to:?}");
        assert_eq!(network.inbound(&udp(to, seen.from, b"")).to, client);
    }
    // It stays a firewall there, and the mapping of the endpoint is as independent as ever.
    let stranger = udp(([192, 0, 2, 10].into(), 53), client, b"");
    let outside = pinhole_dataplane::addr::Realm::Outside;
    assert_eq!(network.refused(outside, &stranger), DropReason::NotExpected);
    assert_eq!(network.engine.mappings().count(), 2);
    let ping = network.outbound(&crate::packets::echo(host(2), [192, 0, 2, 9].into(), 7));
    assert_eq!(ping.from, (host(2), 7));
    let ping = network.outbound(&crate::packets::echo(host(2), SERVER, 7));
    assert_eq!(ping.from.0, crate::network::POOL, "a port says nothing about pings");
    // Who is exempt now is so for new sessions; those that were translated end.
    network.apply(config());
    assert_eq!(network.engine.session_count(), 3);
    network.apply(Config { nat, ..config() });
    assert_eq!(network.engine.session_count(), 3);
}

#[test]
fn rfc6888_req_6_who_is_exempt_opens_nothing_through_a_translating_mapping() {
    let exempt =
        vec![Exemption { destination: "198.51.100.0/26".parse().unwrap(), ports: vec![ports(53, 53)] }];
    let nat = Translation { exempt, filtering: Dependence::Address, ..Translation::default() };
    let mut network = network(config(), nat.clone());
    let client = (host(2), 2_000);
    let outside = network.outbound(&udp(client, (SERVER, 80), b"")).from;
    let realm = pinhole_dataplane::addr::Realm::Outside;
    assert_eq!(network.refused(realm, &udp((SERVER, 53), outside, b"")), DropReason::NotExpected);
    assert_eq!(network.inbound(&udp((SERVER, 54), outside, b"")).to, client);
    network.apply(Config { nat, ..config() });
    assert_eq!(network.engine.session_count(), 2, "what was let in stays");
}

#[test]
fn rfc6888_req_8_a_block_given_back_is_nobody_elses_for_two_minutes() {
    // Two blocks in all: 1024-1087 and 1088-1151.
    let mut network = network(pool_of(1, ports(1024, 1151)), in_blocks(1));
    network.mapped((host(2), 2_000));
    network.mapped((host(3), 2_000));
    let [(_, first), _] = network.block_events()[..] else { panic!("two blocks") };
    assert_eq!(network.unmapped((host(4), 2_000)), DropReason::NoPort);
    network.advance(Duration::from_secs(62));
    let given_back = network.block_events();
    assert_eq!(given_back.len(), 2);
    assert!(given_back.contains(&("released", first)));
    network.advance(Duration::from_secs(100));
    assert_eq!(network.unmapped((host(4), 2_000)), DropReason::NoPort);
    // The same subscriber may have it again at once.
    let again = network.mapped((host(2), 2_000));
    assert_eq!(network.block_events(), [("allocated", first)]);
    assert!(is_in(&first, again));
    network.advance(Duration::from_secs(20));
    assert_eq!(network.engine.subscriber_count(), 1, "host 3 is forgotten");
    let other = network.mapped((host(4), 2_000));
    assert!(!is_in(&first, other));
    assert_eq!(network.unmapped((host(3), 2_000)), DropReason::NoPort);
    // What was taken again and given back again is held anew.
    network.advance(Duration::from_secs(62));
    network.advance(Duration::from_secs(110));
    assert_eq!(network.unmapped((host(5), 2_000)), DropReason::NoPort);
    network.advance(Duration::from_secs(20));
    network.mapped((host(5), 2_000));
    network.mapped((host(6), 2_000));
}

#[test]
fn rfc6888_req_11_without_a_port_the_packet_is_dropped_and_no_mapping_ends() {
    let mut network = network(pool_of(1, ports(1024, 1087)), in_blocks(4));
    let all = network.mapped_from(host(2), 64);
    for _ in 0..3 {
        assert_eq!(network.unmapped((host(2), 9_000)), DropReason::NoPort);
        assert_eq!(network.unmapped((host(3), 9_000)), DropReason::NoPort);
    }
    assert_eq!(network.mapped_from(host(2), 64), all);
    assert_eq!(network.engine.subscriber_count(), 1, "who is refused is not remembered");
}

#[test]
fn rfc6888_req_13_every_port_of_an_address_is_usable() {
    let limits = Limits { sessions: 100_000, ..Limits::default() };
    let mut network = Network::new(limits, pool_of(1, ports(1024, 65_535)));
    let mut outside = BTreeSet::new();
    for number in 2..66 {
        outside.extend(network.mapped_from(host(number), 1_008));
    }
    assert_eq!(outside.len(), 64_512);
    assert_eq!(network.unmapped((host(70), 1)), DropReason::NoPort);
}

#[test]
fn rfc6888_req_14_a_subscriber_s_ports_are_in_blocks_of_which_it_has_only_so_many() {
    let mut network = network(pool_of(2, ports(1024, 65_535)), in_blocks(3));
    let outside = network.mapped_from(host(2), 192);
    assert_eq!(network.unmapped((host(2), 9_000)), DropReason::NoPort);
    let blocks = network.block_events();
    assert_eq!(blocks.len(), 3, "one record for 64 mappings");
    for endpoint in &outside {
        let holding = blocks.iter().filter(|(_, block)| is_in(block, *endpoint)).count();
        assert_eq!(holding, 1, "{endpoint:?} is in no block");
    }
    assert!(blocks.iter().all(|(what, block)| *what == "allocated" && block.subscriber == host(2)));
    assert!(blocks.iter().all(|(_, block)| block.ports.first() % 64 == 0 && block.ports.count() == 64));
    // Ports of other protocols are in the same blocks.
    let echo = network.outbound(&crate::packets::echo(host(2), SERVER, 7)).from;
    assert!(blocks.iter().any(|(_, block)| is_in(block, echo)));
    assert_eq!(network.block_events(), []);
    network.mapped_from(host(3), 10);
    let [(_, other)] = network.block_events()[..] else { panic!("one block") };
    assert!(blocks.iter().all(|(_, block)| *block != other));
}

#[test]
fn rfc6888_req_15_neither_blocks_nor_ports_come_in_an_order() {
    let mut network = network(pool_of(1, ports(1024, 65_535)), in_blocks(1));
    let ports: Vec<u16> = (2..40).map(|number| network.mapped((host(number), 2_000)).1).collect();
    let steps: BTreeSet<i32> = ports.windows(2).map(|pair| i32::from(pair[1]) - i32::from(pair[0])).collect();
    assert!(steps.len() > 30, "{steps:?}");
    let within: BTreeSet<u16> = ports.iter().map(|port| port % 64).collect();
    assert!(within.len() > 10, "{within:?}");
}

#[test]
fn a_full_outside_address_does_not_shut_out_who_would_be_paired_with_it() {
    // Each address has room for two subscribers, and there are eight for four addresses.
    let mut network = network(pool_of(4, ports(1024, 1151)), in_blocks(1));
    for number in 2..10 {
        network.mapped((host(number), 2_000));
    }
    assert_eq!(network.unmapped((host(10), 2_000)), DropReason::NoPort);
}

#[test]
fn a_full_table_of_subscribers_refuses_new_ones_only() {
    let limits = Limits { subscribers: 2, ..Limits::default() };
    let mut network = Network::new(limits, config());
    network.mapped((host(2), 1));
    network.mapped((host(3), 1));
    assert_eq!(network.unmapped((host(4), 1)), DropReason::SubscribersFull);
    network.mapped((host(2), 2));
}

#[test]
fn blocks_of_another_size_end_the_sessions_of_the_old_ones_and_other_changes_none() {
    let mut network = network(pool_of(1, ports(1024, 65_535)), in_blocks(2));
    network.mapped_from(host(2), 100);
    network.apply(Config { nat: in_blocks(1), ..pool_of(2, ports(2_048, 65_535)) });
    assert_eq!(network.engine.session_count(), 100);
    network.apply(pool_of(2, ports(2_048, 65_535)));
    assert_eq!((network.engine.session_count(), network.engine.subscriber_count()), (0, 0));
    network.apply(Config { nat: in_blocks(1), ..pool_of(2, ports(2_048, 65_535)) });
    network.mapped_from(host(2), 64);
}
