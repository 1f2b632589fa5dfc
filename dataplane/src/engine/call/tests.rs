use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use crate::addr::{Endpoint, Realm};
use crate::alg::control::CraftedSegment;
use crate::alg::{
    AlgProtocol, Arbiter as _, Decision, End, Ends, PeerCall, PinholeId, PinholeRequest, Transport,
};
use crate::config::tests::config;
use crate::config::{Config, Snapshot};
use crate::conntrack::SessionId;
use crate::emit;
use crate::engine::decider::Decider;
use crate::engine::{DropReason, EndReason, Engine, Event, Packet, Verdict};
use crate::limits::Limits;
use crate::nat::MappingId;
use crate::time::Timestamp;
use crate::tuple::{Direction, Flow, Protocol, Tuple};
use crate::wire::{self, checksum, ipv4, set_u8, set_u16, u16_at};

const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 5);
const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 66);
/// The server's call id; some start at 0.
const SERVERS: u16 = 0;
const PAYLOAD: &[u8] = b"ppp frame";

struct Network {
    engine: Engine,
    now: Timestamp,
    /// The control session.
    master: SessionId,
    /// Whom announcements name.
    peer: Ipv4Addr,
}

fn client(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

fn gre(from: Ipv4Addr, to: Ipv4Addr, call: u16) -> Vec<u8> {
    let length = u16::try_from(28 + PAYLOAD.len()).unwrap();
    let mut packet = vec![0; usize::from(length)];
    set_u8(&mut packet, 0, 0x45);
    set_u16(&mut packet, ipv4::TOTAL_LENGTH, length);
    set_u8(&mut packet, ipv4::TTL, 64);
    set_u8(&mut packet, ipv4::PROTOCOL, wire::PROTOCOL_GRE);
    ipv4::set_source(&mut packet, from);
    ipv4::set_destination(&mut packet, to);
    // Key present, version 1, PPP, payload length, call id.
    packet[20..24].copy_from_slice(&[0x20, 1, 0x88, 0x0b]);
    set_u16(&mut packet, 24, u16::try_from(PAYLOAD.len()).unwrap());
    set_u16(&mut packet, 26, call);
    packet[28..].copy_from_slice(PAYLOAD);
    ipv4::fill_checksum(&mut packet);
    packet
}

/// Source, destination and call id of a packet that is otherwise as it was sent.
fn read(packet: &[u8]) -> (Ipv4Addr, Ipv4Addr, u16) {
    assert_eq!(checksum::checksum(&packet[..20]), 0);
    assert_eq!((&packet[20..24], &packet[28..]), (&[0x20, 1, 0x88, 0x0b][..], PAYLOAD));
    (ipv4::source(packet), ipv4::destination(packet), u16_at(packet, 26))
}

impl Network {
    fn new() -> Self {
        Self::with(64, config())
    }

    fn with(sessions: u32, config: Config) -> Self {
        let now = Timestamp::from_nanos(1_000_000_000);
        let limits = Limits { sessions, ..Limits::default() };
        let mut engine = Engine::new(limits, &[7; 32], now);
        engine.apply(Arc::new(Snapshot::new(config).unwrap()), now);
        Self { engine, now, master: SessionId::from_parts(9, 9), peer: SERVER }
    }

    fn send(&mut self, realm: Realm, packet: &[u8]) -> (Verdict, Vec<u8>) {
        let mut buffer = packet.to_vec();
        let mut packet = Packet::new(&mut buffer, packet.len());
        let verdict = self.engine.process(&mut packet, realm, self.now);
        (verdict, packet.bytes().to_vec())
    }

    fn passed(&mut self, realm: Realm, packet: &[u8]) -> (Ipv4Addr, Ipv4Addr, u16) {
        let (verdict, packet) = self.send(realm, packet);
        assert_eq!(verdict, Verdict::Forward);
        read(&packet)
    }

    /// Announces a call as the ALG of a control session does; returns the call id that the server is told.
    fn announce(&mut self, client: Ipv4Addr, call: u16, server: PeerCall) -> (PinholeId, u16) {
        let at = |address, port| Endpoint::new(IpAddr::V4(address), port);
        let end = |realm, local: Endpoint| End { realm, local, visible: local };
        let snapshot = self.engine.snapshot.clone().unwrap();
        let mut decider = Decider {
            snapshot: &snapshot,
            limits: &self.engine.limits,
            nat: &mut self.engine.nat,
            expectations: &mut self.engine.expectations,
            rng: &mut self.engine.rng,
            events: &mut self.engine.events,
            stats: &mut self.engine.stats,
            ends: Ends {
                originator: end(Realm::Inside, at(client, 40_000)),
                responder: end(Realm::Outside, at(SERVER, 1_723)),
            },
            protocol: AlgProtocol::Pptp,
            mapping: MappingId::NONE,
            master: self.master,
            control: Tuple {
                protocol: Protocol::Tcp,
                source: client,
                source_port: 40_000,
                destination: SERVER,
                destination_port: 1_723,
            }
            .into(),
            now: self.now,
            ended: Vec::new(),
        };
        let decision = decider.admit(&PinholeRequest {
            transport: Transport::Gre(server),
            direction: Direction::Original,
            named: at(client, call),
            peer: at(self.peer, 0),
            lifetime: Duration::from_secs(60),
            message: "Outgoing-Call-Request",
            offset: 0,
        });
        let Decision::Admitted { id, visible } = decision else { panic!("{decision:?}") };
        (id, visible.port)
    }

    /// A call that both ends know; returns the client's call id outside.
    fn call(&mut self, client: Ipv4Addr, call: u16, servers: u16) -> u16 {
        let (_, offered) = self.announce(client, call, PeerCall::Unknown);
        let (_, visible) = self.announce(client, call, PeerCall::Known(servers));
        assert_eq!(visible, offered, "the server knows it by then");
        visible
    }

    fn advance(&mut self, seconds: u64) {
        self.now = self.now.saturating_add(Duration::from_secs(seconds));
        while self.engine.poll_timeout().is_some_and(|at| at <= self.now) {
            self.engine.handle_timeout(self.now);
        }
    }
}

fn pool() -> Ipv4Addr {
    config().pool[0].address
}

#[test]
fn each_direction_carries_the_call_id_of_its_receiver() {
    for client_first in [true, false] {
        let mut network = Network::new();
        let visible = network.call(client(2), 5, SERVERS);
        let out = |network: &mut Network| {
            let seen = network.passed(Realm::Inside, &gre(client(2), SERVER, SERVERS));
            assert_eq!(seen, (pool(), SERVER, SERVERS));
        };
        let into = |network: &mut Network| {
            let seen = network.passed(Realm::Outside, &gre(SERVER, pool(), visible));
            assert_eq!(seen, (SERVER, client(2), 5));
        };
        if client_first {
            out(&mut network);
            into(&mut network);
        } else {
            into(&mut network);
            out(&mut network);
        }
        out(&mut network);
        into(&mut network);
        assert_eq!((network.engine.session_count(), network.engine.pinhole_count()), (1, 0));
        let (_, session) = network.engine.sessions().next().unwrap();
        assert_eq!(session.packets(), [2, 2]);
        assert!(session.master().is_some());
    }
}

#[test]
fn clients_with_equal_call_ids_and_one_client_with_two_calls_are_told_apart() {
    let mut network = Network::new();
    let calls = [(client(2), 5, 10), (client(3), 5, 11), (client(2), 6, 12)];
    let visible = calls.map(|(client, call, servers)| network.call(client, call, servers));
    for ((client, call, servers), visible) in calls.into_iter().zip(visible) {
        assert_eq!(network.passed(Realm::Inside, &gre(client, SERVER, servers)), (pool(), SERVER, servers));
        assert_eq!(network.passed(Realm::Outside, &gre(SERVER, pool(), visible)), (SERVER, client, call));
    }
    assert_eq!(network.engine.session_count(), 3);
}

#[test]
fn nothing_passes_that_was_not_announced_or_before_both_ends_know_it() {
    let mut network = Network::new();
    let (_, visible) = network.announce(client(2), 5, PeerCall::Unknown);
    let refused = |network: &mut Network, realm, packet: &[u8]| match network.send(realm, packet).0 {
        Verdict::Drop(reason) => reason,
        verdict @ (Verdict::Forward | Verdict::Hairpin | Verdict::Hold | Verdict::DeliverIfListening) => {
            panic!("{verdict:?}")
        }
    };
    let incoming = gre(SERVER, pool(), visible);
    assert_eq!(refused(&mut network, Realm::Outside, &incoming), DropReason::NotExpected);
    network.announce(client(2), 5, PeerCall::Known(10));
    for (from, call) in [(STRANGER, visible), (SERVER, visible ^ 1)] {
        let packet = gre(from, pool(), call);
        assert_eq!(refused(&mut network, Realm::Outside, &packet), DropReason::NotExpected);
    }
    // Without an announcement it is a protocol like others.
    for (from, call) in [(client(2), 11), (client(3), 10)] {
        let packet = gre(from, SERVER, call);
        assert_eq!(refused(&mut network, Realm::Inside, &packet), DropReason::ProtocolUnsupported);
    }
    // Other GRE is, too: version 0, and another protocol.
    for (at, value) in [(21, 0), (22, 0x08)] {
        let mut packet = gre(client(2), SERVER, 10);
        packet[at] = value;
        assert_eq!(refused(&mut network, Realm::Inside, &packet), DropReason::ProtocolUnsupported);
    }
    // Two that the server could not tell apart are not both opened.
    network.passed(Realm::Inside, &gre(client(2), SERVER, 10));
    network.announce(client(3), 5, PeerCall::Known(10));
    assert_eq!(refused(&mut network, Realm::Inside, &gre(client(3), SERVER, 10)), DropReason::TupleTaken);
    assert_eq!(network.engine.session_count(), 1);
}

#[test]
fn errors_about_a_call_are_translated_both_ways_and_end_with_it() {
    let error = |from: Ipv4Addr, to: Ipv4Addr, quoted: &[u8]| {
        let mut packet = vec![0; 56];
        packet[..2].copy_from_slice(&[0x45, 0]);
        set_u16(&mut packet, ipv4::TOTAL_LENGTH, 56);
        packet[8..10].copy_from_slice(&[64, wire::PROTOCOL_ICMP]);
        ipv4::set_source(&mut packet, from);
        ipv4::set_destination(&mut packet, to);
        packet[20] = wire::ICMP_UNREACHABLE;
        packet[28..].copy_from_slice(&quoted[..28]);
        let sum = checksum::checksum(&packet[20..]);
        set_u16(&mut packet, 22, sum);
        ipv4::fill_checksum(&mut packet);
        packet
    };
    let mut network = Network::new();
    let visible = network.call(client(2), 5, 10);
    let (sent, answer) = (gre(client(2), SERVER, 10), gre(SERVER, pool(), visible));
    let (_, left) = network.send(Realm::Inside, &sent);
    let (_, arrived) = network.send(Realm::Outside, &answer);
    let (verdict, told) = network.send(Realm::Outside, &error(STRANGER, pool(), &left));
    assert_eq!((verdict, &told[40..], &told[16..20]), (Verdict::Forward, &sent[12..28], &[10, 0, 0, 2][..]));
    let (verdict, told) = network.send(Realm::Inside, &error(client(2), SERVER, &arrived));
    assert_eq!(
        (verdict, &told[40..], &told[12..16]),
        (Verdict::Forward, &answer[12..28], &pool().octets()[..])
    );
    assert_eq!([&left, &arrived].map(|packet| checksum::checksum(&packet[..20])), [0, 0]);
    let id = network.engine.sessions().next().unwrap().0;
    network.engine.kill_session(id);
    let (verdict, _) = network.send(Realm::Outside, &error(STRANGER, pool(), &left));
    assert_eq!(verdict, Verdict::Drop(DropReason::IcmpNoSession));
    assert!(network.engine.calls.is_empty());
    assert_eq!(network.engine.mapping_count(), 0);
    let ended = std::iter::from_fn(|| network.engine.poll_event())
        .any(|event| matches!(event, Event::SessionEnded { reason: EndReason::Killed, .. }));
    assert!(ended);
}

#[test]
fn a_call_ends_after_ten_minutes_of_silence_and_gives_its_call_id_back() {
    let mut network = Network::new();
    let visible = network.call(client(2), 5, 10);
    network.passed(Realm::Outside, &gre(SERVER, pool(), visible));
    network.passed(Realm::Inside, &gre(client(2), SERVER, 10));
    network.advance(599);
    assert_eq!(network.engine.session_count(), 1);
    network.advance(2);
    assert_eq!((network.engine.session_count(), network.engine.mapping_count()), (0, 0));
    assert_eq!(
        network.send(Realm::Outside, &gre(SERVER, pool(), visible)).0,
        Verdict::Drop(DropReason::NotExpected)
    );
}

#[test]
fn a_call_counts_as_a_session_of_its_inside_host() {
    let mut limited = config();
    limited.nat.limits.sessions = std::num::NonZeroU32::new(1);
    let mut network = Network::with(64, limited);
    network.call(client(2), 5, 10);
    network.call(client(2), 6, 11);
    network.passed(Realm::Inside, &gre(client(2), SERVER, 10));
    let (verdict, _) = network.send(Realm::Inside, &gre(client(2), SERVER, 11));
    assert_eq!(verdict, Verdict::Drop(DropReason::SubscriberSessions));
    assert_eq!(network.engine.pinhole_count(), 1);
}

#[test]
fn whatever_is_announced_nobody_comes_from_an_impossible_address() {
    let mut network = Network::new();
    network.peer = Ipv4Addr::new(224, 0, 0, 1);
    let visible = network.call(client(2), 5, 10);
    let (verdict, _) = network.send(Realm::Outside, &gre(network.peer, pool(), visible));
    assert_eq!(verdict, Verdict::Drop(DropReason::SpoofedSource));
}

#[test]
fn the_control_session_lives_as_long_as_a_call() {
    let mut network = Network::new();
    let syn = emit::craft_tcp(
        &Flow::from(Tuple {
            protocol: Protocol::Tcp,
            source: client(2),
            source_port: 40_000,
            destination: SERVER,
            destination_port: 1_723,
        }),
        &CraftedSegment {
            direction: Direction::Original,
            seq: 1,
            ack: 0,
            window: 1_000,
            fin: false,
            timestamps: None,
            payload: vec![],
        },
    );
    let mut syn = syn;
    syn[33] = wire::tcp::SYN;
    let length = syn.len();
    emit::finish_tcp(&mut Packet::new(&mut syn, length), 20);
    assert_eq!(network.send(Realm::Inside, &syn).0, Verdict::Forward);
    network.master = network.engine.sessions().next().unwrap().0;
    network.call(client(2), 5, 10);
    for _ in 0..20 {
        network.passed(Realm::Inside, &gre(client(2), SERVER, 10));
        network.advance(50);
    }
    assert!(network.engine.session(network.master).is_some());
    network.advance(300);
    assert!(network.engine.session(network.master).is_none());
}

#[test]
fn in_a_full_table_a_call_that_was_answered_stays() {
    let mut network = Network::with(2, config());
    let visible = network.call(client(2), 5, 10);
    network.passed(Realm::Inside, &gre(client(2), SERVER, 10));
    network.passed(Realm::Outside, &gre(SERVER, pool(), visible));
    for last in 3..6 {
        network.call(client(last), 5, u16::from(last));
        network.passed(Realm::Inside, &gre(client(last), SERVER, u16::from(last)));
    }
    assert_eq!(network.passed(Realm::Outside, &gre(SERVER, pool(), visible)), (SERVER, client(2), 5));
    assert_eq!(network.engine.session_count(), 2);
    assert_eq!(network.engine.calls.len(), 4);
}

#[test]
fn of_two_announcements_with_one_call_id_of_the_peer_the_later_one_counts() {
    let mut network = Network::new();
    let (first, _) = network.announce(client(2), 5, PeerCall::Known(10));
    let (_, visible) = network.announce(client(2), 6, PeerCall::Known(10));
    network.engine.kill_pinhole(first);
    network.passed(Realm::Inside, &gre(client(2), SERVER, 10));
    assert_eq!(network.passed(Realm::Outside, &gre(SERVER, pool(), visible)), (SERVER, client(2), 6));
}

#[test]
fn a_call_s_fragments_go_with_the_first_one() {
    let mut network = Network::new();
    let visible = network.call(client(2), 5, 10);
    let whole = gre(SERVER, pool(), visible);
    let fragments = crate::fragment::cut(&whole, 28);
    assert_eq!(fragments.len(), 3);
    assert_eq!(network.send(Realm::Outside, &fragments[2]).0, Verdict::Hold);
    let (_, first) = network.send(Realm::Outside, &fragments[0]);
    let (_, second) = network.send(Realm::Outside, &fragments[1]);
    let last = network.engine.poll_transmit().unwrap().bytes;
    let whole = crate::fragment::assemble(&[first, second, last]).unwrap();
    assert_eq!(read(&whole), (SERVER, client(2), 5));
    assert_eq!(network.engine.fragmented_count(), 0);
}
