//! How long what nobody uses is kept.

use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::Config;
use pinhole_dataplane::engine::DropReason;
use pinhole_dataplane::limits::{Limits, Timeouts};

use crate::network::{Network, POOL, SERVER, config};
use crate::packets::{ACK, Address, FIN, SYN, echo, echo_reply, tcp, udp};
use crate::world::{DNS, host};

const WEB: Address = (SERVER, 80);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn rfc4787_req_6_only_what_is_sent_from_inside_keeps_a_mapping() {
    let mut network = Network::small();
    let client = (host(2), 5_353);
    let outside = network.mapped(client);
    network.inbound(&udp(DNS, outside, b""));
    for _ in 0..5 {
        network.advance(seconds(290));
        assert_eq!(network.mapped(client), outside, "outbound refresh");
    }
    for _ in 0..2 {
        network.advance(seconds(140));
        network.inbound(&udp(DNS, outside, b""));
    }
    network.advance(seconds(22));
    assert_eq!(network.refused(Realm::Outside, &udp(DNS, outside, b"")), DropReason::NotExpected);
}

#[test]
fn rfc5382_req_5_a_connection_that_opens_or_closes_lives_four_minutes() {
    let client = (host(2), 40_000);
    let syn = tcp(client, WEB, 999, 0, SYN, b"");
    let opening = || {
        let mut network = Network::small();
        network.outbound(&syn);
        network
    };
    let answered = || {
        let mut network = opening();
        let outside = network.outbound(&syn).from;
        network.inbound(&tcp(WEB, outside, 4_999, 1_000, SYN | ACK, b""));
        network
    };
    let closing = || {
        let mut network = Network::small();
        network.connect(client, WEB);
        network.outbound(&tcp(client, WEB, 1_000, 5_000, ACK | FIN, b""));
        network
    };
    for mut network in [opening(), answered(), closing()] {
        network.advance(seconds(239));
        assert_eq!(network.engine.session_count(), 1);
        network.advance(seconds(3));
        assert_eq!(network.engine.session_count(), 0);
    }
}

#[test]
fn rfc5382_req_5_a_connection_that_was_open_for_long_is_forgotten_as_soon_when_it_closes() {
    let client = (host(2), 40_000);
    let mut network = Network::small();
    let outside = network.connect(client, WEB);
    // So long that its timer has been put off once.
    network.advance(seconds(300));
    network.outbound(&tcp(client, WEB, 1_000, 5_000, ACK | FIN, b""));
    network.inbound(&tcp(WEB, outside, 5_000, 1_001, ACK | FIN, b""));
    network.outbound(&tcp(client, WEB, 1_001, 5_001, ACK, b""));
    network.advance(seconds(242));
    assert_eq!((network.engine.session_count(), network.engine.mappings().count()), (0, 0));
}

#[test]
fn rfc5508_req_2_a_query_session_lives_60_seconds() {
    let mut network = Network::small();
    let outside = network.outbound(&echo(host(2), SERVER, 7)).from;
    network.advance(seconds(59));
    assert_eq!(network.inbound(&echo_reply(SERVER, POOL, outside.1)).to, (host(2), 7));
    network.advance(seconds(59));
    network.outbound(&echo(host(2), SERVER, 7));
    network.advance(seconds(62));
    assert_eq!((network.engine.session_count(), network.engine.mappings().count()), (0, 0));
}

#[test]
fn rfc5508_req_2a_the_time_can_be_configured() {
    let timeouts = Timeouts { icmp: seconds(600), ..Timeouts::default() };
    let mut network = Network::new(Limits::default(), Config { timeouts, ..config() });
    let outside = network.outbound(&echo(host(2), SERVER, 7)).from;
    network.advance(seconds(599));
    assert_eq!(network.inbound(&echo_reply(SERVER, POOL, outside.1)).to, (host(2), 7));
}
