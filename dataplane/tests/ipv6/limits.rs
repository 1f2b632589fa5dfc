//! What one subscriber may hold: all addresses of a /64 are one subscriber's.

use std::net::Ipv6Addr;
use std::num::NonZeroU32;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::Config;
use pinhole_dataplane::config::ipv6::{Ipv6Filtering, Ipv6Settings};
use pinhole_dataplane::config::nat::SubscriberLimits;
use pinhole_dataplane::engine::DropReason;
use pinhole_dataplane::limits::Limits;

use crate::network::{CLIENT, NEIGHBOUR, Network, SERVER, SIBLING, config, ipv6, network};
use crate::packets::{SYN, tcp, udp};

fn limited(limits: SubscriberLimits, filtering: Ipv6Filtering) -> Network {
    let mut config: Config = config(Some(Ipv6Settings { filtering, ..ipv6() }));
    config.nat.limits = limits;
    Network::new(Limits::default(), config)
}

fn ask(from: Ipv6Addr, port: u16) -> Vec<u8> {
    udp((from, port), (SERVER, 53), b"")
}

#[test]
fn sessions_of_all_hosts_of_a_link_count_together() {
    let limits = SubscriberLimits { sessions: NonZeroU32::new(3), ..SubscriberLimits::default() };
    let mut network = limited(limits, Ipv6Filtering::Open);
    network.leaves(&ask(CLIENT, 1));
    network.leaves(&ask(SIBLING, 1));
    network.enters(&udp((SERVER, 9), (CLIENT, 9), b""));
    assert_eq!(network.dropped(Realm::Inside, &ask(CLIENT, 2)), DropReason::SubscriberSessions);
    assert_eq!(network.refused(&udp((SERVER, 9), (SIBLING, 9), b"")), DropReason::SubscriberSessions);
    let told = network.sent();
    assert_eq!(told.len(), 1, "who is inside is told");
    assert_eq!((told[0].1.to, &told[0].1.payload[..2]), (CLIENT, &[1, 1][..]));
    // Old sessions go on, and others have their own.
    network.leaves(&ask(CLIENT, 1));
    network.leaves(&ask(NEIGHBOUR, 1));
    assert_eq!(network.engine.subscriber_count(), 2);
    network.advance_seconds(400);
    assert_eq!((network.engine.session_count(), network.engine.subscriber_count()), (0, 0));
    network.leaves(&ask(CLIENT, 2));
}

#[test]
fn sessions_of_a_second_are_limited() {
    let limits =
        SubscriberLimits { new_sessions_per_second: NonZeroU32::new(10), ..SubscriberLimits::default() };
    let mut network = limited(limits, Ipv6Filtering::default());
    for port in 1..=10 {
        network.leaves(&ask(if port % 2 == 0 { CLIENT } else { SIBLING }, port));
    }
    assert_eq!(network.dropped(Realm::Inside, &ask(CLIENT, 11)), DropReason::SubscriberRate);
    network.leaves(&ask(NEIGHBOUR, 11));
    network.advance_seconds(1);
    network.leaves(&ask(CLIENT, 11));
}

#[test]
fn tables_are_bounded_and_nothing_is_left_behind() {
    let mut network =
        Network::new(Limits { sessions: 64, subscribers: 4, ..Limits::default() }, config(Some(ipv6())));
    let host = |link: u16| Ipv6Addr::new(0x2001, 0xdb8, 1, link, 0, 0, 0, 2);
    for link in 0..4 {
        network.leaves(&ask(host(link), 1));
    }
    assert_eq!(network.dropped(Realm::Inside, &ask(host(4), 1)), DropReason::SubscribersFull);
    for round in 0..3 {
        for port in 2..=61 {
            network.leaves(&ask(host(0), port));
            network.enters(&udp((SERVER, 53), (host(0), port), b""));
        }
        for link in 0..4 {
            network.enters(&udp((SERVER, 53), (host(link), 1), b""));
        }
        assert_eq!(network.dropped(Realm::Inside, &ask(host(1), 99)), DropReason::SessionsFull);
        network.advance_seconds(302);
        assert_eq!(network.engine.session_count(), 0, "round {round}");
        network.leaves(&ask(host(round + 5), 1));
        network.advance_seconds(100);
        for link in 0..4 {
            network.leaves(&ask(host(link), 1));
        }
    }
}

#[test]
fn what_nobody_has_answered_makes_room() {
    let mut network = Network::new(Limits { sessions: 64, ..Limits::default() }, config(Some(ipv6())));
    network.leaves(&ask(NEIGHBOUR, 1));
    network.enters(&udp((SERVER, 53), (NEIGHBOUR, 1), b""));
    for port in 1..=200 {
        network.leaves(&ask(CLIENT, port));
    }
    assert_eq!(network.engine.session_count(), 64);
    assert_eq!(network.engine.stats().evicted_unanswered, 137);
    network.enters(&udp((SERVER, 53), (NEIGHBOUR, 1), b""));
    network.enters(&udp((SERVER, 53), (CLIENT, 200), b""));
}

#[test]
fn half_open_connections_of_a_link_are_bounded() {
    let limits = Limits { half_open_per_subscriber: 4, ..Limits::default() };
    let mut network = Network::new(limits, config(Some(ipv6())));
    let syn = |from, port| tcp((from, port), (SERVER, 80), 1, 0, SYN, b"");
    network.leaves(&syn(NEIGHBOUR, 1));
    for port in 1..=20 {
        network.leaves(&syn(if port % 2 == 0 { CLIENT } else { SIBLING }, port));
    }
    assert_eq!(network.engine.session_count(), 5);
    assert_eq!(network.engine.stats().evicted_half_open, 16);
}

#[test]
fn refusals_that_wait_are_bounded() {
    let mut network = network();
    for port in 1..=3_000 {
        let syn = tcp((SERVER, port), (CLIENT, 22), 1, 0, SYN, b"");
        network.refused(&syn);
    }
    network.advance_seconds(6);
    assert_eq!(network.sent().len(), 100);
    network.advance_seconds(60);
    assert_eq!(network.engine.poll_timeout(), None);
}
