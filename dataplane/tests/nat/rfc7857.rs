//! Updates to NAT Behavioral Requirements, as far as they are about TCP's states.

use std::num::NonZeroU32;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::Translation;
use pinhole_dataplane::conntrack::Progress;
use pinhole_dataplane::engine::DropReason;
use pinhole_dataplane::limits::{Limits, Timeouts};

use crate::connection::{Connection, Fate, WEB, forwarding};
use crate::network::{Network, SERVER, config};
use crate::packets::{ACK, FIN, RST, SYN, tcp};
use crate::world::{host, network, pool_of, ports};

#[test]
fn rfc7857_section_2_1_half_open_connections_go_after_four_minutes_and_open_ones_stay() {
    for (make, alive) in
        [(Connection::begun as fn() -> Connection, 239), (Connection::over, 239), (Connection::open, 7_439)]
    {
        let mut connection = make();
        connection.wait(alive);
        assert_ne!(connection.progress(), None);
        connection.wait(3);
        assert_eq!(connection.progress(), None);
    }
}

#[test]
fn rfc7857_section_2_1_both_times_are_settings() {
    let seconds = Duration::from_secs;
    let timeouts =
        Timeouts { tcp_established: seconds(10), tcp_transitory: seconds(5), ..Timeouts::default() };
    let mut network =
        network(pinhole_dataplane::config::Config { timeouts, ..config() }, Translation::default());
    network.connect((host(2), 40_000), WEB);
    network.outbound(&tcp((host(2), 40_001), WEB, 999, 0, SYN, b""));
    network.advance(seconds(7));
    assert_eq!(network.engine.session_count(), 1);
    network.advance(seconds(5));
    assert_eq!(network.engine.session_count(), 0);
}

#[test]
fn rfc7857_section_2_2_an_rst_is_translated_and_its_session_kept_for_four_minutes() {
    let mut connection = Connection::open();
    assert_eq!(connection.answer(5_000, 0, RST, b""), Fate::Forwarded);
    connection.wait(239);
    assert_eq!(connection.progress(), Some(Progress::Closed));
    connection.wait(3);
    assert_eq!(connection.progress(), None);
}

#[test]
fn rfc7857_section_2_2_a_connection_whose_rst_was_forged_goes_on() {
    let mut connection = Connection::open();
    assert_eq!(connection.answer(5_000, 0, RST, b""), Fate::Forwarded);
    assert_eq!(connection.progress(), Some(Progress::Closed));
    // What was under way proves nothing: the client may not have had the RST yet.
    assert_eq!(connection.send(1_000, 5_000, ACK, b"question"), Fate::Forwarded);
    assert_eq!(connection.progress(), Some(Progress::Closed));
    assert_eq!(connection.answer(5_000, 1_000, ACK, b""), Fate::Forwarded);
    assert_eq!(connection.progress(), Some(Progress::Closed));
    // Who has sent an RST sends nothing new.
    assert_eq!(connection.answer(5_000, 1_008, ACK, b""), Fate::Forwarded);
    assert_eq!(connection.progress(), Some(Progress::Established));
    connection.wait(7_439);
    assert_eq!(connection.progress(), Some(Progress::Established));
}

#[test]
fn rfc7857_section_2_2_a_closing_connection_is_closing_again() {
    let mut connection = Connection::open();
    connection.send(1_000, 5_000, FIN | ACK, b"");
    connection.answer(5_000, 1_000, RST, b"");
    connection.answer(5_000, 1_001, ACK, b"more");
    assert_eq!(connection.progress(), Some(Progress::Closing));
}

#[test]
fn rfc6191_a_new_connection_takes_the_place_of_one_that_is_over() {
    let mut connection = Connection::over();
    let outside = connection.outside;
    let packet = tcp(connection.client, WEB, 80_000, 0, SYN, b"");
    assert_eq!(connection.network.outbound(&packet).from, outside, "the server may compare the numbers");
    assert_eq!(connection.progress(), Some(Progress::SynSent));
    // It is not convinced that the old one is over.
    assert_eq!(connection.answer(5_001, 1_001, ACK, b""), Fate::Forwarded);
    assert_eq!(connection.progress(), Some(Progress::SynSent));
    assert_eq!(connection.send(1_001, 0, RST, b""), Fate::Forwarded);
    assert_eq!(connection.send(80_000, 0, SYN, b""), Fate::Forwarded);
    assert_eq!(connection.answer(9_000, 80_001, SYN | ACK, b""), Fate::Forwarded);
    assert_eq!(connection.send(80_001, 9_001, ACK, b""), Fate::Forwarded);
    assert_eq!(connection.progress(), Some(Progress::Established));
}

#[test]
fn rfc6191_nobody_outside_begins_anew_what_was_begun_inside() {
    let mut connection = Connection::over();
    assert_eq!(connection.answer(80_000, 0, SYN, b""), Fate::Dropped(DropReason::TcpState));
    assert_eq!(connection.progress(), Some(Progress::Closed));
}

#[test]
fn rfc6191_a_client_outside_connects_again_from_the_same_port() {
    let (mut network, server, outside) = forwarding(Limits::default());
    let client = (SERVER, 50_000);
    for isn in [100, 70_000] {
        assert_eq!(network.inbound(&tcp(client, outside, isn, 0, SYN, b"")).to, server);
        network.outbound(&tcp(server, client, 900, isn + 1, SYN | ACK, b""));
        network.inbound(&tcp(client, outside, isn + 1, 901, FIN | ACK, b""));
        network.outbound(&tcp(server, client, 901, isn + 2, FIN | ACK, b""));
        network.inbound(&tcp(client, outside, isn + 2, 902, ACK, b""));
    }
    assert_eq!(network.engine.session_count(), 1);
}

#[test]
fn rfc6888_req_8_a_port_in_time_wait_is_nobody_elses() {
    // Room for a single connection.
    let mut network = network(pool_of(1, ports(2_000, 2_000)), Translation::default());
    let outside = network.connect((host(2), 40_000), WEB);
    network.outbound(&tcp((host(2), 40_000), WEB, 1_000, 5_000, FIN | ACK, b""));
    network.inbound(&tcp(WEB, outside, 5_000, 1_001, FIN | ACK, b""));
    network.outbound(&tcp((host(2), 40_000), WEB, 1_001, 5_001, ACK, b""));
    let other = tcp((host(3), 40_000), WEB, 7, 0, SYN, b"");
    network.advance(Duration::from_secs(120));
    assert_eq!(network.refused(Realm::Inside, &other), DropReason::NoPort);
    // Its own host has it again at once.
    assert_eq!(network.outbound(&tcp((host(2), 40_000), WEB, 90_000, 0, SYN, b"")).from, outside);
    assert_eq!(network.refused(Realm::Inside, &other), DropReason::NoPort);
    network.advance(Duration::from_secs(242));
    assert_eq!(network.outbound(&other).from, outside);
}

#[test]
fn a_connection_that_is_not_begun_anew_leaves_nothing_behind() {
    // The one token of the second goes to the first connection.
    let limits = pinhole_dataplane::config::nat::SubscriberLimits {
        new_sessions_per_second: NonZeroU32::new(1),
        ..Default::default()
    };
    let mut network: Network = network(config(), Translation { limits, ..Translation::default() });
    let client = (host(2), 40_000);
    let outside = network.connect(client, WEB);
    network.inbound(&tcp(WEB, outside, 5_000, 0, RST, b""));
    let refused = network.refused(Realm::Inside, &tcp(client, WEB, 90_000, 0, SYN, b""));
    assert_eq!(refused, DropReason::SubscriberRate);
    assert_eq!((network.engine.session_count(), network.engine.mappings().count()), (0, 0));
}
