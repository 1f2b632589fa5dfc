//! NAT Behavioral Requirements for ICMP, and what those for UDP and TCP say about it.

use std::net::Ipv4Addr;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::{DropReason, Verdict};

use crate::network::{Network, POOL, SERVER, STRANGER};
use crate::packets::{ACK, Address, echo, echo_reply, icmp, read, tcp, udp, unreachable};
use crate::world::{DNS, host};

const CLIENT: Address = (Ipv4Addr::new(10, 0, 0, 2), 5_353);
const WEB: Address = (SERVER, 80);
/// Somebody on the way, who is no end of any session.
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);

/// Destination unreachable, time exceeded, parameter problem, with codes of each.
const ERRORS: [(u8, u8); 6] = [(3, 0), (3, 1), (3, 4), (3, 13), (11, 0), (12, 0)];

#[test]
fn rfc5508_req_1_queries_from_inside_and_their_answers_pass() {
    let mut network = Network::small();
    for identifier in [0, 1, 65_535] {
        let out = network.outbound(&echo(host(2), SERVER, identifier));
        assert_eq!((out.from.0, out.to.0), (POOL, SERVER));
        let back = network.inbound(&echo_reply(SERVER, POOL, out.from.1));
        assert_eq!((back.from.0, back.to), (SERVER, (host(2), identifier)));
    }
    // Nobody outside asks, and nobody answers who was not asked.
    let known = network.outbound(&echo(host(2), SERVER, 7)).from.1;
    for packet in [echo(SERVER, POOL, known), echo_reply(STRANGER, POOL, known)] {
        assert_eq!(network.refused(Realm::Outside, &packet), DropReason::NotExpected);
    }
}

#[test]
fn rfc5508_req_1a_an_identifier_s_mapping_is_independent_of_the_destination() {
    let mut network = Network::small();
    let first = network.outbound(&echo(host(2), SERVER, 7)).from;
    assert_eq!(network.outbound(&echo(host(2), STRANGER, 7)).from, first);
    assert_eq!(network.engine.mappings().count(), 1);
}

#[test]
fn rfc5508_req_3_an_error_with_a_wrong_checksum_is_dropped() {
    let mut network = Network::small();
    let outside = network.mapped(CLIENT);
    let mut error = unreachable(3, ROUTER, POOL, &udp(outside, DNS, b""));
    *error.last_mut().unwrap() ^= 1;
    assert_eq!(network.refused(Realm::Outside, &error), DropReason::BadIcmpChecksum);
}

#[test]
fn rfc5508_req_3b_options_of_the_quoted_header_are_passed_over() {
    let mut network = Network::small();
    let outside = network.mapped(CLIENT);
    let quoted = with_options(&udp(outside, DNS, b"x"));
    let seen = network.inbound(&unreachable(1, ROUTER, POOL, &quoted));
    let quoted = read(&seen.payload);
    assert_eq!((quoted.from, quoted.to), (CLIENT, DNS));
}

/// Gives a packet a header with four bytes of options that say nothing.
fn with_options(packet: &[u8]) -> Vec<u8> {
    let mut longer = [&packet[..20], &[1; 4], &packet[20..]].concat();
    longer[0] = 0x46;
    let length = u16::try_from(longer.len()).unwrap();
    longer[2..4].copy_from_slice(&length.to_be_bytes());
    longer[10..12].fill(0);
    let mut sum: u32 =
        longer[..24].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    longer[10..12].copy_from_slice(&(!u16::try_from(sum).unwrap()).to_be_bytes());
    longer
}

#[test]
fn rfc5508_req_3c_the_quoted_transport_checksum_is_not_looked_at() {
    let mut network = Network::small();
    let outside = network.mapped(CLIENT);
    let mut quoted = udp(outside, DNS, b"x");
    quoted[27] ^= 0xff;
    let seen = network.inbound(&unreachable(1, ROUTER, POOL, &quoted));
    assert_eq!(seen.to.0, CLIENT.0);
    assert_eq!(seen.payload[12..24], udp(CLIENT, DNS, b"x")[12..24], "addresses and ports are the sender's");
}

#[test]
fn rfc5508_req_3d_extensions_are_no_part_of_the_quoted_packet() {
    // An MPLS label stack (RFC 4950) behind a quoted datagram that is padded to 128 bytes, whose length the header
    // tells in words (RFC 4884, section 4).
    let label = [0x20, 0, 0, 0, 0, 8, 1, 1, 0x12, 0x34, 0x51, 1];
    let padded = |datagram: &[u8]| [datagram, &vec![0; 128 - datagram.len()][..], &label].concat();
    let mut network = Network::small();
    let outside = network.mapped(CLIENT);
    let error = icmp(11, 0, 32 << 16, ROUTER, POOL, &padded(&udp(outside, DNS, b"x")));
    let (verdict, packet) = network.process(Realm::Outside, &error);
    assert_eq!((verdict, packet[25]), (Verdict::Forward, 32));
    let seen = read(&packet);
    assert_eq!(seen.to.0, CLIENT.0);
    assert_eq!(seen.payload, padded(&udp(CLIENT, DNS, b"x")), "the quoted checksum is the datagram's alone");
}

#[test]
fn rfc5508_req_4_an_error_from_outside_arrives_with_the_packet_as_it_was_sent() {
    let mut network = Network::small();
    let web = network.connect(CLIENT, WEB);
    let dns = network.mapped(CLIENT);
    let ping = network.outbound(&echo(CLIENT.0, SERVER, 7)).from;
    for (kind, code) in ERRORS {
        for (sent, left) in [
            (udp(CLIENT, DNS, b""), udp(dns, DNS, b"")),
            (tcp(CLIENT, WEB, 1_000, 5_000, ACK, b"get"), tcp(web, WEB, 1_000, 5_000, ACK, b"get")),
            (echo(CLIENT.0, SERVER, 7), echo(POOL, SERVER, ping.1)),
        ] {
            let (_, packet) = network.process(Realm::Outside, &icmp(kind, code, 1_400, ROUTER, POOL, &left));
            let seen = read(&packet);
            assert_eq!((seen.from.0, seen.to.0), (ROUTER, CLIENT.0));
            assert_eq!(packet[20..22], [kind, code]);
            assert_eq!(packet[24..28], 1_400_u32.to_be_bytes(), "the MTU of a path stays");
            assert_eq!(read(&seen.payload), read(&sent));
        }
    }
}

#[test]
fn rfc5508_req_4_eight_bytes_of_the_quoted_transport_are_enough() {
    let mut network = Network::small();
    let web = network.connect(CLIENT, WEB);
    let left = tcp(web, WEB, 1_000, 5_000, ACK, b"get");
    let seen = network.inbound(&unreachable(1, ROUTER, POOL, &left[..28]));
    let sent = tcp(CLIENT, WEB, 1_000, 5_000, ACK, b"get");
    assert_eq!((seen.to.0, &seen.payload), (CLIENT.0, &Vec::from(&sent[..28])));
    let cut = unreachable(1, ROUTER, POOL, &left[..27]);
    assert_eq!(network.refused(Realm::Outside, &cut), DropReason::BadQuotedPacket);
}

#[test]
fn rfc5508_req_4_and_5_an_error_about_nothing_that_was_mapped_is_dropped() {
    let mut network = Network::small();
    let outside = network.mapped(CLIENT);
    for quoted in
        [udp(outside, (STRANGER, 53), b""), udp((POOL, outside.1 ^ 1), DNS, b""), udp(DNS, outside, b"")]
    {
        let error = unreachable(1, ROUTER, POOL, &quoted);
        assert_eq!(network.refused(Realm::Outside, &error), DropReason::IcmpNoSession);
    }
    for quoted in [udp((STRANGER, 53), CLIENT, b""), udp(DNS, (CLIENT.0, 1), b""), udp(CLIENT, DNS, b"")] {
        let error = unreachable(1, CLIENT.0, SERVER, &quoted);
        assert_eq!(network.refused(Realm::Inside, &error), DropReason::IcmpNoSession);
    }
}

#[test]
fn rfc5508_req_6_an_error_neither_refreshes_nor_ends_what_it_quotes() {
    let mut network = Network::small();
    let ping = network.outbound(&echo(CLIENT.0, SERVER, 7)).from;
    network.advance(Duration::from_secs(50));
    network.inbound(&unreachable(1, ROUTER, POOL, &echo(POOL, SERVER, ping.1)));
    assert_eq!(network.inbound(&echo_reply(SERVER, POOL, ping.1)).to, (CLIENT.0, 7), "it has not ended");
    network.advance(Duration::from_secs(50));
    network.inbound(&unreachable(1, ROUTER, POOL, &echo(POOL, SERVER, ping.1)));
    let reported = unreachable(1, CLIENT.0, SERVER, &echo_reply(SERVER, CLIENT.0, 7));
    network.outbound(&reported);
    network.advance(Duration::from_secs(12));
    assert_eq!(network.engine.session_count(), 0, "62 s after its last packet it is gone");
}

#[test]
fn rfc5508_req_11_other_messages_are_dropped() {
    let mut network = Network::small();
    network.mapped(CLIENT);
    // Source quench, redirect, router discovery, timestamp, information, address mask, traceroute.
    for kind in [4, 5, 9, 10, 13, 14, 15, 16, 17, 18, 30] {
        let message = icmp(kind, 0, 0, CLIENT.0, SERVER, &udp(CLIENT, DNS, b""));
        assert_eq!(network.refused(Realm::Inside, &message), DropReason::IcmpTypeUnsupported, "{kind}");
    }
}

#[test]
fn rfc4787_req_12_no_icmp_message_ends_a_mapping() {
    let mut network = Network::small();
    let outside = network.mapped(CLIENT);
    for (kind, code) in ERRORS {
        for from in [SERVER, ROUTER, STRANGER] {
            let seen = network.inbound(&icmp(kind, code, 0, from, POOL, &udp(outside, DNS, b"")));
            assert_eq!((seen.from.0, seen.to.0), (from, CLIENT.0), "12a: whoever sent it");
        }
    }
    assert_eq!(network.inbound(&udp(DNS, outside, b"")).to, CLIENT);
    assert_eq!(network.mapped(CLIENT), outside);
}

#[test]
fn rfc5382_req_9_and_10_errors_about_a_connection_are_translated_and_do_not_end_it() {
    let mut network = Network::small();
    let outside = network.connect(CLIENT, WEB);
    let segment = tcp(outside, WEB, 1_000, 5_000, ACK, b"");
    for (kind, code) in ERRORS {
        let seen = network.inbound(&icmp(kind, code, 0, ROUTER, POOL, &segment));
        assert_eq!((seen.to.0, read(&seen.payload).from), (CLIENT.0, CLIENT));
    }
    assert_eq!(network.inbound(&tcp(WEB, outside, 5_000, 1_000, ACK, b"on it goes")).to, CLIENT);
    network.advance(Duration::from_secs(7_000));
    assert_eq!(network.outbound(&tcp(CLIENT, WEB, 1_000, 5_010, ACK, b"")).from, outside);
}
