//! Protocols of which only the addresses are read: SCTP, GRE, ESP, and those that nobody knows.

use std::net::Ipv4Addr;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::{Exemption, OtherProtocols, Translation};
use pinhole_dataplane::config::{Config, PoolAddress, PortRange, Snapshot};
use pinhole_dataplane::engine::{DropReason, Verdict};
use pinhole_dataplane::limits::Limits;

use crate::network::{CLIENT, Network, POOL, SERVER, STRANGER, config};
use crate::packets::{checksum, pseudo, udp};
use crate::world::{
    complain_inside, complain_outside, destination, host, one_to_one, plain, shared, source, untranslated,
};

const GRE: u8 = 47;
const ESP: u8 = 50;
const AH: u8 = 51;
const DCCP: u8 = 33;
const SCTP: u8 = 132;
const UNKNOWN: u8 = 253;
const NUMBERS: [u8; 4] = [GRE, ESP, SCTP, UNKNOWN];
const PAYLOAD: &[u8] = b"\x12\x34\x00\x50 any bytes at all";

fn addresses(packet: &[u8]) -> (Ipv4Addr, Ipv4Addr) {
    (source(packet), destination(packet))
}

/// Sends from inside to the server and back, where the client is known as `outside`.
fn there_and_back(network: &mut Network, number: u8, outside: Ipv4Addr) {
    let left = network.passed(Realm::Inside, &plain(number, CLIENT, SERVER, PAYLOAD));
    assert_eq!((addresses(&left), &left[20..]), ((outside, SERVER), PAYLOAD));
    let arrived = network.passed(Realm::Outside, &plain(number, SERVER, outside, PAYLOAD));
    assert_eq!((addresses(&arrived), &arrived[20..]), ((SERVER, CLIENT), PAYLOAD));
}

#[test]
fn with_addresses_of_their_own_hosts_use_any_protocol() {
    let (mut translated, mut plain_firewall) = (one_to_one(), untranslated());
    for number in NUMBERS {
        there_and_back(&mut translated, number, POOL);
        there_and_back(&mut plain_firewall, number, CLIENT);
    }
    // A host with another address has sessions of its own with the same server.
    let left = translated.passed(Realm::Inside, &plain(SCTP, host(3), SERVER, PAYLOAD));
    assert_eq!(source(&left), Ipv4Addr::new(203, 0, 113, 2));
}

#[test]
fn who_was_not_asked_is_not_let_in() {
    for (mut network, outside) in [(one_to_one(), POOL), (untranslated(), CLIENT), (shared(), POOL)] {
        let unasked = plain(SCTP, SERVER, outside, PAYLOAD);
        assert_eq!(network.refused(Realm::Outside, &unasked), DropReason::NotExpected);
        there_and_back(&mut network, SCTP, outside);
        for (number, from) in [(SCTP, STRANGER), (UNKNOWN, SERVER)] {
            let packet = plain(number, from, outside, PAYLOAD);
            assert_eq!(network.refused(Realm::Outside, &packet), DropReason::NotExpected);
        }
    }
}

#[test]
fn where_addresses_are_shared_protocols_without_ports_are_refused() {
    let mut network = Network::small();
    for number in NUMBERS {
        let packet = plain(number, CLIENT, SERVER, PAYLOAD);
        assert_eq!(network.refused(Realm::Inside, &packet), DropReason::ProtocolUnsupported);
    }
    assert_eq!((network.engine.session_count(), network.engine.subscriber_count()), (0, 0));
}

#[test]
fn by_policy_one_host_behind_an_address_has_a_protocol_with_a_server() {
    let mut network = shared();
    there_and_back(&mut network, UNKNOWN, POOL);
    let other = plain(UNKNOWN, host(3), SERVER, PAYLOAD);
    assert_eq!(network.refused(Realm::Inside, &other), DropReason::TupleTaken);
    // With another server, or by another protocol, it may.
    network.passed(Realm::Inside, &plain(UNKNOWN, host(3), STRANGER, PAYLOAD));
    network.passed(Realm::Inside, &plain(SCTP, host(3), SERVER, PAYLOAD));
    let arrived = network.passed(Realm::Outside, &plain(UNKNOWN, STRANGER, POOL, PAYLOAD));
    assert_eq!(destination(&arrived), host(3));
    // And with this one when the first host has been silent long enough.
    network.advance(Duration::from_secs(599));
    assert_eq!(network.refused(Realm::Inside, &other), DropReason::TupleTaken);
    network.advance(Duration::from_secs(2));
    network.passed(Realm::Inside, &other);
    let arrived = network.passed(Realm::Outside, &plain(UNKNOWN, SERVER, POOL, PAYLOAD));
    assert_eq!(destination(&arrived), host(3));
    assert_eq!(network.engine.subscriber_count(), 1, "who holds nothing is forgotten");
}

#[test]
fn rfc4787_req_2_a_host_has_one_outside_address_by_whatever_protocol() {
    for udp_first in [true, false] {
        let mut network = Network::new(Limits::default(), pool_of(1..=8));
        for last in 2..40 {
            let datagram = udp((host(last), 5_000), (SERVER, 53), b"");
            let remote = Ipv4Addr::new(198, 51, 100, last);
            let other = plain(UNKNOWN, host(last), remote, PAYLOAD);
            let [first, second] = if udp_first { [datagram, other] } else { [other, datagram] };
            let first = source(&network.passed(Realm::Inside, &first));
            assert_eq!(source(&network.passed(Realm::Inside, &second)), first);
        }
    }
}

/// A configuration whose pool has so many addresses.
fn pool_of(addresses: std::ops::RangeInclusive<u8>) -> Config {
    let ports = PortRange::new(1024, 65535).unwrap();
    let pool =
        addresses.map(|last| PoolAddress { address: Ipv4Addr::new(203, 0, 113, last), ports, host: false });
    let nat = Translation { other_protocols: OtherProtocols::Translate, ..Translation::default() };
    Config { pool: pool.collect(), nat, ..config() }
}

fn apply(network: &mut Network, config: Config) {
    network.engine.apply(Snapshot::new(config).unwrap().into(), network.now);
}

#[test]
fn rfc4787_req_2_such_a_session_keeps_a_host_at_its_outside_address() {
    for last in 2..10 {
        let mut network = Network::new(Limits::default(), pool_of(1..=7));
        let other = plain(UNKNOWN, host(last), SERVER, PAYLOAD);
        let datagram = |port: u16| udp((host(last), port), (SERVER, 53), b"");
        let address = source(&network.passed(Realm::Inside, &other));
        // A pool of another size would pair the host anew.
        apply(&mut network, pool_of(1..=8));
        assert_eq!(network.outbound(&datagram(5_000)).from.0, address);
        network.passed(Realm::Outside, &plain(UNKNOWN, SERVER, address, PAYLOAD));
        network.advance(Duration::from_secs(301));
        apply(&mut network, pool_of(1..=9));
        assert_eq!(network.outbound(&datagram(5_001)).from.0, address);
    }
}

#[test]
fn when_such_a_session_is_over_it_keeps_a_host_at_no_address() {
    let mut before = pool_of(1..=1);
    let exempt = Exemption { destination: "192.0.2.0/24".parse().unwrap(), ports: vec![] };
    before.nat.exempt = vec![exempt];
    let mut network = Network::new(Limits::default(), before.clone());
    let untranslated = udp((CLIENT, 4_000), (Ipv4Addr::new(192, 0, 2, 1), 53), b"");
    network.passed(Realm::Inside, &plain(UNKNOWN, CLIENT, SERVER, PAYLOAD));
    network.advance(Duration::from_secs(50));
    network.outbound(&untranslated);
    network.advance(Duration::from_secs(12));
    assert_eq!(network.engine.session_count(), 1);
    apply(&mut network, Config { pool: pool_of(2..=2).pool, ..before });
    let left = network.outbound(&udp((CLIENT, 5_000), (SERVER, 53), b""));
    assert_eq!(left.from.0, Ipv4Addr::new(203, 0, 113, 2));
}

#[test]
fn an_address_that_is_shared_leads_to_nobody_inside() {
    let mut network = shared();
    there_and_back(&mut network, UNKNOWN, POOL);
    let packet = plain(UNKNOWN, host(3), POOL, PAYLOAD);
    assert_eq!(network.refused(Realm::Inside, &packet), DropReason::BadDestination);
}

#[test]
fn a_change_of_the_policy_ends_such_sessions_and_no_others() {
    let mut network = shared();
    there_and_back(&mut network, UNKNOWN, POOL);
    network.outbound(&udp((CLIENT, 5_000), (SERVER, 53), b""));
    let translate = Translation { other_protocols: OtherProtocols::Translate, ..Translation::default() };
    apply(&mut network, Config { nat: translate, mtu: 1_400, ..config() });
    assert_eq!(network.engine.session_count(), 2);
    apply(&mut network, config());
    assert_eq!(network.engine.session_count(), 1);
    let packet = plain(UNKNOWN, SERVER, POOL, PAYLOAD);
    assert_eq!(network.refused(Realm::Outside, &packet), DropReason::NotExpected);
}

#[test]
fn rfc4302_section_3_3_3_the_authentication_header_passes_only_untranslated() {
    let packet = plain(AH, CLIENT, SERVER, PAYLOAD);
    for mut network in [Network::small(), shared(), one_to_one()] {
        assert_eq!(network.refused(Realm::Inside, &packet), DropReason::AuthenticatedHeader);
    }
    there_and_back(&mut untranslated(), AH, CLIENT);
}

#[test]
fn rfc4340_section_9_1_the_checksum_of_dccp_covers_the_addresses() {
    let packet = |from: Ipv4Addr, to: Ipv4Addr| {
        let mut header = PAYLOAD.to_vec();
        header[6..8].fill(0);
        let sum = checksum(&[&pseudo(DCCP, from, to, header.len()), &header]);
        header[6..8].copy_from_slice(&sum.to_be_bytes());
        plain(DCCP, from, to, &header)
    };
    let mut network = one_to_one();
    assert_eq!(network.passed(Realm::Inside, &packet(CLIENT, SERVER))[20..], packet(POOL, SERVER)[20..]);
    assert_eq!(network.passed(Realm::Outside, &packet(SERVER, POOL))[20..], packet(SERVER, CLIENT)[20..]);
}

#[test]
fn rfc5508_req_4_and_5_errors_quote_what_their_receiver_sent() {
    for number in [GRE, ESP, SCTP, DCCP, UNKNOWN] {
        let mut network = one_to_one();
        let sent = plain(number, CLIENT, SERVER, PAYLOAD);
        let left = network.passed(Realm::Inside, &sent);
        let quoted = complain_outside(&mut network, &left);
        assert_eq!(quoted[12..], sent[12..28]);
        let answer = plain(number, SERVER, POOL, PAYLOAD);
        let arrived = network.passed(Realm::Outside, &answer);
        let quoted = complain_inside(&mut network, &arrived);
        assert_eq!(quoted[12..], answer[12..28]);
    }
    let mut network = one_to_one();
    let nobody_s = crate::packets::unreachable(3, SERVER, POOL, &plain(SCTP, POOL, SERVER, PAYLOAD));
    assert_eq!(network.refused(Realm::Outside, &nobody_s), DropReason::IcmpNoSession);
}

#[test]
fn inside_hosts_reach_each_other_by_their_own_outside_addresses() {
    let mut network = one_to_one();
    let second = Ipv4Addr::new(203, 0, 113, 2);
    // Both have to send before either is let in.
    let (verdict, _) = network.process(Realm::Inside, &plain(SCTP, CLIENT, second, PAYLOAD));
    assert_eq!(verdict, Verdict::Drop(DropReason::BadDestination));
    network.passed(Realm::Inside, &plain(SCTP, host(3), SERVER, PAYLOAD));
    network.passed(Realm::Inside, &plain(SCTP, CLIENT, SERVER, PAYLOAD));
    assert_eq!(
        network.refused(Realm::Inside, &plain(SCTP, CLIENT, second, PAYLOAD)),
        DropReason::NotExpected
    );
    let (verdict, packet) = network.process(Realm::Inside, &plain(SCTP, host(3), POOL, PAYLOAD));
    assert_eq!(verdict, Verdict::Hairpin);
    assert_eq!(addresses(&packet), (second, CLIENT));
}
