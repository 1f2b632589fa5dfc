//! Addresses and extension headers (RFC 6092, section 3.1).

use std::net::Ipv6Addr;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::{DropReason, Verdict};

use super::{DNS, bare};
use crate::network::{CLIENT, GATEWAY_INSIDE, HOST, NEIGHBOUR, SERVER, SIBLING, WEB, network};
use crate::packets::{extended, udp};

const ESP: u8 = 50;

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

#[test]
fn rfc6092_rec_1_multicast_sources_are_not_forwarded() {
    for realm in [Realm::Inside, Realm::Outside] {
        let packet = udp((address("ff0e::1"), 5_000), DNS, b"");
        assert_eq!(network().dropped(realm, &packet), DropReason::SpoofedSource);
    }
}

#[test]
fn rfc6092_rec_2_no_multicast_leaves_its_scope() {
    for group in ["ff05::2", "ff08::2", "ff0e::2"] {
        let mut network = network();
        assert_eq!(
            network.dropped(Realm::Inside, &udp(HOST, (address(group), 9), b"")),
            DropReason::BadDestination
        );
        assert_eq!(network.refused(&udp(WEB, (address(group), 9), b"")), DropReason::BadDestination);
    }
    for group in ["ff01::1", "ff02::fb"] {
        let packet = udp((CLIENT, 5_353), (address(group), 5_353), b"");
        assert_eq!(network().process(Realm::Inside, &packet).0, Verdict::DeliverIfListening);
    }
}

#[test]
fn rfc6092_rec_3_nobody_has_a_forbidden_address() {
    for forbidden in [
        "::",
        "::1",
        "::203.0.113.1",
        "::ffff:203.0.113.1",
        "fe80::1",
        "fec0::1",
        "100::1",
        "2001:10::1",
        "2001:db8:9::1",
        "3fff::1",
    ] {
        let (mut network, forbidden) = (network(), address(forbidden));
        let inwards = network.refused(&udp((forbidden, 53), (CLIENT, 500), b""));
        assert_eq!(inwards, DropReason::SpoofedSource, "{forbidden}");
        let outwards = udp(HOST, (forbidden, 53), b"");
        if forbidden.is_unicast_link_local() {
            // It is for the link, and so perhaps for the gateway's host.
            assert_eq!(network.process(Realm::Inside, &outwards).0, Verdict::DeliverIfListening);
        } else {
            assert_eq!(network.dropped(Realm::Inside, &outwards), DropReason::BadDestination, "{forbidden}");
        }
        assert_eq!(network.engine.session_count(), 0);
    }
}

#[test]
fn rfc6092_rec_4_source_routes_are_not_forwarded() {
    let mut network = network();
    let routed = |kind, left| {
        extended(
            &udp(HOST, DNS, b""),
            43,
            &[0, 2, kind, left, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        )
    };
    for (kind, left) in [(0, 1), (0, 0), (4, 1), (200, 1), (2, 2)] {
        assert_eq!(network.dropped(Realm::Inside, &routed(kind, left)), DropReason::RoutingHeader);
    }
    for (kind, left) in [(4, 0), (200, 0), (2, 1)] {
        network.leaves(&routed(kind, left));
    }
}

#[test]
fn rfc6092_rec_5_only_configured_prefixes_leave() {
    for source in [address("2001:db8:2::2"), address("fd00::2"), SERVER, GATEWAY_INSIDE] {
        let mut network = network();
        assert_eq!(
            network.dropped(Realm::Inside, &udp((source, 5_000), DNS, b"")),
            DropReason::SpoofedSource
        );
        let sent = network.sent();
        assert_eq!((sent[0].0, sent[0].1.to), (Realm::Inside, source));
        assert_eq!(sent[0].1.payload[..2], [1, 5], "source address failed a policy");
    }
}

#[test]
fn rfc6092_rec_6_inside_prefixes_do_not_come_from_outside() {
    let mut network = network();
    network.connect(HOST, (SERVER, 500));
    for packet in [udp((NEIGHBOUR, 500), (CLIENT, 500), b""), bare(ESP, SIBLING, CLIENT)] {
        assert_eq!(network.refused(&packet), DropReason::SpoofedSource);
    }
    assert_eq!(network.sent(), []);
}

#[test]
fn rfc6092_rec_7_unique_local_addresses_do_not_leave() {
    let mut network = network();
    let local = address("fd12::1");
    assert_eq!(network.dropped(Realm::Inside, &udp((local, 5_000), DNS, b"")), DropReason::SpoofedSource);
    assert_eq!(network.dropped(Realm::Inside, &udp(HOST, (local, 53), b"")), DropReason::BadDestination);
    assert_eq!(network.refused(&udp((local, 53), (CLIENT, 500), b"")), DropReason::SpoofedSource);
}
