//! Fragments that leave as they came, each by itself (RFC 4787, REQ-14).

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::{Dependence, Translation};
use pinhole_dataplane::engine::{DropReason, Verdict};

use crate::network::{CLIENT, Network, POOL, SERVER, STRANGER};
use crate::packets::{Address, echo, echo_reply, ip, read, tcp, udp, with_ttl};
use crate::receiver::{cut, finish, numbered, part};
use crate::world::{destination, host, network, one_to_one, plain, shared, source};

pub(crate) const CLIENT_END: Address = (CLIENT, 5_000);
pub(crate) const SERVER_END: Address = (SERVER, 9_999);
pub(crate) const INSIDE: Realm = Realm::Inside;
pub(crate) const OUTSIDE: Realm = Realm::Outside;

/// A packet that may be cut.
fn cuttable(mut packet: Vec<u8>) -> Vec<u8> {
    packet[6..8].fill(0);
    finish(&mut packet);
    packet
}

pub(crate) fn datagram(from: Address, to: Address, length: usize) -> Vec<u8> {
    let payload: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
    cuttable(udp(from, to, &payload))
}

pub(crate) fn three(packet: &[u8]) -> [Vec<u8>; 3] {
    cut(packet, &[10, 20]).try_into().unwrap()
}

/// Opens a session and returns the client's outside endpoint.
pub(crate) fn open(network: &mut Network) -> Address {
    network.outbound(&udp(CLIENT_END, SERVER_END, b"hello")).from
}

/// Sends a fragment that is held.
pub(crate) fn held(network: &mut Network, realm: Realm, fragment: &[u8]) {
    assert_eq!(network.process(realm, fragment).0, Verdict::Hold);
    assert_eq!(network.engine.poll_transmit(), None);
}

#[test]
fn rfc4787_req_14_fragments_in_order_leave_each_by_itself_and_as_long_as_it_came() {
    let mut network = Network::small();
    let sent = datagram(CLIENT_END, SERVER_END, 400);
    for fragment in three(&sent) {
        let left = network.passed(INSIDE, &fragment);
        assert_eq!(left.len(), fragment.len());
        assert_eq!((source(&left), destination(&left), left[8]), (POOL, SERVER, 63));
        assert_eq!(left[6..8], fragment[6..8]);
    }
    assert_eq!(network.engine.fragmented_count(), 0);
    assert_eq!(network.engine.session_count(), 1, "one datagram opened one session");
    assert_eq!(network.engine.stats().forwarded, 3);
}

#[test]
fn rfc4787_req_14_from_outside_too_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut network = Network::small();
        let outside = open(&mut network);
        let parts = three(&datagram(SERVER_END, outside, 400));
        let sent = order.map(|at: usize| parts[at].clone());
        let whole = network.received(OUTSIDE, &sent);
        assert_eq!(whole.len(), 1, "{order:?}");
        let seen = read(&whole[0]);
        assert_eq!((seen.from, seen.to, seen.payload.len()), (SERVER_END, CLIENT_END, 400));
        assert_eq!((network.engine.fragmented_count(), network.engine.stats().dropped()), (0, 0));
    }
}

#[test]
fn rfc4787_req_14_the_others_are_only_let_in_after_the_first_one() {
    let mut network = Network::small();
    let outside = open(&mut network);
    let [first, second, third] = three(&datagram((STRANGER, 9_999), outside, 400));
    held(&mut network, OUTSIDE, &second);
    assert_eq!(network.refused(OUTSIDE, &first), DropReason::NotExpected);
    assert_eq!(network.refused(OUTSIDE, &third), DropReason::NotExpected);
    assert_eq!(network.drops(DropReason::NotExpected), 3, "the one that waited, too");
    assert_eq!(network.engine.poll_transmit(), None);
    // Nothing waits for what can never be let in.
    let nowhere = three(&datagram(SERVER_END, (STRANGER, 9), 400));
    assert_eq!(network.refused(OUTSIDE, &nowhere[1]), DropReason::NotExpected);
    let forged = three(&datagram((host(7), 1), outside, 400));
    assert_eq!(network.refused(OUTSIDE, &forged[1]), DropReason::SpoofedSource);
    assert_eq!(network.refused(INSIDE, &nowhere[1]), DropReason::SpoofedSource);
}

#[test]
fn rfc1858_section_3_a_first_fragment_without_the_whole_header_is_dropped_with_the_rest() {
    let mut network = Network::small();
    let segment = cuttable(tcp(CLIENT_END, (SERVER, 80), 1, 0, 2, b"some bytes of payload"));
    for length in [8, 16] {
        let segment = numbered(segment.clone(), length);
        let [first, .., last] = &cut(&segment, &[usize::from(length) / 8, 2])[..] else { panic!("three") };
        assert_eq!(network.refused(INSIDE, first), DropReason::FragmentTiny);
        assert_eq!(network.refused(INSIDE, last), DropReason::FragmentTiny);
    }
    // With options, the header is longer.
    let mut long = numbered(segment.clone(), 1);
    long[32] = 0x70;
    assert_eq!(network.refused(INSIDE, &cut(&long, &[3])[0]), DropReason::FragmentTiny);
    assert_eq!(network.engine.session_count(), 0);
}

#[test]
fn what_a_transport_header_cannot_say_of_a_whole_datagram_is_dropped_with_the_first_fragment() {
    let mut network = Network::small();
    for (protocol, at, value, reason) in [
        (17, 25, 7, DropReason::BadUdpLength),
        (17, 23, 0, DropReason::PortZero),
        (136, 25, 7, DropReason::BadUdpLiteHeader),
        (136, 27, 0, DropReason::BadUdpLiteHeader),
        (1, 20, 13, DropReason::IcmpTypeUnsupported),
    ] {
        let mut header = vec![0x12, 0x34, 0, 9, 0, 8, 0, 1];
        header.resize(64, 0);
        header[usize::from(at - 20_u8)] = value;
        let first = part(&cuttable(ip(protocol, CLIENT, SERVER, &header)), 0, 32);
        assert_eq!(network.refused(INSIDE, &numbered(first, u16::from(at))), reason, "{protocol}");
    }
}

#[test]
fn rfc3128_a_fragment_that_would_overwrite_the_tcp_flags_is_dropped() {
    let mut network = Network::small();
    let segment = cuttable(tcp(CLIENT_END, (SERVER, 80), 1, 0, 2, b"some bytes of payload"));
    assert_eq!(network.refused(INSIDE, &part(&segment, 8, 16)), DropReason::FragmentTiny);
}

#[test]
fn rfc5722_section_3_an_overlap_drops_the_whole_datagram() {
    let whole = datagram(CLIENT_END, SERVER_END, 400);
    let [first, second, third] = three(&whole);
    // Before the first one was let pass, and after it.
    let mut network = Network::small();
    held(&mut network, INSIDE, &second);
    let over = part(&whole, 88, 80);
    assert_eq!(network.refused(INSIDE, &over), DropReason::FragmentOverlap);
    for fragment in [&first, &second, &third] {
        assert_eq!(network.refused(INSIDE, fragment), DropReason::FragmentOverlap);
    }
    assert_eq!(network.drops(DropReason::FragmentOverlap), 5);
    let mut network = Network::small();
    network.passed(INSIDE, &first);
    network.passed(INSIDE, &third);
    assert_eq!(network.refused(INSIDE, &part(&whole, 72, 88)), DropReason::FragmentOverlap);
    assert_eq!(network.refused(INSIDE, &second), DropReason::FragmentOverlap);
    // The same place with other bytes is an overlap, with the same bytes a repetition.
    let mut network = Network::small();
    network.passed(INSIDE, &first);
    network.passed(INSIDE, &second);
    assert_eq!(network.refused(INSIDE, &second), DropReason::FragmentRepeated);
    assert_eq!(network.refused(INSIDE, &first), DropReason::FragmentRepeated);
    let mut other = second.clone();
    other[30] ^= 1;
    assert_eq!(network.refused(INSIDE, &other), DropReason::FragmentOverlap);
    assert_eq!(network.refused(INSIDE, &third), DropReason::FragmentOverlap);
}

#[test]
fn rfc5722_section_3_a_datagram_has_one_end() {
    let whole = datagram(CLIENT_END, SERVER_END, 400);
    let [first, second, third] = three(&whole);
    let mut longer = third.clone();
    longer[6] |= 0x20;
    longer.truncate(longer.len() / 8 * 8 + 4);
    let total = u16::try_from(longer.len()).unwrap();
    longer[2..4].copy_from_slice(&total.to_be_bytes());
    finish(&mut longer);
    let mut ends_here = second.clone();
    ends_here[6] &= !0x20;
    finish(&mut ends_here);
    for (before, against) in [(&third, &longer), (&third, &ends_here), (&ends_here, &third)] {
        let mut network = Network::small();
        held(&mut network, INSIDE, before);
        assert_eq!(network.refused(INSIDE, against), DropReason::FragmentOverlap);
        assert_eq!(network.refused(INSIDE, &first), DropReason::FragmentOverlap);
    }
}

#[test]
fn rfc791_section_3_2_impossible_fragments_are_dropped() {
    let mut network = Network::small();
    let whole = datagram(CLIENT_END, SERVER_END, 400);
    let with_field = |field: u16| {
        let mut packet = part(&whole, 80, 160);
        packet[6..8].copy_from_slice(&field.to_be_bytes());
        finish(&mut packet);
        packet
    };
    // The ping of death: the end is beyond what a packet can have.
    assert_eq!(network.refused(INSIDE, &with_field(0x1fff)), DropReason::FragmentTooLong);
    assert_eq!(network.refused(INSIDE, &with_field(0x3fff)), DropReason::FragmentTooLong);
    let odd = {
        let mut packet = part(&whole, 80, 154);
        packet[6] |= 0x20;
        finish(&mut packet);
        packet
    };
    assert_eq!(network.refused(INSIDE, &odd), DropReason::FragmentMalformed);
    let empty = part(&whole, 80, 0);
    assert_eq!(network.refused(INSIDE, &empty), DropReason::FragmentMalformed);
    let mut corrupt = part(&whole, 80, 160);
    corrupt[10] ^= 1;
    assert_eq!(network.refused(INSIDE, &corrupt), DropReason::BadIpChecksum);
    let last_hop = with_ttl(part(&whole, 80, 160), 1);
    assert_eq!(network.refused(INSIDE, &last_hop), DropReason::TtlExceeded);
    assert_eq!(network.engine.fragmented_count(), 0);
}

#[test]
fn rfc5508_req_1_pings_in_fragments_pass_and_are_answered() {
    let mut network = Network::small();
    let payload = vec![b'x'; 400];
    let long = |packet: Vec<u8>| {
        // A ping with more behind it.
        let mut message = packet[20..].to_vec();
        message.extend(&payload);
        message[2..4].fill(0);
        let sum = crate::packets::checksum(&[&message]);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        cuttable(ip(1, source(&packet), destination(&packet), &message))
    };
    let sent = three(&long(echo(CLIENT, SERVER, 77)));
    let [first, second, third] = sent;
    let whole = network.received(INSIDE, &[second, first, third]);
    let seen = read(&whole[0]);
    assert_eq!((seen.from.0, seen.to.0, seen.payload.len()), (POOL, SERVER, 404));
    let [first, second, third] = three(&long(echo_reply(SERVER, POOL, seen.from.1)));
    let whole = network.received(OUTSIDE, &[third, first, second]);
    assert_eq!((read(&whole[0]).to, network.engine.session_count()), ((CLIENT, 77), 1));
    let unasked = three(&long(echo_reply(SERVER, POOL, seen.from.1 ^ 1)));
    assert_eq!(network.refused(OUTSIDE, &unasked[0]), DropReason::NotExpected);
}

#[test]
fn protocols_without_ports_pass_in_fragments_too() {
    for mut network in [shared(), one_to_one()] {
        let payload: Vec<u8> = (0..=255).collect();
        let [first, second, third] = three(&cuttable(plain(132, CLIENT, SERVER, &payload)));
        let whole = network.received(INSIDE, &[third, second, first]);
        assert_eq!((source(&whole[0]), &whole[0][20..]), (POOL, &payload[..]));
        let [first, second, third] = three(&cuttable(plain(132, SERVER, POOL, &payload)));
        let whole = network.received(OUTSIDE, &[second, third, first]);
        assert_eq!((destination(&whole[0]), &whole[0][20..]), (CLIENT, &payload[..]));
    }
}

#[test]
fn rfc4787_req_9_between_inside_hosts_fragments_turn_back() {
    let nat = Translation { filtering: Dependence::Independent, ..Translation::default() };
    let mut network = network(nat);
    let outside = network.outbound(&udp((host(3), 7_000), SERVER_END, b"")).from;
    for order in [[0, 1, 2], [2, 1, 0]] {
        let parts = three(&datagram(CLIENT_END, outside, 400));
        let whole = network.received(INSIDE, &order.map(|at: usize| parts[at].clone()));
        let seen = read(&whole[0]);
        assert_eq!((seen.from.0, seen.to, seen.payload.len()), (POOL, (host(3), 7_000), 400));
        assert_eq!(network.engine.fragmented_count(), 0);
    }
}

#[test]
fn nobody_outside_sends_fragments_in_the_name_of_an_inside_host() {
    let nat = Translation { filtering: Dependence::Independent, ..Translation::default() };
    let mut network = network(nat);
    let peer = network.outbound(&udp((host(3), 7_000), SERVER_END, b"")).from;
    let (verdict, packet) = network.process(INSIDE, &udp(CLIENT_END, peer, b""));
    assert_eq!(verdict, Verdict::Hairpin);
    let forged = three(&datagram(read(&packet).from, peer, 400));
    for fragment in &forged {
        assert_eq!(network.refused(OUTSIDE, fragment), DropReason::SpoofedSource);
    }
}

#[test]
fn rfc6864_section_5_3_1_hosts_that_share_an_address_do_not_share_identifications() {
    let mut network = Network::small();
    let mut receiver = crate::receiver::Receiver::default();
    // Ten hosts choose the same one, and their fragments are mixed.
    let of_hosts: Vec<_> = (2..12)
        .map(|last| three(&datagram((host(last), 5_000), SERVER_END, 300 + usize::from(last))))
        .collect();
    for at in [0, 2, 1] {
        for parts in &of_hosts {
            receiver.take(&network.passed(INSIDE, &parts[at]));
        }
    }
    let mut lengths: Vec<_> = receiver.whole.iter().map(|whole| read(whole).payload.len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, (302..312).collect::<Vec<_>>());
    // Where each has an address of its own, it keeps its own.
    let [first, ..] = three(&numbered(datagram(CLIENT_END, SERVER_END, 400), 4_711));
    assert_eq!(one_to_one().passed(INSIDE, &first)[4..6], 4_711_u16.to_be_bytes());
}

#[test]
fn rfc5508_req_4_an_error_about_a_fragment_reaches_its_sender() {
    let mut network = Network::small();
    let [first, second, _] = three(&datagram(CLIENT_END, SERVER_END, 400));
    let left = network.passed(INSIDE, &first);
    // Time exceeded while the server waited for the others (RFC 792, code 1) quotes the first one.
    let quoted = crate::world::complain_outside(&mut network, &left);
    assert_eq!((&quoted[12..28], &quoted[6..8]), (&first[12..28], &first[6..8]));
    // About others none is sent (RFC 1812, section 4.3.2.7), and none is believed.
    let left = network.passed(INSIDE, &second);
    let error = crate::packets::unreachable(4, STRANGER, POOL, &left[..28]);
    assert_eq!(network.refused(OUTSIDE, &error), DropReason::BadQuotedPacket);
}

#[test]
fn when_its_session_ends_the_rest_of_a_datagram_is_dropped() {
    let mut network = Network::small();
    let [first, second, third] = three(&datagram(CLIENT_END, SERVER_END, 400));
    network.passed(INSIDE, &first);
    network.passed(INSIDE, &second);
    let id = network.engine.sessions().next().unwrap().0;
    network.engine.kill_session(id);
    assert_eq!(network.refused(INSIDE, &third), DropReason::NoSession);
}
