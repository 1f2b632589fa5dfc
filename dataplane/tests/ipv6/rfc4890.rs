//! ICMPv6 through a firewall (RFC 4890, section 4.3), hop limits, and what is wrong with packets.

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::{DropReason, Verdict};

use crate::network::{CLIENT, GATEWAY, GATEWAY_INSIDE, HOST, NEIGHBOUR, ROUTER, SERVER, WEB, network};
use crate::packets::{ACK, ECHO, ECHO_REPLY, SYN, echo, error, extended, icmp, ip, tcp, udp, with_hop_limit};

#[test]
fn rfc4890_4_3_1_packet_too_big_always_reaches_who_must_send_less() {
    let mut network = network();
    network.connect(HOST, WEB);
    network.leaves(&udp(HOST, (SERVER, 53), b""));
    network.leaves(&echo(ECHO, CLIENT, SERVER, 9));
    let long = vec![0; 1_200];
    for quoted in [
        tcp(HOST, WEB, 1_000, 5_000, ACK, &long),
        udp(HOST, (SERVER, 53), &long),
        echo(ECHO, CLIENT, SERVER, 9),
    ] {
        network.enters(&error(2, ROUTER, CLIENT, &quoted));
        // Cut off after the ports, too, and of a first fragment.
        network.enters(&error(2, ROUTER, CLIENT, &quoted[..48]));
        let first = extended(&quoted, 44, &[0, 0, 0, 1, 0, 0, 0, 7]);
        network.enters(&error(2, ROUTER, CLIENT, &first));
    }
}

#[test]
fn rfc4890_4_3_1_echo_goes_out_and_its_answer_comes_back() {
    let mut network = network();
    network.leaves(&echo(ECHO, CLIENT, SERVER, 9));
    network.enters(&echo(ECHO_REPLY, SERVER, CLIENT, 9));
    assert_eq!(network.refused(&echo(ECHO_REPLY, SERVER, CLIENT, 10)), DropReason::NotExpected);
    assert_eq!(network.refused(&echo(ECHO_REPLY, ROUTER, CLIENT, 9)), DropReason::NotExpected);
    // Nobody is asked from outside, not even in the session.
    assert_eq!(network.refused(&echo(ECHO, SERVER, CLIENT, 9)), DropReason::NotExpected);
    assert_eq!(network.refused(&echo(ECHO, ROUTER, CLIENT, 11)), DropReason::NotExpected);
    assert_eq!(network.dropped(Realm::Inside, &echo(ECHO_REPLY, CLIENT, ROUTER, 12)), DropReason::NoSession);
}

#[test]
fn rfc4890_4_3_3_messages_of_a_link_are_not_forwarded() {
    let mut network = network();
    let solicited = "ff02::1:ff00:1".parse().unwrap();
    let everybody = "ff02::1".parse().unwrap();
    for kind in (130..=138).chain(141..=143).chain(148..=149).chain(151..=153) {
        let message = |from, to| icmp(kind, 0, 0, from, to, &[0; 16]);
        let unsupported = DropReason::IcmpTypeUnsupported;
        assert_eq!(network.dropped(Realm::Inside, &message(CLIENT, SERVER)), unsupported, "{kind}");
        assert_eq!(network.refused(&message(SERVER, CLIENT)), unsupported, "{kind}");
        for (from, to) in [(CLIENT, solicited), (CLIENT, everybody), (CLIENT, GATEWAY_INSIDE)] {
            let verdict = network.process(Realm::Inside, &message(from, to)).0;
            assert_eq!(verdict, Verdict::DeliverIfListening, "{kind}");
        }
    }
    assert_eq!(network.sent(), [], "no error is sent about them");
}

#[test]
fn rfc4890_4_3_5_unassigned_types_are_dropped() {
    let mut network = network();
    for kind in [0, 5, 99, 100, 127, 150, 200, 255] {
        let message = icmp(kind, 0, 0, CLIENT, SERVER, &[0; 16]);
        assert_eq!(network.dropped(Realm::Inside, &message), DropReason::IcmpTypeUnsupported);
    }
}

#[test]
fn rfc4443_3_3_a_packet_at_its_last_hop_is_reported() {
    let mut network = network();
    let last = with_hop_limit(udp(HOST, (SERVER, 53), b"ask"), 1);
    assert_eq!(network.dropped(Realm::Inside, &last), DropReason::TtlExceeded);
    let sent = network.sent();
    let [(Realm::Inside, report)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((report.from, report.to), (GATEWAY, CLIENT));
    assert_eq!((report.payload[0], report.payload[1]), (3, 0));
    assert_eq!(report.payload[8..], last);
    // Not about an error (RFC 4443, section 2.4 e).
    network.leaves(&udp(HOST, (SERVER, 53), b""));
    let dying = with_hop_limit(error(1, ROUTER, CLIENT, &udp(HOST, (SERVER, 53), b"")), 1);
    assert_eq!(network.refused(&dying), DropReason::TtlExceeded);
    assert_eq!(network.sent(), []);
}

#[test]
fn rfc4443_2_4_f_reports_are_limited() {
    let mut network = network();
    let last = with_hop_limit(udp(HOST, (SERVER, 53), b""), 1);
    for _ in 0..1_000 {
        network.dropped(Realm::Inside, &last);
    }
    assert_eq!(network.sent().len(), 100);
    network.advance_seconds(1);
    network.dropped(Realm::Inside, &last);
    assert_eq!(network.sent().len(), 1);
}

#[test]
fn rfc4443_2_4_c_a_report_fits_every_link() {
    let mut network = network();
    let long = with_hop_limit(udp(HOST, (SERVER, 53), &[7; 1_400]), 1);
    network.dropped(Realm::Inside, &long);
    let sent = network.sent();
    assert_eq!(sent[0].1.payload.len(), 1_240);
}

#[test]
fn rfc8200_4_1_extension_headers_are_passed_over_within_bounds() {
    let mut network = network();
    let plain = udp(HOST, (SERVER, 53), b"");
    let options = [0, 0, 1, 4, 0, 0, 0, 0];
    network.leaves(&extended(&extended(&plain, 60, &options), 0, &options));
    network.enters(&extended(&udp((SERVER, 53), HOST, b""), 60, &options));
    assert_eq!(network.engine.session_count(), 1);
    let misplaced = extended(&extended(&plain, 0, &options), 60, &options);
    let chained = (0..9).fold(plain.clone(), |packet, _| extended(&packet, 60, &options));
    let mut padding = vec![0; 264];
    padding[1] = 32;
    let padded = extended(&plain, 60, &padding);
    for bad in [misplaced, chained, padded] {
        assert_eq!(network.dropped(Realm::Inside, &bad), DropReason::ExtensionHeaders);
    }
    network.leaves(&(0..8).fold(plain, |packet, _| extended(&packet, 60, &options)));
}

#[test]
fn rfc6946_atomic_fragments_are_whole_packets() {
    let mut network = network();
    let atomic = |packet: &[u8]| extended(packet, 44, &[0, 0, 0, 0, 0, 0, 0, 7]);
    network.leaves(&atomic(&udp(HOST, (SERVER, 53), b"")));
    network.enters(&atomic(&udp((SERVER, 53), HOST, b"")));
    let twice = atomic(&atomic(&udp(HOST, (SERVER, 53), b"")));
    assert_eq!(network.dropped(Realm::Inside, &twice), DropReason::ExtensionHeaders);
}

#[test]
fn each_malformed_packet_has_its_reason() {
    let mut network = network();
    let good = udp(HOST, (SERVER, 53), b"payload");
    let with = |change: fn(&mut Vec<u8>)| {
        let mut packet = good.clone();
        change(&mut packet);
        packet
    };
    for (packet, reason) in [
        (with(|packet| packet.truncate(39)), DropReason::Truncated),
        (with(|packet| packet.truncate(54)), DropReason::Truncated),
        (with(|packet| packet[5] = 4), DropReason::Truncated),
        (with(|packet| packet[45] = 7), DropReason::BadUdpLength),
        (with(|packet| packet[45] = 99), DropReason::BadUdpLength),
        (with(|packet| packet[42..44].fill(0)), DropReason::PortZero),
        (with(|packet| packet[6] = 59), DropReason::ProtocolUnsupported),
        (ip(CLIENT, SERVER, 6, &[0; 19]), DropReason::Truncated),
        (ip(CLIENT, SERVER, 58, &[128, 0, 0, 0, 0, 0, 0, 0]), DropReason::BadIcmpChecksum),
        (tcp(HOST, WEB, 1, 1, 0, b""), DropReason::BadTcpFlags),
        (tcp(HOST, WEB, 1, 1, ACK, b""), DropReason::NoSession),
        (tcp(HOST, (NEIGHBOUR, 80), 1, 1, SYN, b""), DropReason::BadDestination),
        (error(1, CLIENT, SERVER, &good[..47]), DropReason::BadQuotedPacket),
    ] {
        assert_eq!(network.dropped(Realm::Inside, &packet), reason);
    }
    // Link padding is cut off.
    let padded = [&good[..], &[0; 6]].concat();
    let (verdict, passed) = network.process(Realm::Inside, &padded);
    assert_eq!((verdict, passed.len()), (Verdict::Forward, good.len()));
}

#[test]
fn rfc5927_section_4_an_error_must_quote_what_is_in_flight() {
    let mut network = network();
    network.connect(HOST, WEB);
    let quoted = |seq| tcp(HOST, WEB, seq, 5_000, ACK, b"data");
    network.leaves(&quoted(1_000));
    network.enters(&error(2, ROUTER, CLIENT, &quoted(1_000)));
    for seq in [0, 900, 2_000_000] {
        assert_eq!(network.refused(&error(2, ROUTER, CLIENT, &quoted(seq))), DropReason::IcmpSequence);
    }
}
