//! Whatever comes: nothing passes changed, and nothing is left behind.

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::ipv6::{Ipv6Filtering, Ipv6Settings};
use pinhole_dataplane::engine::Verdict;
use pinhole_dataplane::limits::Limits;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::network::{CLIENT, GATEWAY, NEIGHBOUR, Network, SERVER, STRANGER, config, ipv6};
use crate::packets::{
    ACK, ECHO, ECHO_REPLY, FIN, RST, SYN, echo, error, extended, fragments, ported, tcp, udp,
};

/// A packet between two hosts of few, perhaps wrapped in another one.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let host = prop::sample::select(vec![CLIENT, NEIGHBOUR, SERVER, STRANGER, GATEWAY]);
    let flags = prop::sample::select(vec![SYN, SYN | ACK, ACK, FIN | ACK, RST]);
    let end = (host, 500_u16..503);
    (end.clone(), end, 0..7, flags, 0..4, prop::collection::vec(any::<u8>(), 0..40)).prop_map(
        |(from, to, kind, flags, wrapping, payload)| {
            let plain = match kind {
                0 | 1 => tcp(from, to, 7, 8, flags, &payload),
                2 => udp(from, to, &payload),
                3 => echo(ECHO, from.0, to.0, from.1),
                4 => echo(ECHO_REPLY, from.0, to.0, from.1),
                5 => ported(132, from, to, &payload),
                _ => ported(50, from, to, &payload),
            };
            match wrapping {
                0 => error(1, to.0, from.0, &plain),
                1 => extended(&plain, 60, &[0, 0, 1, 4, 0, 0, 0, 0]),
                2 => {
                    let mut parts = fragments(&plain, from.1.into(), 8);
                    let at = usize::from(to.1) % parts.len();
                    parts.swap_remove(at)
                }
                _ => plain,
            }
        },
    )
}

#[derive(Clone, Debug)]
struct Step {
    realm: Realm,
    packet: Vec<u8>,
    flipped: Option<(Index, u8)>,
    cut: Option<Index>,
    seconds: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let realm = prop::sample::select(vec![Realm::Inside, Realm::Outside]);
    let flipped = prop::option::weighted(0.2, (any::<Index>(), any::<u8>()));
    let cut = prop::option::weighted(0.1, any::<Index>());
    (realm, packet(), flipped, cut, prop::sample::select(vec![0, 0, 0, 1, 7, 300]))
        .prop_map(|(realm, packet, flipped, cut, seconds)| Step { realm, packet, flipped, cut, seconds })
}

proptest! {
    #[test]
    fn nothing_passes_changed_and_nothing_is_left(
        steps in prop::collection::vec(step(), 0..80),
        filtering in prop::sample::select(Ipv6Filtering::ALL.to_vec()),
    ) {
        let settings = Ipv6Settings { filtering, ..ipv6() };
        let limits = Limits { sessions: 16, subscribers: 4, fragmented_datagrams: 64, ..Limits::default() };
        let mut network = Network::new(limits, config(Some(settings)));
        for Step { realm, mut packet, flipped, cut, seconds } in steps {
            if let Some((at, bits)) = flipped {
                let at = at.index(packet.len());
                packet[at] ^= bits;
            }
            if let Some(at) = cut {
                packet.truncate(at.index(packet.len()));
            }
            if packet.first().is_none_or(|first| first >> 4 != 6) {
                continue;
            }
            let (verdict, mut passed) = network.process(realm, &packet);
            if verdict == Verdict::Forward {
                prop_assert_eq!(passed[7] + 1, packet[7]);
                passed[7] = packet[7];
                prop_assert_eq!(&passed[..], &packet[..passed.len()]);
            }
            prop_assert!(network.engine.session_count() <= 16);
            network.advance_seconds(seconds);
            network.sent();
        }
        network.advance_seconds(20_000);
        prop_assert_eq!(network.engine.session_count(), 0);
        prop_assert_eq!((network.engine.fragmented_count(), network.engine.subscriber_count()), (0, 0));
        network.sent();
        prop_assert_eq!(network.engine.poll_timeout(), None);
    }
}
