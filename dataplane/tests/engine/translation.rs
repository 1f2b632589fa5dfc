//! Addresses and ports, filtering, timers and ICMP errors.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::{PortRange, Snapshot};
use pinhole_dataplane::engine::{DropReason, EndReason, Event, Packet, Verdict};
use pinhole_dataplane::limits::Limits;
use proptest::prelude::*;

use crate::network::{CLIENT, Network, POOL, SERVER, STRANGER, config};
use crate::packets::{ACK, RST, SYN, echo, echo_reply, read, tcp, udp, unreachable, with_ttl};

const WEB: (Ipv4Addr, u16) = (SERVER, 80);
const DNS: (Ipv4Addr, u16) = (SERVER, 53);

#[test]
fn tcp_udp_and_echo_go_out_and_answers_come_back() {
    let mut network = Network::small();
    let outside = network.connect((CLIENT, 40000), WEB);
    assert_eq!(outside.0, POOL);
    let back = network.inbound(&tcp(WEB, outside, 5000, 1000, ACK, b"hello"));
    assert_eq!((back.from, back.to, back.ttl), (WEB, (CLIENT, 40000), 63));
    assert_eq!(back.payload, b"hello");

    let out = network.outbound(&udp((CLIENT, 5353), DNS, b"who?"));
    let back = network.inbound(&udp(DNS, out.from, b"me"));
    assert_eq!((back.from, back.to), (DNS, (CLIENT, 5353)));

    let out = network.outbound(&echo(CLIENT, SERVER, 77));
    let back = network.inbound(&echo_reply(SERVER, POOL, out.from.1));
    assert_eq!(back.to, (CLIENT, 77));
}

#[test]
fn rfc5508_req_1_equal_identifiers_of_two_hosts_are_told_apart() {
    let mut network = Network::small();
    let other = Ipv4Addr::new(10, 0, 0, 3);
    let first = network.outbound(&echo(CLIENT, SERVER, 77)).from.1;
    let second = network.outbound(&echo(other, SERVER, 77)).from.1;
    assert_ne!(first, second);
    assert_eq!(network.inbound(&echo_reply(SERVER, POOL, second)).to, (other, 77));
}

#[test]
fn nothing_comes_in_that_no_session_expects() {
    let mut network = Network::small();
    let outside = network.outbound(&udp((CLIENT, 5353), DNS, b"who?")).from;
    for packet in [
        udp((STRANGER, 53), outside, b"me"),
        udp((SERVER, 54), outside, b"me"),
        udp(DNS, (POOL, 1), b"me"),
        tcp(WEB, outside, 1, 0, SYN, b""),
        tcp(WEB, outside, 1, 1, ACK, b""),
        echo(SERVER, POOL, 9),
        echo_reply(SERVER, POOL, 9),
        udp(DNS, (CLIENT, 5353), b"straight to the inside address"),
    ] {
        assert_eq!(network.refused(Realm::Outside, &packet), DropReason::NotExpected);
    }
    assert_eq!(network.engine.session_count(), 1);
    assert_eq!(network.engine.stats().drops(DropReason::NotExpected), 8);
}

#[test]
fn a_source_on_the_wrong_side_is_refused() {
    let mut network = Network::small();
    let spoofed = udp((CLIENT, 1), DNS, b"");
    assert_eq!(network.refused(Realm::Outside, &spoofed), DropReason::SpoofedSource);
    network.outbound(&spoofed);
    assert_eq!(network.refused(Realm::Outside, &spoofed), DropReason::SpoofedSource, "also with a session");
    for source in [SERVER, POOL, Ipv4Addr::LOCALHOST] {
        assert_eq!(network.refused(Realm::Inside, &udp((source, 1), DNS, b"")), DropReason::SpoofedSource);
    }
    for destination in [Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 9)] {
        let packet = udp((CLIENT, 1), (destination, 53), b"");
        assert_eq!(network.refused(Realm::Inside, &packet), DropReason::BadDestination);
    }
}

#[test]
fn only_a_syn_opens_a_tcp_session() {
    let mut network = Network::small();
    for flags in [ACK, RST, SYN | ACK] {
        let packet = tcp((CLIENT, 40000), WEB, 1, 1, flags, b"");
        assert_eq!(network.refused(Realm::Inside, &packet), DropReason::NoSession);
    }
    assert_eq!(network.engine.session_count(), 0);
    assert_eq!(network.engine.mappings().count(), 0);
}

#[test]
fn rfc4787_req_5_a_udp_mapping_lives_300_s_after_the_last_packet_from_inside() {
    let mut network = Network::small();
    let outside = network.outbound(&udp((CLIENT, 5353), DNS, b"")).from;
    network.inbound(&udp(DNS, outside, b""));
    network.advance(Duration::from_secs(299));
    network.inbound(&udp(DNS, outside, b""));
    // RFC 4787, REQ-6: what comes from outside does not keep it.
    network.advance(Duration::from_secs(4));
    assert_eq!(network.refused(Realm::Outside, &udp(DNS, outside, b"")), DropReason::NotExpected);
    assert_eq!(network.engine.mappings().count(), 0);
}

#[test]
fn rfc5382_req_5_an_established_session_lives_two_hours_and_four_minutes() {
    let mut network = Network::small();
    let outside = network.connect((CLIENT, 40000), WEB);
    network.advance(Duration::from_secs(7_439));
    assert_eq!(network.engine.session_count(), 1);
    network.inbound(&tcp(WEB, outside, 5000, 1000, ACK, b"x"));
    network.advance(Duration::from_secs(7_442));
    assert_eq!(network.engine.session_count(), 0);
}

#[test]
fn a_blind_rst_does_not_end_a_session() {
    let mut network = Network::small();
    let outside = network.connect((CLIENT, 40000), WEB);
    let blind = tcp(WEB, outside, 900_000, 0, RST, b"");
    assert_eq!(network.refused(Realm::Outside, &blind), DropReason::TcpWindow);
    network.inbound(&tcp(WEB, outside, 5000, 1000, ACK, b"still here"));
}

#[test]
fn icmp_errors_are_translated_with_the_packet_they_quote() {
    let mut network = Network::small();
    let router = Ipv4Addr::new(192, 0, 2, 9);
    let sent = udp((CLIENT, 5353), DNS, b"who?");
    let (_, on_the_wire) = network.process(Realm::Inside, &sent);
    let (verdict, error) = network.process(Realm::Outside, &unreachable(3, router, POOL, &on_the_wire));
    assert_eq!(verdict, Verdict::Forward);
    let seen = read(&error);
    assert_eq!((seen.from.0, seen.to.0), (router, CLIENT));
    let quoted = read(&seen.payload);
    assert_eq!((quoted.from, quoted.to), ((CLIENT, 5353), DNS), "as the client has sent it");
    // RFC 5508, REQ-6: the session lives on.
    network.inbound(&udp(DNS, read(&on_the_wire).from, b"me"));
}

#[test]
fn rfc5508_req_5_an_error_from_inside_leaves_with_the_mapping_s_address() {
    let mut network = Network::small();
    let outside = network.outbound(&udp((CLIENT, 5353), DNS, b"who?")).from;
    let (_, arrived) = network.process(Realm::Outside, &udp(DNS, outside, b"me"));
    let seen = read(&network.process(Realm::Inside, &unreachable(3, CLIENT, SERVER, &arrived)).1);
    assert_eq!((seen.from.0, seen.to.0), (POOL, SERVER));
    let quoted = read(&seen.payload);
    assert_eq!((quoted.from, quoted.to), (DNS, outside));
}

#[test]
fn an_error_about_nothing_we_sent_is_refused() {
    let mut network = Network::small();
    let quoted = udp((POOL, 2000), DNS, b"");
    let error = unreachable(3, STRANGER, POOL, &quoted);
    assert_eq!(network.refused(Realm::Outside, &error), DropReason::IcmpNoSession);
}

#[test]
fn at_the_limits_new_sessions_are_refused_and_old_ones_stay() {
    let mut network = Network::new(Limits { sessions: 2, ..Limits::default() }, config());
    let first = network.outbound(&udp((CLIENT, 1), DNS, b"")).from;
    let second = network.outbound(&udp((CLIENT, 2), DNS, b"")).from;
    for answered in [first, second] {
        network.inbound(&udp(DNS, answered, b""));
    }
    assert_eq!(network.refused(Realm::Inside, &udp((CLIENT, 3), DNS, b"")), DropReason::SessionsFull);
    assert_eq!(network.engine.mappings().count(), 2, "the refused one holds no mapping");
    network.inbound(&udp(DNS, first, b""));

    let mut config = config();
    config.pool[0].ports = PortRange::new(2000, 2000).unwrap();
    let mut network = Network::new(Limits::default(), config);
    network.outbound(&udp((CLIENT, 1), DNS, b""));
    assert_eq!(network.refused(Realm::Inside, &udp((CLIENT, 2), DNS, b"")), DropReason::NoPort);
}

#[test]
fn a_packet_for_the_host_is_left_to_it_unchanged() {
    let mut config = config();
    config.host_addresses = vec![POOL, Ipv4Addr::new(10, 0, 0, 1)];
    let mut network = Network::new(Limits::default(), config);
    let ssh = tcp((STRANGER, 50000), (POOL, 22), 1, 0, SYN, b"");
    assert_eq!(network.process(Realm::Outside, &ssh), (Verdict::DeliverIfListening, ssh.clone()));
    network.engine.refuse_delivery();
    assert_eq!(network.engine.stats().drops(DropReason::NotExpected), 1);
    let ping = echo(CLIENT, Ipv4Addr::new(10, 0, 0, 1), 1);
    assert_eq!(network.process(Realm::Inside, &ping).0, Verdict::DeliverIfListening);
}

#[test]
fn the_last_hop_is_not_forwarded() {
    let mut network = Network::small();
    let packet = with_ttl(udp((CLIENT, 1), DNS, b""), 1);
    assert_eq!(network.refused(Realm::Inside, &packet), DropReason::TtlExceeded);
}

#[test]
fn a_config_change_ends_only_what_it_no_longer_allows() {
    let mut network = Network::small();
    network.outbound(&udp((CLIENT, 1), DNS, b""));
    network.engine.apply(Arc::new(Snapshot::new(config()).unwrap()), network.now);
    assert_eq!(network.engine.session_count(), 1);
    let mut moved = config();
    moved.inside_prefixes = vec!["10.1.0.0/24".parse().unwrap()];
    network.engine.apply(Arc::new(Snapshot::new(moved).unwrap()), network.now);
    assert_eq!(network.engine.session_count(), 0);
    assert!(matches!(
        network.engine.poll_event(),
        Some(Event::SessionEnded { reason: EndReason::Policy, .. })
    ));
}

#[test]
fn before_a_configuration_everything_is_dropped() {
    let now = pinhole_dataplane::time::Timestamp::ZERO;
    let mut engine = pinhole_dataplane::engine::Engine::new(Limits::default(), &[0; 32], now);
    let mut bytes = udp((CLIENT, 1), DNS, b"");
    let length = bytes.len();
    let verdict = engine.process(&mut Packet::new(&mut bytes, length), Realm::Inside, now);
    assert_eq!(verdict, Verdict::Drop(DropReason::NotConfigured));
}

proptest! {
    #[test]
    fn any_bytes_whatsoever_do_not_panic(
        packets in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..120)), 1..20),
    ) {
        let mut network = Network::small();
        for (inside, packet) in packets {
            network.process(if inside { Realm::Inside } else { Realm::Outside }, &packet);
        }
    }

    /// A right packet with some bytes changed gets deeper than random bytes do.
    #[test]
    fn a_damaged_packet_never_enters_and_never_panics(
        changes in prop::collection::vec((0_usize..60, any::<u8>()), 1..6),
        which in 0_usize..3,
    ) {
        let mut network = Network::small();
        let outside = network.connect((CLIENT, 40000), (SERVER, 21));
        let mut packet = [
            tcp((STRANGER, 21), outside, 5000, 1000, ACK, b"227 Entering Passive Mode"),
            udp((STRANGER, 53), (POOL, 2000), b"some payload of some length"),
            unreachable(1, STRANGER, POOL, &udp((POOL, 2000), DNS, b"")),
        ][which].clone();
        for (at, value) in changes {
            // Not the source address: then it might be the server's.
            if at < packet.len() && !(12..16).contains(&at) {
                packet[at] = value;
            }
        }
        let verdict = network.process(Realm::Outside, &packet).0;
        prop_assert!(matches!(verdict, Verdict::Drop(_)));
    }
}
