//! What is reached from outside unasked: openings, and the gateway's host.

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::ipv6::{Ipv6Opening, Ipv6Settings};
use pinhole_dataplane::config::{PortRange, ServiceTransport};
use pinhole_dataplane::engine::{DropReason, Verdict};
use pinhole_dataplane::limits::Limits;

use crate::network::{
    CLIENT, GATEWAY, GATEWAY_INSIDE, HOST, Network, SERVER, SIBLING, STRANGER, config, ipv6, network,
};
use crate::packets::{ACK, SYN, tcp, udp};

#[test]
fn what_is_opened_is_reached_by_anybody_and_nothing_else_is() {
    let opening = Ipv6Opening {
        inside: CLIENT,
        transport: ServiceTransport::Tcp,
        ports: PortRange::new(80, 81).unwrap(),
    };
    let ipv6 = Ipv6Settings { openings: vec![opening], ..ipv6() };
    let mut network = Network::new(Limits::default(), config(Some(ipv6)));
    for (from, port) in [(SERVER, 80), (STRANGER, 81)] {
        network.enters(&tcp((from, 5_000), (CLIENT, port), 1, 0, SYN, b""));
        network.leaves(&tcp((CLIENT, port), (from, 5_000), 1, 2, SYN | ACK, b""));
    }
    for packet in [
        tcp((STRANGER, 5_000), (CLIENT, 82), 1, 0, SYN, b""),
        udp((STRANGER, 5_000), (CLIENT, 80), b""),
        tcp((STRANGER, 5_000), (SIBLING, 80), 1, 0, SYN, b""),
    ] {
        assert_eq!(network.refused(&packet), DropReason::NotExpected);
    }
}

#[test]
fn the_gateways_host_is_reached_but_not_by_its_inside_address_from_outside() {
    let mut network = network();
    let ssh = |from, to| tcp((from, 5_000), (to, 22), 1, 0, SYN, b"");
    let deliver = Verdict::DeliverIfListening;
    assert_eq!(network.process(Realm::Inside, &ssh(CLIENT, GATEWAY_INSIDE)).0, deliver);
    assert_eq!(network.process(Realm::Inside, &ssh(CLIENT, GATEWAY)).0, deliver);
    assert_eq!(network.process(Realm::Outside, &ssh(STRANGER, GATEWAY)).0, deliver);
    assert_eq!(network.refused(&ssh(STRANGER, GATEWAY_INSIDE)), DropReason::BadDestination);
}

#[test]
fn without_ipv6_in_the_configuration_nothing_passes() {
    let mut network = Network::new(Limits::default(), config(None));
    for realm in [Realm::Inside, Realm::Outside] {
        assert_eq!(network.dropped(realm, &udp(HOST, (SERVER, 53), b"")), DropReason::Ipv6Off);
    }
    assert_eq!(network.sent(), []);
}
