//! What protects itself comes in unasked; and mobile hosts (RFC 6092, section 3.2.4 and 3.2.5).

use pinhole_dataplane::config::ipv6::Ipv6Settings;
use pinhole_dataplane::engine::DropReason;
use pinhole_dataplane::limits::Limits;

use super::bare;
use crate::network::{CLIENT, HOST, Network, ROUTER, SERVER, SIBLING, STRANGER, WEB, config, ipv6, network};
use crate::packets::{ACK, error, extended, ip, tcp, udp};

const AH: u8 = 51;
const ESP: u8 = 50;
const HIP: u8 = 139;

#[test]
fn rfc6092_rec_21_authenticated_packets_come_in() {
    network().enters(&bare(AH, SERVER, CLIENT));
    network().leaves(&bare(AH, CLIENT, SERVER));
}

#[test]
fn rfc6092_rec_22_esp_comes_in() {
    network().enters(&bare(ESP, SERVER, CLIENT));
    network().leaves(&bare(ESP, CLIENT, SERVER));
}

#[test]
fn rfc6092_rec_23_esp_errors_pass() {
    let mut network = network();
    network.leaves(&bare(ESP, CLIENT, SERVER));
    network.enters(&error(2, ROUTER, CLIENT, &bare(ESP, CLIENT, SERVER)));
    network.leaves(&error(1, CLIENT, SERVER, &bare(ESP, SERVER, CLIENT)));
}

#[test]
fn rfc6092_rec_24_ike_comes_in() {
    network().enters(&udp((SERVER, 500), (CLIENT, 500), b""));
    network().enters(&udp((SERVER, 40_000), (CLIENT, 4_500), b""));
    assert_eq!(network().refused(&udp((SERVER, 500), (CLIENT, 501), b"")), DropReason::NotExpected);
}

#[test]
fn rfc6092_rec_24_ipsec_can_be_kept_out() {
    let ipv6 = Ipv6Settings { ipsec: false, ..ipv6() };
    let mut network = Network::new(Limits::default(), config(Some(ipv6)));
    let unasked = [
        udp((SERVER, 500), (CLIENT, 500), b""),
        bare(ESP, SERVER, CLIENT),
        bare(AH, SERVER, CLIENT),
        bare(HIP, SERVER, CLIENT),
    ];
    for packet in &unasked {
        assert_eq!(network.refused(packet), DropReason::NotExpected);
    }
    network.leaves(&bare(ESP, CLIENT, SERVER));
    network.enters(&bare(ESP, SERVER, CLIENT));
}

#[test]
fn rfc6092_rec_25_esp_is_known_by_its_addresses() {
    let mut network = network();
    let esp = |from, to, index: u8| ip(from, to, ESP, &[index; 24]);
    network.leaves(&esp(CLIENT, SERVER, 1));
    network.enters(&esp(SERVER, CLIENT, 2));
    network.enters(&esp(SERVER, CLIENT, 3));
    assert_eq!(network.engine.session_count(), 1);
}

#[test]
fn rfc6092_rec_26_host_identity_comes_in() {
    network().enters(&bare(HIP, SERVER, CLIENT));
}

#[test]
fn rfc6092_rec_27_routing_headers_of_mobile_hosts_pass_in_sessions() {
    let mut network = network();
    network.connect(HOST, WEB);
    let home = [&[0, 2, 2, 1, 0, 0, 0, 0][..], &SIBLING.octets()].concat();
    network.enters(&extended(&tcp(WEB, HOST, 5_000, 1_000, ACK, b"hi"), 43, &home));
    let other = extended(&tcp((STRANGER, 80), HOST, 5_000, 1_000, ACK, b"hi"), 43, &home);
    assert_eq!(network.refused(&other), DropReason::NotExpected);
}
