//! FTP through the whole engine: packets in, packets, pinholes and events out.

use std::sync::Arc;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::alg::{AlgProtocol, CloseReason, OpaqueReason, Refusal};
use pinhole_dataplane::config::{AlgConfig, AlgService, Config, PortRange, ServiceTransport, Snapshot};
use pinhole_dataplane::engine::{DropReason, Event, Transmit, Verdict};
use pinhole_dataplane::limits::Limits;
use proptest::prelude::*;

use crate::network::{CLIENT, Network, POOL, SERVER, STRANGER, config};
use crate::packets::{ACK, Address, FIN, RST, SYN, read, sequence, tcp, unreachable};

const CONTROL: Address = (SERVER, 21);
const FTP_CLIENT: Address = (CLIENT, 40_000);

/// A control session in which PORT has been sent: the network, the client's outside endpoint, the announced one.
fn announced(mut network: Network) -> (Network, Address, Address) {
    let outside = logged_in(&mut network, CONTROL);
    let port = tcp(FTP_CLIENT, CONTROL, 1000, 5007, ACK, b"PORT 10,0,0,2,195,80\r\n");
    let seen = network.outbound(&port);
    let text = String::from_utf8(seen.payload).unwrap();
    let numbers = text.strip_prefix("PORT 203,0,113,1,").unwrap().trim_end();
    let (high, low) = numbers.split_once(',').unwrap();
    let named = (POOL, high.parse::<u16>().unwrap() * 256 + low.parse::<u16>().unwrap());
    (network, outside, named)
}

fn logged_in(network: &mut Network, server: Address) -> Address {
    let outside = network.connect(FTP_CLIENT, server);
    network.inbound(&tcp(server, outside, 5000, 1000, ACK, b"220 hi\n"));
    outside
}

fn events(network: &mut Network) -> Vec<Event> {
    std::iter::from_fn(|| network.engine.poll_event()).collect()
}

fn closed(network: &mut Network) -> Vec<CloseReason> {
    let closed = events(network).into_iter().filter_map(|event| {
        if let Event::PinholeClosed { reason, .. } = event { Some(reason) } else { None }
    });
    closed.collect()
}

#[test]
fn the_server_gets_through_the_pinhole_once() {
    let (mut network, _, named) = announced(Network::small());
    assert_eq!(network.engine.pinhole_count(), 1);
    let seen = network.inbound(&tcp((SERVER, 20), named, 70, 0, SYN, b""));
    assert_eq!((seen.from, seen.to), ((SERVER, 20), (CLIENT, 50_000)));
    assert_eq!(network.engine.pinhole_count(), 0);
    let answer = network.outbound(&tcp((CLIENT, 50_000), (SERVER, 20), 80, 71, SYN | ACK, b""));
    assert_eq!((answer.from, answer.to), (named, (SERVER, 20)));
    let second = tcp((SERVER, 2020), named, 70, 0, SYN, b"");
    assert_eq!(network.refused(Realm::Outside, &second), DropReason::NotExpected);
    assert_eq!(closed(&mut network), [CloseReason::Used]);
}

#[test]
fn nobody_else_gets_through() {
    let (mut network, _, named) = announced(Network::small());
    for (from, to, flags) in [
        ((STRANGER, 20), named, SYN),
        ((SERVER, 20), (POOL, named.1 ^ 1), SYN),
        ((SERVER, 20), named, SYN | ACK),
        ((SERVER, 20), named, RST),
    ] {
        let packet = tcp(from, to, 70, 0, flags, b"");
        assert!(matches!(network.process(Realm::Outside, &packet).0, Verdict::Drop(_)), "{from:?} {to:?}");
    }
    assert_eq!(network.engine.pinhole_count(), 1);
}

#[test]
fn the_event_says_what_was_opened_and_why() {
    let (mut network, _, named) = announced(Network::small());
    let [opened, rewritten] = <[Event; 2]>::try_from(events(&mut network)).unwrap();
    let Event::PinholeOpened { protocol, message, peer, outside, inside, lifetime, .. } = opened else {
        panic!("{opened:?}")
    };
    assert_eq!((protocol, message, peer), (AlgProtocol::Ftp, "PORT", (SERVER, 0).into()));
    assert_eq!((outside, inside, lifetime), (named.into(), (CLIENT, 50_000).into(), Duration::from_secs(60)));
    let Event::AlgRewrite { before, .. } = rewritten else { panic!("{rewritten:?}") };
    assert_eq!(before, b"PORT 10,0,0,2,195,80");
}

#[test]
fn the_session_goes_on_with_shifted_numbers() {
    let (mut network, outside, named) = announced(Network::small());
    let [high, low] = named.1.to_be_bytes();
    let length = format!("PORT 203,0,113,1,{high},{low}\r\n").len() as u32;
    let (_, packet) =
        network.process(Realm::Inside, &tcp(FTP_CLIENT, CONTROL, 1022, 5007, ACK, b"RETR x\r\n"));
    assert_eq!(sequence(&packet), (1000 + length, 5007));
    let reply = tcp(CONTROL, outside, 5007, 1000 + length + 8, ACK, b"200 ok\r\n");
    let (_, packet) = network.process(Realm::Outside, &reply);
    assert_eq!(sequence(&packet), (5007, 1030));
    assert_eq!(read(&packet).payload, b"200 ok\r\n");
    // An error quotes what the server's side saw; the client is quoted what it sent.
    let (_, packet) = network.process(Realm::Inside, &tcp(FTP_CLIENT, CONTROL, 1030, 5015, ACK, b"x"));
    let (verdict, error) = network.process(Realm::Outside, &unreachable(1, SERVER, POOL, &packet));
    assert_eq!(verdict, Verdict::Forward);
    assert_eq!(sequence(&read(&error).payload).0, 1030);
}

#[test]
fn a_message_in_pieces_leaves_whole() {
    let mut network = Network::small();
    let outside = logged_in(&mut network, CONTROL);
    for (at, byte) in (0..).zip(b"PORT 10,0,0,2,195,80\r") {
        let packet = tcp(FTP_CLIENT, CONTROL, 1000 + at, 5007, ACK, &[*byte]);
        let (verdict, packet) = network.process(Realm::Inside, &packet);
        // The first one brings the acknowledgement of the greeting.
        assert!(verdict == Verdict::Hold || at == 0 && read(&packet).payload.is_empty(), "{at} {verdict:?}");
        let Transmit { realm, bytes } = network.engine.poll_transmit().unwrap();
        assert_eq!((realm, sequence(&bytes)), (Realm::Inside, (5007, 1001 + at)));
        let seen = read(&bytes);
        assert_eq!((seen.from, seen.to), (CONTROL, FTP_CLIENT));
    }
    let (_, packet) = network.process(Realm::Inside, &tcp(FTP_CLIENT, CONTROL, 1021, 5007, ACK, b"\n"));
    assert_eq!(sequence(&packet).0, 1000);
    assert!(read(&packet).payload.starts_with(b"PORT 203,0,113,1,"));
    assert_eq!(read(&packet).from, outside);
}

#[test]
fn what_grows_beyond_the_path_is_split() {
    let mut network = Network::new(Limits::default(), Config { mtu: 100, ..config() });
    logged_in(&mut network, CONTROL);
    let message = b"REST 00000000000000000000000000000000\r\nPORT 10,0,0,2,4,1\r\n";
    let (_, packet) = network.process(Realm::Inside, &tcp(FTP_CLIENT, CONTROL, 1000, 5007, ACK, message));
    assert!(packet.len() <= 100);
    let first = read(&packet).payload;
    let rest: Vec<_> = std::iter::from_fn(|| network.engine.poll_transmit()).collect();
    assert_eq!(rest.len(), 1);
    assert_eq!(sequence(&rest[0].bytes).0, 1000 + first.len() as u32);
    let whole = [first, read(&rest[0].bytes).payload].concat();
    assert!(whole.starts_with(&message[..39]) && whole[39..].starts_with(b"PORT 203,0,113,1,"));
    assert!(whole.ends_with(b"\r\n"));
}

#[test]
fn bounces_are_refused_and_passed_unchanged() {
    for (line, refusal) in [
        (&b"PORT 198,51,100,66,0,80\r\n"[..], Refusal::ForeignAddress),
        (b"PORT 10,0,0,3,195,80\r\n", Refusal::ForeignAddress),
        (b"PORT 10,0,0,2,0,22\r\n", Refusal::PrivilegedPort),
    ] {
        let mut network = Network::small();
        logged_in(&mut network, CONTROL);
        let seen = network.outbound(&tcp(FTP_CLIENT, CONTROL, 1000, 5007, ACK, line));
        assert_eq!(seen.payload, line);
        assert_eq!(network.engine.pinhole_count(), 0);
        let event = network.engine.poll_event();
        assert!(matches!(event, Some(Event::AlgRefusal { reason, .. }) if reason == refusal), "{event:?}");
    }
}

#[test]
fn an_unused_pinhole_expires() {
    let (mut network, _, named) = announced(Network::small());
    network.advance(Duration::from_secs(59));
    assert_eq!(network.engine.pinhole_count(), 1);
    network.advance(Duration::from_secs(1));
    assert_eq!(network.engine.pinhole_count(), 0);
    assert_eq!(closed(&mut network), [CloseReason::Expired]);
    let late = tcp((SERVER, 20), named, 70, 0, SYN, b"");
    assert_eq!(network.refused(Realm::Outside, &late), DropReason::NotExpected);
}

#[test]
fn pinholes_close_with_their_control_session() {
    let (mut network, outside, _) = announced(Network::small());
    network.inbound(&tcp(CONTROL, outside, 5007, 0, RST, b""));
    assert_eq!(network.engine.pinhole_count(), 0);

    let (mut network, outside, named) = announced(Network::small());
    let [high, low] = named.1.to_be_bytes();
    let end = 1000 + format!("PORT 203,0,113,1,{high},{low}\r\n").len() as u32;
    network.outbound(&tcp(FTP_CLIENT, CONTROL, 1022, 5007, FIN | ACK, b""));
    network.inbound(&tcp(CONTROL, outside, 5007, end + 1, FIN | ACK, b""));
    network.outbound(&tcp(FTP_CLIENT, CONTROL, 1023, 5008, ACK, b""));
    assert_eq!(closed(&mut network), [CloseReason::ControlEnded]);
}

#[test]
fn a_data_session_keeps_its_control_session_alive() {
    let (mut network, outside, named) = announced(Network::small());
    network.inbound(&tcp((SERVER, 20), named, 70, 0, SYN, b""));
    network.outbound(&tcp((CLIENT, 50_000), (SERVER, 20), 80, 71, SYN | ACK, b""));
    network.inbound(&tcp((SERVER, 20), named, 71, 81, ACK, b""));
    for _ in 0..3 {
        network.advance(Duration::from_secs(5_000));
        network.inbound(&tcp((SERVER, 20), named, 71, 81, ACK, b"data"));
    }
    network.inbound(&tcp(CONTROL, outside, 5007, 1000, ACK, b"200 ok\r\n"));
}

fn ftp(enabled: bool, services: Vec<AlgService>) -> Arc<Snapshot> {
    let alg = AlgConfig { protocol: AlgProtocol::Ftp, enabled, services };
    Arc::new(Snapshot::new(Config { algs: vec![alg], ..config() }).unwrap())
}

#[test]
fn turned_off_nothing_new_opens_and_what_waited_closes() {
    let (mut network, _, named) = announced(Network::small());
    events(&mut network);
    network.engine.apply(ftp(false, vec![]), network.now);
    assert_eq!(network.engine.pinhole_count(), 0);
    let off = events(&mut network);
    assert!(matches!(off[0], Event::AlgOpaque { reason: OpaqueReason::Disabled, .. }), "{off:?}");
    assert!(matches!(off[1], Event::PinholeClosed { reason: CloseReason::Policy, .. }), "{off:?}");
    assert_eq!(
        network.refused(Realm::Outside, &tcp((SERVER, 20), named, 70, 0, SYN, b"")),
        DropReason::NotExpected
    );
    // The open session goes on with its shift; its messages are passed.
    let (_, packet) = network
        .process(Realm::Inside, &tcp(FTP_CLIENT, CONTROL, 1022, 5007, ACK, b"PORT 10,0,0,2,195,81\r\n"));
    assert!(sequence(&packet).0 > 1022);
    assert_eq!(read(&packet).payload, b"PORT 10,0,0,2,195,81\r\n");
}

#[test]
fn a_user_defined_service_is_inspected_too() {
    let port = PortRange::new(2121, 2121).unwrap();
    let service = AlgService {
        name: "ftp-alt".to_owned(),
        transport: ServiceTransport::Tcp,
        source_ports: vec![],
        destination_ports: vec![port],
    };
    let mut network = Network::small();
    network.engine.apply(ftp(true, vec![service]), network.now);
    let server = (SERVER, 2121);
    logged_in(&mut network, server);
    let seen = network.outbound(&tcp(FTP_CLIENT, server, 1000, 5007, ACK, b"PORT 10,0,0,2,195,80\r\n"));
    assert!(seen.payload.starts_with(b"PORT 203,0,113,1,"));
    // Another port is not.
    let mut network = Network::small();
    logged_in(&mut network, server);
    let seen = network.outbound(&tcp(FTP_CLIENT, server, 1000, 5007, ACK, b"PORT 10,0,0,2,195,80\r\n"));
    assert_eq!(seen.payload, b"PORT 10,0,0,2,195,80\r\n");
}

#[test]
fn a_control_session_has_a_limit_of_pinholes() {
    let limits = Limits { sessions: 64, pinholes_per_master: 2, ..Limits::default() };
    let mut network = Network::new(limits, config());
    logged_in(&mut network, CONTROL);
    let lines = b"PORT 10,0,0,2,195,80\r\nPORT 10,0,0,2,195,81\r\nPORT 10,0,0,2,195,82\r\n";
    let seen = network.outbound(&tcp(FTP_CLIENT, CONTROL, 1000, 5007, ACK, lines));
    assert!(seen.payload.ends_with(b"PORT 10,0,0,2,195,82\r\n"));
    assert_eq!(network.engine.pinhole_count(), 2);
    let refused = events(&mut network)
        .into_iter()
        .any(|event| matches!(event, Event::AlgRefusal { reason: Refusal::Limit, .. }));
    assert!(refused);
}

#[test]
fn corrupt_control_segments_are_not_repaired() {
    let mut network = Network::small();
    logged_in(&mut network, CONTROL);
    let mut packet = tcp(FTP_CLIENT, CONTROL, 1000, 5007, ACK, b"PORT 10,0,0,2,195,80\r\n");
    *packet.last_mut().unwrap() ^= 1;
    assert_eq!(network.refused(Realm::Inside, &packet), DropReason::BadTcpChecksum);
}

#[test]
fn more_control_sessions_than_can_be_followed_are_translated_unread() {
    let limits = Limits { sessions: 64, control_streams: 0, ..Limits::default() };
    let mut network = Network::new(limits, config());
    logged_in(&mut network, CONTROL);
    let line = b"PORT 10,0,0,2,195,80\r\n";
    assert_eq!(network.outbound(&tcp(FTP_CLIENT, CONTROL, 1000, 5007, ACK, line)).payload, line);
}

/// Pieces of a dialogue, and what does not belong into one.
fn words() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        &b"PORT 10,0,0,2,195,80\r\n"[..],
        b"PORT 10,0,0,2,",
        b"4,1\r\n",
        b"EPRT |1|10.0.0.2|50000|\r\n",
        b"EPSV ALL\r\n",
        b"AUTH TLS\r\n",
        b"234 go\r\n",
        b"200 ok\r\n",
        b"227 (10,0,0,2,195,80)\r\n",
        b"229 (|||50000|)\r\n",
        b"QUIT\r\n",
        b"221-a\r\n",
        b"\xff\xf4\xff\xf2",
        b"",
    ]);
    prop_oneof![4 => known.prop_map(<[u8]>::to_vec), 1 => prop::collection::vec(any::<u8>(), 0..700)]
}

proptest! {
    /// Whatever either end sends on a control session, the engine lives, every packet that leaves is well formed, and
    /// its bounds hold.
    #[test]
    fn any_segments_of_a_control_session_do_no_harm(
        segments in prop::collection::vec(
            (any::<bool>(), -40_i32..80, -40_i32..80, prop_oneof![6 => Just(0), 1 => any::<u8>()], words(), 0_u64..40),
            1..60,
        ),
    ) {
        let mut network = Network::new(Limits { sessions: 64, pinholes: 5, ..Limits::default() }, config());
        let outside = logged_in(&mut network, CONTROL);
        let (mut client, mut server) = (1000_u32, 5007_u32);
        for (from_client, seq, ack, flags, payload, seconds) in segments {
            // Most are where they belong.
            let shifted = |base: u32, by: i32| if by.rem_euclid(4) == 0 { base.wrapping_add_signed(by) } else { base };
            let (realm, packet) = if from_client {
                let packet = tcp(FTP_CLIENT, CONTROL, shifted(client, seq), shifted(server, ack), flags | ACK, &payload);
                client = client.wrapping_add(payload.len() as u32);
                (Realm::Inside, packet)
            } else {
                let packet = tcp(CONTROL, outside, shifted(server, seq), shifted(client, ack), flags | ACK, &payload);
                server = server.wrapping_add(payload.len() as u32);
                (Realm::Outside, packet)
            };
            let (verdict, packet) = network.process(realm, &packet);
            if verdict == Verdict::Forward {
                read(&packet);
            }
            while let Some(transmit) = network.engine.poll_transmit() {
                read(&transmit.bytes);
            }
            network.advance(Duration::from_secs(seconds));
            prop_assert!(network.engine.pinhole_count() <= 5);
        }
    }
}

#[test]
fn a_handshake_that_is_made_up_changes_no_stream() {
    for flags in [SYN, SYN | ACK] {
        // While it is under way: only what acknowledges the SYN answers it.
        let mut network = Network::small();
        let outside = network.outbound(&tcp(FTP_CLIENT, CONTROL, 999, 0, SYN, b"")).from;
        network.process(Realm::Outside, &tcp(CONTROL, outside, 77_000, 555, SYN | ACK, b""));
        network.inbound(&tcp(CONTROL, outside, 4999, 1000, SYN | ACK, b""));
        network.process(Realm::Outside, &tcp(CONTROL, outside, 88_000, 1000, flags, b"x"));
        network.outbound(&tcp(FTP_CLIENT, CONTROL, 1000, 5000, ACK, b""));
        // And afterwards, whatever number it has.
        for seq in [99_000, 5_003, 4_999] {
            network.process(Realm::Outside, &tcp(CONTROL, outside, seq, 1000, flags, b""));
        }
        let greeting = network.inbound(&tcp(CONTROL, outside, 5000, 1000, ACK, b"220 hi\n"));
        assert_eq!(greeting.payload, b"220 hi\n");
        let port = tcp(FTP_CLIENT, CONTROL, 1000, 5007, ACK, b"PORT 10,0,0,2,195,80\r\n");
        assert!(network.outbound(&port).payload.starts_with(b"PORT 203,0,113,1,"), "{flags}");
        assert_eq!(network.engine.pinhole_count(), 1);
    }
}
