//! Where ports are not shared: 1:1 translation, and none at all.

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::{Allocation, Dependence, Translation};
use pinhole_dataplane::config::{Config, Snapshot};
use pinhole_dataplane::engine::DropReason;

use crate::network::{Network, SERVER, STRANGER};
use crate::packets::{ACK, echo, echo_reply, tcp, udp};
use crate::world::{DNS, host, network, pool_of, ports};

fn one_to_one(filtering: Dependence) -> Network {
    let mut config = pool_of(4, ports(1_024, 65_535));
    config.inside_prefixes = vec!["10.0.0.4/30".parse().unwrap()];
    let allocation = Allocation::OneToOne;
    network_of(Config { nat: Translation { allocation, filtering, ..Translation::default() }, ..config })
}

fn untranslated() -> Network {
    let config = Config { pool: vec![], ..crate::network::config() };
    let allocation = Allocation::Untranslated;
    network_of(Config { nat: Translation { allocation, ..Translation::default() }, ..config })
}

fn network_of(config: Config) -> Network {
    let nat = config.nat.clone();
    network(config, nat)
}

#[test]
fn one_to_one_keeps_ports_and_gives_each_host_an_address_of_its_own() {
    let mut network = one_to_one(Dependence::AddressAndPort);
    for number in 4..8 {
        let outside = std::net::Ipv4Addr::new(203, 0, 113, number - 3);
        for port in [22, 5_353, 65_535] {
            assert_eq!(network.mapped((host(number), port)), (outside, port));
            assert_eq!(network.inbound(&udp(DNS, (outside, port), b"")).to, (host(number), port));
        }
        assert_eq!(network.outbound(&echo(host(number), SERVER, 9)).from, (outside, 9));
        assert_eq!(network.inbound(&echo_reply(SERVER, outside, 9)).to, (host(number), 9));
        let stranger = udp((STRANGER, 1), (outside, 22), b"");
        assert_eq!(network.refused(Realm::Outside, &stranger), DropReason::NotExpected);
    }
    assert_eq!(network.engine.subscriber_count(), 4);
}

#[test]
fn rfc5508_req_7_pings_between_hosts_with_addresses_of_their_own_turn_back() {
    let mut network = one_to_one(Dependence::Independent);
    // Both are known outside by their identifiers, so the filter lets both in.
    network.outbound(&echo(host(5), SERVER, 9));
    let seen = network.turned_back(&echo(host(4), [203, 0, 113, 2].into(), 9));
    assert_eq!((seen.from, seen.to), (([203, 0, 113, 1].into(), 9), (host(5), 9)));
    let seen = network.turned_back(&echo_reply(host(5), [203, 0, 113, 1].into(), 9));
    assert_eq!((seen.from, seen.to), (([203, 0, 113, 2].into(), 9), (host(4), 9)));
}

#[test]
fn one_to_one_needs_an_address_for_each_host() {
    let mut config = pool_of(3, ports(1_024, 65_535));
    config.inside_prefixes = vec!["10.0.0.4/30".parse().unwrap()];
    config.nat.allocation = Allocation::OneToOne;
    config.pool[1].host = true;
    let errors: Vec<_> = Snapshot::new(config).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "pool: has 3 addresses for 4 inside addresses",
            "pool: 203.0.113.2 is the host's own, and 1:1 leaves it no port",
        ]
    );
}

#[test]
fn without_translation_the_firewall_stays() {
    let mut network = untranslated();
    let client = (host(2), 40_000);
    assert_eq!(network.connect(client, (SERVER, 80)), client);
    assert_eq!(network.mapped((host(2), 5_353)), (host(2), 5_353));
    for packet in [udp((STRANGER, 53), (host(2), 5_353), b""), tcp((SERVER, 81), client, 1, 1, ACK, b"")] {
        assert_eq!(network.refused(Realm::Outside, &packet), DropReason::NotExpected);
    }
}

#[test]
fn without_translation_an_alg_opens_what_was_announced_and_changes_nothing() {
    let mut network = untranslated();
    let (client, server) = ((host(2), 40_000), (SERVER, 21));
    network.connect(client, server);
    network.inbound(&tcp(server, client, 5_000, 1_000, ACK, b"220 hi\r\n"));
    let line = b"PORT 10,0,0,2,195,80\r\n";
    let seen = network.outbound(&tcp(client, server, 1_000, 5_008, ACK, line));
    assert_eq!(seen.payload, line);
    let data = tcp((SERVER, 20), (host(2), 50_000), 70, 0, crate::packets::SYN, b"");
    assert_eq!(network.inbound(&data).to, (host(2), 50_000));
}
