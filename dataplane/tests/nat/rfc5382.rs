//! NAT Behavioral Requirements for TCP.
//!
//! REQ-6 wants ALGs other than the one for FTP off by default; the product has all of them on.

use std::collections::BTreeSet;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::alg::{AlgProtocol, Transport};
use pinhole_dataplane::config::nat::{Dependence, Translation};
use pinhole_dataplane::config::{AlgConfig, Config, Snapshot};
use pinhole_dataplane::conntrack::Progress;
use pinhole_dataplane::engine::DropReason;

use crate::connection::{Connection, Fate, WEB};
use crate::network::{Network, SERVER, STRANGER, config};
use crate::packets::{ACK, SYN, tcp, unreachable};
use crate::world::{host, network, pool_of, ports};

fn filtering(filtering: Dependence) -> Network {
    network(config(), Translation { filtering, ..Translation::default() })
}

#[test]
fn rfc5382_req_1_a_mapping_is_independent_of_the_destination() {
    let mut network = Network::small();
    let first = network.connect((host(2), 40_000), WEB);
    for to in [(SERVER, 443), (STRANGER, 80)] {
        assert_eq!(network.connect((host(2), 40_000), to), first);
    }
}

#[test]
fn rfc5382_req_2_a_the_usual_and_the_simultaneous_open() {
    Connection::open().goes_on();
    let mut connection = Connection::begun();
    assert_eq!(connection.answer(4_999, 0, SYN, b""), Fate::Forwarded);
    assert_eq!(connection.progress(), Some(Progress::SynReceived));
    assert_eq!(connection.send(999, 5_000, SYN | ACK, b""), Fate::Forwarded);
    assert_eq!(connection.progress(), Some(Progress::SynReceived));
    // No other segment need follow.
    assert_eq!(connection.answer(4_999, 1_000, SYN | ACK, b""), Fate::Forwarded);
    assert_eq!(connection.progress(), Some(Progress::Established));
    connection.goes_on();
}

#[test]
fn rfc5382_req_2_b_the_mapping_lets_the_answer_in() {
    let mut connection = Connection::begun();
    for (seq, ack, payload) in [(4_999, 1_001, &b""[..]), (4_999, 999, b""), (4_999, 0, b"")] {
        let fate = connection.answer(seq, ack, SYN | ACK, payload);
        assert_eq!(fate, Fate::Dropped(DropReason::TcpState), "no answer to this SYN");
    }
    // Data before the responder's SYN are those of a handshake that was split to lead firewalls astray.
    let fate = connection.answer(5_000, 1_000, ACK, b"data");
    assert_eq!(fate, Fate::Dropped(DropReason::TcpState));
    assert_eq!(connection.answer(4_999, 1_000, SYN | ACK, b""), Fate::Forwarded);
}

#[test]
fn rfc5382_req_3_who_may_connect_is_as_configured() {
    for (kind, address, stranger) in [
        (Dependence::Independent, true, true),
        (Dependence::Address, true, false),
        (Dependence::AddressAndPort, false, false),
    ] {
        let mut network = filtering(kind);
        let client = (host(2), 40_000);
        let outside = network.connect(client, WEB);
        for (from, admitted) in [((SERVER, 8_080), address), ((STRANGER, 80), stranger)] {
            let stray = tcp(from, outside, 1, 1, ACK, b"");
            assert_eq!(network.refused(Realm::Outside, &stray), DropReason::NotExpected);
            let syn = tcp(from, outside, 70, 0, SYN, b"");
            if admitted {
                assert_eq!(network.inbound(&syn).to, client);
                let answer = network.outbound(&tcp(client, from, 80, 71, SYN | ACK, b""));
                assert_eq!((answer.from, answer.to), (outside, from));
            } else {
                assert_eq!(network.refused(Realm::Outside, &syn), DropReason::NotExpected);
            }
        }
    }
}

#[test]
fn rfc5382_req_4_an_unsolicited_syn_is_not_answered_and_does_not_spoil_a_simultaneous_open() {
    let mut network = Network::small();
    let client = (host(2), 40_000);
    let outside = network.connect(client, (STRANGER, 80));
    // The peer's SYN comes first. Like a firewall, the gateway never answers it (REQ-4a).
    let syn = tcp(WEB, outside, 4_999, 0, SYN, b"");
    assert_eq!(network.refused(Realm::Outside, &syn), DropReason::NotExpected);
    for _ in 0..10 {
        network.advance(std::time::Duration::from_secs(1));
        assert_eq!(network.engine.poll_transmit(), None);
    }
    assert_eq!(network.outbound(&tcp(client, WEB, 999, 0, SYN, b"")).from, outside);
    assert_eq!(network.inbound(&syn).to, client, "sent again, it is expected");
    network.outbound(&tcp(client, WEB, 999, 5_000, SYN | ACK, b""));
    network.inbound(&tcp(WEB, outside, 5_000, 1_000, ACK, b""));
}

#[test]
fn rfc5382_req_5_idle_connections_last_two_hours_and_half_open_ones_four_minutes() {
    for (make, seconds) in
        [(Connection::open as fn() -> Connection, 2 * 3_600 + 4 * 60), (Connection::begun, 4 * 60)]
    {
        let mut connection = make();
        connection.wait(seconds - 1);
        assert_ne!(connection.progress(), None);
    }
    // Any segment begins the time anew.
    let mut connection = Connection::open();
    connection.wait(7_400);
    connection.goes_on();
    connection.wait(7_400);
    connection.goes_on();
}

#[test]
fn rfc5382_req_6_the_alg_of_ftp_is_on_and_each_can_be_turned_off() {
    let listening = |config| {
        let snapshot = Snapshot::new(config).unwrap();
        snapshot.alg_for(Transport::Tcp, 40_000, 21)
    };
    assert_eq!(listening(config()), Some(AlgProtocol::Ftp));
    let off = AlgConfig { protocol: AlgProtocol::Ftp, enabled: false, services: vec![] };
    assert_eq!(listening(Config { algs: vec![off], ..config() }), None);
}

#[test]
fn rfc5382_req_7_no_outside_endpoint_means_two_inside_endpoints() {
    let mut network = network(pool_of(1, ports(1024, 1151)), Translation::default());
    let mut all = BTreeSet::new();
    for number in 2..10 {
        for port in 0..16 {
            let syn = tcp((host(number), 40_000 + port), WEB, 999, 0, SYN, b"");
            assert!(all.insert(network.outbound(&syn).from));
        }
    }
    let one_more = tcp((host(2), 50_000), WEB, 999, 0, SYN, b"");
    assert_eq!(network.refused(Realm::Inside, &one_more), DropReason::NoPort);
    assert_eq!(all.len(), 128);
}

#[test]
fn rfc5382_req_8_inside_hosts_connect_by_their_outside_endpoints() {
    let mut network = filtering(Dependence::Independent);
    let [client, server] = [(host(2), 40_000), (host(3), 8_080)];
    let server_outside = network.connect(server, WEB);
    let seen = network.turned_back(&tcp(client, server_outside, 999, 0, SYN, b""));
    assert_eq!(seen.to, server);
    let client_outside = seen.from;
    assert_ne!(client_outside, client, "the source is the outside one");
    let seen = network.turned_back(&tcp(server, client_outside, 4_999, 1_000, SYN | ACK, b""));
    assert_eq!((seen.from, seen.to), (server_outside, client));
    network.turned_back(&tcp(client, server_outside, 1_000, 5_000, ACK, b""));
    let seen = network.turned_back(&tcp(client, server_outside, 1_000, 5_000, ACK, b"data"));
    assert_eq!(seen.payload, b"data");
}

#[test]
fn rfc5382_req_9_an_error_about_a_segment_reaches_its_sender() {
    let mut connection = Connection::open();
    let outside = connection.outside;
    connection.send(1_000, 5_000, ACK, b"data");
    let quoted = tcp(outside, WEB, 1_000, 5_000, ACK, b"data");
    let seen = connection.network.inbound(&unreachable(4, STRANGER, outside.0, &quoted));
    assert_eq!(seen.to.0, connection.client.0);
}

#[test]
fn rfc5382_req_10_no_error_ends_a_connection() {
    for code in 0..16 {
        let mut connection = Connection::open();
        let quoted = tcp(connection.outside, WEB, 1_000, 5_000, ACK, b"");
        connection.network.inbound(&unreachable(code, STRANGER, connection.outside.0, &quoted));
        connection.goes_on();
    }
}
