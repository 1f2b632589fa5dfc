//! Datagrams that are put together before anything is decided: of TCP, of ALGs, for the host itself, and ICMP errors.

use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::alg::AlgProtocol;
use pinhole_dataplane::config::nat::{Dependence, Forward, Translation};
use pinhole_dataplane::config::{AlgConfig, Config, PoolAddress, PortRange, ServiceTransport, Snapshot};
use pinhole_dataplane::engine::{DropReason, Verdict};
use pinhole_dataplane::limits::Limits;

use crate::network::{CLIENT, Network, POOL, SERVER, STRANGER, config};
use crate::packets::{ACK, Address, FIN, SYN, checksum, flags, ip, read, sequence, tcp, udp};
use crate::receiver::{cut, finish, numbered};
use crate::world::{destination, host, network, source};

const CLIENT_END: Address = (CLIENT, 40_000);
const WEB: Address = (SERVER, 80);
const FTP: Address = (SERVER, 21);
const SIP: Address = (SERVER, 5_060);
const INSIDE: Realm = Realm::Inside;
const OUTSIDE: Realm = Realm::Outside;

fn cuttable(mut packet: Vec<u8>) -> Vec<u8> {
    packet[6..8].fill(0);
    finish(&mut packet);
    packet
}

/// Cuts a packet into fragments with so many eights of bytes, the last one first.
fn backwards(packet: &[u8], eights: usize) -> Vec<Vec<u8>> {
    let mut fragments = cut(&cuttable(packet.to_vec()), &vec![eights; packet.len() / 8 / eights]);
    assert!(fragments.len() > 1);
    fragments.reverse();
    fragments
}

#[test]
fn a_tcp_segment_is_judged_whole_and_leaves_in_fragments_no_longer_than_it_came() {
    let mut network = Network::small();
    let outside = network.connect(CLIENT_END, WEB);
    let payload = vec![b'x'; 1_000];
    let sent = backwards(&tcp(CLIENT_END, WEB, 1_000, 5_000, ACK, &payload), 40);
    assert_eq!(sent.len(), 4);
    for fragment in &sent[..3] {
        assert_eq!(network.send(INSIDE, fragment).0, Verdict::Hold);
    }
    let left = network.carried(INSIDE, &sent[3..]);
    assert_eq!(left.len(), 4);
    assert!(left.iter().all(|fragment| fragment.len() <= 340));
    let mut receiver = crate::receiver::Receiver::default();
    left.iter().for_each(|fragment| receiver.take(fragment));
    let seen = read(&receiver.whole[0]);
    assert_eq!((seen.from, seen.to, seen.payload), (outside, WEB, payload));
    // The answer to all of it is in the window: the session knows how far the segment went.
    network.inbound(&tcp(WEB, outside, 5_000, 2_000, ACK | FIN, b""));
    let whole = network.received(OUTSIDE, &backwards(&tcp(WEB, outside, 5_001, 2_000, ACK, &[1; 200]), 8));
    assert_eq!(read(&whole[0]).to, CLIENT_END);
}

#[test]
fn rfc6864_section_5_3_1_what_was_put_together_leaves_with_an_identification_of_its_own() {
    let mut network = Network::small();
    let identification = |network: &mut Network, last: u8| {
        let sent = backwards(&tcp((host(last), 40_000), WEB, 1, 0, SYN, &[b'x'; 400]), 20);
        assert_eq!(sent[0][4..6], [0x12, 0x34]);
        let left = network.carried(INSIDE, &sent);
        assert!(left.len() > 1 && left.iter().all(|fragment| fragment[4..6] == left[0][4..6]));
        [left[0][4], left[0][5]]
    };
    let both = [identification(&mut network, 2), identification(&mut network, 3)];
    assert!(both[0] != both[1] && !both.contains(&[0x12, 0x34]), "{both:?}");
}

#[test]
fn a_tcp_connection_opens_with_a_fragmented_syn_as_with_another() {
    let mut network = Network::small();
    let whole = network.received(INSIDE, &backwards(&tcp(CLIENT_END, WEB, 1, 0, SYN, b"early data"), 3));
    assert_eq!((read(&whole[0]).from.0, network.engine.session_count()), (POOL, 1));
    // What is refused whole is refused with all that waited.
    let stray = backwards(&tcp((CLIENT, 40_001), WEB, 1, 1, ACK, &[0; 100]), 8);
    assert!(network.carried(INSIDE, &stray).is_empty());
    assert_eq!(network.drops(DropReason::NoSession), u64::try_from(stray.len()).unwrap());
    assert_eq!(network.engine.fragmented_count(), 0);
}

#[test]
fn an_alg_reads_commands_in_fragments_and_its_answer_is_cut_as_they_were() {
    let mut network = Network::small();
    let outside = network.connect(CLIENT_END, FTP);
    network.inbound(&tcp(FTP, outside, 5_000, 1_000, ACK, b"220 ready\r\n"));
    let command = tcp(CLIENT_END, FTP, 1_000, 5_011, ACK, b"PORT 10,0,0,2,195,80\r\n");
    let fragments = backwards(&command, 3);
    let longest = fragments.iter().map(Vec::len).max().unwrap();
    let left = network.carried(INSIDE, &fragments);
    assert!(left.len() > 1 && left.iter().all(|fragment| fragment.len() <= longest));
    let mut receiver = crate::receiver::Receiver::default();
    left.iter().for_each(|fragment| receiver.take(fragment));
    let seen = read(&receiver.whole[0]);
    let text = String::from_utf8(seen.payload).unwrap();
    assert!(text.starts_with("PORT 203,0,113,1,"), "{text}");
    assert_eq!(network.engine.pinhole_count(), 1);
    // The sequence numbers go on from there.
    let answered = 1_000 + u32::try_from(text.len()).unwrap();
    let (_, answer) = network.process(OUTSIDE, &tcp(FTP, outside, 5_011, answered, ACK, b"200 ok\r\n"));
    assert_eq!(sequence(&answer).1, 1_022);
}

#[test]
fn a_datagram_that_an_alg_reads_leaves_when_all_of_it_is_there() {
    let invite = udp((CLIENT, 5_060), SIP, &[b'i'; 900]);
    let mut network = Network::small();
    let sent = backwards(&invite, 50);
    for fragment in &sent[..sent.len() - 1] {
        assert_eq!(network.send(INSIDE, fragment).0, Verdict::Hold);
    }
    let left = network.carried(INSIDE, &sent[sent.len() - 1..]);
    assert_eq!(left.len(), sent.len());
    let outside = network.engine.mappings().next().unwrap().outside;
    let answer = backwards(&udp(SIP, outside, &[b'a'; 900]), 50);
    assert_eq!(
        network.send(OUTSIDE, answer.last().unwrap()).0,
        Verdict::Hold,
        "the first of an answer waits"
    );
    assert_eq!(network.received(OUTSIDE, &answer[..answer.len() - 1]).len(), 1);
    // With the ALG off each goes by itself.
    let algs = vec![AlgConfig { protocol: AlgProtocol::Sip, enabled: false, services: vec![] }];
    let mut network = Network::new(Limits::default(), Config { algs, ..config() });
    let first = cut(&cuttable(invite), &[50, 30]);
    assert_eq!(network.send(INSIDE, &first[0]).0, Verdict::Forward);
}

#[test]
fn a_forwarded_server_s_alg_reads_what_comes_in() {
    let ports = |port| PortRange::new(port, port).unwrap();
    let forward = Forward {
        transport: ServiceTransport::Udp,
        outside: POOL,
        outside_ports: ports(15_060),
        inside: host(9),
        inside_ports: ports(5_060),
    };
    let mut network = network(Translation { forwards: vec![forward], ..Translation::default() });
    let invite = cut(&cuttable(udp((STRANGER, 5_060), (POOL, 15_060), &[b'i'; 900])), &[50, 30]);
    assert_eq!(network.send(OUTSIDE, &invite[0]).0, Verdict::Hold);
    assert_eq!(read(&network.received(OUTSIDE, &invite[1..])[0]).to, (host(9), 5_060));
}

#[test]
fn what_is_for_the_host_itself_is_delivered_whole_and_untouched() {
    let ports = PortRange::new(20_000, 65_535).unwrap();
    let pool = vec![PoolAddress { address: POOL, ports, host: true }];
    let config = Config { pool, host_addresses: vec![POOL], ..config() };
    let mut network = Network::new(Limits::default(), config);
    let answer = cuttable(udp((STRANGER, 53), (POOL, 1_053), &[b'd'; 2_000]));
    let (last, waiting) = backwards(&answer, 100).split_last().map(|(l, w)| (l.clone(), w.to_vec())).unwrap();
    for fragment in &waiting {
        assert_eq!(network.send(OUTSIDE, fragment).0, Verdict::Hold);
    }
    assert_eq!(network.send(OUTSIDE, &last), (Verdict::DeliverIfListening, answer));
    // What a session expects on the same address goes to its host, each fragment by itself.
    let outside = network.outbound(&udp((CLIENT, 40_000), (STRANGER, 53), b"")).from;
    let parts = cut(&cuttable(udp((STRANGER, 53), outside, &[b'd'; 2_000])), &[100]);
    assert_eq!(destination(&network.send(OUTSIDE, &parts[0]).1), CLIENT);
}

#[test]
fn rfc5508_req_3_an_error_in_fragments_is_translated_whole() {
    let mut network = Network::small();
    let sent = udp(CLIENT_END, (SERVER, 9_999), &[7; 600]);
    let (_, left) = network.send(INSIDE, &sent);
    // An error may quote more than a path carries at once (RFC 1812, section 4.3.2.3).
    let error = crate::packets::unreachable(3, SERVER, POOL, &left[..500]);
    let whole = network.received(OUTSIDE, &backwards(&error, 20));
    assert_eq!(checksum(&[&whole[0][20..]]), 0);
    assert_eq!((source(&whole[0]), destination(&whole[0])), (SERVER, CLIENT));
    // But for the quoted header's time to live and checksum, as it was sent.
    assert_eq!(whole[0][40..], sent[12..500]);
}

#[test]
fn a_whole_that_is_longer_than_a_packet_can_be_is_dropped() {
    let mut network = Network::small();
    // With options, the first header is longer than the others know.
    let mut first = vec![0x4f, 0, 0, 0, 0, 9, 0x20, 0, 64, 6, 0, 0];
    first.extend(CLIENT.octets());
    first.extend(SERVER.octets());
    first.resize(60, 1);
    first.extend(&tcp(CLIENT_END, WEB, 1, 0, SYN, b"12")[20..]);
    first.resize(60 + 24, 0);
    let total = u16::try_from(first.len()).unwrap();
    first[2..4].copy_from_slice(&total.to_be_bytes());
    finish(&mut first);
    let mut longest = ip(6, CLIENT, SERVER, &vec![0; 65_515 - 24]);
    longest[4..6].copy_from_slice(&[0, 9]);
    longest[6..8].copy_from_slice(&3_u16.to_be_bytes());
    finish(&mut longest);
    assert_eq!(network.send(INSIDE, &first).0, Verdict::Hold);
    assert_eq!(network.send(INSIDE, &longest).0, Verdict::Drop(DropReason::FragmentTooLong));
    assert_eq!(network.drops(DropReason::FragmentTooLong), 2);
}

#[test]
fn rfc5382_req_8_between_inside_hosts_segments_in_fragments_turn_back() {
    let ports = PortRange::new(8_080, 8_080).unwrap();
    let forward = Forward {
        transport: ServiceTransport::Tcp,
        outside: POOL,
        outside_ports: ports,
        inside: host(9),
        inside_ports: PortRange::new(80, 80).unwrap(),
    };
    let nat =
        Translation { forwards: vec![forward], filtering: Dependence::Address, ..Translation::default() };
    let mut network = network(nat);
    let payload = vec![b'e'; 4_000];
    let sent = backwards(&tcp((CLIENT, 4_000), (POOL, 8_080), 1, 0, SYN, &payload), 60);
    let whole = network.received(INSIDE, &sent);
    let seen = read(&whole[0]);
    assert_eq!((seen.from.0, seen.to, seen.payload), (POOL, (host(9), 80), payload));
    assert_eq!((flags(&whole[0]), network.engine.fragmented_count()), (SYN, 0));
}

#[test]
fn a_change_of_the_configuration_leaves_what_waits() {
    let mut network = Network::small();
    network.connect(CLIENT_END, WEB);
    let sent = backwards(&tcp(CLIENT_END, WEB, 1_000, 5_000, ACK, &[0; 500]), 30);
    network.carried(INSIDE, &sent[..2]);
    network.engine.apply(Snapshot::new(Config { mtu: 1_400, ..config() }).unwrap().into(), network.now);
    assert_eq!(network.received(INSIDE, &sent[2..]).len(), 1);
    assert_eq!(network.engine.fragmented_count(), 0);
    let again: Vec<_> = sent.iter().map(|fragment| numbered(fragment.clone(), 9)).collect();
    network.carried(INSIDE, &again[..2]);
    network.advance(Duration::from_secs(15));
    assert_eq!(network.drops(DropReason::FragmentTimeout), 2);
}
