//! An engine between the inside prefix and the Internet, on virtual time. The Internet's addresses are those of
//! benchmarks (RFC 5180), as the firewall forwards none of documentation's that are not its own.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::ipv6::{Ipv6Config, Ipv6Filtering, Ipv6Settings};
use pinhole_dataplane::config::nat::Translation;
use pinhole_dataplane::config::{Config, PoolAddress, PortRange, Snapshot};
use pinhole_dataplane::engine::{DropReason, Engine, Packet, Transmit, Verdict};
use pinhole_dataplane::limits::{Limits, Timeouts};
use pinhole_dataplane::time::Timestamp;

use crate::packets::{ACK, Address, SYN, Seen, read, tcp};

pub(crate) const CLIENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 1, 0, 0, 0, 2);
/// Another host of the client's /64.
pub(crate) const SIBLING: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 1, 0xffff, 0, 0, 3);
/// A host of another subscriber.
pub(crate) const NEIGHBOUR: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, 2);
pub(crate) const SERVER: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 5, 0, 0, 0, 5);
pub(crate) const STRANGER: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 6, 0, 0, 0, 6);
/// A router on the way.
pub(crate) const ROUTER: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 7, 0, 0, 0, 7);
/// The gateway's own addresses outside and inside.
pub(crate) const GATEWAY: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 1, 0, 0, 0, 1);
pub(crate) const GATEWAY_INSIDE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 1, 0, 0, 0, 1);

pub(crate) const WEB: Address = (SERVER, 80);
pub(crate) const HOST: Address = (CLIENT, 40_000);

pub(crate) struct Network {
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
}

pub(crate) fn ipv6() -> Ipv6Settings {
    Ipv6Settings {
        inside_prefixes: vec!["2001:db8:1::/48".parse().unwrap()],
        filtering: Ipv6Filtering::default(),
        ipsec: true,
        openings: vec![],
    }
}

pub(crate) fn config(ipv6: Option<Ipv6Settings>) -> Config {
    let ports = PortRange::new(1024, 65535).unwrap();
    Config {
        inside_prefixes: vec!["10.0.0.0/24".parse().unwrap()],
        pool: vec![PoolAddress { address: [203, 0, 113, 1].into(), ports, host: false }],
        nat: Translation::default(),
        ipv6: ipv6.map(|settings| Ipv6Config { settings, host_addresses: vec![GATEWAY_INSIDE, GATEWAY] }),
        host_addresses: vec![],
        algs: vec![],
        timeouts: Timeouts::default(),
        decrement_ttl: true,
        mtu: 1500,
    }
}

pub(crate) fn network() -> Network {
    Network::new(Limits { sessions: 256, ..Limits::default() }, config(Some(ipv6())))
}

pub(crate) fn filtering(filtering: Ipv6Filtering) -> Network {
    Network::new(Limits::default(), config(Some(Ipv6Settings { filtering, ..ipv6() })))
}

impl Network {
    pub(crate) fn new(limits: Limits, config: Config) -> Self {
        let now = Timestamp::from_nanos(1_000_000_000);
        let mut engine = Engine::new(limits, &[42; 32], now);
        engine.apply(Arc::new(Snapshot::new(config).unwrap()), now);
        Self { engine, now }
    }

    pub(crate) fn apply(&mut self, config: Config) {
        self.engine.apply(Arc::new(Snapshot::new(config).unwrap()), self.now);
    }

    /// Sends a packet and returns the verdict with the packet as it then is.
    pub(crate) fn process(&mut self, realm: Realm, packet: &[u8]) -> (Verdict, Vec<u8>) {
        let mut buffer = vec![0; 4096];
        buffer[..packet.len()].copy_from_slice(packet);
        let mut packet = Packet::new(&mut buffer, packet.len());
        let verdict = self.engine.process(&mut packet, realm, self.now);
        (verdict, packet.bytes().to_vec())
    }

    /// Sends a packet that passes as it is but for its hop limit.
    pub(crate) fn passes(&mut self, realm: Realm, packet: &[u8]) {
        let (verdict, mut passed) = self.process(realm, packet);
        assert_eq!(verdict, Verdict::Forward);
        assert_eq!(passed[7] + 1, packet[7], "hop limit");
        passed[7] = packet[7];
        assert_eq!(passed, packet);
    }

    pub(crate) fn leaves(&mut self, packet: &[u8]) {
        self.passes(Realm::Inside, packet);
    }

    pub(crate) fn enters(&mut self, packet: &[u8]) {
        self.passes(Realm::Outside, packet);
    }

    pub(crate) fn dropped(&mut self, realm: Realm, packet: &[u8]) -> DropReason {
        let before = self.engine.stats().dropped();
        match self.process(realm, packet).0 {
            Verdict::Drop(reason) => {
                assert_eq!(self.engine.stats().dropped(), before + 1);
                reason
            }
            verdict @ (Verdict::Forward | Verdict::Hairpin | Verdict::Hold | Verdict::DeliverIfListening) => {
                panic!("expected a drop, got {verdict:?}")
            }
        }
    }

    /// Sends a packet that is dropped with others that waited; returns why, and how many were dropped in all.
    pub(crate) fn dropped_all(&mut self, realm: Realm, packet: &[u8]) -> (DropReason, u64) {
        let before = self.engine.stats().dropped();
        let Verdict::Drop(reason) = self.process(realm, packet).0 else { panic!("expected a drop") };
        (reason, self.engine.stats().dropped() - before)
    }

    /// Sends from outside what is not let in.
    pub(crate) fn refused(&mut self, packet: &[u8]) -> DropReason {
        self.dropped(Realm::Outside, packet)
    }

    pub(crate) fn advance(&mut self, duration: Duration) {
        self.now = self.now.saturating_add(duration);
        while self.engine.poll_timeout().is_some_and(|at| at <= self.now) {
            self.engine.handle_timeout(self.now);
        }
    }

    pub(crate) fn advance_seconds(&mut self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    /// Opens a TCP session.
    pub(crate) fn connect(&mut self, client: Address, server: Address) {
        self.leaves(&tcp(client, server, 999, 0, SYN, b""));
        self.enters(&tcp(server, client, 4_999, 1_000, SYN | ACK, b""));
        self.leaves(&tcp(client, server, 1_000, 5_000, ACK, b""));
    }

    /// Returns what the engine has sent itself, every checksum verified.
    pub(crate) fn sent(&mut self) -> Vec<(Realm, Seen)> {
        std::iter::from_fn(|| self.engine.poll_transmit())
            .map(|Transmit { realm, bytes }| (realm, read(&bytes)))
            .collect()
    }
}
