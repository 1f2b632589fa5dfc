//! What holds for every datagram, however it is cut.

use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use proptest::prelude::*;

use crate::fragments::{CLIENT_END, SERVER_END, datagram, open};
use crate::network::Network;
use crate::packets::read;
use crate::receiver::{cut, numbered};

#[derive(Clone, Debug)]
struct Cutting {
    inside: bool,
    length: usize,
    cuts: Vec<usize>,
    /// Where each fragment is moved to, and which are sent twice.
    order: Vec<(u32, bool)>,
}

fn cutting() -> impl Strategy<Value = Cutting> {
    let cuts = prop::collection::vec(1_usize..30, 1..12);
    let order = prop::collection::vec((any::<u32>(), prop::bool::weighted(0.2)), 13);
    (any::<bool>(), 0_usize..2_000, cuts, order).prop_map(|(inside, length, cuts, order)| Cutting {
        inside,
        length,
        cuts,
        order,
    })
}

proptest! {
    /// However a datagram is cut, in whatever order its fragments come and whichever come twice: what its receiver puts
    /// together is what it would have received uncut.
    #[test]
    fn rfc4787_req_14_fragments_make_what_the_whole_would_have_been(cuttings in prop::collection::vec(cutting(), 1..4)) {
        let mut network = Network::small();
        let outside = open(&mut network);
        for (number, cutting) in (1_u16..).zip(&cuttings) {
            let realm = if cutting.inside { Realm::Inside } else { Realm::Outside };
            let (from, to) = if cutting.inside { (CLIENT_END, SERVER_END) } else { (SERVER_END, outside) };
            let sent = numbered(datagram(from, to, cutting.length), number);
            let expected = network.forward(realm, &sent);
            let fragments = cut(&sent, &cutting.cuts);
            let mut stream: Vec<_> = fragments.iter().zip(&cutting.order).collect();
            stream.extend(stream.clone().into_iter().filter(|(_, (_, twice))| *twice));
            stream.sort_by_key(|(_, (order, _))| order.wrapping_mul(2_654_435_761));
            let stream: Vec<_> = stream.into_iter().map(|(fragment, _)| fragment.clone()).collect();
            let received = network.received(realm, &stream);
            prop_assert!(!received.is_empty());
            for whole in &received {
                prop_assert_eq!(read(whole), expected.clone());
            }
        }
        network.advance(Duration::from_secs(15));
        prop_assert_eq!(network.engine.fragmented_count(), 0);
    }
}
