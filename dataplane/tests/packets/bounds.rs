//! What waits is bounded in number, bytes and time (RFC 4787, REQ-14a).

use std::time::Duration;

use pinhole_dataplane::engine::{DropReason, Verdict};

use crate::fragments::{CLIENT_END, INSIDE, OUTSIDE, SERVER_END, datagram, held, open, three};
use crate::network::Network;
use crate::packets::{Address, read};
use crate::receiver::{cut, numbered};

#[test]
fn rfc4787_req_14a_what_waits_is_forgotten_in_time() {
    let mut network = Network::small();
    let outside = open(&mut network);
    let [first, second, third] = three(&datagram(SERVER_END, outside, 400));
    held(&mut network, OUTSIDE, &second);
    network.advance(Duration::from_secs(14));
    held(&mut network, OUTSIDE, &third);
    assert_eq!(network.engine.fragmented_count(), 1);
    network.advance(Duration::from_secs(1));
    assert_eq!(network.engine.fragmented_count(), 0);
    assert_eq!(network.drops(DropReason::FragmentTimeout), 2);
    // RFC 4963: what comes after is another datagram.
    network.passed(OUTSIDE, &first);
    assert_eq!(network.received(OUTSIDE, &[second]).len(), 0);
    network.advance(Duration::from_secs(15));
    assert_eq!((network.engine.fragmented_count(), network.engine.poll_timeout().is_some()), (0, true));
}

#[test]
fn rfc4787_req_14a_time_is_asked_for_when_nothing_but_fragments_wait() {
    let mut network = Network::small();
    let [_, second, _] = three(&datagram(CLIENT_END, SERVER_END, 400));
    assert_eq!(network.engine.poll_timeout(), None);
    held(&mut network, INSIDE, &second);
    assert_eq!(network.engine.poll_timeout(), Some(network.now.saturating_add(Duration::from_secs(15))));
}

#[test]
fn rfc4787_req_14a_waiting_fragments_are_bounded_and_those_in_order_pass_all_the_same() {
    let mut network = Network::small();
    let outside = open(&mut network);
    let parts = |number: u16, from: Address| three(&numbered(datagram(from, outside, 400), number));
    // Everybody outside together, and one of them already by itself, fills what is for those that wait.
    let last_octet = |number: u16| u8::try_from(number % 200).unwrap();
    let mut waiting = 0;
    for number in 0..2_000 {
        let from = (std::net::Ipv4Addr::new(192, 0, 2, last_octet(number)), 9);
        let (verdict, _) = network.process(OUTSIDE, &parts(number, from)[1]);
        waiting += usize::from(verdict == Verdict::Hold);
        assert!(matches!(verdict, Verdict::Hold | Verdict::Drop(DropReason::FragmentsFull)));
    }
    assert_eq!(waiting, 256);
    let in_order = parts(9_000, SERVER_END);
    assert_eq!(network.received(OUTSIDE, &in_order).len(), 1);
    let [first, second, third] = parts(9_001, SERVER_END);
    assert_eq!(network.refused(OUTSIDE, &second), DropReason::FragmentsFull);
    network.passed(OUTSIDE, &first);
    network.passed(OUTSIDE, &second);
    network.passed(OUTSIDE, &third);
    // Nor does it take anything from those inside.
    let [first, second, third] = three(&datagram(CLIENT_END, SERVER_END, 400));
    assert_eq!(network.received(INSIDE, &[third, second, first]).len(), 1);
    network.advance(Duration::from_secs(15));
    assert_eq!(network.engine.fragmented_count(), 0);
    assert_eq!(network.drops(DropReason::FragmentTimeout), 256);
}

#[test]
fn those_whose_first_one_has_come_make_room_for_others_that_wait() {
    let mut network = Network::small();
    let outside = open(&mut network);
    let parts = |number: u16| three(&numbered(datagram(SERVER_END, outside, 400), number));
    for round in 0..2 {
        for number in 0..16 {
            held(&mut network, OUTSIDE, &parts(round * 16 + number)[1]);
        }
        assert_eq!(network.refused(OUTSIDE, &parts(9_999)[1]), DropReason::FragmentsFull);
        for number in 0..16 {
            assert_eq!(network.carried(OUTSIDE, &parts(round * 16 + number)[..1]).len(), 2);
        }
    }
    assert_eq!(network.engine.fragmented_count(), 32);
}

#[test]
fn more_fragments_than_are_followed_are_dropped_and_the_longest_datagram_is_not() {
    let mut network = Network::small();
    let longest = datagram(CLIENT_END, SERVER_END, 65_507);
    let fragments = cut(&longest, &[185; 44]);
    assert_eq!(fragments.len(), 45);
    let whole = network.received(INSIDE, &fragments);
    assert_eq!(read(&whole[0]).payload.len(), 65_507);
    let small = cut(&numbered(longest, 7), &[1; 100]);
    let verdicts: Vec<_> = small[..80].iter().map(|fragment| network.process(INSIDE, fragment).0).collect();
    assert!(verdicts[..64].iter().all(|verdict| *verdict == Verdict::Forward));
    assert!(verdicts[64..].iter().all(|verdict| *verdict == Verdict::Drop(DropReason::FragmentsTooMany)));
}
