//! Shorthands of these tests.

use std::net::Ipv4Addr;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::{Allocation, OtherProtocols, Translation};
use pinhole_dataplane::config::{Config, PoolAddress, PortRange};
use pinhole_dataplane::engine::Verdict;
use pinhole_dataplane::limits::Limits;

use crate::network::{CLIENT, Network, POOL, config};
use crate::packets::{checksum, ip, unreachable};

pub(crate) fn network(nat: Translation) -> Network {
    Network::new(Limits { sessions: 64, ..Limits::default() }, Config { nat, ..config() })
}

/// Outside addresses are shared, and protocols without ports are translated.
pub(crate) fn shared() -> Network {
    network(Translation { other_protocols: OtherProtocols::Translate, ..Translation::default() })
}

/// 10.0.0.2 is 203.0.113.1 outside, and 10.0.0.3 is 203.0.113.2.
pub(crate) fn one_to_one() -> Network {
    let ports = PortRange::new(1024, 65535).unwrap();
    let pool =
        [1, 2].map(|last| PoolAddress { address: Ipv4Addr::new(203, 0, 113, last), ports, host: false });
    let nat = Translation { allocation: Allocation::OneToOne, ..Translation::default() };
    let inside_prefixes = vec!["10.0.0.2/31".parse().unwrap()];
    Network::new(Limits::default(), Config { nat, pool: pool.into(), inside_prefixes, ..config() })
}

/// A firewall only.
pub(crate) fn untranslated() -> Network {
    let nat = Translation { allocation: Allocation::Untranslated, ..Translation::default() };
    Network::new(Limits::default(), Config { nat, pool: vec![], ..config() })
}

pub(crate) fn host(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

pub(crate) fn source(packet: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(packet[12], packet[13], packet[14], packet[15])
}

pub(crate) fn destination(packet: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19])
}

pub(crate) fn header_checksum_is_right(packet: &[u8]) -> bool {
    checksum(&[&packet[..usize::from(packet[0] & 15) * 4]]) == 0
}

impl Network {
    /// Sends a packet that passes, and returns it.
    pub(crate) fn passed(&mut self, realm: Realm, packet: &[u8]) -> Vec<u8> {
        let (verdict, packet) = self.process(realm, packet);
        assert_eq!(verdict, Verdict::Forward);
        assert!(header_checksum_is_right(&packet));
        packet
    }
}

/// A packet of a protocol whose payload is `payload`.
pub(crate) fn plain(protocol: u8, from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    ip(protocol, from, to, payload)
}

/// Has a router outside complain about what left, and returns the packet that the complaint quotes inside.
pub(crate) fn complain_outside(network: &mut Network, left: &[u8]) -> Vec<u8> {
    let router = Ipv4Addr::new(192, 0, 2, 77);
    let error = unreachable(4, router, POOL, &left[..left.len().min(28)]);
    let arrived = network.passed(Realm::Outside, &error);
    assert_eq!(checksum(&[&arrived[20..]]), 0);
    assert_eq!((source(&arrived), destination(&arrived)), (router, CLIENT));
    arrived[28..].to_vec()
}

/// Has the client complain about what arrived, and returns the packet that the complaint quotes outside.
pub(crate) fn complain_inside(network: &mut Network, arrived: &[u8]) -> Vec<u8> {
    let error = unreachable(3, CLIENT, source(arrived), &arrived[..arrived.len().min(28)]);
    let left = network.passed(Realm::Inside, &error);
    assert_eq!(checksum(&[&left[20..]]), 0);
    assert_eq!((source(&left), destination(&left)), (POOL, source(arrived)));
    left[28..].to_vec()
}
