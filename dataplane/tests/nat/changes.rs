//! Changes of the configuration while sessions live: in force at once, whole, and without a long pause.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::alg::AlgProtocol;
use pinhole_dataplane::config::nat::{
    Allocation, BlockSize, Dependence, Exemption, Forward, PortBlocks, Translation,
};
use pinhole_dataplane::config::{AlgConfig, Config, PoolAddress, Rule, ServiceTransport, Snapshot};
use pinhole_dataplane::conntrack::SessionId;
use pinhole_dataplane::engine::{DropReason, EndReason, Event, Verdict};
use pinhole_dataplane::limits::{JUDGED_PER_CALL, Limits};
use pinhole_dataplane::tuple::{Direction, Protocol, Tuple};
use proptest::prelude::*;

use crate::connection::WEB;
use crate::network::{CLIENT, Network, POOL, SERVER, STRANGER, config};
use crate::packets::{ACK, Address, SYN, read, tcp, udp};
use crate::world::{DNS, host, network, pool_of, ports};

/// More sessions than are judged at once, and at the next call.
const MANY: u16 = 5 * JUDGED_PER_CALL as u16 / 2;

fn many() -> (Network, Vec<Address>) {
    let mut network = network(config(), Translation::default());
    let outside = (0..MANY).map(|port| network.mapped((host(2), 2_000 + port))).collect();
    (network, outside)
}

fn is_due(network: &Network) -> bool {
    network.engine.poll_timeout().is_some_and(|at| at <= network.now)
}

fn exempt(prefix: &str) -> Config {
    let exempt = vec![Exemption { destination: prefix.parse().unwrap(), ports: vec![] }];
    Config { nat: Translation { exempt, ..Translation::default() }, ..config() }
}

fn ended(network: &mut Network) -> usize {
    let events: Vec<_> = std::iter::from_fn(|| network.engine.poll_event()).collect();
    assert!(events.iter().all(|e| matches!(e, Event::SessionEnded { reason: EndReason::Policy, .. })));
    events.len()
}

#[test]
fn nothing_passes_that_the_new_configuration_forbids() {
    let (mut network, outside) = many();
    network.begin(Config { inside_prefixes: vec!["10.1.0.0/24".parse().unwrap()], ..config() });
    assert!(is_due(&network), "there is more to do");
    assert!(network.engine.session_count() > 0);
    for (port, outside) in (2_000..2_000 + MANY).zip(outside).rev() {
        let answer = udp(DNS, outside, b"late");
        assert_eq!(network.refused(Realm::Outside, &answer), DropReason::NotExpected);
        let more = udp((host(2), port), DNS, b"more");
        assert_eq!(network.refused(Realm::Inside, &more), DropReason::SpoofedSource);
    }
    network.advance(Duration::ZERO);
    assert_eq!(ended(&mut network), usize::from(MANY));
    assert_eq!((network.engine.session_count(), network.engine.mapping_count()), (0, 0));
    assert_eq!(network.engine.subscriber_count(), 0);
}

#[test]
fn a_change_ends_after_a_bounded_number_of_calls_and_touches_nothing_else() {
    let (mut network, _) = many();
    network.begin(config());
    let mut calls = 0;
    while is_due(&network) {
        network.engine.handle_timeout(network.now);
        calls += 1;
    }
    assert!(calls <= usize::from(MANY).div_ceil(JUDGED_PER_CALL) + 2, "{calls} calls");
    assert_eq!(ended(&mut network), 0);
    assert_eq!(network.engine.session_count(), usize::from(MANY));
}

#[test]
fn a_flow_that_is_translated_differently_now_begins_anew_at_its_next_packet() {
    let (mut network, outside) = many();
    network.begin(exempt("198.51.100.0/24"));
    let last = (host(2), 2_000 + MANY - 1);
    assert_eq!(network.outbound(&udp(last, DNS, b"again")).from, last, "nothing is translated any more");
    let answer = udp(DNS, outside[usize::from(MANY) - 1], b"late");
    assert_eq!(network.refused(Realm::Outside, &answer), DropReason::NotExpected);
    assert_eq!(network.inbound(&udp(DNS, last, b"answer")).to, last);
    network.advance(Duration::ZERO);
    assert_eq!(network.engine.session_count(), 1);
    // And back, while what was begun in between is there.
    network.begin(config());
    assert_eq!(network.outbound(&udp(last, DNS, b"once more")).from.0, POOL);
}

#[test]
fn a_host_leaves_an_address_that_has_left_the_pool() {
    for allocation in [Allocation::Random, blocks()] {
        let nat = Translation { allocation, ..Translation::default() };
        let mut network = network(pool_of(2, ports(1_024, 65_535)), nat.clone());
        let before = network.mapped_from(host(2), MANY);
        let paired = before.first().unwrap().0;
        let stays = if paired == POOL { Ipv4Addr::new(203, 0, 113, 2) } else { POOL };
        let rest = Config { pool: vec![pool_entry(stays)], nat: nat.clone(), ..config() };
        network.begin(rest.clone());
        // A new flow, and one that was there and nobody has looked at yet.
        for port in [1_500, 2_000 + MANY - 1] {
            assert_eq!(network.mapped((host(2), port)).0, stays);
        }
        // The address comes back before all has ended; ports that are taken there stay taken.
        network.begin(Config { nat: nat.clone(), ..pool_of(2, ports(1_024, 65_535)) });
        let again = network.mapped_from(host(2), MANY);
        assert!(again.iter().any(|(address, _)| *address == stays));
        network.advance(Duration::ZERO);
        assert_unique(&network);
        forget_all(&mut network);
        assert_eq!((network.engine.mapping_count(), network.engine.subscriber_count()), (0, 0));
    }
}

#[test]
fn ports_in_another_way_are_given_out_when_all_have_given_them_back() {
    let (mut network, _) = many();
    let nat = Translation { allocation: blocks(), ..Translation::default() };
    network.begin(Config { nat, ..config() });
    assert_eq!(network.unmapped((host(3), 1)), DropReason::NoPort);
    assert_eq!(network.unmapped((host(2), 2_000 + MANY - 1)), DropReason::NoPort);
    network.advance(Duration::ZERO);
    assert_eq!(network.engine.session_count(), 0);
    let seen = network.mapped((host(3), 1));
    let (_, mapping) = network.engine.mappings_from(0, u32::MAX).next().unwrap();
    assert!(network.engine.block_of(mapping).unwrap().contains(seen.1));
}

#[test]
fn an_alg_that_is_off_opens_nothing_more_and_its_pinholes_are_closed_at_once() {
    let mut network = Network::new(Limits::default(), config());
    let control = (SERVER, 21);
    network.mapped_from(host(3), MANY);
    let outside = network.connect((CLIENT, 40_000), control);
    let port = b"PORT 10,0,0,2,195,80\r\n";
    network.inbound(&tcp(control, outside, 5_000, 1_000, ACK, b"220 hi\n"));
    let seen = network.outbound(&tcp((CLIENT, 40_000), control, 1_000, 5_007, ACK, port));
    let named = network.engine.pinholes().next().unwrap().outside;
    let grown = u32::try_from(seen.payload.len()).unwrap();
    let off = AlgConfig { protocol: AlgProtocol::Ftp, enabled: false, services: vec![] };
    network.begin(Config { algs: vec![off], ..config() });
    assert_eq!(network.engine.pinhole_count(), 1, "nobody has looked at it yet");
    let syn = tcp((SERVER, 20), (POOL, named.port), 70, 0, SYN, b"");
    assert_eq!(network.refused(Realm::Outside, &syn), DropReason::NotExpected);
    assert_eq!(network.engine.pinhole_count(), 0);
    // The control session goes on, unread.
    let sent = u32::try_from(port.len()).unwrap();
    network.inbound(&tcp(control, outside, 5_007, 1_000 + grown, ACK, b"200 ok\n"));
    let seen = network.outbound(&tcp((CLIENT, 40_000), control, 1_000 + sent, 5_014, ACK, port));
    assert_eq!(seen.payload, port);
}

#[test]
fn whom_a_host_has_sent_to_is_counted_anew() {
    let (mut network, outside) = many();
    let nat = Translation { filtering: Dependence::Address, ..Translation::default() };
    network.apply(Config { nat, ..config() });
    let last = *outside.last().unwrap();
    assert_eq!(network.inbound(&udp((DNS.0, 99), last, b"x")).to.1, 2_000 + MANY - 1);
    let stranger = udp((STRANGER, 53), last, b"x");
    assert_eq!(network.refused(Realm::Outside, &stranger), DropReason::NotExpected);
    // With the sessions, what was counted for them goes.
    network.advance(Duration::from_secs(1_000));
    let late = udp((DNS.0, 99), last, b"x");
    assert_eq!(network.refused(Realm::Outside, &late), DropReason::NotExpected);
}

#[test]
fn sessions_that_open_while_all_are_counted_are_counted_once() {
    let (mut network, _) = many();
    let nat = Translation { filtering: Dependence::Address, ..Translation::default() };
    network.begin(Config { nat, ..config() });
    let new = network.outbound(&udp((host(3), 9), (STRANGER, 53), b"x")).from;
    let other = udp((STRANGER, 54), new, b"x");
    network.advance(Duration::ZERO);
    network.inbound(&other);
    network.advance(Duration::from_secs(1_000));
    assert_eq!(network.engine.session_count(), 0);
    let again = network.outbound(&udp((host(3), 9), DNS, b"x")).from;
    let stranger = udp((STRANGER, 54), again, b"x");
    assert_eq!(network.refused(Realm::Outside, &stranger), DropReason::NotExpected);
}

fn blocks() -> Allocation {
    let (size, hold) = (BlockSize::new(128).unwrap(), Duration::from_secs(20));
    Allocation::Blocks(PortBlocks { size, per_subscriber: 8, hold })
}

/// Waits until every session has expired, and every block is free again.
fn forget_all(network: &mut Network) {
    for _ in 0..2 {
        network.advance(Duration::from_secs(1_000));
    }
}

fn pool_entry(address: Ipv4Addr) -> PoolAddress {
    PoolAddress { address, ports: ports(1_024, 65_535), host: false }
}

/// Checks that no outside endpoint means two inside endpoints.
fn assert_unique(network: &Network) {
    let mut owners: BTreeMap<(Protocol, Address), Address> = BTreeMap::new();
    for mapping in network.engine.mappings() {
        let before = owners.insert((mapping.protocol, mapping.outside), mapping.inside);
        assert!(before.is_none_or(|before| before == mapping.inside), "{mapping:?}");
    }
}

/// The configurations that a property goes back and forth between.
fn variant(number: u8) -> Config {
    let forward = |outside_port, inside| Forward {
        transport: ServiceTransport::TcpUdp,
        outside: POOL,
        outside_ports: ports(outside_port, outside_port + 199),
        inside,
        inside_ports: ports(2_000, 2_199),
    };
    let two = pool_of(2, ports(1_024, 2_047));
    let with = |nat: Translation| Config { nat, ..two.clone() };
    let base = Translation::default;
    match number {
        0 => with(base()),
        1 => pool_of(1, ports(1_024, 2_047)),
        2 => Config { pool: vec![PoolAddress { ports: ports(1_024, 2_047), ..two.pool[1] }], ..two.clone() },
        3 => with(Translation { forwards: vec![forward(1_100, host(2))], ..base() }),
        4 => with(Translation { forwards: vec![forward(1_200, host(2))], ..base() }),
        5 => with(Translation { allocation: blocks(), ..base() }),
        6 => {
            Config { nat: Translation { allocation: blocks(), ..base() }, ..pool_of(1, ports(1_024, 2_047)) }
        }
        7 => with(Translation { filtering: Dependence::Address, ..base() }),
        8 => with(Translation { filtering: Dependence::Independent, ..base() }),
        9 => with(Translation { mapping: Dependence::Address, ..base() }),
        10 => Config { nat: exempt("198.51.100.64/26").nat, ..two },
        11 => Config { inside_prefixes: vec!["10.0.0.0/30".parse().unwrap()], ..two },
        _ => Config { nat: Translation { allocation: Allocation::Untranslated, ..base() }, ..two },
    }
}

#[derive(Clone, Debug)]
enum Act {
    Apply(u8),
    /// A host sends from a port, to one of two servers.
    Send(u8, u16, bool),
    /// Somebody sends to where the last but so many packets came from.
    Answer(usize, bool, u16),
    Call,
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (0_u8..13).prop_map(Act::Apply),
        8 => (2_u8..6, 2_000_u16..2_090, any::<bool>()).prop_map(|(a, b, c)| Act::Send(a, b, c)),
        4 => (0_usize..300, any::<bool>(), 53_u16..55).prop_map(|(a, b, c)| Act::Answer(a, b, c)),
        2 => Just(Act::Call),
        1 => (0_u64..40).prop_map(Act::Wait),
    ]
}

/// Checks what leaves against the rules in force, and nothing else.
fn check_leaving(rules: &Snapshot, from: Address, to: Address, seen: Address) {
    let tuple = Tuple {
        protocol: Protocol::Udp,
        source: from.0,
        source_port: from.1,
        destination: to.0,
        destination_port: to.1,
    };
    assert!(rules.is_inside(from.0));
    match rules.rule(&tuple) {
        Rule::Untranslated => assert_eq!(seen, from),
        Rule::Fixed(address, port) => assert_eq!(seen, (address, port)),
        Rule::Pooled => {
            assert!(rules.pool_address(seen.0).is_some());
            assert!(rules.forward_to(Protocol::Udp, seen).is_none(), "a port that is forwarded");
        }
        Rule::Shared | Rule::Refused(_) => panic!("UDP has ports"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever is changed in the middle of whatever traffic: every packet that passes is as the newest rules have it, no
    /// outside endpoint means two inside ones, and nothing is left of what has ended.
    #[test]
    fn a_change_is_in_force_from_its_first_packet_on(
        first in 0_u8..13,
        acts in prop::collection::vec(act(), 0..300),
    ) {
        let mut rules = Snapshot::new(variant(first)).unwrap();
        let mut network = Network::new(Limits { sessions: 1_000, ..Limits::default() }, variant(first));
        let mut sent: Vec<(Address, Address, Address)> = Vec::new();
        for number in 2..6 {
            for port in 2_000..2_080 {
                send(&mut network, &rules, (host(number), port), DNS, &mut sent);
            }
        }
        for act in acts {
            match act {
                Act::Apply(number) => {
                    rules = Snapshot::new(variant(number)).unwrap();
                    network.begin(variant(number));
                }
                Act::Send(number, port, stranger) => {
                    let to = if stranger { (STRANGER, 53) } else { DNS };
                    send(&mut network, &rules, (host(number), port), to, &mut sent);
                }
                Act::Answer(back, stranger, port) if back < sent.len() => {
                    let (_, to, seen) = sent[sent.len() - 1 - back];
                    let from = if stranger { STRANGER } else { to.0 };
                    let (verdict, packet) = network.process(Realm::Outside, &udp((from, port), seen, b"y"));
                    if verdict == Verdict::Forward {
                        let inside = read(&packet).to;
                        check_leaving(&rules, inside, (from, port), seen);
                    }
                }
                Act::Answer(..) => {}
                Act::Call => network.engine.handle_timeout(network.now),
                Act::Wait(seconds) => network.advance(Duration::from_secs(seconds)),
            }
        }
        network.advance(Duration::ZERO);
        assert_unique(&network);
        for (_, session) in network.engine.sessions() {
            let (own, to) = (session.tuple(Direction::Original), session.translated(Direction::Original));
            if session.originator() == Realm::Inside {
                let endpoint = |tuple: Tuple| (tuple.source, tuple.source_port);
                let remote = (own.destination, own.destination_port);
                check_leaving(&rules, endpoint(own), remote, endpoint(to));
            }
        }
        // All is given back: every port of the pool can be had.
        forget_all(&mut network);
        prop_assert_eq!(network.engine.session_count(), 0);
        prop_assert_eq!((network.engine.mapping_count(), network.engine.subscriber_count()), (0, 0));
        network.apply(pool_of(1, ports(1_024, 1_223)));
        let all: BTreeSet<Address> = (0..200).map(|port| network.mapped((host(2), 3_000 + port))).collect();
        prop_assert_eq!(all.len(), 200);
    }

    /// Sessions that every configuration allows live through all of them.
    #[test]
    fn what_is_allowed_all_the_time_goes_on(numbers in prop::collection::vec(0_u8..4, 1..8), calls in 0_u8..6) {
        let allowing = [0, 7, 8, 0];
        let mut network = Network::new(Limits { sessions: 1_000, ..Limits::default() }, variant(0));
        let mut before: Vec<(Address, Address)> = Vec::new();
        for number in 2..6 {
            before.extend((2_000..2_080).map(|port| {
                let from = (host(number), port);
                (from, network.outbound(&udp(from, WEB, b"x")).from)
            }));
        }
        let names = |network: &Network| network.engine.sessions().map(|(id, _)| id).collect::<Vec<SessionId>>();
        let named = names(&network);
        for number in numbers {
            network.begin(variant(allowing[usize::from(number)]));
            for _ in 0..calls {
                network.engine.handle_timeout(network.now);
            }
            for (from, outside) in &before {
                prop_assert_eq!(network.inbound(&udp(WEB, *outside, b"y")).to, *from);
                prop_assert_eq!(network.outbound(&udp(*from, WEB, b"x")).from, *outside);
            }
        }
        prop_assert_eq!(names(&network), named);
    }
}

fn send(
    network: &mut Network,
    rules: &Snapshot,
    from: Address,
    to: Address,
    sent: &mut Vec<(Address, Address, Address)>,
) {
    let (verdict, packet) = network.process(Realm::Inside, &udp(from, to, b"x"));
    match verdict {
        Verdict::Forward => {
            let seen = read(&packet).from;
            check_leaving(rules, from, to, seen);
            sent.push((from, to, seen));
        }
        Verdict::Drop(_) => {}
        Verdict::Hairpin | Verdict::Hold | Verdict::DeliverIfListening => panic!("{verdict:?}"),
    }
}
