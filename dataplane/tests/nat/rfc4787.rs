//! Network Address Translation Behavioral Requirements for Unicast UDP.

use std::collections::BTreeSet;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::{Dependence, Translation};
use pinhole_dataplane::config::{Config, Snapshot};
use pinhole_dataplane::engine::{DropReason, Packet, Verdict};

use crate::network::{Network, POOL, STRANGER, config};
use crate::packets::{echo, udp, unreachable};
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

fn dependent(mapping: Dependence, filtering: Dependence) -> Network {
    network(config(), Translation { mapping, filtering, ..Translation::default() })
}

#[test]
fn rfc4787_req_1_other_mappings_are_there_for_who_asks_for_them() {
    let destinations = [DNS, (DNS.0, 54), (STRANGER, 53)];
    for (mapping, expected) in [
        (Dependence::Independent, [0, 0, 0]),
        (Dependence::Address, [0, 0, 1]),
        (Dependence::AddressAndPort, [0, 1, 2]),
    ] {
        let mut network = dependent(mapping, Dependence::AddressAndPort);
        let mut seen = Vec::new();
        for (to, class) in destinations.into_iter().zip(expected) {
            let outside = network.outbound(&udp((host(2), 5353), to, b"")).from;
            if class == seen.len() {
                assert!(!seen.contains(&outside), "{mapping:?}");
                seen.push(outside);
            }
            assert_eq!(outside, seen[class], "{mapping:?}");
            assert_eq!(network.inbound(&udp(to, outside, b"")).to, (host(2), 5353));
        }
        network.advance(Duration::from_secs(301));
        assert_eq!(network.engine.mappings().count(), 0);
    }
}

#[test]
fn rfc4787_req_7_an_address_on_both_sides_is_refused() {
    let mut config = config();
    config.pool[0].address = host(9);
    assert!(Snapshot::new(config).is_err());
}

#[test]
fn rfc4787_req_8_who_may_send_in_is_as_configured() {
    let (same_address, stranger) = ((DNS.0, 54), (STRANGER, 53));
    for (filtering, admitted) in [
        (Dependence::Independent, vec![DNS, same_address, stranger]),
        (Dependence::Address, vec![DNS, same_address]),
        (Dependence::AddressAndPort, vec![DNS]),
    ] {
        let mut network = dependent(Dependence::Independent, filtering);
        let outside = network.mapped((host(2), 5353));
        for from in [DNS, same_address, stranger] {
            let packet = udp(from, outside, b"x");
            if admitted.contains(&from) {
                assert_eq!(network.inbound(&packet).to, (host(2), 5353), "{filtering:?} {from:?}");
                // The answer leaves from where the packet went.
                let answer = network.outbound(&udp((host(2), 5353), from, b"y"));
                assert_eq!((answer.from, answer.to), (outside, from));
            } else {
                assert_eq!(network.refused(Realm::Outside, &packet), DropReason::NotExpected);
            }
        }
        // A port that nobody sent from leads nowhere, and neither does an echo.
        let unused = udp(DNS, (POOL, outside.1 ^ 1), b"");
        assert_eq!(network.refused(Realm::Outside, &unused), DropReason::NotExpected);
        let ping = echo(DNS.0, POOL, outside.1);
        assert_eq!(network.refused(Realm::Outside, &ping), DropReason::NotExpected);
        // With the last session that opened it the door closes, also for who came in by it.
        network.advance(Duration::from_secs(301));
        assert_eq!(network.engine.session_count(), 0);
        assert_eq!(network.refused(Realm::Outside, &udp(DNS, outside, b"")), DropReason::NotExpected);
    }
}

#[test]
fn rfc4787_req_8_a_session_from_outside_opens_the_door_to_nobody_else() {
    let mut network = dependent(Dependence::Independent, Dependence::Address);
    let outside = network.mapped((host(2), 5353));
    network.inbound(&udp((DNS.0, 54), outside, b""));
    assert_eq!(network.refused(Realm::Outside, &udp((STRANGER, 54), outside, b"")), DropReason::NotExpected);
}

#[test]
fn rfc4787_req_8_another_filter_applies_to_sessions_that_are_there() {
    let mut network = dependent(Dependence::Independent, Dependence::AddressAndPort);
    let outside = network.mapped((host(2), 5353));
    let later = udp((DNS.0, 54), outside, b"");
    assert_eq!(network.refused(Realm::Outside, &later), DropReason::NotExpected);
    let filtering = Dependence::Address;
    network.apply(Config { nat: Translation { filtering, ..Translation::default() }, ..config() });
    network.inbound(&later);
    network.apply(config());
    assert_eq!(network.refused(Realm::Outside, &udp((DNS.0, 55), outside, b"")), DropReason::NotExpected);
    assert_eq!(network.inbound(&later).to, (host(2), 5353), "a session that was let in goes on");
}

#[test]
fn rfc4787_req_9_inside_hosts_reach_each_other_by_their_outside_endpoints() {
    for filtering in [Dependence::Independent, Dependence::Address, Dependence::AddressAndPort] {
        let mut network = dependent(Dependence::Independent, filtering);
        let [first, second] = [(host(2), 2_000), (host(3), 3_000)];
        let [first_outside, second_outside] = [network.mapped(first), network.mapped(second)];
        // As between hosts behind two gateways, the first packet passes only an independent filter.
        let hello = udp(first, second_outside, b"hello");
        match filtering {
            Dependence::Independent => {
                let seen = network.turned_back(&hello);
                assert_eq!(
                    (seen.from, seen.to),
                    (first_outside, second),
                    "9a: the source is the outside one"
                );
            }
            Dependence::Address | Dependence::AddressAndPort => {
                assert_eq!(network.refused(Realm::Inside, &hello), DropReason::NotExpected);
            }
        }
        let answer = network.turned_back(&udp(second, first_outside, b"hi"));
        assert_eq!((answer.from, answer.to, answer.ttl), (second_outside, first, 63));
        assert_eq!(network.turned_back(&hello).payload, b"hello");
        // An error about it goes the same way back.
        let quoted = udp(first_outside, second, b"hello");
        let seen = network.turned_back(&unreachable(3, second.0, first_outside.0, &quoted));
        assert_eq!((seen.from.0, seen.to.0), (second_outside.0, first.0));
        let quoted = crate::packets::read(&seen.payload);
        assert_eq!((quoted.from, quoted.to), (first, second_outside));
    }
}

#[test]
fn rfc4787_req_9_an_outside_endpoint_of_nobody_leads_nowhere() {
    let mut network = dependent(Dependence::Independent, Dependence::Independent);
    network.mapped((host(2), 2_000));
    let packet = udp((host(3), 1), (POOL, 80), b"");
    assert_eq!(network.refused(Realm::Inside, &packet), DropReason::BadDestination);
    assert_eq!(network.engine.session_count(), 1);
    // One hairpin for a packet: a host cannot send itself around.
    let own = network.mapped((host(3), 1));
    let seen = network.turned_back(&udp((host(3), 1), own, b""));
    assert_eq!((seen.from, seen.to), (own, (host(3), 1)));
}

#[test]
fn rfc4787_req_9_in_a_batch_too_a_packet_turns_back() {
    let mut network = dependent(Dependence::Independent, Dependence::Independent);
    let [first, second] = [(host(2), 2_000), (host(3), 3_000)];
    let [_, second_outside] = [network.mapped(first), network.mapped(second)];
    let hello = udp(first, second_outside, b"hello");
    network.turned_back(&hello);
    // Its sessions are ones that packets of a batch pass by the short way.
    let (mut turns, mut goes) = (hello.clone(), udp(first, DNS, b"out"));
    let lengths = [turns.len(), goes.len()];
    let mut packets = [Packet::new(&mut turns, lengths[0]), Packet::new(&mut goes, lengths[1])];
    let mut verdicts = [Verdict::Hold; 2];
    network.engine.process_batch(&mut packets, Realm::Inside, network.now, &mut verdicts);
    assert_eq!(verdicts, [Verdict::Hairpin, Verdict::Forward]);
    assert_eq!(crate::packets::read(&turns).to, second);
}

#[test]
fn nobody_outside_takes_part_in_a_session_between_inside_hosts() {
    let mut network = dependent(Dependence::Independent, Dependence::Independent);
    let [first, second] = [(host(2), 2_000), (host(3), 3_000)];
    let [first_outside, second_outside] = [network.mapped(first), network.mapped(second)];
    network.turned_back(&udp(first, second_outside, b"hello"));
    network.turned_back(&udp(second, first_outside, b"hi"));
    let mut spoofed = udp(first_outside, second_outside, b"evil");
    assert_eq!(network.refused(Realm::Outside, &spoofed), DropReason::SpoofedSource);
    let length = spoofed.len();
    let mut verdicts = [Verdict::Hold];
    let mut packets = [Packet::new(&mut spoofed, length)];
    network.engine.process_batch(&mut packets, Realm::Outside, network.now, &mut verdicts);
    assert_eq!(verdicts, [Verdict::Drop(DropReason::SpoofedSource)]);
}
