//! NAT Behavioral Requirements for TCP, as far as they are about addresses and ports.

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::{Dependence, Translation};
use pinhole_dataplane::engine::DropReason;

use crate::network::{Network, SERVER, STRANGER, config};
use crate::packets::{ACK, Address, SYN, tcp};
use crate::world::{host, network};

const WEB: Address = (SERVER, 80);

fn filtering(filtering: Dependence) -> Network {
    network(config(), Translation { filtering, ..Translation::default() })
}

#[test]
fn rfc5382_req_1_a_mapping_is_independent_of_the_destination() {
    let mut network = Network::small();
    let first = network.connect((host(2), 40_000), WEB);
    for to in [(SERVER, 443), (STRANGER, 80)] {
        assert_eq!(network.connect((host(2), 40_000), to), first);
    }
}

#[test]
fn rfc5382_req_3_who_may_connect_is_as_configured() {
    for (kind, address, stranger) in [
        (Dependence::Independent, true, true),
        (Dependence::Address, true, false),
        (Dependence::AddressAndPort, false, false),
    ] {
        let mut network = filtering(kind);
        let client = (host(2), 40_000);
        let outside = network.connect(client, WEB);
        for (from, admitted) in [((SERVER, 8_080), address), ((STRANGER, 80), stranger)] {
            let stray = tcp(from, outside, 1, 1, ACK, b"");
            assert_eq!(network.refused(Realm::Outside, &stray), DropReason::NotExpected);
            let syn = tcp(from, outside, 70, 0, SYN, b"");
            if admitted {
                assert_eq!(network.inbound(&syn).to, client);
                let answer = network.outbound(&tcp(client, from, 80, 71, SYN | ACK, b""));
                assert_eq!((answer.from, answer.to), (outside, from));
            } else {
                assert_eq!(network.refused(Realm::Outside, &syn), DropReason::NotExpected);
            }
        }
    }
}

#[test]
fn rfc5382_req_8_inside_hosts_connect_by_their_outside_endpoints() {
    let mut network = filtering(Dependence::Independent);
    let [client, server] = [(host(2), 40_000), (host(3), 8_080)];
    let server_outside = network.connect(server, WEB);
    let seen = network.turned_back(&tcp(client, server_outside, 999, 0, SYN, b""));
    assert_eq!(seen.to, server);
    let client_outside = seen.from;
    assert_ne!(client_outside, client, "the source is the outside one");
    let seen = network.turned_back(&tcp(server, client_outside, 4_999, 1_000, SYN | ACK, b""));
    assert_eq!((seen.from, seen.to), (server_outside, client));
    network.turned_back(&tcp(client, server_outside, 1_000, 5_000, ACK, b""));
    let seen = network.turned_back(&tcp(client, server_outside, 1_000, 5_000, ACK, b"data"));
    assert_eq!(seen.payload, b"data");
}
