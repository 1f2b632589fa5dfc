//! The largest segment that hosts are told they may send: only lowered, in SYNs of both sides.

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::{Mss, Translation};
use pinhole_dataplane::engine::{ChecksumState, Packet, Verdict};

use crate::connection::WEB;
use crate::network::{Network, SERVER, config};
use crate::packets::{ACK, Address, Fields, SYN, read, segment};
use crate::world::{host, network};

const CLIENT: Address = (crate::network::CLIENT, 40_000);
/// A NOP in front puts the value at an odd place.
const EVEN: [u8; 8] = [2, 4, 0x05, 0xb4, 1, 3, 3, 7];
const ODD: [u8; 8] = [1, 2, 4, 0x05, 0xb4, 3, 3, 7];

fn clamping(bytes: u16) -> Network {
    network(config(), Translation { tcp_mss: Mss::new(bytes), ..Translation::default() })
}

fn syn(from: Address, to: Address, ack: u32, options: &[u8]) -> Vec<u8> {
    let flags = if ack == 0 { SYN } else { SYN | ACK };
    segment(from, to, Fields { seq: 999, ack, flags, window: 0xffff, options }, b"")
}

/// Returns the options as they leave, every checksum verified, and where from.
fn options(network: &mut Network, realm: Realm, packet: &[u8]) -> (Vec<u8>, Address) {
    let (verdict, packet) = network.process(realm, packet);
    assert_eq!(verdict, Verdict::Forward);
    (packet[40..].to_vec(), read(&packet).from)
}

#[test]
fn syns_of_both_sides_say_no_more_than_configured() {
    for server in [WEB, (SERVER, 21)] {
        for (options_sent, at) in [(EVEN, 2), (ODD, 3)] {
            let mut network = clamping(1_452);
            let mut lowered = options_sent;
            lowered[at..at + 2].copy_from_slice(&1_452_u16.to_be_bytes());
            let (seen, outside) =
                options(&mut network, Realm::Inside, &syn(CLIENT, server, 0, &options_sent));
            assert_eq!(seen, lowered);
            let answer = syn(server, outside, 1_000, &options_sent);
            assert_eq!(options(&mut network, Realm::Outside, &answer).0, lowered);
        }
    }
}

#[test]
fn what_says_less_or_nothing_stays() {
    let mut network = clamping(1_460);
    for (port, sent) in
        [(1, &EVEN[..]), (2, &[2, 4, 0x02, 0x18]), (3, &[]), (4, &[2, 3, 0xff, 0]), (5, &[2, 4])]
    {
        let packet = syn((host(3), port), WEB, 0, sent.get(..sent.len() / 4 * 4).unwrap());
        let (seen, _) = options(&mut network, Realm::Inside, &packet);
        assert_eq!(seen, packet[40..]);
    }
    let mut network = network_as_it_is();
    assert_eq!(options(&mut network, Realm::Inside, &syn(CLIENT, WEB, 0, &EVEN)).0, EVEN);
}

fn network_as_it_is() -> Network {
    network(config(), Translation::default())
}

#[test]
fn only_syns_are_changed() {
    let mut network = clamping(1_000);
    network.connect(CLIENT, WEB);
    let data =
        segment(CLIENT, WEB, Fields { seq: 1_000, ack: 5_000, flags: ACK, window: 9, options: &EVEN }, b"x");
    let (verdict, packet) = network.process(Realm::Inside, &data);
    assert_eq!(verdict, Verdict::Forward);
    assert_eq!(packet[40..48], EVEN);
}

#[test]
fn a_checksum_that_the_kernel_completes_is_not_touched_for_it() {
    let partial = |bytes: u16| {
        let mut network = clamping(bytes);
        let mut buffer = syn(CLIENT, WEB, 0, &EVEN);
        let length = buffer.len();
        let mut packet = Packet::new(&mut buffer, length);
        packet.checksum = ChecksumState::Partial;
        assert_eq!(network.engine.process(&mut packet, Realm::Inside, network.now), Verdict::Forward);
        (packet.bytes()[42..44].to_vec(), packet.bytes()[36..38].to_vec())
    };
    let (lowered, kept) = (partial(1_452), partial(1_460));
    assert_ne!(lowered.0, kept.0);
    assert_eq!(lowered.1, kept.1);
}
