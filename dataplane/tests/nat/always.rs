//! What is so at any time and under any load.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::{Dependence, Translation};
use pinhole_dataplane::engine::{DropReason, Verdict};

use crate::network::{Network, SERVER, STRANGER, config};
use crate::packets::{ACK, Address, FIN, SYN, tcp, udp};
use crate::world::{DNS, host, network, pool_of, ports};

const CLIENT: Address = (Ipv4Addr::new(10, 0, 0, 2), 40_000);
const WEB: Address = (SERVER, 80);

#[test]
fn rfc4787_req_11_nothing_changes_under_load_and_conflict() {
    for filtering in Dependence::ALL {
        let nat = Translation { filtering, ..Translation::default() };
        let mut network = network(pool_of(1, ports(1_024, 1_087)), nat);
        let outside = network.mapped(CLIENT);
        let admitted = |network: &mut Network, port: u16| {
            [(SERVER, port), (STRANGER, port)]
                .map(|from| network.process(Realm::Outside, &udp(from, outside, b"")).0 == Verdict::Forward)
        };
        let expected = [filtering != Dependence::AddressAndPort, filtering == Dependence::Independent];
        assert_eq!(admitted(&mut network, 1_000), expected);
        // Every host has the same source port, all outside ports are used up, and most hosts are refused.
        let verdicts: Vec<Verdict> = (3..=200)
            .map(|number| network.process(Realm::Inside, &udp((host(number), CLIENT.1), DNS, b"")).0)
            .collect();
        let refused =
            verdicts.iter().filter(|verdict| **verdict == Verdict::Drop(DropReason::NoPort)).count();
        assert_eq!(refused, 198 - 63);
        // Others send in than before, as a session that is there says nothing.
        assert_eq!(admitted(&mut network, 1_001), expected);
        for to in [DNS, (SERVER, 54), (STRANGER, 53)] {
            assert_eq!(network.outbound(&udp(CLIENT, to, b"")).from, outside, "the mapping is as it was");
        }
    }
}

/// Whether it comes from inside, its numbers, its flags, its payload.
type Segment = (bool, u32, u32, u8, &'static [u8]);

#[test]
fn rfc5382_req_2_connections_open_and_close_in_any_valid_order() {
    let step = |network: &mut Network,
                outside: Address,
                from_inside: bool,
                seq: u32,
                ack: u32,
                flags,
                data: &[u8]| {
        if from_inside {
            assert_eq!(network.outbound(&tcp(CLIENT, WEB, seq, ack, flags, data)).from, outside);
        } else {
            assert_eq!(network.inbound(&tcp(WEB, outside, seq, ack, flags, data)).to, CLIENT);
        }
    };
    // Repeated openings, data before the third step has arrived, and each way to close: one side after the other, with
    // data still coming; both at once; and in one segment with data.
    let closings: [&[Segment]; 3] = [
        &[
            (true, 1_001, 5_001, ACK | FIN, b""),
            (false, 5_001, 1_002, ACK, b"more"),
            (true, 1_002, 5_005, ACK, b""),
            (false, 5_005, 1_002, ACK | FIN, b""),
            (true, 1_002, 5_006, ACK, b""),
        ],
        &[
            (true, 1_001, 5_001, ACK | FIN, b""),
            (false, 5_001, 1_001, ACK | FIN, b""),
            (true, 1_002, 5_002, ACK, b""),
            (false, 5_002, 1_002, ACK, b""),
        ],
        &[
            (false, 5_001, 1_001, ACK | FIN, b"bye"),
            (true, 1_001, 5_005, ACK | FIN, b""),
            (false, 5_005, 1_002, ACK, b""),
        ],
    ];
    for closing in closings {
        let mut network = Network::small();
        let syn = tcp(CLIENT, WEB, 999, 0, SYN, b"");
        let outside = network.outbound(&syn).from;
        assert_eq!(network.outbound(&syn).from, outside);
        for _ in 0..2 {
            step(&mut network, outside, false, 4_999, 1_000, SYN | ACK, b"");
        }
        step(&mut network, outside, true, 1_000, 5_000, ACK, b"x");
        step(&mut network, outside, false, 5_000, 1_001, ACK, b"y");
        for &(from_inside, seq, ack, flags, data) in closing {
            step(&mut network, outside, from_inside, seq, ack, flags, data);
        }
        // The same ports serve the next connection.
        network.connect(CLIENT, WEB);
    }
}

#[test]
fn rfc5382_req_4_an_unsolicited_syn_is_not_answered() {
    let mut network = Network::small();
    let outside = network.connect(CLIENT, WEB);
    let syn = tcp((STRANGER, 80), outside, 70, 0, SYN, b"");
    assert_eq!(network.refused(Realm::Outside, &syn), DropReason::NotExpected);
    for _ in 0..10 {
        network.advance(Duration::from_secs(1));
        assert_eq!(network.engine.poll_transmit(), None);
    }
    // The inside host may open the same connection meanwhile: to it they are simultaneous.
    assert_eq!(network.outbound(&tcp(CLIENT, (STRANGER, 80), 999, 0, SYN, b"")).from, outside);
    assert_eq!(network.inbound(&syn).to, CLIENT);
}

#[test]
fn rfc5382_req_7_no_outside_endpoint_means_two_inside_endpoints() {
    let mut network = network(pool_of(1, ports(1_024, 2_047)), Translation::default());
    let mut outside = BTreeSet::new();
    for number in 2..10 {
        for port in 0..128 {
            outside.insert(network.outbound(&tcp((host(number), 2_000 + port), WEB, 9, 0, SYN, b"")).from);
        }
    }
    assert_eq!(outside.len(), 1_024);
    let one_more = tcp((host(11), 2_000), WEB, 9, 0, SYN, b"");
    assert_eq!(network.refused(Realm::Inside, &one_more), DropReason::NoPort);
}

#[test]
fn rfc7857_section_5_mappings_of_tcp_and_udp_are_each_other_s_strangers() {
    let mut network = Network::small();
    let tcp_outside = network.connect(CLIENT, WEB);
    let udp_outside = network.mapped(CLIENT);
    assert_eq!(network.engine.mappings().count(), 2);
    network.advance(Duration::from_secs(100));
    assert_eq!(network.engine.mappings().count(), 1, "each ends by itself");
    assert_eq!(network.outbound(&tcp(CLIENT, WEB, 1_000, 5_000, ACK, b"")).from, tcp_outside);
    assert_eq!(udp_outside.0, tcp_outside.0, "and they share no more than the address");
}

#[test]
fn rfc7857_section_6_who_may_send_udp_may_not_open_connections_by_that() {
    let nat = Translation { filtering: Dependence::Independent, ..Translation::default() };
    let mut network = network(config(), nat);
    let outside = network.mapped(CLIENT);
    assert_eq!(network.inbound(&udp((STRANGER, 9), outside, b"")).to, CLIENT);
    let syn = tcp((STRANGER, 9), outside, 70, 0, SYN, b"");
    assert_eq!(network.refused(Realm::Outside, &syn), DropReason::NotExpected);
}
