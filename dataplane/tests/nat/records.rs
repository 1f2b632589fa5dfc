//! What is told of sessions, blocks and limits to those who keep records.

use std::num::NonZeroU32;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::ServiceTransport;
use pinhole_dataplane::config::nat::{Forward, SubscriberLimits, Translation};
use pinhole_dataplane::conntrack::SessionId;
use pinhole_dataplane::engine::{EndReason, Event, Interest, LimitReached, Scarce, SessionRecord};
use pinhole_dataplane::limits::Limits;
use pinhole_dataplane::tuple::Protocol;

use crate::network::{CLIENT, Network, POOL, STRANGER, config};
use crate::packets::{ACK, FIN, RST, SYN, tcp, udp};
use crate::traffic::{LENGTH, SESSIONS_PER_HOST, write_packet};
use crate::world::{DNS, blocks, host, most, network, pool_of, ports};

const ALL: Interest = Interest { sessions: true, limits: true };

fn told(network: &mut Network) -> Vec<Event> {
    std::iter::from_fn(|| network.engine.poll_event()).collect()
}

fn listening(config: pinhole_dataplane::config::Config, nat: Translation) -> Network {
    let mut network = network(config, nat);
    network.engine.set_interest(ALL);
    network
}

fn ended(events: &[Event]) -> (SessionRecord, EndReason) {
    let [Event::SessionEnded { session, reason }] = events else { panic!("{events:?}") };
    (*session, *reason)
}

fn only_session(network: &Network) -> SessionId {
    network.engine.sessions().next().unwrap().0
}

#[test]
fn nobody_is_told_of_sessions_who_has_not_asked() {
    let mut network = network(config(), Translation::default());
    network.mapped((CLIENT, 2_000));
    network.advance(Duration::from_secs(100));
    assert_eq!((network.engine.session_count(), told(&mut network)), (0, vec![]));
}

#[test]
fn a_session_is_told_when_it_opens_and_when_it_expires() {
    let mut network = listening(config(), Translation::default());
    let outside = network.mapped((CLIENT, 2_000));
    network.inbound(&udp(DNS, outside, b"answer"));
    network.mapped((CLIENT, 2_000));
    let [Event::SessionOpened(opened)] = told(&mut network)[..] else { panic!("no word of it") };
    assert_eq!(
        (opened.inside(), opened.outside(), opened.remote()),
        ((CLIENT, 2_000).into(), outside.into(), DNS.into())
    );
    assert_eq!((opened.originator, opened.protocol()), (Realm::Inside, Protocol::Udp));
    assert_eq!((opened.packets_out, opened.packets_in), (0, 0));
    network.advance(Duration::from_secs(400));
    let (session, reason) = ended(&told(&mut network));
    assert_eq!(session, SessionRecord { packets_out: 2, packets_in: 1, ..opened });
    assert_eq!(reason, EndReason::Expired);
}

#[test]
fn a_session_from_outside_is_told_from_the_inside_hosts_view() {
    let forward = Forward {
        transport: ServiceTransport::Udp,
        outside: POOL,
        outside_ports: ports(8_080, 8_080),
        inside: CLIENT,
        inside_ports: ports(80, 80),
    };
    let mut network = listening(config(), Translation { forwards: vec![forward], ..Translation::default() });
    network.inbound(&udp((STRANGER, 9), (POOL, 8_080), b""));
    let [Event::SessionOpened(opened)] = told(&mut network)[..] else { panic!("no word of it") };
    assert_eq!((opened.inside(), opened.outside()), ((CLIENT, 80).into(), (POOL, 8_080).into()));
    assert_eq!((opened.remote(), opened.originator), ((STRANGER, 9).into(), Realm::Outside));
    assert_eq!(opened.first().source.to_string(), "198.51.100.66:9");
    assert_eq!(opened.first().destination.to_string(), "203.0.113.1:8080");
}

#[test]
fn why_a_session_ended_is_told() {
    let mut network = listening(config(), Translation::default());
    let outside = network.connect((CLIENT, 2_000), (STRANGER, 80));
    network.outbound(&tcp((CLIENT, 2_000), (STRANGER, 80), 1000, 5000, FIN | ACK, b""));
    network.inbound(&tcp((STRANGER, 80), outside, 5000, 1001, FIN | ACK, b""));
    network.outbound(&tcp((CLIENT, 2_000), (STRANGER, 80), 1001, 5001, ACK, b""));
    told(&mut network);
    network.advance(Duration::from_secs(1_000));
    assert_eq!(ended(&told(&mut network)).1, EndReason::Closed);

    network.outbound(&tcp((CLIENT, 2_001), (STRANGER, 80), 1, 0, SYN, b""));
    let id = only_session(&network);
    told(&mut network);
    network.engine.kill_session(id);
    assert_eq!(ended(&told(&mut network)).1, EndReason::Killed);

    network.mapped((CLIENT, 2_000));
    told(&mut network);
    let mut config = config();
    config.inside_prefixes = vec!["10.0.1.0/24".parse().unwrap()];
    network.apply(config);
    assert_eq!(ended(&told(&mut network)).1, EndReason::Policy);
}

#[test]
fn a_connection_on_the_ports_of_one_that_was_reset_is_told_as_a_new_one() {
    let mut network = listening(config(), Translation::default());
    let outside = network.connect((CLIENT, 2_000), (STRANGER, 80));
    network.inbound(&tcp((STRANGER, 80), outside, 5000, 1000, RST | ACK, b""));
    told(&mut network);
    network.outbound(&tcp((CLIENT, 2_000), (STRANGER, 80), 7_000, 0, SYN, b""));
    let events = told(&mut network);
    let [Event::SessionEnded { reason: EndReason::Closed, .. }, Event::SessionOpened(_)] = events[..] else {
        panic!("{events:?}")
    };
}

#[test]
fn a_limit_is_told_once_a_minute_and_subscriber() {
    let limits = SubscriberLimits { ports: most(2), ..SubscriberLimits::default() };
    let mut network = listening(config(), Translation { limits, ..Translation::default() });
    let reached = |number| LimitReached {
        subscriber: host(number),
        protocol: Protocol::Udp,
        scarce: Scarce::SubscriberPorts(2),
    };
    let limits_told = |network: &mut Network| -> Vec<LimitReached> {
        let limit = |event| if let Event::LimitReached(limit) = event { Some(limit) } else { None };
        told(network).into_iter().filter_map(limit).collect()
    };
    for number in [2, 3] {
        network.mapped_from(host(number), 2);
        for port in 0..100 {
            network.unmapped((host(number), 9_000 + port));
        }
    }
    assert_eq!(limits_told(&mut network), [reached(2), reached(3)]);
    for _ in 0..2 {
        network.advance(Duration::from_secs(31));
        network.mapped_from(host(2), 2);
        network.unmapped((host(2), 9_000));
    }
    assert_eq!(limits_told(&mut network), [reached(2)]);
    network.engine.set_interest(Interest::default());
    network.advance(Duration::from_secs(61));
    network.mapped_from(host(2), 2);
    network.unmapped((host(2), 9_000));
    assert_eq!(limits_told(&mut network), []);
}

#[test]
fn each_kind_of_scarcity_is_told_by_its_name() {
    let scarce = |config, nat| {
        let mut network =
            Network::new(Limits::default(), pinhole_dataplane::config::Config { nat, ..config });
        network.engine.set_interest(ALL);
        network.mapped_from(host(2), 2);
        network.unmapped((host(2), 3_000));
        let limit = |event| if let Event::LimitReached(limit) = event { Some(limit.scarce) } else { None };
        told(&mut network).into_iter().find_map(limit)
    };
    let limited = |sessions, rate| {
        let limits = SubscriberLimits {
            ports: None,
            sessions: NonZeroU32::new(sessions),
            new_sessions_per_second: NonZeroU32::new(rate),
        };
        Translation { limits, ..Translation::default() }
    };
    assert_eq!(scarce(config(), limited(2, 0)), Some(Scarce::SubscriberSessions(2)));
    assert_eq!(scarce(config(), limited(0, 2)), Some(Scarce::SubscriberRate(2)));
    let two_ports = pool_of(1, ports(2_000, 2_001));
    assert_eq!(scarce(two_ports, Translation::default()), Some(Scarce::Ports(POOL)));
}

#[test]
fn a_table_full_of_answered_sessions_is_told() {
    let mut network = Network::new(Limits { sessions: 2, ..Limits::default() }, config());
    network.engine.set_interest(ALL);
    for port in [2_000, 2_001] {
        network.connect((CLIENT, port), (STRANGER, 80));
    }
    told(&mut network);
    network.unmapped((CLIENT, 3_000));
    let reached = LimitReached { subscriber: CLIENT, protocol: Protocol::Udp, scarce: Scarce::Sessions(2) };
    assert_eq!(told(&mut network), [Event::LimitReached(reached)]);
}

#[test]
fn an_exhausted_pool_is_told_with_who_found_it_so() {
    let mut network = listening(pool_of(1, ports(2_000, 2_001)), Translation::default());
    network.mapped_from(host(2), 2);
    told(&mut network);
    network.unmapped((host(3), 2_000));
    let reached = LimitReached { subscriber: host(3), protocol: Protocol::Udp, scarce: Scarce::Addresses };
    assert_eq!(told(&mut network), [Event::LimitReached(reached)]);
}

/// The bench's traffic, going on: each host has its sessions one after the other, a second apart, and begins anew with
/// the first when the last has gone. Returns records of sessions and of blocks.
fn records_of_the_benchs_traffic(hosts: u32, seconds: u32) -> (usize, usize) {
    let translation = Translation { allocation: blocks(8), ..Translation::default() };
    let config = pinhole_dataplane::config::Config {
        inside_prefixes: vec!["10.0.0.0/8".parse().unwrap()],
        ..pool_of(4, ports(1_024, 65_535))
    };
    let mut network = listening(config, translation);
    let (mut sessions, mut blocks) = (0, 0);
    for second in 0..seconds {
        for host in 0..hosts {
            let mut packet = [0; LENGTH];
            write_packet(&mut packet, host * SESSIONS_PER_HOST + second % SESSIONS_PER_HOST);
            network.outbound(&packet_with_checksum(&packet));
        }
        network.advance(Duration::from_secs(1));
        for event in told(&mut network) {
            let of_session = matches!(event, Event::SessionOpened(_) | Event::SessionEnded { .. });
            let of_block = matches!(event, Event::PortBlockAllocated(_) | Event::PortBlockReleased(_));
            assert!(of_session || of_block, "{event:?}");
            sessions += usize::from(of_session);
            blocks += usize::from(of_block);
        }
    }
    assert_eq!(network.engine.events_lost(), 0);
    (sessions, blocks)
}

/// The bench's packets have no UDP checksum, which this network's reader wants to see.
fn packet_with_checksum(packet: &[u8; LENGTH]) -> Vec<u8> {
    let address = |at: usize| [packet[at], packet[at + 1], packet[at + 2], packet[at + 3]].into();
    let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    udp((address(12), port(20)), (address(16), port(22)), &packet[28..])
}

#[test]
fn blocks_take_a_hundredth_of_the_records_of_sessions() {
    let (sessions, blocks) = records_of_the_benchs_traffic(32, 600);
    assert!(blocks > 0, "blocks are given out");
    assert!(sessions >= blocks * 100, "{sessions} records of sessions, {blocks} of blocks");
}
