//! Static forwards: who sends to an outside endpoint reaches an inside one.

use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::alg::AlgProtocol;
use pinhole_dataplane::config::nat::{
    Allocation, BlockSize, Forward, PortBlocks, SubscriberLimits, Translation,
};
use pinhole_dataplane::config::{AlgConfig, AlgService, Config, ServiceTransport, Snapshot};
use pinhole_dataplane::engine::{DropReason, Event, Verdict};

use crate::network::{Network, POOL, SERVER, STRANGER, config};
use crate::packets::{ACK, Address, SYN, read, tcp, udp};
use crate::world::{DNS, blocks, host, most, network, pool_of, ports};

const OUTSIDER: Address = (STRANGER, 50_000);

fn forward(transport: ServiceTransport, outside: (u16, u16), inside: (u8, u16)) -> Forward {
    let more = outside.1 - outside.0;
    Forward {
        transport,
        outside: POOL,
        outside_ports: ports(outside.0, outside.1),
        inside: host(inside.0),
        inside_ports: ports(inside.1, inside.1 + more),
    }
}

fn forwards(forwards: Vec<Forward>) -> Translation {
    Translation { forwards, ..Translation::default() }
}

fn web() -> Translation {
    forwards(vec![
        forward(ServiceTransport::Tcp, (8_080, 8_080), (9, 80)),
        forward(ServiceTransport::TcpUdp, (5_000, 5_009), (8, 6_000)),
    ])
}

#[test]
fn anybody_outside_reaches_the_inside_endpoint() {
    let mut network = network(config(), web());
    let seen = network.inbound(&tcp(OUTSIDER, (POOL, 8_080), 70, 0, SYN, b""));
    assert_eq!((seen.from, seen.to), (OUTSIDER, (host(9), 80)));
    let seen = network.outbound(&tcp((host(9), 80), OUTSIDER, 80, 71, SYN | ACK, b""));
    assert_eq!((seen.from, seen.to), ((POOL, 8_080), OUTSIDER));
    for (packet, to) in [
        (udp(OUTSIDER, (POOL, 5_000), b""), 6_000),
        (udp(OUTSIDER, (POOL, 5_009), b""), 6_009),
        (tcp(OUTSIDER, (POOL, 5_003), 70, 0, SYN, b""), 6_003),
    ] {
        assert_eq!(network.inbound(&packet).to, (host(8), to));
    }
    for packet in [
        udp(OUTSIDER, (POOL, 8_080), b""),
        udp(OUTSIDER, (POOL, 4_999), b""),
        udp(OUTSIDER, (POOL, 5_010), b""),
        tcp(OUTSIDER, (POOL, 8_080 - 1), 70, 0, SYN, b""),
        tcp((STRANGER, 1), (POOL, 8_080), 70, 71, ACK, b""),
    ] {
        assert_eq!(network.refused(Realm::Outside, &packet), DropReason::NotExpected);
    }
}

#[test]
fn what_the_inside_endpoint_sends_by_itself_leaves_from_the_outside_one() {
    let mut network = network(config(), web());
    assert_eq!(network.outbound(&udp((host(8), 6_004), DNS, b"")).from, (POOL, 5_004));
    assert_ne!(network.outbound(&udp((host(8), 6_010), DNS, b"")).from, (POOL, 5_010));
}

#[test]
fn forwarded_ports_are_given_to_nobody_else() {
    let few = pool_of(1, ports(5_000, 5_019));
    let nat = forwards(vec![forward(ServiceTransport::Udp, (5_005, 5_014), (8, 6_000))]);
    let mut network = network(few.clone(), nat);
    let outside = network.mapped_from(host(2), 10);
    assert!(outside.iter().all(|(_, port)| !(5_005..=5_014).contains(port)), "{outside:?}");
    assert_eq!(network.unmapped((host(2), 9_000)), DropReason::NoPort);
    // Without the forward they are everybody's again.
    network.apply(few);
    network.mapped_from(host(3), 10);
}

#[test]
fn in_blocks_too_forwarded_ports_are_nobody_elses() {
    let size = BlockSize::new(64).unwrap();
    let rule = PortBlocks { size, per_subscriber: 1, ..PortBlocks::default() };
    let forward = forward(ServiceTransport::Udp, (1_024, 1_083), (8, 6_000));
    let nat = Translation { allocation: Allocation::Blocks(rule), ..forwards(vec![forward]) };
    let mut network = network(pool_of(1, ports(1_024, 1_087)), nat);
    network.mapped_from(host(2), 4);
    assert_eq!(network.unmapped((host(2), 9_000)), DropReason::NoPort);
    assert_eq!(network.inbound(&udp(OUTSIDER, (POOL, 1_030), b"")).to, (host(8), 6_006));
}

#[test]
fn a_block_whose_ports_are_all_forwarded_is_given_to_nobody() {
    let forward = forward(ServiceTransport::Udp, (1_024, 1_087), (8, 6_000));
    let nat = Translation { allocation: blocks(1), ..forwards(vec![forward]) };
    let mut network = network(pool_of(1, ports(1_024, 1_151)), nat);
    // Whichever of the two blocks a host would be given first, it gets the one that has ports for it.
    assert_eq!(network.mapped_from(host(2), 64).first().map(|outside| outside.1), Some(1_088));
    assert_eq!(network.unmapped((host(3), 9_000)), DropReason::NoPort);
    assert_eq!(network.block_events().len(), 1, "who is refused has no block");
    assert_eq!(network.outbound(&tcp((host(3), 9_000), DNS, 999, 0, SYN, b"")).from.1 / 64, 16);
}

#[test]
fn inside_hosts_reach_a_forwarded_server_by_its_outside_endpoint() {
    let mut network = network(config(), web());
    let seen = network.turned_back(&tcp((host(2), 40_000), (POOL, 8_080), 999, 0, SYN, b""));
    assert_eq!((seen.from.0, seen.to), (POOL, (host(9), 80)));
    let seen = network.turned_back(&tcp((host(9), 80), seen.from, 4_999, 1_000, SYN | ACK, b""));
    assert_eq!((seen.from, seen.to), ((POOL, 8_080), (host(2), 40_000)));
}

#[test]
fn the_limits_of_the_inside_host_hold_for_sessions_from_outside() {
    let limits = SubscriberLimits {
        sessions: most(3),
        new_sessions_per_second: most(1),
        ..SubscriberLimits::default()
    };
    let mut network = network(config(), Translation { limits, ..web() });
    for port in 1..=3 {
        network.inbound(&udp((STRANGER, port), (POOL, 5_000), b""));
    }
    let fourth = udp((STRANGER, 4), (POOL, 5_000), b"");
    assert_eq!(network.refused(Realm::Outside, &fourth), DropReason::SubscriberSessions);
    assert_eq!(network.unmapped((host(8), 1)), DropReason::SubscriberSessions);
    assert_eq!(network.engine.mappings().count(), 1);
    network.mapped((host(9), 1));
}

#[test]
fn a_change_ends_only_sessions_of_forwards_that_are_gone() {
    let mut network = network(config(), web());
    network.inbound(&udp(OUTSIDER, (POOL, 5_000), b""));
    network.inbound(&tcp(OUTSIDER, (POOL, 8_080), 70, 0, SYN, b""));
    network.mapped((host(2), 1));
    let rest = forwards(vec![web().forwards[0]]);
    network.apply(Config { nat: rest, ..config() });
    assert_eq!(network.engine.session_count(), 2);
    assert_eq!(network.refused(Realm::Outside, &udp(OUTSIDER, (POOL, 5_000), b"")), DropReason::NotExpected);
    // A port that a subscriber has by chance is the forward's from now on.
    let taken = network.mapped((host(2), 1)).1;
    let now = forwards(vec![forward(ServiceTransport::Udp, (taken, taken), (9, 53))]);
    network.apply(Config { nat: now, ..config() });
    assert_eq!(network.engine.session_count(), 0);
    assert_eq!(network.inbound(&udp(OUTSIDER, (POOL, taken), b"")).to, (host(9), 53));
    assert_ne!(network.mapped((host(2), 1)).1, taken);
}

#[test]
fn what_forwards_contradict_is_refused() {
    let mut config = config();
    let tcp = |outside: (u16, u16), inside| forward(ServiceTransport::Tcp, outside, inside);
    config.nat.forwards = vec![
        tcp((80, 89), (9, 80)),
        tcp((85, 85), (9, 1)),
        tcp((90, 90), (9, 89)),
        Forward { outside: SERVER, ..tcp((91, 91), (9, 91)) },
        Forward { inside: SERVER, ..tcp((92, 92), (9, 92)) },
        Forward { inside_ports: ports(1, 3), ..tcp((93, 94), (7, 93)) },
        forward(ServiceTransport::Udp, (80, 89), (9, 80)),
    ];
    let errors: Vec<String> =
        Snapshot::new(config).unwrap_err().into_iter().map(|error| error.to_string()).collect();
    assert_eq!(
        errors,
        [
            "nat.forwards[1]: an earlier forward has an outside endpoint or an inside endpoint of this one",
            "nat.forwards[2]: an earlier forward has an outside endpoint or an inside endpoint of this one",
            "nat.forwards[3]: 198.51.100.5 is no address of the pool",
            "nat.forwards[4]: 198.51.100.5 is in no inside prefix",
            "nat.forwards[5]: the outside ports 93-94 and the inside ports 1-3 are not equally many",
        ]
    );
}

/// An FTP server inside that a client outside has connected to.
fn ftp() -> Network {
    let mut network =
        network(config(), forwards(vec![forward(ServiceTransport::Tcp, (2_121, 2_121), (9, 21))]));
    let (server, outside) = ((host(9), 21), (POOL, 2_121));
    network.inbound(&tcp(OUTSIDER, outside, 999, 0, SYN, b""));
    network.outbound(&tcp(server, OUTSIDER, 4_999, 1_000, SYN | ACK, b""));
    network.inbound(&tcp(OUTSIDER, outside, 1_000, 5_000, ACK, b""));
    network.outbound(&tcp(server, OUTSIDER, 5_000, 1_000, ACK, b"220 hello\r\n"));
    network
}

#[test]
fn a_passive_reply_of_a_server_inside_names_its_outside_endpoint() {
    for (command, reply) in [
        (&b"PASV\r\n"[..], &b"227 Entering Passive Mode (10,0,0,9,195,80)\r\n"[..]),
        (b"EPSV\r\n", b"229 Entering Extended Passive Mode (|||50000|)\r\n"),
    ] {
        let mut network = ftp();
        let length = u32::try_from(command.len()).unwrap();
        network.inbound(&tcp(OUTSIDER, (POOL, 2_121), 1_000, 5_011, ACK, command));
        let seen = network.outbound(&tcp((host(9), 21), OUTSIDER, 5_011, 1_000 + length, ACK, reply));
        assert_eq!(seen.from, (POOL, 2_121));
        let opened = std::iter::from_fn(|| network.engine.poll_event()).find_map(|event| {
            if let Event::PinholeOpened { outside, inside, peer, .. } = event {
                Some((outside, inside, peer))
            } else {
                None
            }
        });
        let (outside, inside, peer) = opened.unwrap();
        assert_eq!((inside, peer), ((host(9), 50_000).into(), (STRANGER, 0).into()));
        assert_eq!(outside.address, POOL);
        let outside = (POOL, outside.port);
        let text = String::from_utf8(seen.payload).unwrap();
        let [high, low] = outside.1.to_be_bytes();
        let named = [format!("(203,0,113,1,{high},{low})"), format!("(|||{}|)", outside.1)];
        assert!(named.iter().any(|named| text.contains(named)), "{text}");
        let data = network.inbound(&tcp((STRANGER, 50_001), outside, 1, 0, SYN, b""));
        assert_eq!(data.to, (host(9), 50_000));
        let third = tcp((SERVER, 50_001), outside, 1, 0, SYN, b"");
        assert_eq!(network.refused(Realm::Outside, &third), DropReason::NotExpected);
    }
}

#[test]
fn between_two_inside_hosts_the_alg_reads_on_both_ways() {
    let forward = forward(ServiceTransport::Tcp, (2_121, 2_121), (9, 21));
    let mut network = network(config(), forwards(vec![forward]));
    let (client, server, control) = ((host(2), 40_000), (host(9), 21), (POOL, 2_121));
    // The client's ALG goes by the port that it sees, so the service has to name it.
    network.apply(Config {
        nat: forwards(vec![forward]),
        algs: vec![AlgConfig {
            protocol: AlgProtocol::Ftp,
            enabled: true,
            services: vec![AlgService {
                name: "ftp-alt".to_owned(),
                transport: ServiceTransport::Tcp,
                source_ports: vec![],
                destination_ports: vec![ports(2_121, 2_121)],
            }],
        }],
        ..config()
    });
    let outside = network.turned_back(&tcp(client, control, 999, 0, SYN, b"")).from;
    network.turned_back(&tcp(server, outside, 4_999, 1_000, SYN | ACK, b""));
    network.turned_back(&tcp(client, control, 1_000, 5_000, ACK, b""));
    network.turned_back(&tcp(server, outside, 5_000, 1_000, ACK, b"220 hello\r\n"));
    let seen = network.turned_back(&tcp(client, control, 1_000, 5_011, ACK, b"PORT 10,0,0,2,195,80\r\n"));
    let length = u32::try_from(seen.payload.len()).unwrap();
    let text = String::from_utf8(seen.payload).unwrap();
    let numbers = text.strip_prefix("PORT 203,0,113,1,").unwrap().trim_end();
    let (high, low) = numbers.split_once(',').unwrap();
    let named = (POOL, high.parse::<u16>().unwrap() * 256 + low.parse::<u16>().unwrap());
    let data = network.turned_back(&tcp((host(9), 20_000), named, 70, 0, SYN, b""));
    assert_eq!((data.from.0, data.to), (POOL, (host(2), 50_000)));
    // What the engine sends by itself turns back, too: a byte that is held too long on both ways arrives at last.
    let reply = tcp(server, outside, 5_011, 1_000 + length, ACK, b"200 ok\r\n");
    network.turned_back(&reply);
    let (verdict, _) = network.process(Realm::Inside, &tcp(client, control, 1_022, 5_019, ACK, b"P"));
    assert_ne!(verdict, Verdict::Forward);
    let mut arrived = Vec::new();
    for _ in 0..4 {
        network.advance(Duration::from_secs(31));
        for transmit in std::iter::from_fn(|| network.engine.poll_transmit()) {
            assert_eq!(transmit.realm, Realm::Inside);
            let seen = read(&transmit.bytes);
            if seen.to == server && !seen.payload.is_empty() {
                arrived.push((seen.from, seen.payload));
            }
        }
    }
    assert_eq!(arrived.first(), Some(&(outside, b"P".to_vec())));
}

#[test]
fn between_two_inside_hosts_a_transfer_is_let_in_on_both_ways() {
    let service = AlgService {
        name: "tftp-alt".to_owned(),
        transport: ServiceTransport::Udp,
        source_ports: vec![],
        destination_ports: vec![ports(6_969, 6_969)],
    };
    let alg = AlgConfig { protocol: AlgProtocol::Tftp, enabled: true, services: vec![service] };
    let translation = forwards(vec![forward(ServiceTransport::Udp, (6_969, 6_969), (9, 69))]);
    let mut network = network(Config { algs: vec![alg], ..config() }, translation);
    let (client, service) = ((host(2), 40_000), (POOL, 6_969));
    let seen = network.turned_back(&udp(client, service, b"\0\x01boot.img\0octet\0"));
    assert_eq!((seen.from.0, seen.to), (POOL, (host(9), 69)));
    let outside = seen.from;
    let seen = network.turned_back(&udp((host(9), 3_333), outside, b"\0\x03\0\x01 a block"));
    assert_eq!((seen.from.0, seen.to), (POOL, client));
    let answered = network.turned_back(&udp(client, seen.from, b"\0\x04\0\x01"));
    assert_eq!((answered.from, answered.to), (outside, (host(9), 3_333)));
    // A third host inside is nobody that was asked.
    let third = udp((host(7), 3_333), outside, b"\0\x03\0\x01 a block");
    assert_eq!(network.refused(Realm::Inside, &third), DropReason::NotExpected);
}
