//! TFTP through the whole engine (RFC 1350, section 4): the answer comes from a port that nobody has sent to.

use std::sync::Arc;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::alg::{AlgProtocol, CloseReason, OpaqueReason, Refusal};
use pinhole_dataplane::config::nat::{Dependence, Forward, Translation};
use pinhole_dataplane::config::{AlgConfig, Config, PortRange, ServiceTransport, Snapshot};
use pinhole_dataplane::engine::{DropReason, Event, Verdict};
use pinhole_dataplane::limits::Limits;

use crate::network::{CLIENT, Network, POOL, SERVER, STRANGER, config};
use crate::packets::{Address, udp};

const SERVICE: Address = (SERVER, 69);
/// What the server answers from.
const TRANSFER: Address = (SERVER, 3_333);
const HOST: Address = (CLIENT, 40_000);

const READ: &[u8] = b"\0\x01boot.img\0octet\0";
const WRITE: &[u8] = b"\0\x02log\0netascii\0blksize\x001428\0";
const DATA: &[u8] = b"\0\x03\0\x01 a block";
const ACKNOWLEDGED: &[u8] = b"\0\x04\0\x01";
const OPTIONS: &[u8] = b"\0\x06blksize\x001428\0";
const ERROR: &[u8] = b"\0\x05\0\x01no such file\0";

fn requested(network: &mut Network, request: &[u8]) -> Address {
    let seen = network.outbound(&udp(HOST, SERVICE, request));
    assert_eq!((seen.to, &seen.payload[..]), (SERVICE, request));
    seen.from
}

fn events(network: &mut Network) -> Vec<Event> {
    std::iter::from_fn(|| network.engine.poll_event()).collect()
}

fn refusals(network: &mut Network) -> Vec<(&'static str, Refusal)> {
    let refused = events(network).into_iter().filter_map(|event| {
        if let Event::AlgRefusal { message, reason, .. } = event { Some((message, reason)) } else { None }
    });
    refused.collect()
}

#[test]
fn a_transfer_goes_between_the_client_and_the_port_of_the_answer() {
    for (request, answer) in [(READ, DATA), (READ, OPTIONS), (READ, ERROR), (WRITE, ACKNOWLEDGED)] {
        let mut network = Network::small();
        let outside = requested(&mut network, request);
        assert_eq!(network.engine.pinhole_count(), 1);
        let seen = network.inbound(&udp(TRANSFER, outside, answer));
        assert_eq!((seen.from, seen.to, &seen.payload[..]), (TRANSFER, HOST, answer));
        let seen = network.outbound(&udp(HOST, TRANSFER, ACKNOWLEDGED));
        assert_eq!((seen.from, seen.to), (outside, TRANSFER));
        network.inbound(&udp(TRANSFER, outside, DATA));
        // The answer has fixed the port.
        let other = udp((SERVER, 3_334), outside, DATA);
        assert_eq!(network.refused(Realm::Outside, &other), DropReason::NotExpected);
    }
}

#[test]
fn nobody_but_the_server_may_answer() {
    let mut network = Network::small();
    let outside = requested(&mut network, READ);
    for (from, to) in [((STRANGER, 69), outside), (TRANSFER, (POOL, outside.1 ^ 1))] {
        assert_eq!(network.refused(Realm::Outside, &udp(from, to, DATA)), DropReason::NotExpected);
    }
    network.inbound(&udp(TRANSFER, outside, DATA));
}

#[test]
fn the_event_names_the_request() {
    let mut network = Network::small();
    let outside = requested(&mut network, WRITE);
    let [Event::PinholeOpened { protocol, message, peer, outside: named, inside, lifetime, .. }] =
        events(&mut network)[..]
    else {
        panic!("nothing opened")
    };
    assert_eq!((protocol, message, peer), (AlgProtocol::Tftp, "WRQ", (SERVER, 0).into()));
    assert_eq!((named, inside, lifetime), (outside.into(), HOST.into(), Duration::from_secs(30)));
    network.inbound(&udp(TRANSFER, outside, ACKNOWLEDGED));
    let (id, _) = network.engine.sessions().find(|(_, session)| session.master().is_some()).unwrap();
    assert_eq!(network.engine.announcement_of(id).unwrap().message, "WRQ");
}

#[test]
fn a_request_that_is_repeated_is_the_same_one() {
    let mut network = Network::small();
    let outside = requested(&mut network, READ);
    for _ in 0..5 {
        network.advance(Duration::from_secs(20));
        assert_eq!(requested(&mut network, READ), outside);
        assert_eq!(network.engine.pinhole_count(), 1);
    }
    network.advance(Duration::from_secs(29));
    network.inbound(&udp(TRANSFER, outside, DATA));
    // The server has not seen that it was answered, and takes it for another one.
    requested(&mut network, READ);
    network.inbound(&udp((SERVER, 3_334), outside, DATA));
    assert_eq!(network.engine.pinhole_count(), 0);
}

#[test]
fn each_request_of_a_port_has_its_own_answer() {
    let mut network = Network::small();
    let outside = requested(&mut network, READ);
    assert_eq!(requested(&mut network, WRITE), outside);
    assert_eq!(network.engine.pinhole_count(), 2);
    network.inbound(&udp(TRANSFER, outside, DATA));
    network.inbound(&udp((SERVER, 3_334), outside, ACKNOWLEDGED));
    let third = udp((SERVER, 3_335), outside, DATA);
    assert_eq!(network.refused(Realm::Outside, &third), DropReason::NotExpected);
}

#[test]
fn an_answer_may_take_its_time_and_no_more() {
    let mut network = Network::small();
    let outside = requested(&mut network, READ);
    network.advance(Duration::from_secs(31));
    assert_eq!(network.refused(Realm::Outside, &udp(TRANSFER, outside, DATA)), DropReason::NotExpected);
    let closed = events(&mut network)
        .into_iter()
        .find_map(|event| if let Event::PinholeClosed { reason, .. } = event { Some(reason) } else { None });
    assert_eq!(closed, Some(CloseReason::Expired));
}

#[test]
fn what_is_no_request_opens_nothing() {
    let long = [b"\0\x01", vec![b'a'; 504].as_slice(), b"\0octet\0"].concat();
    for (datagram, refused) in [
        (&b"\0\x01boot.img\0octet"[..], Some("RRQ")),
        (b"\0\x02boot.img\0", Some("WRQ")),
        (&long, Some("RRQ")),
        // Passed, without an answer that anybody could be let in for (RFC 2090).
        (b"\0\x01boot.img\0octet\0multicast\0\0", None),
        (DATA, None),
        (b"GET / HTTP/1.1\r\n", None),
        (b"", None),
    ] {
        let mut network = Network::small();
        requested(&mut network, datagram);
        assert_eq!(network.engine.pinhole_count(), 0, "{}", datagram.escape_ascii());
        let expected = refused.map(|message| (message, Refusal::Malformed));
        assert_eq!(refusals(&mut network), Vec::from_iter(expected));
    }
}

#[test]
fn a_server_asks_for_nothing() {
    let mut network = Network::small();
    let outside = requested(&mut network, READ);
    network.inbound(&udp(SERVICE, outside, WRITE));
    assert_eq!(network.engine.pinhole_count(), 1);
    assert_eq!(refusals(&mut network), [("WRQ", Refusal::OutOfTurn)]);
}

#[test]
fn a_privileged_port_is_not_opened() {
    let mut network = Network::small();
    network.outbound(&udp((CLIENT, 161), SERVICE, READ));
    assert_eq!(network.engine.pinhole_count(), 0);
    assert_eq!(refusals(&mut network), [("RRQ", Refusal::PrivilegedPort)]);
}

#[test]
fn requests_are_bounded() {
    let limits = Limits { sessions: 64, pinholes_per_subscriber: 12, ..Limits::default() };
    let mut network = Network::new(limits, config());
    let ask = |network: &mut Network, port, file: u8| {
        network.outbound(&udp((CLIENT, port), SERVICE, &[0, 1, file, 0, b'o', 0]));
    };
    for file in 1..=20 {
        ask(&mut network, 40_000, file);
    }
    assert_eq!(network.engine.pinhole_count(), 8);
    for file in 1..=20 {
        ask(&mut network, 40_001, file);
    }
    assert_eq!(network.engine.pinhole_count(), 12);
    assert_eq!(refusals(&mut network).last(), Some(&("RRQ", Refusal::Limit)));
}

#[test]
fn the_answer_comes_to_where_the_request_left_from() {
    // Under these two the endpoint has another outside port towards each destination.
    for mapping in [Dependence::Address, Dependence::AddressAndPort] {
        let nat = Translation { mapping, ..Translation::default() };
        let mut network = Network::new(Limits::default(), Config { nat, ..config() });
        let outside = requested(&mut network, READ);
        network.inbound(&udp(TRANSFER, outside, DATA));
        assert_eq!(network.outbound(&udp(HOST, TRANSFER, ACKNOWLEDGED)).from, outside);
    }
}

#[test]
fn a_server_inside_answers_from_its_outside_address() {
    let second = [203, 0, 113, 2].into();
    let ports = |port| PortRange::new(port, port).unwrap();
    let mut with_server = config();
    with_server.pool.push(pinhole_dataplane::config::PoolAddress { address: second, ..with_server.pool[0] });
    for outside in [POOL, second] {
        let forward = Forward {
            transport: ServiceTransport::Udp,
            outside,
            outside_ports: ports(6_969),
            inside: CLIENT,
            inside_ports: ports(69),
        };
        let nat = Translation { forwards: vec![forward], ..Translation::default() };
        let mut network = Network::new(Limits::default(), Config { nat, ..with_server.clone() });
        let seen = network.inbound(&udp((STRANGER, 2_000), (outside, 6_969), READ));
        assert_eq!(seen.to, (CLIENT, 69));
        assert_eq!(network.engine.pinhole_count(), 0);
        let answer = network.outbound(&udp(HOST, (STRANGER, 2_000), DATA));
        assert_eq!((answer.from.0, answer.to), (outside, (STRANGER, 2_000)));
        let seen = network.inbound(&udp((STRANGER, 2_000), answer.from, ACKNOWLEDGED));
        assert_eq!(seen.to, HOST);
    }
}

#[test]
fn turned_off_it_opens_nothing_more_and_closes_what_waits() {
    let mut network = Network::small();
    let outside = requested(&mut network, READ);
    requested(&mut network, WRITE);
    network.inbound(&udp(TRANSFER, outside, DATA));
    let off = AlgConfig { protocol: AlgProtocol::Tftp, enabled: false, services: vec![] };
    let snapshot = Snapshot::new(Config { algs: vec![off], ..config() }).unwrap();
    network.engine.apply(Arc::new(snapshot), network.now);
    requested(&mut network, READ);
    assert_eq!(network.engine.pinhole_count(), 0);
    let opaque = events(&mut network)
        .into_iter()
        .find_map(|event| if let Event::AlgOpaque { reason, .. } = event { Some(reason) } else { None });
    assert_eq!(opaque, Some(OpaqueReason::Disabled));
    let late = udp((SERVER, 3_334), outside, ACKNOWLEDGED);
    assert!(matches!(network.process(Realm::Outside, &late).0, Verdict::Drop(DropReason::NotExpected)));
    // The transfer that runs goes on.
    network.inbound(&udp(TRANSFER, outside, DATA));
}
