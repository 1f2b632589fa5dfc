//! Port Control Protocol, as far as it is the translation's part: mappings that inside hosts ask for by name.

use std::net::Ipv4Addr;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::{Dependence, SubscriberLimits, Translation};
use pinhole_dataplane::engine::{
    DropReason, Event, Kill, Lease, LeaseEnd, LeaseError, LeaseFilter, LeaseId, LeaseKey, LeaseRequest, Owner,
};
use pinhole_dataplane::nat::{Otherwise, Wish};
use pinhole_dataplane::tuple::Protocol;

use crate::network::{CLIENT, Network, POOL, SERVER, STRANGER, config};
use crate::packets::{Address, SYN, tcp, udp};
use crate::world::{blocks, host, most, network, pool_of, ports};

const INSIDE: Address = (CLIENT, 6_000);
const HOUR: Duration = Duration::from_secs(3_600);
const NONCE: Owner = Owner::Nonce([7; 12]);

fn request(inside: Address) -> LeaseRequest {
    LeaseRequest {
        key: LeaseKey { protocol: Protocol::Udp, inside, peer: None },
        owner: NONCE,
        wish: Wish::default(),
        lifetime: HOUR,
        filters: None,
    }
}

fn wishing(inside: Address, address: Option<Ipv4Addr>, port: u16, otherwise: Otherwise) -> LeaseRequest {
    LeaseRequest { wish: Wish { address, port: Some(port), otherwise }, ..request(inside) }
}

impl Network {
    fn lease(&mut self, request: &LeaseRequest) -> Result<Lease, LeaseError> {
        self.engine.lease(request, self.now)
    }
}

fn plain() -> Network {
    network(config(), Translation::default())
}

fn ends(network: &mut Network) -> Vec<LeaseEnd> {
    let end = |event| if let Event::LeaseEnded { reason, .. } = event { Some(reason) } else { None };
    std::iter::from_fn(|| network.engine.poll_event()).filter_map(end).collect()
}

#[test]
fn rfc6887_11_a_map_lease_lets_anybody_in_and_what_the_host_sends_leaves_from_there() {
    let mut network = plain();
    let lease = network.lease(&request(INSIDE)).unwrap();
    assert_eq!(lease.outside.0, POOL);
    for stranger in [(STRANGER, 1), (SERVER, 53)] {
        assert_eq!(network.inbound(&udp(stranger, lease.outside, b"hello")).to, INSIDE);
    }
    assert_eq!(network.mapped(INSIDE), lease.outside);
    // Another transport, and another port, are not leased.
    let other = tcp((STRANGER, 1), lease.outside, 1, 0, SYN, b"");
    assert_eq!(network.refused(Realm::Outside, &other), DropReason::NotExpected);
    let next_port = udp((STRANGER, 1), (POOL, lease.outside.1 ^ 1), b"");
    assert_eq!(network.refused(Realm::Outside, &next_port), DropReason::NotExpected);
    // Inside hosts reach it, too (RFC 6888, REQ-9).
    assert_eq!(network.turned_back(&udp((host(9), 5_000), lease.outside, b"")).to, INSIDE);
    let events: Vec<Event> = std::iter::from_fn(|| network.engine.poll_event()).collect();
    assert_eq!(events, [Event::LeaseGiven(lease)]);
}

#[test]
fn rfc6887_11_a_mapping_that_is_there_already_is_leased_as_it_is() {
    let mut network = plain();
    let outside = network.mapped(INSIDE);
    let other = Some(outside.1 ^ 8);
    let wish = Wish { address: None, port: other, otherwise: Otherwise::Another };
    let lease = network.lease(&LeaseRequest { wish, ..request(INSIDE) }).unwrap();
    assert_eq!(lease.outside, outside);
}

#[test]
fn rfc6887_15_a_lease_ends_with_its_time_unless_it_is_renewed_and_sessions_stay() {
    let mut network = plain();
    let lease = network.lease(&request(INSIDE)).unwrap();
    network.advance(HOUR - Duration::from_secs(1));
    let renewed = network.lease(&request(INSIDE)).unwrap();
    assert_eq!((renewed.id, renewed.outside), (lease.id, lease.outside));
    network.advance(HOUR - Duration::from_secs(1));
    network.inbound(&udp((STRANGER, 1), lease.outside, b""));
    assert_eq!(ends(&mut network), []);
    network.advance(Duration::from_secs(1));
    assert_eq!(ends(&mut network), [LeaseEnd::Expired]);
    network.inbound(&udp((STRANGER, 1), lease.outside, b""));
    let new = udp((STRANGER, 2), lease.outside, b"");
    assert_eq!(network.refused(Realm::Outside, &new), DropReason::NotExpected);
    network.advance(HOUR);
    assert_eq!((network.engine.mapping_count(), network.engine.subscriber_count()), (0, 0));
}

#[test]
fn rfc6887_15_1_a_lease_is_given_back_by_its_owner_alone() {
    let mut network = plain();
    let lease = network.lease(&request(INSIDE)).unwrap();
    let key = lease.key;
    let stranger = Owner::Nonce([8; 12]);
    let refused = network.lease(&LeaseRequest { owner: stranger, ..request(INSIDE) });
    assert_eq!(refused, Err(LeaseError::NotOwner(HOUR)));
    assert_eq!(network.engine.release_lease(&key, stranger, network.now), Err(LeaseError::NotOwner(HOUR)));
    network.engine.release_leases(CLIENT, None, stranger, network.now);
    assert_eq!(network.engine.lease_count(), 1);
    assert_eq!(network.engine.release_lease(&key, NONCE, network.now), Ok(()));
    // That it is not there is as good.
    assert_eq!(network.engine.release_lease(&key, NONCE, network.now), Ok(()));
    assert_eq!((ends(&mut network), network.engine.mapping_count()), (vec![LeaseEnd::Released], 0));
}

#[test]
fn rfc6887_15_1_all_leases_of_a_transport_are_given_back_at_once() {
    let mut network = plain();
    for port in 1..=3 {
        network.lease(&request((CLIENT, port))).unwrap();
    }
    network.lease(&request((host(3), 1))).unwrap();
    let tcp = LeaseKey { protocol: Protocol::Tcp, ..request(INSIDE).key };
    network.lease(&LeaseRequest { key: tcp, ..request(INSIDE) }).unwrap();
    network.engine.release_leases(CLIENT, Some(Protocol::Udp), NONCE, network.now);
    assert_eq!(network.engine.lease_count(), 2);
    network.engine.release_leases(CLIENT, None, NONCE, network.now);
    assert_eq!(network.engine.lease_count(), 1);
}

#[test]
fn rfc6887_11_the_suggested_outside_port_is_given_when_it_is_free() {
    let mut network = plain();
    let first = wishing(INSIDE, Some(POOL), 7_777, Otherwise::Another);
    assert_eq!(network.lease(&first).unwrap().outside, (POOL, 7_777));
    let second = wishing((host(3), 6_000), None, 7_777, Otherwise::Another);
    assert_ne!(network.lease(&second).unwrap().outside.1, 7_777);
    // A port that is nobody's to give, and an address that is not of the pool.
    for (address, port) in [(None, 80), (Some(STRANGER), 7_778)] {
        let lease = network.lease(&wishing((host(4), port), address, port, Otherwise::Another)).unwrap();
        assert!(lease.outside.0 == POOL && lease.outside.1 >= 1_024);
    }
}

#[test]
fn rfc6887_13_2_prefer_failure_gives_what_is_wished_for_or_nothing() {
    let mut network = plain();
    let wish = |inside, port| wishing(inside, None, port, Otherwise::Nothing);
    assert_eq!(network.lease(&wish(INSIDE, 7_777)).unwrap().outside.1, 7_777);
    assert_eq!(network.lease(&wish((host(3), 1), 7_777)), Err(LeaseError::Taken));
    assert_eq!(network.lease(&wish((host(3), 1), 80)), Err(LeaseError::Taken));
    assert_eq!(network.lease(&wish(INSIDE, 7_778)), Err(LeaseError::Taken));
    let elsewhere = network.mapped((host(4), 1));
    assert_eq!(network.lease(&wish((host(4), 1), elsewhere.1 ^ 8)), Err(LeaseError::Taken));
    let wrong_address = wishing((host(5), 1), Some(STRANGER), 7_779, Otherwise::Nothing);
    assert_eq!(network.lease(&wrong_address), Err(LeaseError::Taken));
    // Nothing is left of what was refused.
    assert_eq!((network.engine.mapping_count(), network.engine.subscriber_count()), (2, 2));
}

#[test]
fn rfc6887_13_3_filters_let_in_only_whom_they_name() {
    let mut network = plain();
    let filter = |prefix: &str, port| LeaseFilter { prefix: prefix.parse().unwrap(), port };
    let filters = vec![filter("198.51.100.5/32", 53), filter("192.0.2.0/24", 0)];
    let lease = network.lease(&LeaseRequest { filters: Some(filters), ..request(INSIDE) }).unwrap();
    for admitted in [(SERVER, 53), ([192, 0, 2, 200].into(), 9)] {
        network.inbound(&udp(admitted, lease.outside, b""));
    }
    for refused in [(SERVER, 54), (STRANGER, 53)] {
        let packet = udp(refused, lease.outside, b"");
        assert_eq!(network.refused(Realm::Outside, &packet), DropReason::NotExpected);
    }
    // A renewal without filters leaves them, one with none at all ends them.
    network.lease(&request(INSIDE)).unwrap();
    network.refused(Realm::Outside, &udp((STRANGER, 53), lease.outside, b""));
    network.lease(&LeaseRequest { filters: Some(vec![]), ..request(INSIDE) }).unwrap();
    network.inbound(&udp((STRANGER, 53), lease.outside, b""));
    let many = vec![filter("192.0.2.0/24", 0); 9];
    let refused = network.lease(&LeaseRequest { filters: Some(many), ..request(INSIDE) });
    assert_eq!(refused, Err(LeaseError::Filters));
}

#[test]
fn rfc6887_12_a_peer_lease_keeps_the_mapping_towards_one_other_end() {
    let mut network = plain();
    let key = LeaseKey { peer: Some((SERVER, 53)), ..request(INSIDE).key };
    let outside = network.mapped(INSIDE);
    let lease = network.lease(&LeaseRequest { key, ..request(INSIDE) }).unwrap();
    assert_eq!(lease.outside, outside);
    // Long after the session was forgotten.
    network.advance(Duration::from_secs(1_000));
    assert_eq!(network.engine.session_count(), 0);
    network.inbound(&udp((SERVER, 53), outside, b"late"));
    let stranger = udp((STRANGER, 53), outside, b"");
    assert_eq!(network.refused(Realm::Outside, &stranger), DropReason::NotExpected);
    // A new mapping is as wished for, or there is none; one that is there is told as it is.
    let peer = |inside, port| {
        let key = LeaseKey { peer: Some((SERVER, 53)), ..request(inside).key };
        LeaseRequest { key, ..wishing(inside, None, port, Otherwise::KnownOnly) }
    };
    assert_eq!(network.lease(&peer((host(3), 1), outside.1)), Err(LeaseError::Taken));
    let known = network.mapped((host(3), 1));
    assert_eq!(network.lease(&peer((host(3), 1), outside.1)).unwrap().outside, known);
}

#[test]
fn rfc6888_req_9_leases_count_among_the_subscribers_ports() {
    let limits = SubscriberLimits { ports: most(3), ..SubscriberLimits::default() };
    let mut network = network(config(), Translation { limits, ..Translation::default() });
    network.mapped((CLIENT, 2_000));
    for port in [1, 2] {
        network.lease(&request((CLIENT, port))).unwrap();
    }
    assert_eq!(network.lease(&request((CLIENT, 3))), Err(LeaseError::Quota));
    assert_eq!(network.unmapped((CLIENT, 2_001)), DropReason::SubscriberPorts);
    assert_eq!(network.lease(&request((host(9), 3))).map(|lease| lease.outside.0), Ok(POOL));
}

#[test]
fn rfc6888_req_9_a_subscriber_has_a_bounded_number_of_leases() {
    let mut network = plain();
    let given = (1..=200).filter(|port| network.lease(&request((CLIENT, *port))).is_ok()).count();
    assert_eq!(given, 128);
    assert_eq!(network.lease(&request((CLIENT, 201))), Err(LeaseError::Quota));
}

#[test]
fn only_subscribers_have_leases_and_only_where_mappings_are_independent() {
    let mut network = plain();
    for address in [STRANGER, POOL] {
        assert_eq!(network.lease(&request((address, 1))), Err(LeaseError::NotInside));
    }
    assert_eq!(network.lease(&request((CLIENT, 0))), Err(LeaseError::NotInside));
    let dependent = Translation { mapping: Dependence::Address, ..Translation::default() };
    let mut network = crate::world::network(config(), dependent);
    assert_eq!(network.lease(&request(INSIDE)), Err(LeaseError::Unsupported));
}

#[test]
fn a_wish_is_granted_out_of_a_block_that_the_subscriber_has() {
    let nat = Translation { allocation: blocks(1), ..Translation::default() };
    let mut network = network(pool_of(1, ports(1_024, 65_535)), nat);
    let first = network.lease(&request(INSIDE)).unwrap();
    let (_, block) = network.block_events()[0];
    let free = block.ports.first() + u16::from(block.ports.first() == first.outside.1);
    let own = wishing((CLIENT, 2), None, free, Otherwise::Nothing);
    assert_eq!(network.lease(&own).unwrap().outside, (POOL, free));
    let foreign = wishing((CLIENT, 3), None, free ^ 0x1000, Otherwise::Nothing);
    assert_eq!(network.lease(&foreign), Err(LeaseError::Taken));
    network.engine.end_leases(LeaseEnd::Policy);
    assert_eq!(network.block_events(), [("released", block)]);
}

#[test]
fn a_configuration_that_would_not_give_a_lease_ends_it() {
    let mut network = plain();
    let kept = network.lease(&request(INSIDE)).unwrap();
    network.lease(&request((host(200), 1))).unwrap();
    let mut changed = config();
    changed.inside_prefixes = vec!["10.0.0.0/25".parse().unwrap()];
    network.apply(changed);
    assert_eq!(ends(&mut network), [LeaseEnd::Policy]);
    assert_eq!(network.inbound(&udp((STRANGER, 1), kept.outside, b"")).to, INSIDE);
}

#[test]
fn nobody_gets_or_keeps_a_lease_of_an_address_that_has_left_the_pool() {
    let mut network = network(pool_of(2, ports(1_024, 65_535)), Translation::default());
    // More sessions than a change reaches at once, all of one host.
    let before = network.mapped_from(CLIENT, 320).first().unwrap().0;
    let lease = network.lease(&request(INSIDE)).unwrap();
    assert_eq!(lease.outside.0, before);
    let mut changed = pool_of(2, ports(1_024, 65_535));
    changed.pool.retain(|entry| entry.address != before);
    let stays = changed.pool[0].address;
    network.begin(changed);
    ends(&mut network);
    for wish in [Some(before), None] {
        let asked = wishing((CLIENT, 6_001), wish, 7_000, Otherwise::Another);
        assert_eq!(network.lease(&asked).unwrap().outside.0, stays);
    }
    assert_eq!(network.lease(&request(INSIDE)).unwrap().outside.0, stays);
    assert!(ends(&mut network).contains(&LeaseEnd::Policy), "it was given anew");
    network.advance(Duration::ZERO);
    assert_eq!(network.lease(&request(INSIDE)).unwrap().outside.0, stays);
}

#[test]
fn a_lease_is_shown_and_killed() {
    let mut network = plain();
    let lease = network.lease(&request(INSIDE)).unwrap();
    assert_eq!(network.engine.leases_after(LeaseId(0)).collect::<Vec<_>>(), [&lease]);
    assert_eq!(network.engine.kill_lease(lease.id), Kill::Done);
    assert_eq!(network.engine.kill_lease(lease.id), Kill::Absent);
    assert_eq!(ends(&mut network), [LeaseEnd::Killed]);
    let packet = udp((STRANGER, 1), lease.outside, b"");
    assert_eq!(network.refused(Realm::Outside, &packet), DropReason::NotExpected);
    // The rest of the first configuration's coming into force.
    network.engine.handle_timeout(network.now);
    assert_eq!(network.engine.poll_timeout(), None);
}

#[test]
fn a_firewall_without_translation_gives_leases_as_well() {
    use pinhole_dataplane::config::Config;
    use pinhole_dataplane::config::nat::Allocation;

    let untranslated = Translation { allocation: Allocation::Untranslated, ..Translation::default() };
    let mut network = network(Config { pool: vec![], ..config() }, untranslated);
    let lease = network.lease(&request(INSIDE)).unwrap();
    assert_eq!(lease.outside, INSIDE);
    assert_eq!(network.inbound(&udp((STRANGER, 1), INSIDE, b"")).to, INSIDE);
}
