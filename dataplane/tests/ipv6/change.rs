//! Both versions of IP in one table, looked at, ended, and under a new configuration.

use pinhole_dataplane::addr::{Endpoint, Realm};
use pinhole_dataplane::alg::PinholeId;
use pinhole_dataplane::config::Snapshot;
use pinhole_dataplane::config::ipv6::{Ipv6Filtering, Ipv6Opening, Ipv6Settings};
use pinhole_dataplane::config::{PortRange, ServiceTransport};
use pinhole_dataplane::conntrack::{Family, Progress};
use pinhole_dataplane::engine::{DropReason, EndReason, Event, Kill, Verdict};
use pinhole_dataplane::limits::Limits;
use pinhole_dataplane::tuple::Direction;

use crate::network::{CLIENT, HOST, Network, SERVER, STRANGER, WEB, config, ipv6, network};
use crate::packets::{ACK, RST, SYN, tcp, udp};

/// A datagram of IPv4 from 10.0.0.2:4000 to 198.51.100.5:53, without a UDP checksum (RFC 768).
fn ipv4() -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 198, 51, 100, 5];
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    bytes[10..12].copy_from_slice(&(!u16::try_from(folded).unwrap()).to_be_bytes());
    bytes.extend([15, 160, 0, 53, 0, 8, 0, 0]);
    bytes
}

#[test]
fn both_versions_share_the_table() {
    let mut network = network();
    assert_eq!(network.process(Realm::Inside, &ipv4()).0, Verdict::Forward);
    network.connect(HOST, WEB);
    assert_eq!(network.engine.session_count(), 2);
    let families: Vec<Family> = network.engine.sessions().map(|(_, session)| session.family()).collect();
    assert_eq!(families, [Family::V4, Family::V6]);
    let (id, session) = network.engine.sessions().nth(1).unwrap();
    assert_eq!(session.progress(), Progress::Established);
    assert_eq!(session.packets(), [2, 1]);
    let arriving = network.engine.arriving(id, Direction::Original).unwrap();
    assert_eq!((arriving.source, arriving.destination), (HOST.into(), WEB.into()));
    assert_eq!(network.engine.leaving(id, Direction::Original), Some(arriving));
    assert_eq!(network.engine.arriving(id, Direction::Reply), Some(arriving.reversed()));
    // A place is used again by the other version.
    assert_eq!(network.engine.kill_session(id), Kill::Done);
    network.advance_seconds(61);
    assert_eq!(network.engine.session_count(), 0);
    network.leaves(&udp(HOST, (SERVER, 53), b""));
    assert_eq!(network.process(Realm::Inside, &ipv4()).0, Verdict::Forward);
    network.enters(&udp((SERVER, 53), HOST, b""));
}

#[test]
fn a_killed_connection_is_reset_at_both_ends() {
    let mut network = network();
    network.connect(HOST, WEB);
    let (id, _) = network.engine.sessions().next().unwrap();
    assert_eq!(network.engine.kill_session(id), Kill::Done);
    let sent = network.sent();
    let ends: Vec<_> =
        sent.iter().map(|(realm, seen)| (*realm, seen.from, seen.to, seen.payload[13])).collect();
    assert!(ends.contains(&(Realm::Outside, CLIENT, SERVER, RST)), "{ends:?}");
    assert!(ends.contains(&(Realm::Inside, SERVER, CLIENT, RST)), "{ends:?}");
    let Some(Event::SessionEnded { session, reason: EndReason::Killed }) = network.engine.poll_event() else {
        panic!("no word of it")
    };
    assert_eq!(session.inside(), Endpoint::from(HOST));
    assert_eq!(network.refused(&tcp(WEB, HOST, 5_000, 1_000, ACK, b"")), DropReason::NotExpected);
    assert_eq!(network.engine.pinholes_after(PinholeId(0)).count(), 0);
}

#[test]
fn sessions_outlive_a_change_that_still_allows_them() {
    let opening = Ipv6Opening {
        inside: CLIENT,
        transport: ServiceTransport::Tcp,
        ports: PortRange::new(22, 22).unwrap(),
    };
    let opened = Ipv6Settings { openings: vec![opening], ..ipv6() };
    let mut network = network();
    network.apply(config(Some(opened.clone())));
    network.connect(HOST, WEB);
    network.enters(&tcp((STRANGER, 5_000), (CLIENT, 22), 1, 0, SYN, b""));
    network.apply(config(Some(Ipv6Settings { ipsec: false, ..opened })));
    assert_eq!(network.engine.session_count(), 2);
    // What came in by an opening goes with it, what was opened from inside stays.
    network.apply(config(Some(ipv6())));
    assert_eq!(network.engine.session_count(), 1);
    network.enters(&tcp(WEB, HOST, 5_000, 1_000, ACK, b"hi"));
    network.apply(config(Some(Ipv6Settings {
        inside_prefixes: vec!["2001:db8:7::/48".parse().unwrap()],
        ..ipv6()
    })));
    assert_eq!(network.engine.session_count(), 0);
    network.apply(config(Some(ipv6())));
    network.connect(HOST, WEB);
    network.apply(config(None));
    assert_eq!(network.engine.session_count(), 0);
    assert_eq!(network.engine.subscriber_count(), 0);
}

#[test]
fn who_has_sent_is_known_after_a_change_of_filtering() {
    let mut network = network();
    network.leaves(&udp(HOST, (SERVER, 53), b""));
    let filtering = |kind| config(Some(Ipv6Settings { filtering: kind, ..ipv6() }));
    network.apply(filtering(Ipv6Filtering::Independent));
    network.enters(&udp((STRANGER, 9), HOST, b""));
    network.apply(filtering(Ipv6Filtering::AddressAndPort));
    assert_eq!(network.refused(&udp((STRANGER, 10), HOST, b"")), DropReason::NotExpected);
    network.apply(filtering(Ipv6Filtering::Address));
    network.enters(&udp((SERVER, 54), HOST, b""));
    network.advance_seconds(400);
    assert_eq!(network.refused(&udp((SERVER, 54), HOST, b"")), DropReason::NotExpected);
}

#[test]
fn a_wrong_configuration_is_refused_with_all_that_is_wrong() {
    let prefixes = ["2001:db8::/32", "2001:db8:1::/48", "fe80::/64", "::ffff:0:0/96", "::/0"];
    let opening = Ipv6Opening {
        inside: SERVER,
        transport: ServiceTransport::TcpUdp,
        ports: PortRange::new(22, 22).unwrap(),
    };
    let inside_prefixes = prefixes[..4].iter().map(|text| text.parse().unwrap()).collect();
    let wrong = Ipv6Settings { inside_prefixes, openings: vec![opening], ..ipv6() };
    let mut config = config(Some(wrong));
    config.mtu = 1_279;
    let errors: Vec<_> = Snapshot::new(config).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "ipv6.inside_prefixes[1]: 2001:db8:1::/48 overlaps with the inside prefix 2001:db8::/32",
            "ipv6.inside_prefixes[2]: fe80::/64 cannot be an inside prefix: it holds link-local addresses (fe80::/10)",
            "ipv6.inside_prefixes[3]: ::ffff:0.0.0.0/96 cannot be an inside prefix: it holds IPv4-mapped addresses (::ffff:0:0/96)",
            "ipv6.openings[0]: 2001:2:0:5::5 is in no inside prefix",
            "mtu: is below 1280, the least of IPv6",
        ]
    );
    let everything = Ipv6Settings { inside_prefixes: vec![prefixes[4].parse().unwrap()], ..ipv6() };
    assert!(Snapshot::new(crate::network::config(Some(everything))).is_err());
    let nothing = Ipv6Settings { inside_prefixes: vec![], ..ipv6() };
    assert!(Snapshot::new(crate::network::config(Some(nothing))).is_err());
}

#[test]
fn a_change_reaches_many_sessions_one_by_one_and_none_passes_that_it_forbids() {
    const MANY: u16 = 2_000;
    let limits = Limits { sessions: 4_096, ..Limits::default() };
    let mut network = Network::new(limits, config(Some(ipv6())));
    let ask = |port| udp((CLIENT, port), (SERVER, 53), b"");
    for port in 1..=MANY {
        network.leaves(&ask(port));
    }
    // Whom they have sent to is counted otherwise from now on.
    network.apply(config(Some(Ipv6Settings { filtering: Ipv6Filtering::Independent, ..ipv6() })));
    network.leaves(&ask(MANY));
    network.enters(&udp((STRANGER, 9), (CLIENT, MANY), b""));
    network.advance_seconds(1);
    for port in [1, MANY / 2, MANY - 1] {
        network.enters(&udp((STRANGER, 9), (CLIENT, port), b""));
    }
    network.apply(config(Some(Ipv6Settings { filtering: Ipv6Filtering::Address, ..ipv6() })));
    network.apply(config(Some(Ipv6Settings { ipsec: false, ..ipv6() })));
    network.advance_seconds(1);
    for port in 1..=MANY {
        network.enters(&udp((SERVER, 54), (CLIENT, port), b""));
    }
    let elsewhere = vec!["2001:db8:7::/48".parse().unwrap()];
    network.apply(config(Some(Ipv6Settings { inside_prefixes: elsewhere, ..ipv6() })));
    assert!(network.engine.session_count() > 0, "not all at once");
    assert_eq!(network.dropped(Realm::Inside, &ask(MANY)), DropReason::SpoofedSource);
    network.advance_seconds(1);
    assert_eq!((network.engine.session_count(), network.engine.subscriber_count()), (0, 0));
}
