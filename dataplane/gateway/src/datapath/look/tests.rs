use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::Arc;

use pinhole_dataplane::config::nat::{SubscriberLimits, Translation};
use pinhole_dataplane::config::{Config, PoolAddress, PortRange, Snapshot};
use pinhole_dataplane::engine::Packet;
use pinhole_dataplane::limits::{Limits, Timeouts};

use super::*;
use crate::live::Filter;

const LIFE: Life = Life(0x2a);
const NOW: Timestamp = Timestamp::ZERO;

/// An engine with room for so many sessions, and one datagram session from each of some ports.
fn engine(sessions: u32, ports: std::ops::Range<u16>) -> Engine {
    limited(sessions, SubscriberLimits::default(), ports)
}

fn limited(sessions: u32, limits: SubscriberLimits, ports: std::ops::Range<u16>) -> Engine {
    let ports_given = PortRange::new(1024, 65_535).unwrap();
    let config = Config {
        inside_prefixes: vec!["10.0.0.0/24".parse().unwrap()],
        pool: vec![PoolAddress { address: Ipv4Addr::new(203, 0, 113, 1), ports: ports_given, host: false }],
        nat: Translation { limits, ..Translation::default() },
        ipv6: None,
        host_addresses: vec![],
        algs: vec![],
        timeouts: Timeouts::default(),
        decrement_ttl: false,
        mtu: 1500,
    };
    let mut engine =
        Engine::new(Limits { sessions, pinholes: 16, leases: 16, ..Limits::default() }, &[1; 32], NOW);
    engine.apply(Arc::new(Snapshot::new(config).unwrap()), NOW);
    for port in ports {
        let mut datagram = datagram(port);
        let length = datagram.len();
        engine.process(&mut Packet::new(&mut datagram, length), Realm::Inside, NOW);
    }
    engine
}

/// From the client to 198.51.100.5:53, without a UDP checksum (RFC 768).
fn datagram(port: u16) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 198, 51, 100, 5];
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    bytes[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    bytes.extend(port.to_be_bytes());
    bytes.extend([0, 53, 0, 8, 0, 0]);
    bytes
}

fn listing(from: u64, limit: usize, filter: Filter) -> Listing {
    Listing { from, limit, filter }
}

#[test]
fn a_session_is_shown_from_the_inside_hosts_view() {
    let engine = engine(16, 4000..4001);
    let page = sessions(&engine, &listing(0, 10, Filter::default()), LIFE, NOW);
    let [session] = &page.sessions[..] else { panic!("{page:?}") };
    assert_eq!((page.total, page.next), (1, None));
    assert_eq!(session.id, "0000002a-0-0");
    assert_eq!((session.protocol.as_str(), session.originator.as_str()), ("udp", "inside"));
    assert_eq!((session.inside.as_str(), session.remote.as_str()), ("10.0.0.2:4000", "198.51.100.5:53"));
    assert!(session.outside.starts_with("203.0.113.1:"), "{}", session.outside);
    assert_eq!((session.state.as_str(), session.packets_out, session.packets_in), ("unreplied", 1, 0));
    assert_eq!(session.idle_left_ms, 60_000);
    assert_eq!((session.alg, session.master.as_str()), (0, ""));
}

#[test]
fn pages_follow_each_other_and_filters_choose() {
    let engine = engine(64, 4000..4010);
    let (mut from, mut seen) = (0, Vec::new());
    loop {
        let page = sessions(&engine, &listing(from, 3, Filter::default()), LIFE, NOW);
        assert!(page.sessions.len() <= 3);
        seen.extend(page.sessions.into_iter().map(|session| session.inside));
        let Some(next) = page.next else { break };
        from = next;
    }
    assert_eq!(seen, (4000..4010).map(|port| format!("10.0.0.2:{port}")).collect::<Vec<_>>());
    let of_port = Filter { port: Some(4004), ..Filter::default() };
    let found = mappings(&engine, &listing(0, 3, of_port.clone()), LIFE, NOW);
    assert_eq!((found.mappings.len(), found.total, found.next), (1, 10, None));
    assert_eq!(found.mappings[0].remote, "0.0.0.0:0");
    assert_eq!(sessions(&engine, &listing(0, 3, of_port), LIFE, NOW).sessions.len(), 1);
    for nobody in [
        Filter { address: Some(Ipv4Addr::LOCALHOST.into()), ..Filter::default() },
        Filter { alg: Some(AlgProtocol::Ftp), ..Filter::default() },
        Filter { protocol: Some(pinhole_dataplane::tuple::Protocol::Tcp), ..Filter::default() },
        Filter { state: Some(pinhole_dataplane::conntrack::Progress::Replied), ..Filter::default() },
    ] {
        let page = sessions(&engine, &listing(0, 3, nobody), LIFE, NOW);
        assert_eq!((page.sessions, page.total, page.next), (vec![], 10, None));
    }
    assert_eq!(pinholes(&engine, &listing(0, 3, Filter::default()), LIFE, NOW), v1::Pinholes::default());
}

#[test]
fn a_subscriber_is_shown_with_what_it_has_and_what_it_was_refused() {
    let three = SubscriberLimits { sessions: NonZeroU32::new(3), ..SubscriberLimits::default() };
    let engine = limited(64, three, 4000..4010);
    let of = |address: &str| {
        let filter = Filter { address: Some(address.parse().unwrap()), ..Filter::default() };
        subscribers(&engine, &listing(0, 10, filter))
    };
    let [subscriber] = &of("10.0.0.2").subscribers[..] else { panic!("not one") };
    let expected = v1::Subscriber {
        address: "10.0.0.2".to_owned(),
        outside: "203.0.113.1".to_owned(),
        sessions: 3,
        mappings: 3,
        ports: 3,
        blocks: 0,
        refused: 7,
    };
    assert_eq!(*subscriber, expected);
    assert_eq!(of("203.0.113.1").subscribers.len(), 1);
    assert_eq!((of("10.0.0.3").subscribers.len(), of("10.0.0.3").total), (0, 1));
}

#[test]
fn one_piece_of_work_is_bounded_whatever_the_table() {
    let places = u64::from(MAX_PLACES);
    let engine = engine(MAX_PLACES * 2 + 1, 4000..4001);
    let next = |from| sessions(&engine, &listing(from, 9, Filter::default()), LIFE, NOW).next;
    assert_eq!((next(0), next(places), next(2 * places)), (Some(places), Some(2 * places), None));
    for beyond in [3 * places, u64::MAX] {
        assert_eq!(next(beyond), None);
    }
}

#[test]
fn only_names_of_this_life_end_anything() {
    let mut engine = engine(16, 4000..4001);
    let id = SessionId::from_parts(0, 0);
    let mut end = |life| answer(&mut engine, &Question::EndSession(SessionName { life, id }), LIFE, NOW);
    assert_eq!(end(Life(7)), Outcome::Absent(v1::Absent {}));
    assert_eq!(end(LIFE), Outcome::Done(v1::Done {}));
    assert_eq!(end(LIFE), Outcome::Absent(v1::Absent {}));
    let pinhole = PinholeName { life: LIFE, id: PinholeId(1) };
    let closed = answer(&mut engine, &Question::ClosePinhole(pinhole), LIFE, NOW);
    assert_eq!(closed, Outcome::Absent(v1::Absent {}));
}
