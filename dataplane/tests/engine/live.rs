//! What there is, shown piece by piece, and ended one by one.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::alg::{AlgProtocol, CloseReason, PinholeId};
use pinhole_dataplane::config::nat::{Allocation, BlockSize, PortBlocks, Translation};
use pinhole_dataplane::conntrack::{Progress, SessionId};
use pinhole_dataplane::engine::{Announcement, DropReason, EndReason, Event, Kill, Transmit};
use pinhole_dataplane::limits::Limits;
use proptest::prelude::*;

use crate::network::{CLIENT, Network, POOL, SERVER, config};
use crate::packets::{ACK, Address, RST, SYN, flags, read, sequence, tcp, udp};

const WEB: Address = (SERVER, 80);
const CONTROL: Address = (SERVER, 21);

fn transmits(network: &mut Network) -> Vec<Transmit> {
    std::iter::from_fn(|| network.engine.poll_transmit()).collect()
}

fn events(network: &mut Network) -> Vec<Event> {
    std::iter::from_fn(|| network.engine.poll_event()).collect()
}

fn only_session(network: &Network) -> SessionId {
    let [(id, _)] = <[_; 1]>::try_from(network.engine.sessions().collect::<Vec<_>>()).unwrap();
    id
}

proptest! {
    /// Whatever the size of the pieces, every session and mapping is shown once, and places beyond the table are empty.
    #[test]
    fn pieces_add_up(ports in prop::collection::btree_set(1_024_u16..2_000, 0..40), step in 1_u32..80) {
        let mut network = Network::small();
        for port in &ports {
            network.outbound(&udp((CLIENT, *port), (SERVER, 53), b"x"));
        }
        let (mut sessions, mut mappings) = (Vec::new(), Vec::new());
        for first in (0..network.engine.session_places()).step_by(step as usize) {
            sessions.extend(network.engine.sessions_from(first, step).map(|(id, _)| id));
        }
        for first in (0..network.engine.mapping_places()).step_by(step as usize) {
            mappings.extend(network.engine.mappings_from(first, step).map(|(_, mapping)| mapping.inside.1));
        }
        let all: Vec<SessionId> = network.engine.sessions().map(|(id, _)| id).collect();
        prop_assert_eq!(&sessions, &all);
        prop_assert_eq!(sessions.len(), ports.len());
        prop_assert_eq!(mappings.len(), ports.len());
        prop_assert_eq!(mappings.into_iter().collect::<BTreeSet<_>>(), ports);
        for first in [network.engine.session_places(), u32::MAX] {
            prop_assert_eq!(network.engine.sessions_from(first, u32::MAX).count(), 0);
        }
        for first in [network.engine.mapping_places(), u32::MAX] {
            prop_assert_eq!(network.engine.mappings_from(first, u32::MAX).count(), 0);
        }
    }
}

#[test]
fn a_killed_tcp_session_is_reset_at_both_ends_and_does_not_come_back() {
    let mut network = Network::small();
    let outside = network.connect((CLIENT, 40_000), WEB);
    // The server has sent more than the client has acknowledged.
    network.inbound(&tcp(WEB, outside, 5000, 1000, ACK, b"hello"));
    let id = only_session(&network);
    let session = network.engine.session(id).unwrap();
    assert_eq!((session.progress(), session.packets()), (Progress::Established, [2, 2]));
    assert_eq!(network.engine.kill_session(id), Kill::Done);

    let resets = transmits(&mut network);
    let seen: Vec<_> = resets
        .iter()
        .map(|transmit| {
            assert_eq!(flags(&transmit.bytes), RST);
            let seen = read(&transmit.bytes);
            (transmit.realm, seen.from, seen.to, sequence(&transmit.bytes).0)
        })
        .collect();
    assert_eq!(
        seen,
        [
            (Realm::Outside, outside, WEB, 1000),
            (Realm::Inside, WEB, (CLIENT, 40_000), 5000),
            (Realm::Inside, WEB, (CLIENT, 40_000), 5005),
        ]
    );
    let [Event::SessionEnded { session, reason: EndReason::Killed }] = events(&mut network)[..] else {
        panic!("no word of it")
    };
    assert_eq!(session.inside(), (CLIENT, 40_000).into());
    assert_eq!(network.engine.session_count(), 0);
    assert_eq!(network.engine.mapping_count(), 0);
    assert_eq!(network.engine.kill_session(id), Kill::Absent);
    let more = tcp((CLIENT, 40_000), WEB, 1000, 5000, ACK, b"more");
    assert_eq!(network.refused(Realm::Inside, &more), DropReason::NoSession);
    // Its place is used again, and the old name does not find who is there now.
    network.outbound(&tcp((CLIENT, 40_001), WEB, 1, 0, SYN, b""));
    assert_eq!(only_session(&network).parts().0, id.parts().0);
    assert_eq!(network.engine.kill_session(id), Kill::Absent);
    let (slot, generation) = only_session(&network).parts();
    assert_eq!(network.engine.kill_session(SessionId::from_parts(slot, generation)), Kill::Done);
}

#[test]
fn a_killed_datagram_session_is_silent_and_may_begin_anew() {
    let mut network = Network::small();
    let question = udp((CLIENT, 5353), (SERVER, 53), b"who?");
    let outside = network.outbound(&question).from;
    let id = only_session(&network);
    assert_eq!(network.engine.session(id).unwrap().progress(), Progress::Unreplied);
    assert_eq!(network.engine.kill_session(id), Kill::Done);
    assert_eq!(transmits(&mut network), []);
    let answer = udp((SERVER, 53), outside, b"me");
    assert_eq!(network.refused(Realm::Outside, &answer), DropReason::NotExpected);
    network.outbound(&question);
    assert_ne!(only_session(&network), id);
}

/// A control session in which PORT was sent, which the engine made longer.
fn announced() -> (Network, Address) {
    let mut network = Network::small();
    let client = (CLIENT, 40_000);
    let outside = network.connect(client, CONTROL);
    network.inbound(&tcp(CONTROL, outside, 5000, 1000, ACK, b"220 hi\n"));
    let seen = network.outbound(&tcp(client, CONTROL, 1000, 5007, ACK, b"PORT 10,0,0,2,195,80\r\n"));
    let text = String::from_utf8(seen.payload).unwrap();
    let numbers: Vec<u16> =
        text.trim_end().rsplitn(3, ',').take(2).map(|number| number.parse().unwrap()).collect();
    (network, (POOL, numbers[1] * 256 + numbers[0]))
}

#[test]
fn a_killed_pinhole_lets_nobody_in() {
    let (mut network, named) = announced();
    events(&mut network);
    let pinhole = *network.engine.pinholes_after(PinholeId(0)).next().unwrap();
    assert_eq!((pinhole.message, pinhole.offset), ("PORT", 0));
    assert_eq!(network.engine.pinholes_after(pinhole.id).count(), 0);
    let control = network.engine.session(pinhole.master).unwrap();
    assert_eq!(network.engine.alg_of(control), Some(AlgProtocol::Ftp));
    assert_eq!(network.engine.kill_pinhole(pinhole.id), Kill::Done);
    assert_eq!(network.engine.kill_pinhole(pinhole.id), Kill::Absent);
    let [Event::PinholeClosed { reason: CloseReason::Removed, .. }] = events(&mut network)[..] else {
        panic!("no word of it")
    };
    let syn = tcp((SERVER, 20), named, 70, 0, SYN, b"");
    assert_eq!(network.refused(Realm::Outside, &syn), DropReason::NotExpected);
    assert_eq!(network.engine.session_count(), 1);
}

#[test]
fn an_announced_session_says_by_what_for_as_long_as_it_lasts() {
    let (mut network, named) = announced();
    network.inbound(&tcp((SERVER, 20), named, 70, 0, SYN, b""));
    let announced = |network: &Network, data: SessionId| network.engine.announcement_of(data);
    let (data, session) = network.engine.sessions().find(|(_, session)| session.master().is_some()).unwrap();
    let master = session.master().unwrap();
    assert_eq!(announced(&network, data), Some(Announcement { alg: AlgProtocol::Ftp, message: "PORT" }));
    assert_eq!(announced(&network, master), None);
    // The control session may go before what it announced.
    assert_eq!(network.engine.kill_session(master), Kill::Done);
    assert!(announced(&network, data).is_some());
    assert_eq!(network.engine.kill_session(data), Kill::Done);
    assert_eq!(announced(&network, data), None);
}

#[test]
fn resets_of_a_changed_stream_have_the_numbers_that_each_end_knows() {
    let (mut network, named) = announced();
    let [high, low] = named.1.to_be_bytes();
    let length = format!("PORT 203,0,113,1,{high},{low}\r\n").len() as u32;
    transmits(&mut network);
    let id = only_session(&network);
    assert_eq!(network.engine.kill_session(id), Kill::Done);
    let sequences: BTreeSet<(bool, u32)> = transmits(&mut network)
        .iter()
        .map(|transmit| (transmit.realm == Realm::Outside, sequence(&transmit.bytes).0))
        .collect();
    // The server may have got the longer message or not; the client has acknowledged all that it got.
    assert_eq!(sequences, BTreeSet::from([(true, 1000), (true, 1000 + length), (false, 5007)]));
}

#[test]
fn a_mapping_tells_its_holders_and_its_block() {
    let rule = PortBlocks { size: BlockSize::new(64).unwrap(), ..PortBlocks::default() };
    let nat = Translation { allocation: Allocation::Blocks(rule), ..Translation::default() };
    let mut network = Network::new(
        Limits { sessions: 64, ..Limits::default() },
        pinhole_dataplane::config::Config { nat, ..config() },
    );
    for server in [SERVER, Ipv4Addr::new(198, 51, 100, 6)] {
        network.outbound(&udp((CLIENT, 5353), (server, 53), b"x"));
    }
    let [(place, mapping)] =
        <[_; 1]>::try_from(network.engine.mappings_from(0, u32::MAX).collect::<Vec<_>>()).unwrap();
    assert_eq!((place, mapping.holders()), (0, 2));
    let block = network.engine.block_of(mapping).unwrap();
    assert_eq!(block.count(), 64);
    assert!(block.contains(mapping.outside.1));
    // Without blocks no port is anybody's alone.
    let mut network = Network::small();
    network.outbound(&udp((CLIENT, 5353), (SERVER, 53), b"x"));
    let (_, mapping) = network.engine.mappings_from(0, u32::MAX).next().unwrap();
    assert_eq!(network.engine.block_of(mapping), None);
}
