use std::net::SocketAddrV4;

use super::*;
use crate::datapath::local::SocketKind;

/// Sockets as a list, which counts what it was asked.
#[derive(Default)]
struct FakeSockets {
    there: Vec<SocketTuple>,
    asked: usize,
}

impl Sockets for FakeSockets {
    fn lookup(&mut self, tuple: SocketTuple) -> Presence {
        self.asked += 1;
        if self.there.contains(&tuple) { Presence::Socket } else { Presence::Nobody }
    }
}

const OWN: [u8; 4] = [203, 0, 113, 1];
const PEER: [u8; 4] = [198, 51, 100, 7];

fn ipv4(protocol: u8, source: [u8; 4], destination: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
    packet.extend(source);
    packet.extend(destination);
    packet.extend(payload);
    packet
}

fn ports(source: u16, destination: u16) -> Vec<u8> {
    [source.to_be_bytes(), destination.to_be_bytes(), [0, 8], [0, 0]].concat()
}

fn tuple(kind: SocketKind, local: u16, remote: u16) -> SocketTuple {
    SocketTuple {
        kind,
        local: SocketAddrV4::new(OWN.into(), local),
        remote: SocketAddrV4::new(PEER.into(), remote),
    }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::ZERO.saturating_add(Duration::from_millis(millis))
}

fn delivery(there: Vec<SocketTuple>) -> HostDelivery<FakeSockets> {
    let mut delivery = HostDelivery::new(FakeSockets { there, asked: 0 }, at(0));
    delivery.configure([OWN.into()].into(), HostEcho::Answer);
    delivery
}

#[test]
fn packets_go_to_the_socket_that_waits_for_them() {
    let there = vec![tuple(SocketKind::Tcp, 22, 5000), tuple(SocketKind::Udp, 53, 5000)];
    let mut delivery = delivery(there);
    let mut decide = |packet: &[u8]| delivery.decide(packet, at(0));
    assert_eq!(decide(&ipv4(6, PEER, OWN, &ports(5000, 22))), Delivery::Deliver);
    assert_eq!(decide(&ipv4(17, PEER, OWN, &ports(5000, 53))), Delivery::Deliver);
    assert_eq!(decide(&ipv4(17, PEER, OWN, &ports(5000, 22))), Delivery::Unwanted);
    assert_eq!(decide(&ipv4(6, PEER, OWN, &ports(5001, 22))), Delivery::Unwanted);
    assert_eq!(decide(&ipv4(6, PEER, [203, 0, 113, 2], &ports(5000, 22))), Delivery::NotLocal);
    assert_eq!(decide(&ipv4(47, PEER, OWN, &ports(5000, 22))), Delivery::Unwanted);
}

#[test]
fn pings_are_answered_by_option_and_answers_to_the_hosts_own_come_through() {
    let mut delivery = delivery(Vec::new());
    let request = ipv4(1, PEER, OWN, &[8, 0, 0, 0, 0, 0, 0, 0]);
    let reply = ipv4(1, PEER, OWN, &[0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(delivery.decide(&request, at(0)), Delivery::Deliver);
    delivery.configure([OWN.into()].into(), HostEcho::Ignore);
    assert_eq!(delivery.decide(&request, at(0)), Delivery::Unwanted);
    assert_eq!(delivery.decide(&reply, at(0)), Delivery::Deliver);
    // A timestamp request (13) tells strangers what they need not know.
    assert_eq!(delivery.decide(&ipv4(1, PEER, OWN, &[13; 8]), at(0)), Delivery::Unwanted);
}

#[test]
fn errors_go_to_the_socket_that_sent_what_they_quote() {
    let mut delivery = delivery(vec![tuple(SocketKind::Udp, 4000, 53)]);
    let error =
        |quoted: Vec<u8>| ipv4(1, [9, 9, 9, 9], OWN, &[[3, 3, 0, 0, 0, 0, 0, 0].to_vec(), quoted].concat());
    let mine = error(ipv4(17, OWN, PEER, &ports(4000, 53)));
    assert_eq!(delivery.decide(&mine, at(0)), Delivery::Deliver);
    let nobodys = error(ipv4(17, OWN, PEER, &ports(4001, 53)));
    assert_eq!(delivery.decide(&nobodys, at(0)), Delivery::Unwanted);
    let others = error(ipv4(17, PEER, OWN, &ports(4000, 53)));
    assert_eq!(delivery.decide(&others, at(0)), Delivery::Unwanted);
    let ping = error(ipv4(1, OWN, PEER, &[8, 0, 0, 0]));
    assert_eq!(delivery.decide(&ping, at(0)), Delivery::Deliver);
}

#[test]
fn nothing_in_a_packet_is_trusted_to_be_there() {
    let mut delivery = delivery(vec![tuple(SocketKind::Udp, 4000, 53)]);
    let quoting = [[3, 3, 0, 0, 0, 0, 0, 0].to_vec(), ipv4(17, OWN, PEER, &ports(4000, 53))].concat();
    for whole in [ipv4(6, PEER, OWN, &ports(1, 2)), ipv4(1, PEER, OWN, &quoting)] {
        for length in 0..whole.len() {
            for first in [0x45, 0x4f, 0x40, 0x65] {
                let mut cut = whole[..length].to_vec();
                cut.iter_mut().take(1).for_each(|byte| *byte = first);
                let _ = delivery.decide(&cut, at(0));
            }
        }
    }
    // A later fragment has no ports.
    let mut fragment = ipv4(17, PEER, OWN, &ports(53, 4000));
    fragment[7] = 1;
    assert_eq!(delivery.decide(&fragment, at(0)), Delivery::Unwanted);
}

#[test]
fn answers_are_remembered_for_a_moment() {
    let mut delivery = delivery(vec![tuple(SocketKind::Tcp, 22, 5000)]);
    let wanted = ipv4(6, PEER, OWN, &ports(5000, 22));
    let unwanted = ipv4(6, PEER, OWN, &ports(5000, 23));
    for millis in [0, 1, 49] {
        assert_eq!(delivery.decide(&wanted, at(millis)), Delivery::Deliver);
        assert_eq!(delivery.decide(&unwanted, at(millis)), Delivery::Unwanted);
    }
    assert_eq!(delivery.sockets.asked, 2);
    delivery.sockets.there = vec![tuple(SocketKind::Tcp, 23, 5000)];
    assert_eq!(delivery.decide(&unwanted, at(50)), Delivery::Deliver);
    assert_eq!(delivery.decide(&wanted, at(999)), Delivery::Deliver);
    assert_eq!(delivery.decide(&wanted, at(1000)), Delivery::Unwanted);
}

#[test]
fn a_scan_is_limited_and_does_not_cut_off_who_was_there() {
    let mut delivery = delivery(vec![tuple(SocketKind::Tcp, 22, 5000)]);
    let wanted = ipv4(6, PEER, OWN, &ports(5000, 22));
    assert_eq!(delivery.decide(&wanted, at(0)), Delivery::Deliver);
    let limited = (0..3000)
        .map(|port| delivery.decide(&ipv4(6, PEER, OWN, &ports(port, 9)), at(1)))
        .filter(|outcome| *outcome == Delivery::Limited)
        .count();
    assert!(limited > 1900, "{limited}");
    // The budget is used up, what was there is asked about all the same.
    let asked = delivery.sockets.asked;
    assert_eq!(delivery.decide(&wanted, at(1001)), Delivery::Deliver);
    assert_eq!(delivery.sockets.asked, asked + 1);
    // It fills again with time, up to its bound.
    let more = |delivery: &mut HostDelivery<FakeSockets>, millis: u64| {
        (0..2000)
            .map(|port| delivery.decide(&ipv4(6, PEER, OWN, &ports(port, millis as u16)), at(millis)))
            .filter(|outcome| *outcome == Delivery::Unwanted)
            .count()
    };
    assert_eq!(more(&mut delivery, 1101), 1000);
    assert_eq!(more(&mut delivery, 1111), 100);
    assert_eq!(more(&mut delivery, 60_000), 1000);
}
