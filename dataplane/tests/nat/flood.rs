//! Floods of new sessions from outside and from inside: who has a session keeps it, and who wants one gets it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::conntrack::Progress;
use pinhole_dataplane::engine::{DropReason, EndReason, Event, Verdict};
use pinhole_dataplane::limits::Limits;
use proptest::prelude::*;

use crate::connection::{WEB, forwarding};
use crate::network::{Network, SERVER, STRANGER, config};
use crate::packets::{ACK, Address, RST, SYN, tcp, udp};
use crate::world::host;

/// Small tables, so that a flood is short.
fn limits() -> Limits {
    Limits { sessions: 96, half_open: 24, half_open_per_subscriber: 16, ..Limits::default() }
}

fn count(network: &Network, wanted: impl Fn(Progress) -> bool) -> u32 {
    let sessions = network.engine.sessions().filter(|(_, session)| wanted(session.progress()));
    u32::try_from(sessions.count()).unwrap()
}

fn half_open(network: &Network) -> u32 {
    count(network, |progress| matches!(progress, Progress::SynSent | Progress::SynReceived))
}

/// Somebody outside, another one each time.
fn spoofed(number: u32) -> Address {
    (Ipv4Addr::from_bits(0xc000_0200 + number % 0x100), 1_024 + u16::try_from(number / 0x100).unwrap())
}

fn evicted(network: &mut Network) -> Vec<Address> {
    let mut evicted = Vec::new();
    while let Some(event) = network.engine.poll_event() {
        let Event::SessionEnded { session, reason: EndReason::Evicted } = event else { panic!("{event:?}") };
        let source = session.first().source;
        let std::net::IpAddr::V4(address) = source.address else { panic!("{source}") };
        evicted.push((address, source.port));
    }
    evicted
}

#[test]
fn a_syn_flood_from_outside_crowds_out_only_itself() {
    let (mut network, server, outside) = forwarding(limits());
    let friend = (SERVER, 50_000);
    network.inbound(&tcp(friend, outside, 99, 0, SYN, b""));
    network.outbound(&tcp(server, friend, 899, 100, SYN | ACK, b""));
    network.inbound(&tcp(friend, outside, 100, 900, ACK, b""));
    let own = network.connect((host(2), 40_000), WEB);
    for number in 0..500 {
        let attacker = spoofed(number);
        network.inbound(&tcp(attacker, outside, number, 0, SYN, b""));
        // The server answers, and the answer goes to who has never asked.
        network.outbound(&tcp(server, attacker, 7, number + 1, SYN | ACK, b""));
        assert!(half_open(&network) <= 16, "of one subscriber");
    }
    assert_eq!(network.engine.stats().evicted_half_open, 500 - 16);
    assert_eq!(network.engine.stats().evicted_unanswered, 0);
    assert_eq!(evicted(&mut network), (0..500 - 16).map(spoofed).collect::<Vec<_>>(), "the oldest first");
    // Both go on, and a host inside connects as if there was no flood.
    network.inbound(&tcp(friend, outside, 100, 900, ACK, b"question"));
    network.inbound(&tcp(WEB, own, 5_000, 1_000, ACK, b"answer"));
    network.connect((host(2), 40_001), WEB);
    // Somebody outside gets through as well, as long as fewer SYNs come in its round trip than may wait.
    let late = (STRANGER, 50_000);
    network.inbound(&tcp(late, outside, 99, 0, SYN, b""));
    network.outbound(&tcp(server, late, 899, 100, SYN | ACK, b""));
    for number in 500..515 {
        network.inbound(&tcp(spoofed(number), outside, number, 0, SYN, b""));
    }
    network.inbound(&tcp(late, outside, 100, 900, ACK, b""));
    assert_eq!(count(&network, |progress| progress == Progress::Established), 4);
}

#[test]
fn floods_of_several_hosts_share_what_may_be_half_open_in_all() {
    let mut network = Network::new(limits(), config());
    for number in 0..200 {
        let from = (host(3 + u8::try_from(number % 4).unwrap()), 40_000 + number);
        network.outbound(&tcp(from, WEB, 1, 0, SYN, b""));
        assert!(half_open(&network) <= 24);
    }
    network.connect((host(2), 40_000), WEB);
    assert_eq!(half_open(&network), 23, "the last one made room for another host's");
}

#[test]
fn a_full_table_lets_go_of_the_oldest_that_nobody_has_answered() {
    let mut network = Network::new(limits(), config());
    let [first, second] = [(host(2), 1_000), (host(2), 1_001)];
    for from in [first, second] {
        let outside = network.outbound(&udp(from, WEB, b"?")).from;
        network.inbound(&udp(WEB, outside, b"!"));
    }
    // A refused connection is no better than one that nobody has answered.
    let refused = (host(2), 40_000);
    let outside = network.outbound(&tcp(refused, WEB, 999, 0, SYN, b"")).from;
    network.inbound(&tcp(WEB, outside, 0, 1_000, RST | ACK, b""));
    network.advance(Duration::from_secs(2));
    for number in 0..200 {
        network.outbound(&udp((host(3), 2_000 + number), WEB, b"x"));
        network.advance(Duration::from_millis(20));
    }
    let crowded_out = evicted(&mut network);
    assert_eq!(crowded_out.len(), 200 - (96 - 3));
    assert_eq!(crowded_out[..2], [refused, (host(3), 2_000)]);
    assert_eq!(network.engine.session_count(), 96);
    for from in [first, second] {
        network.outbound(&udp(from, WEB, b"still here"));
    }
    assert_eq!(evicted(&mut network), []);
}

#[test]
fn a_stream_that_needs_no_answer_outlives_a_flood_that_is_slower() {
    let mut network = Network::new(limits(), config());
    let stream = (host(2), 5_004);
    network.outbound(&udp(stream, WEB, b"0"));
    for number in 0..300_u16 {
        network.outbound(&udp((host(3), 2_000 + number), WEB, b"x"));
        network.outbound(&udp(stream, WEB, b"more"));
        network.advance(Duration::from_millis(50));
    }
    assert!(!evicted(&mut network).contains(&stream));
}

#[test]
fn a_table_full_of_sessions_that_were_answered_lets_nobody_in() {
    let mut network = Network::new(Limits { sessions: 2, ..limits() }, config());
    for port in [1_000, 1_001] {
        let outside = network.outbound(&udp((host(2), port), WEB, b"?")).from;
        network.inbound(&udp(WEB, outside, b"!"));
    }
    let one_more = udp((host(3), 1_000), WEB, b"?");
    assert_eq!(network.refused(Realm::Inside, &one_more), DropReason::SessionsFull);
    assert_eq!(network.engine.mappings().count(), 2);
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// SYNs from outside to the server, which answers or not.
    Outside(bool),
    /// SYNs of a host inside to anybody, answered by an RST or not.
    Inside(u8, bool),
    Datagram(u8),
    /// A host opens a connection, and lets so many other packets come in between.
    Connect,
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => any::<bool>().prop_map(Act::Outside),
        5 => (3_u8..6, any::<bool>()).prop_map(|(host, answer)| Act::Inside(host, answer)),
        5 => (3_u8..6).prop_map(Act::Datagram),
        1 => Just(Act::Connect),
        1 => Just(Act::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever floods from both sides at once: established connections go on, new ones are opened, and the limits hold.
    #[test]
    fn floods_from_both_sides_harm_nobody_else(acts in prop::collection::vec(act(), 1..600)) {
        let (mut network, server, outside) = forwarding(limits());
        let mut connections: Vec<(Address, Address)> = Vec::new();
        for (number, act) in (0_u32..).zip(acts) {
            let port = 2_000 + u16::try_from(number).unwrap();
            match act {
                Act::Outside(answers) => {
                    let attacker = spoofed(number);
                    network.inbound(&tcp(attacker, outside, number, 0, SYN, b""));
                    if answers {
                        network.outbound(&tcp(server, attacker, 7, number + 1, SYN | ACK, b""));
                    }
                }
                Act::Inside(from, refused) => {
                    let to = spoofed(number);
                    let seen = network.outbound(&tcp((host(from), port), to, 999, 0, SYN, b""));
                    if refused {
                        network.inbound(&tcp(to, seen.from, 0, 1_000, RST | ACK, b""));
                    }
                }
                Act::Datagram(from) => {
                    network.outbound(&udp((host(from), port), spoofed(number), b"x"));
                }
                // Room is left for the flood: a full table of established connections is another test.
                Act::Connect if connections.len() < 40 => {
                    let client = (host(2), port);
                    connections.push((client, network.connect(client, WEB)));
                }
                Act::Connect => {}
                Act::Wait => network.advance(Duration::from_millis(300)),
            }
            prop_assert!(half_open(&network) <= 24);
            prop_assert!(network.engine.session_count() <= 96);
        }
        let clients: BTreeSet<Address> = connections.iter().map(|(client, _)| *client).collect();
        prop_assert!(evicted(&mut network).iter().all(|from| !clients.contains(from)));
        for (client, outside) in connections {
            prop_assert_eq!(network.outbound(&tcp(client, WEB, 1_000, 5_000, ACK, b"on")).from, outside);
            prop_assert_eq!(network.inbound(&tcp(WEB, outside, 5_000, 1_002, ACK, b"and on")).to, client);
        }
        let (verdict, _) = network.process(Realm::Inside, &tcp((host(2), 1_999), WEB, 1, 0, SYN, b""));
        prop_assert_eq!(verdict, Verdict::Forward);
    }
}
