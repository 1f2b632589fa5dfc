//! Datagrams in fragments (RFC 8200, section 4.5): judged as a whole, and passed as they came.

use std::net::Ipv6Addr;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::{DropReason, Verdict};
use pinhole_dataplane::limits::Limits;

use crate::network::{CLIENT, GATEWAY_INSIDE, HOST, Network, SERVER, STRANGER, WEB, config, ipv6, network};
use crate::packets::{
    ACK, Address, ECHO, extended, fragment, fragments, icmp, ported, tcp, udp, with_hop_limit,
};

const DNS: Address = (SERVER, 53);

fn long(from: Address, to: Address) -> Vec<u8> {
    udp(from, to, &(0..3_000_u16).map(|at| at.to_be_bytes()[1]).collect::<Vec<u8>>())
}

/// Sends fragments and returns those that go on, in the order of their places.
fn passed(network: &mut Network, realm: Realm, fragments: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut passed = Vec::new();
    for packet in fragments {
        let (verdict, packet) = network.process(realm, packet);
        match verdict {
            Verdict::Forward => passed.push(packet),
            Verdict::Hold => {}
            verdict @ (Verdict::Hairpin | Verdict::DeliverIfListening | Verdict::Drop(_)) => {
                panic!("{verdict:?}")
            }
        }
    }
    while let Some(transmit) = network.engine.poll_transmit() {
        assert_eq!(transmit.realm, realm.opposite());
        passed.push(transmit.bytes);
    }
    for packet in &mut passed {
        packet[7] += 1;
    }
    passed.sort_by_key(|packet| [packet[42], packet[43]]);
    passed
}

#[test]
fn rfc8200_4_5_fragments_pass_in_any_order_as_they_came() {
    let question = fragments(&long(HOST, DNS), 7, 1_232);
    assert_eq!(question.len(), 3);
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let mut network = network();
        let sent: Vec<_> = order.iter().map(|at| question[*at].clone()).collect();
        assert_eq!(passed(&mut network, Realm::Inside, &sent), question);
        assert_eq!((network.engine.session_count(), network.engine.fragmented_count()), (1, 0));
        let answer = fragments(&long(DNS, HOST), 9, 1_000);
        assert_eq!(passed(&mut network, Realm::Outside, &answer), answer);
    }
}

#[test]
fn what_only_the_whole_shows_is_judged() {
    let mut network = network();
    let ping = icmp(ECHO, 0, 9 << 16, CLIENT, SERVER, &[1; 2_000]);
    let sent = fragments(&ping, 1, 1_024);
    assert_eq!(passed(&mut network, Realm::Inside, &sent), sent);
    let mut corrupt = sent.clone();
    corrupt[1][60] ^= 1;
    corrupt.iter_mut().for_each(|packet| packet[47] = 2);
    network.process(Realm::Inside, &corrupt[0]);
    assert_eq!(network.dropped_all(Realm::Inside, &corrupt[1]), (DropReason::BadIcmpChecksum, 2));
    network.connect(HOST, WEB);
    let segment = fragments(&tcp(HOST, WEB, 1_000, 5_000, ACK, &[2; 1_500]), 3, 1_024);
    assert_eq!(passed(&mut network, Realm::Inside, &segment), segment);
}

#[test]
fn nobody_comes_in_by_fragments() {
    let mut network = network();
    let unasked = fragments(&long((STRANGER, 53), HOST), 7, 1_232);
    for packet in &unasked[..2] {
        assert_eq!(network.process(Realm::Outside, packet).0, Verdict::Hold);
    }
    let before = network.engine.stats().drops(DropReason::NotExpected);
    assert_eq!(network.process(Realm::Outside, &unasked[2]).0, Verdict::Drop(DropReason::NotExpected));
    assert_eq!(network.engine.stats().drops(DropReason::NotExpected), before + 3, "each is counted");
    assert_eq!((network.engine.session_count(), network.engine.fragmented_count()), (0, 0));
}

#[test]
fn rfc5722_section_4_an_overlap_drops_the_whole_datagram_of_ipv6() {
    let mut network = network();
    let whole = long(HOST, DNS);
    let overlapping = [fragment(&whole, 7, 0..1_232), fragment(&whole, 7, 1_224..2_464)];
    network.process(Realm::Inside, &overlapping[0]);
    assert_eq!(network.dropped_all(Realm::Inside, &overlapping[1]), (DropReason::FragmentOverlap, 2));
    let rest = fragment(&whole, 7, 2_464..3_008);
    assert_eq!(network.dropped(Realm::Inside, &rest), DropReason::FragmentOverlap);
    // Another one at the same place is none of the same bytes; one of the same bytes is the same one.
    let mut other = fragment(&whole, 8, 0..1_232);
    network.process(Realm::Inside, &other);
    assert_eq!(network.dropped(Realm::Inside, &other), DropReason::FragmentRepeated);
    other[100] ^= 1;
    assert_eq!(network.dropped_all(Realm::Inside, &other), (DropReason::FragmentOverlap, 2));
    assert_eq!(network.engine.session_count(), 0);
}

#[test]
fn rfc7112_section_5_the_first_fragment_has_all_headers() {
    let mut network = network();
    let segment = tcp(HOST, WEB, 1, 0, 2, &[0; 64]);
    assert_eq!(network.dropped(Realm::Inside, &fragment(&segment, 1, 0..16)), DropReason::FragmentTiny);
    assert_eq!(network.dropped(Realm::Inside, &fragment(&segment, 1, 16..84)), DropReason::FragmentTiny);
    let options =
        [0, 3, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let chained = extended(&udp(HOST, DNS, &[0; 64]), 60, &options);
    assert_eq!(network.dropped(Realm::Inside, &fragment(&chained, 2, 0..32)), DropReason::FragmentTiny);
    let fine = fragments(&chained, 3, 48);
    assert_eq!(passed(&mut network, Realm::Inside, &fine), fine);
}

#[test]
fn impossible_fragments_of_ipv6_are_dropped() {
    let mut network = network();
    let whole = ported(200, HOST, DNS, &[0; 2_000]);
    let beyond = {
        let mut packet = fragment(&whole, 1, 1_024..2_004);
        packet[42..44].copy_from_slice(&0xfff8_u16.to_be_bytes());
        packet
    };
    assert_eq!(network.dropped(Realm::Inside, &beyond), DropReason::FragmentTooLong);
    let mut odd = fragment(&whole, 2, 0..1_001);
    assert_eq!(network.dropped(Realm::Inside, &odd), DropReason::FragmentMalformed);
    odd.truncate(48);
    odd[4..6].copy_from_slice(&8_u16.to_be_bytes());
    assert_eq!(network.dropped(Realm::Inside, &odd), DropReason::FragmentMalformed);
    let last = with_hop_limit(fragment(&whole, 3, 0..1_000), 1);
    assert_eq!(network.dropped(Realm::Inside, &last), DropReason::TtlExceeded);
    let to_host = fragment(&udp(HOST, (GATEWAY_INSIDE, 53), &[0; 2_000]), 4, 0..1_000);
    assert_eq!(network.process(Realm::Inside, &to_host).0, Verdict::DeliverIfListening);
    assert_eq!(network.engine.fragmented_count(), 0);
}

#[test]
fn bytes_that_wait_are_bounded_for_each_source() {
    let mut network = network();
    let start = |from, number| fragment(&long((from, 53), HOST), number, 0..3_000);
    let taken = (0..1_000)
        .take_while(|number| network.process(Realm::Outside, &start(STRANGER, *number)).0 == Verdict::Hold);
    // A sixteenth of 4 MiB, in packets of 3,048 bytes.
    assert_eq!(taken.count(), 86);
    assert_eq!(network.process(Realm::Outside, &start(SERVER, 1)).0, Verdict::Hold);
    network.advance_seconds(16);
    assert_eq!(network.process(Realm::Outside, &start(STRANGER, 9_000)).0, Verdict::Hold);
}

#[test]
fn what_waits_for_fragments_is_bounded_for_each_source_and_in_time() {
    let limits = Limits { fragmented_datagrams: 128, ..Limits::default() };
    let mut network = Network::new(limits, config(Some(ipv6())));
    let start = |from: Ipv6Addr, number| fragment(&long((from, 53), HOST), number, 0..1_232);
    for number in 0..4 {
        assert_eq!(network.process(Realm::Outside, &start(STRANGER, number)).0, Verdict::Hold);
    }
    assert_eq!(network.dropped(Realm::Outside, &start(STRANGER, 9)), DropReason::FragmentsFull);
    let other = |link| Ipv6Addr::new(0x2001, 2, 1, link, 0, 0, 0, 1);
    for link in 0..60 {
        assert_eq!(network.process(Realm::Outside, &start(other(link), 1)).0, Verdict::Hold);
    }
    assert_eq!(network.dropped(Realm::Outside, &start(other(60), 1)), DropReason::FragmentsFull);
    // The inside has a share of its own.
    let question = fragments(&long(HOST, DNS), 7, 1_232);
    assert_eq!(passed(&mut network, Realm::Inside, &question), question);
    network.advance_seconds(15);
    assert_eq!(network.engine.fragmented_count(), 0);
    assert_eq!(network.engine.stats().drops(DropReason::FragmentTimeout), 64);
    assert_eq!(network.process(Realm::Outside, &start(STRANGER, 9)).0, Verdict::Hold);
}
