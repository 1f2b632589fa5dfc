//! FTP over IPv6 (RFC 2428): what is announced is opened, and nothing is rewritten.

use std::net::Ipv6Addr;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::alg::{CloseReason, Refusal};
use pinhole_dataplane::config::ipv6::{Ipv6Opening, Ipv6Settings};
use pinhole_dataplane::config::{PortRange, ServiceTransport};
use pinhole_dataplane::engine::{DropReason, Event, Verdict};
use pinhole_dataplane::limits::Limits;

use crate::network::{CLIENT, HOST, NEIGHBOUR, Network, SERVER, SIBLING, STRANGER, config, ipv6, network};
use crate::packets::{ACK, Address, RST, SYN, read, tcp, text};

const CONTROL: Address = (SERVER, 21);
const GREETING: &[u8] = b"220 hello\r\n";

/// A control session after its greeting.
fn greeted() -> Network {
    let mut network = network();
    network.connect(HOST, CONTROL);
    network.enters(&tcp(CONTROL, HOST, 5_000, 1_000, ACK, GREETING));
    network
}

fn says(network: &mut Network, line: &str) {
    network.leaves(&tcp(HOST, CONTROL, 1_000, 5_011, ACK, line.as_bytes()));
}

fn events(network: &mut Network) -> Vec<Event> {
    std::iter::from_fn(|| network.engine.poll_event()).collect()
}

#[test]
fn eprt_opens_what_it_names_to_the_server_alone() {
    let mut network = greeted();
    says(&mut network, "EPRT |2|2001:db8:1:1::2|50000|\r\n");
    let [Event::PinholeOpened { message, peer, outside, inside, .. }] = events(&mut network)[..] else {
        panic!("nothing opened")
    };
    assert_eq!((message, peer), ("EPRT", (SERVER, 0).into()));
    assert_eq!((outside, inside), ((CLIENT, 50_000).into(), (CLIENT, 50_000).into()));
    let data = |from, to: Address| tcp(from, to, 70, 0, SYN, b"");
    for refused in [data((STRANGER, 20), (CLIENT, 50_000)), data((STRANGER, 20), (SIBLING, 50_000))] {
        assert_eq!(network.refused(&refused), DropReason::NotExpected);
    }
    network.enters(&data((SERVER, 20), (CLIENT, 50_000)));
    network.leaves(&tcp((CLIENT, 50_000), (SERVER, 20), 1, 71, SYN | ACK, b""));
    let [Event::PinholeClosed { reason: CloseReason::Used, .. }] = events(&mut network)[..] else {
        panic!("the pinhole is still open")
    };
    let (id, _) = network.engine.sessions().find(|(_, session)| session.master().is_some()).unwrap();
    assert_eq!(network.engine.announcement_of(id).unwrap().message, "EPRT");
    // Once only.
    assert_eq!(network.refused(&data((STRANGER, 21), (CLIENT, 50_000))), DropReason::NotExpected);
}

#[test]
fn the_sender_of_a_line_in_pieces_is_not_kept_waiting() {
    let mut network = greeted();
    let start = tcp(HOST, CONTROL, 1_000, 5_011, ACK, b"EPRT |2|2001:");
    let (verdict, packet) = network.process(Realm::Inside, &start);
    assert_eq!((verdict, text(&read(&packet))), (Verdict::Forward, &b""[..]));
    let promised = network.sent();
    let [(Realm::Inside, seen)] = &promised[..] else { panic!("{promised:?}") };
    assert_eq!((seen.from, seen.to), (SERVER, CLIENT));
    assert_eq!(seen.payload[8..12], 1_013_u32.to_be_bytes());
    let rest = tcp(HOST, CONTROL, 1_013, 5_011, ACK, b"db8:1:1::2|50000|\r\n");
    let (verdict, packet) = network.process(Realm::Inside, &rest);
    assert_eq!(verdict, Verdict::Forward);
    let seen = read(&packet);
    assert_eq!(text(&seen), b"EPRT |2|2001:db8:1:1::2|50000|\r\n");
    assert_eq!(seen.payload[4..8], 1_000_u32.to_be_bytes());
    assert_eq!(network.engine.pinhole_count(), 1);
}

#[test]
fn only_the_senders_own_address_is_opened() {
    for (line, refusal) in [
        ("EPRT |2|2001:db8:1:1:ffff::3|50000|\r\n", Refusal::ForeignAddress),
        ("EPRT |2|2001:db8:1:2::2|50000|\r\n", Refusal::ForeignAddress),
        ("EPRT |2|2001:2:0:5::5|50000|\r\n", Refusal::ForeignAddress),
        ("EPRT |1|10.0.0.2|50000|\r\n", Refusal::ForeignAddress),
        ("PORT 10,0,0,2,195,80\r\n", Refusal::ForeignAddress),
        ("EPRT |2|2001:db8:1:1::2|1023|\r\n", Refusal::PrivilegedPort),
        ("EPRT |2|2001:db8:1:1::2|0|\r\n", Refusal::PrivilegedPort),
        ("EPRT |2|2001:db8:1:1::g|50000|\r\n", Refusal::Malformed),
        ("EPRT |3|2001:db8:1:1::2|50000|\r\n", Refusal::Malformed),
    ] {
        let mut network = greeted();
        says(&mut network, line);
        let events = events(&mut network);
        let [Event::AlgRefusal { reason, .. }] = events[..] else { panic!("{line}: {events:?}") };
        assert_eq!(reason, refusal, "{line}");
        assert_eq!(network.engine.pinhole_count(), 0);
    }
}

#[test]
fn an_inside_servers_epsv_reply_opens_its_port_to_the_client_alone() {
    let server: Address = (NEIGHBOUR, 21);
    let ports = PortRange::new(21, 21).unwrap();
    let opening = Ipv6Opening { inside: NEIGHBOUR, transport: ServiceTransport::Tcp, ports };
    let ipv6 = Ipv6Settings { openings: vec![opening], ..ipv6() };
    let mut network = Network::new(Limits::default(), config(Some(ipv6)));
    let client: Address = (STRANGER, 40_000);
    network.enters(&tcp(client, server, 999, 0, SYN, b""));
    network.leaves(&tcp(server, client, 4_999, 1_000, SYN | ACK, b""));
    network.enters(&tcp(client, server, 1_000, 5_000, ACK, b""));
    network.leaves(&tcp(server, client, 5_000, 1_000, ACK, GREETING));
    network.enters(&tcp(client, server, 1_000, 5_011, ACK, b"EPSV 2\r\n"));
    network.leaves(&tcp(server, client, 5_011, 1_008, ACK, b"229 ok (|||50000|)\r\n"));
    assert_eq!(network.engine.pinhole_count(), 1);
    let data = |from: Ipv6Addr| tcp((from, 45_000), (NEIGHBOUR, 50_000), 1, 0, SYN, b"");
    assert_eq!(network.refused(&data(SERVER)), DropReason::NotExpected);
    network.enters(&data(STRANGER));
    network.leaves(&tcp((NEIGHBOUR, 50_000), (STRANGER, 45_000), 1, 2, SYN | ACK, b""));
}

#[test]
fn an_outside_servers_passive_reply_needs_no_pinhole() {
    let mut network = greeted();
    says(&mut network, "EPSV\r\n");
    network.enters(&tcp(CONTROL, HOST, 5_011, 1_006, ACK, b"229 ok (|||50000|)\r\n"));
    assert_eq!(events(&mut network), []);
    network.connect((CLIENT, 40_001), (SERVER, 50_000));
}

#[test]
fn pinholes_end_with_their_control_session_and_with_ipv6() {
    let mut network = greeted();
    says(&mut network, "EPRT |2|2001:db8:1:1::2|50000|\r\n");
    network.enters(&tcp(CONTROL, HOST, 5_011, 1_032, RST, b""));
    assert_eq!(network.engine.pinhole_count(), 0);
    let mut network = greeted();
    says(&mut network, "EPRT |2|2001:db8:1:1::2|50000|\r\n");
    network.apply(config(None));
    assert_eq!((network.engine.pinhole_count(), network.engine.session_count()), (0, 0));
}

#[test]
fn pinholes_of_all_hosts_of_a_link_count_together() {
    let limits = Limits { pinholes_per_subscriber: 1, ..Limits::default() };
    let mut network = Network::new(limits, config(Some(ipv6())));
    for (host, refused) in [(CLIENT, false), (SIBLING, true), (NEIGHBOUR, false)] {
        let client = (host, 40_000);
        network.connect(client, CONTROL);
        network.enters(&tcp(CONTROL, client, 5_000, 1_000, ACK, GREETING));
        let line = format!("EPRT |2|{host}|50000|\r\n");
        network.leaves(&tcp(client, CONTROL, 1_000, 5_011, ACK, line.as_bytes()));
        let [event] = &events(&mut network)[..] else { panic!("{host}") };
        let limit = matches!(event, Event::AlgRefusal { reason: Refusal::Limit, .. });
        assert_eq!(limit, refused, "{event:?}");
    }
}
