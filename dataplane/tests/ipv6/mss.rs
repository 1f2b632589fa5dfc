//! The largest segment that hosts are told they may send.

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::Config;
use pinhole_dataplane::config::nat::{Mss, Translation};
use pinhole_dataplane::engine::Verdict;
use pinhole_dataplane::limits::Limits;

use crate::network::{CLIENT, Network, SERVER, config, ipv6};
use crate::packets::{read, syn};

#[test]
fn a_syn_says_twenty_less_than_configured_since_the_header_is_longer() {
    let nat = Translation { tcp_mss: Mss::new(1_452), ..Translation::default() };
    let mut network = Network::new(Limits::default(), Config { nat, ..config(Some(ipv6())) });
    for (port, told, seen) in [(1, 1_440_u16, 1_432_u16), (2, 1_432, 1_432), (3, 1_220, 1_220)] {
        let option = |bytes: u16| {
            let [high, low] = bytes.to_be_bytes();
            [2, 4, high, low]
        };
        let packet = syn((CLIENT, 40_000 + port), (SERVER, 80), option(told));
        let (verdict, packet) = network.process(Realm::Inside, &packet);
        assert_eq!(verdict, Verdict::Forward);
        read(&packet);
        assert_eq!(packet[60..64], option(seen));
    }
}
