//! UDP-Lite (RFC 3828), translated as UDP is.

use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::DropReason;

use crate::network::{CLIENT, Network, POOL, SERVER, STRANGER};
use crate::packets::{Address, checksum, ip, pseudo, udp};
use crate::world::{complain_inside, complain_outside, destination, host, one_to_one, source};

const UDP_LITE: u8 = 136;
const CLIENT_END: Address = (CLIENT, 4_000);
const SERVER_END: Address = (SERVER, 5_004);

/// A datagram whose checksum covers so many bytes, 0 for all.
fn datagram(from: Address, to: Address, coverage: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in [from.1, to.1, coverage, 0] {
        bytes.extend(field.to_be_bytes());
    }
    bytes.extend(payload);
    let sum = sum(from, to, &bytes);
    bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    ip(UDP_LITE, from.0, to.0, &bytes)
}

/// The checksum of RFC 3828, section 3.1: over what is covered, but with the length of all in the pseudo header.
fn sum(from: Address, to: Address, bytes: &[u8]) -> u16 {
    let covered = match u16::from_be_bytes([bytes[4], bytes[5]]) {
        0 => bytes.len(),
        covered => usize::from(covered).min(bytes.len()),
    };
    checksum(&[&pseudo(UDP_LITE, from.0, to.0, bytes.len()), &bytes[..covered]])
}

/// Reads a datagram, whose checksum has to be right.
fn read(packet: &[u8]) -> (Address, Address, Vec<u8>) {
    let bytes = &packet[20..];
    let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let (from, to) = ((source(packet), port(0)), (destination(packet), port(2)));
    assert_eq!(packet[9], UDP_LITE);
    assert_eq!(sum(from, to, bytes), 0, "checksum");
    (from, to, bytes[8..].to_vec())
}

/// Opens a session and returns the client's outside endpoint.
fn open(network: &mut Network, from: Address) -> Address {
    read(&network.passed(Realm::Inside, &datagram(from, SERVER_END, 0, b"hello"))).0
}

#[test]
fn rfc3828_section_3_1_the_checksum_is_right_whatever_it_covers() {
    let mut network = Network::small();
    let outside = open(&mut network, CLIENT_END);
    assert_eq!(outside.0, POOL);
    for coverage in [0_u16, 8, 9, 12, 13, 108] {
        let payload = [coverage.to_be_bytes()[1]; 100];
        let left = network.passed(Realm::Inside, &datagram(CLIENT_END, SERVER_END, coverage, &payload));
        assert_eq!(read(&left), (outside, SERVER_END, payload.to_vec()));
        let arrived = network.passed(Realm::Outside, &datagram(SERVER_END, outside, coverage, &payload));
        assert_eq!(read(&arrived), (SERVER_END, CLIENT_END, payload.to_vec()));
    }
}

#[test]
fn rfc3828_section_3_1_a_checksum_never_becomes_none() {
    let mut network = Network::small();
    let outside = open(&mut network, CLIENT_END);
    // One of these payloads makes the translated checksum 0.
    let ones = (0..=u16::MAX).filter(|word| {
        let packet = datagram(SERVER_END, outside, 0, &word.to_be_bytes());
        if packet[26..28] == [0, 0] {
            return false;
        }
        let arrived = network.passed(Realm::Outside, &packet);
        assert_ne!(arrived[26..28], [0, 0], "{word}");
        arrived[26..28] == [255, 255]
    });
    assert_eq!(ones.count(), 1);
}

#[test]
fn rfc3828_section_3_1_impossible_coverages_and_missing_checksums_are_dropped() {
    let mut network = Network::small();
    for coverage in [1, 7, 14, u16::MAX] {
        let packet = datagram(CLIENT_END, SERVER_END, coverage, b"hello");
        assert_eq!(network.refused(Realm::Inside, &packet), DropReason::BadUdpLiteHeader);
    }
    let mut packet = datagram(CLIENT_END, SERVER_END, 0, b"hello");
    packet[26..28].fill(0);
    assert_eq!(network.refused(Realm::Inside, &packet), DropReason::BadUdpLiteHeader);
    let short = ip(UDP_LITE, CLIENT, SERVER, &[0; 7]);
    assert_eq!(network.refused(Realm::Inside, &short), DropReason::Truncated);
    let nowhere = datagram(CLIENT_END, (SERVER, 0), 0, b"hello");
    assert_eq!(network.refused(Realm::Inside, &nowhere), DropReason::PortZero);
}

#[test]
fn rfc4787_req_1_one_outside_endpoint_towards_everybody() {
    let mut network = Network::small();
    let outside = open(&mut network, CLIENT_END);
    let left = network.passed(Realm::Inside, &datagram(CLIENT_END, (STRANGER, 9), 8, b""));
    assert_eq!(read(&left).0, outside);
    assert_eq!(outside.1 % 2, CLIENT_END.1 % 2, "REQ-4");
    let other = open(&mut network, (host(3), CLIENT_END.1));
    assert_ne!(other, outside, "REQ-3");
    // Sessions of UDP with the same ports are others.
    network.outbound(&udp(CLIENT_END, SERVER_END, b""));
    assert_eq!(network.engine.session_count(), 4);
}

#[test]
fn rfc4787_req_5_and_8_it_is_filtered_and_forgotten_as_udp_is() {
    let mut network = Network::small();
    let outside = open(&mut network, CLIENT_END);
    let strange = datagram((STRANGER, SERVER_END.1), outside, 0, b"");
    assert_eq!(network.refused(Realm::Outside, &strange), DropReason::NotExpected);
    network.passed(Realm::Outside, &datagram(SERVER_END, outside, 0, b""));
    network.advance(Duration::from_secs(299));
    // REQ-6: this alone does not keep it.
    network.passed(Realm::Outside, &datagram(SERVER_END, outside, 0, b""));
    network.advance(Duration::from_secs(2));
    assert_eq!(network.engine.session_count(), 0);
}

#[test]
fn one_to_one_keeps_the_ports() {
    let left = one_to_one().passed(Realm::Inside, &datagram(CLIENT_END, SERVER_END, 8, b"hello"));
    assert_eq!(read(&left).0, (POOL, CLIENT_END.1));
}

#[test]
fn rfc5508_req_4_and_5_errors_quote_what_their_receiver_sent() {
    let mut network = Network::small();
    let sent = datagram(CLIENT_END, SERVER_END, 8, b"hello");
    let left = network.passed(Realm::Inside, &sent);
    let outside = read(&left).0;
    let quoted = complain_outside(&mut network, &left);
    // But for the time to live, and so the header's checksum.
    assert_eq!((&quoted[12..20], &quoted[20..28]), (&sent[12..20], &sent[20..28]));
    let answer = datagram(SERVER_END, outside, 8, b"hello");
    let arrived = network.passed(Realm::Outside, &answer);
    let quoted = complain_inside(&mut network, &arrived);
    assert_eq!((&quoted[12..20], &quoted[20..28]), (&answer[12..20], &answer[20..28]));
}
