//! Simple security for IPv6 gateways, recommendation by recommendation (RFC 6092, section 4). What is not followed, and
//! why, docs/conformance.md says.

mod ipsec;
mod scope;
mod transports;

use std::net::Ipv6Addr;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::ipv6::Ipv6Filtering;
use pinhole_dataplane::engine::{DropReason, Verdict};

use crate::network::{CLIENT, GATEWAY, HOST, NEIGHBOUR, ROUTER, SERVER, STRANGER, WEB, filtering, network};
use crate::packets::{
    ACK, Address, ECHO, ECHO_REPLY, FIN, RST, SYN, echo, error, extended, ip, ported, tcp, udp,
};

const DNS: Address = (SERVER, 53);
const UDP_LITE: u8 = 136;
/// A protocol that nobody has given a number.
const UNKNOWN: u8 = 200;

/// A protocol whose packets are known by their addresses alone.
fn bare(protocol: u8, from: Ipv6Addr, to: Ipv6Addr) -> Vec<u8> {
    ip(from, to, protocol, &[1, 2, 3, 4, 5, 6, 7, 8])
}

#[test]
fn rfc6092_rec_10_errors_need_a_session() {
    let mut network = network();
    network.leaves(&udp(HOST, DNS, b""));
    for kind in [1, 2, 3, 4] {
        network.enters(&error(kind, ROUTER, CLIENT, &udp(HOST, DNS, b"")));
        let other = udp((CLIENT, 40_001), DNS, b"");
        assert_eq!(network.refused(&error(kind, ROUTER, CLIENT, &other)), DropReason::IcmpNoSession);
        // Who is told must be who has sent.
        let astray = error(kind, ROUTER, NEIGHBOUR, &udp(HOST, DNS, b""));
        assert_eq!(network.refused(&astray), DropReason::BadQuotedPacket);
    }
}

/// What an inside endpoint, having sent to one server, may be sent by whom, under each kind of filtering.
fn who_may_send(packet: impl Fn(Address, Address) -> Vec<u8>) {
    let others = [(SERVER, 81), (STRANGER, 80)];
    for (kind, admitted) in [
        (Ipv6Filtering::AddressAndPort, [false, false]),
        (Ipv6Filtering::Address, [true, false]),
        (Ipv6Filtering::Independent, [true, true]),
        (Ipv6Filtering::Open, [true, true]),
    ] {
        let mut network = filtering(kind);
        network.leaves(&packet(HOST, WEB));
        for (other, admitted) in others.into_iter().zip(admitted) {
            let (verdict, _) = network.process(Realm::Outside, &packet(other, HOST));
            let expected = if admitted { Verdict::Forward } else { Verdict::Drop(DropReason::NotExpected) };
            assert_eq!(verdict, expected, "{kind:?} {other:?}");
        }
        let elsewhere = network.process(Realm::Outside, &packet(WEB, (CLIENT, 40_001))).0;
        let open = kind == Ipv6Filtering::Open;
        assert_eq!(elsewhere == Verdict::Forward, open, "{kind:?}");
    }
}

#[test]
fn rfc6092_rec_11_filtering_of_unknown_protocols_is_by_address() {
    // Without ports there is an address on both sides only, so two kinds of filtering are one.
    for (kind, stranger) in [(Ipv6Filtering::Address, false), (Ipv6Filtering::Independent, true)] {
        let mut network = filtering(kind);
        assert_eq!(network.refused(&bare(UNKNOWN, SERVER, CLIENT)), DropReason::NotExpected);
        network.leaves(&bare(UNKNOWN, CLIENT, SERVER));
        network.enters(&bare(UNKNOWN, SERVER, CLIENT));
        assert_eq!(network.refused(&bare(UNKNOWN + 1, SERVER, CLIENT)), DropReason::NotExpected);
        let (verdict, _) = network.process(Realm::Outside, &bare(UNKNOWN, STRANGER, CLIENT));
        assert_eq!(verdict == Verdict::Forward, stranger);
    }
}

/// Asks and is answered, and returns the seconds after which a packet from outside is not let in any more, of some.
fn lifetime(out: &[u8], back: &[u8], tries: &[u64]) -> Vec<bool> {
    let alive = |seconds: &u64| {
        let mut network = filtering(Ipv6Filtering::AddressAndPort);
        network.leaves(out);
        network.enters(back);
        network.advance_seconds(*seconds);
        network.process(Realm::Outside, back).0 == Verdict::Forward
    };
    tries.iter().map(alive).collect()
}

#[test]
fn rfc6092_rec_12_state_of_unknown_protocols_lasts_ten_minutes() {
    let (out, back) = (bare(UNKNOWN, CLIENT, SERVER), bare(UNKNOWN, SERVER, CLIENT));
    assert_eq!(lifetime(&out, &back, &[599, 602]), [true, false]);
}

#[test]
fn rfc6092_rec_14_udp_state_lasts_five_minutes() {
    let server = (SERVER, 7_000);
    assert_eq!(lifetime(&udp(HOST, server, b""), &udp(server, HOST, b""), &[299, 302]), [true, false]);
}

#[test]
fn rfc6092_rec_15_well_known_ports_are_like_others() {
    assert_eq!(lifetime(&udp(HOST, DNS, b""), &udp(DNS, HOST, b""), &[299, 302]), [true, false]);
}

#[test]
fn rfc6092_rec_16_udp_state_is_refreshed_from_inside_only() {
    let mut network = network();
    network.leaves(&udp(HOST, DNS, b""));
    network.enters(&udp(DNS, HOST, b""));
    network.advance_seconds(200);
    network.leaves(&udp(HOST, DNS, b""));
    network.advance_seconds(200);
    network.enters(&udp(DNS, HOST, b""));
    network.advance_seconds(102);
    assert_eq!(network.refused(&udp(DNS, HOST, b"")), DropReason::NotExpected);
}

#[test]
fn rfc6092_rec_17_udp_filtering_is_chosen() {
    who_may_send(|from, to| udp(from, to, b""));
}

#[test]
fn rfc6092_rec_18_udp_errors_pass() {
    let mut network = network();
    network.leaves(&udp(HOST, DNS, b""));
    for kind in [1, 2] {
        network.enters(&error(kind, ROUTER, CLIENT, &udp(HOST, DNS, b"")));
    }
    network.enters(&udp(DNS, HOST, b""));
    network.leaves(&error(1, CLIENT, SERVER, &udp(DNS, HOST, b"")));
}

#[test]
fn rfc6092_rec_19_errors_end_no_udp_session() {
    let mut network = network();
    network.leaves(&udp(HOST, DNS, b""));
    for kind in [1, 2, 3, 4] {
        network.enters(&error(kind, SERVER, CLIENT, &udp(HOST, DNS, b"")));
    }
    network.enters(&udp(DNS, HOST, b""));
    assert_eq!(network.engine.session_count(), 1);
}

#[test]
fn rfc6092_rec_20_udp_lite_is_no_udp() {
    let lite = |from, to| ported(UDP_LITE, from, to, &[0, 8, 0, 0]);
    who_may_send(lite);
    let mut network = network();
    network.leaves(&lite(HOST, DNS));
    assert_eq!(network.refused(&udp(DNS, HOST, b"")), DropReason::NotExpected);
    network.enters(&lite(DNS, HOST));
}

#[test]
fn rfc6092_rec_31_handshakes_of_both_kinds_pass() {
    let mut network = network();
    network.connect(HOST, WEB);
    network.enters(&tcp(WEB, HOST, 5_000, 1_000, ACK, b"hello"));
    network.leaves(&tcp(HOST, WEB, 1_000, 5_005, FIN | ACK, b""));
    network.enters(&tcp(WEB, HOST, 5_005, 1_001, FIN | ACK, b""));
    network.leaves(&tcp(HOST, WEB, 1_001, 5_006, ACK, b""));
    // Both ends open at the same time, and the outer one is first.
    let (here, there) = ((CLIENT, 41_000), (STRANGER, 42_000));
    assert_eq!(network.refused(&tcp(there, here, 99, 0, SYN, b"")), DropReason::NotExpected);
    network.leaves(&tcp(here, there, 199, 0, SYN, b""));
    network.enters(&tcp(there, here, 99, 0, SYN, b""));
    network.leaves(&tcp(here, there, 199, 100, SYN | ACK, b""));
    network.enters(&tcp(there, here, 99, 200, SYN | ACK, b""));
    network.leaves(&tcp(here, there, 200, 100, ACK, b"data"));
    network.advance_seconds(10);
    assert_eq!(network.sent(), [], "nobody is refused who was met");
}

#[test]
fn rfc6092_rec_33_tcp_filtering_is_chosen() {
    who_may_send(|from, to| tcp(from, to, 1, 0, SYN, b""));
}

#[test]
fn rfc6092_rec_34_unsolicited_connections_are_refused_after_six_seconds() {
    let mut network = network();
    let syn = tcp((STRANGER, 50_000), (CLIENT, 22), 7, 0, SYN, b"");
    for _ in 0..3 {
        assert_eq!(network.refused(&syn), DropReason::NotExpected);
    }
    network.advance_seconds(5);
    assert_eq!(network.sent(), []);
    network.advance_seconds(1);
    let sent = network.sent();
    let [(Realm::Outside, refusal)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((refusal.from, refusal.to, refusal.protocol), (GATEWAY, STRANGER, 58));
    assert_eq!(refusal.payload[..2], [1, 1], "administratively prohibited");
    assert_eq!(refusal.payload[8..], syn);
    assert_eq!(network.engine.poll_timeout(), None);
    // Others are dropped in silence.
    for packet in [udp(WEB, HOST, b""), tcp(WEB, HOST, 1, 1, ACK, b""), tcp(WEB, HOST, 1, 1, RST, b"")] {
        network.refused(&packet);
    }
    network.advance_seconds(60);
    assert_eq!(network.sent(), []);
}

#[test]
fn rfc6092_rec_35_tcp_state_lasts() {
    for (seconds, alive) in [(7_439, true), (7_442, false)] {
        let mut network = network();
        network.connect(HOST, WEB);
        network.advance_seconds(seconds);
        let (verdict, _) = network.process(Realm::Outside, &tcp(WEB, HOST, 5_000, 1_000, ACK, b""));
        assert_eq!(verdict == Verdict::Forward, alive);
    }
    for (seconds, alive) in [(239, true), (242, false)] {
        let mut network = network();
        network.leaves(&tcp(HOST, WEB, 999, 0, SYN, b""));
        network.advance_seconds(seconds);
        let (verdict, _) = network.process(Realm::Outside, &tcp(WEB, HOST, 1, 1_000, SYN | ACK, b""));
        assert_eq!(verdict == Verdict::Forward, alive);
    }
}

#[test]
fn rfc6092_rec_36_tcp_errors_pass() {
    let mut network = network();
    network.connect(HOST, WEB);
    for kind in [1, 2] {
        network.enters(&error(kind, ROUTER, CLIENT, &tcp(HOST, WEB, 1_000, 5_000, ACK, b"")));
        network.leaves(&error(kind, CLIENT, SERVER, &tcp(WEB, HOST, 5_000, 1_000, ACK, b"")));
    }
}

#[test]
fn rfc6092_rec_37_errors_end_no_tcp_session() {
    let mut network = network();
    network.connect(HOST, WEB);
    for kind in [1, 2, 3, 4] {
        network.enters(&error(kind, SERVER, CLIENT, &tcp(HOST, WEB, 1_000, 5_000, ACK, b"")));
    }
    network.enters(&tcp(WEB, HOST, 5_000, 1_000, ACK, b"still here"));
}

#[test]
fn rfc6092_rec_47_shim6_headers_are_passed_over() {
    let mut network = network();
    let shim = |packet: &[u8]| extended(packet, 140, &[0, 0, 0, 0, 0, 0, 0, 7]);
    network.leaves(&shim(&udp(HOST, DNS, b"")));
    network.enters(&shim(&udp(DNS, HOST, b"")));
    network.enters(&udp(DNS, HOST, b""));
    assert_eq!(network.engine.session_count(), 1);
}

#[test]
fn rfc6092_rec_49_the_gateway_can_be_transparent() {
    let mut network = filtering(Ipv6Filtering::Open);
    network.enters(&tcp((STRANGER, 5_000), (CLIENT, 22), 1, 0, SYN, b""));
    network.enters(&udp((STRANGER, 5_000), (CLIENT, 22), b""));
    network.enters(&bare(UNKNOWN, STRANGER, CLIENT));
    network.enters(&echo(ECHO, STRANGER, CLIENT, 1));
    network.leaves(&echo(ECHO_REPLY, CLIENT, STRANGER, 1));
    // Addresses and scopes are what they are.
    assert_eq!(network.refused(&udp((NEIGHBOUR, 1), HOST, b"")), DropReason::SpoofedSource);
}
