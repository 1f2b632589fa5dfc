//! An engine between 10.0.0.0/24 and the Internet, on virtual time.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::Translation;
use pinhole_dataplane::config::{Config, PoolAddress, PortRange, Snapshot};
use pinhole_dataplane::engine::{DropReason, Engine, Packet, Verdict};
use pinhole_dataplane::limits::{Limits, Timeouts};
use pinhole_dataplane::time::Timestamp;

use crate::packets::{Address, Seen, read};

pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 5);
pub(crate) const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 66);
pub(crate) const POOL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

pub(crate) struct Network {
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
}

pub(crate) fn config() -> Config {
    let ports = PortRange::new(1024, 65535).unwrap();
    Config {
        inside_prefixes: vec!["10.0.0.0/24".parse().unwrap()],
        pool: vec![PoolAddress { address: POOL, ports, host: false }],
        nat: Translation::default(),
        ipv6: None,
        host_addresses: vec![],
        algs: vec![],
        timeouts: Timeouts::default(),
        decrement_ttl: true,
        mtu: 1500,
    }
}

impl Network {
    pub(crate) fn new(limits: Limits, config: Config) -> Self {
        let now = Timestamp::from_nanos(1_000_000_000);
        let mut engine = Engine::new(limits, &[42; 32], now);
        engine.apply(Arc::new(Snapshot::new(config).unwrap()), now);
        Self { engine, now }
    }

    pub(crate) fn small() -> Self {
        Self::new(Limits { sessions: 64, ..Limits::default() }, config())
    }

    /// Sends a packet and returns the verdict with the packet as it then is.
    pub(crate) fn process(&mut self, realm: Realm, packet: &[u8]) -> (Verdict, Vec<u8>) {
        let mut buffer = vec![0; 2048];
        buffer[..packet.len()].copy_from_slice(packet);
        let mut packet = Packet::new(&mut buffer, packet.len());
        let verdict = self.engine.process(&mut packet, realm, self.now);
        (verdict, packet.bytes().to_vec())
    }

    pub(crate) fn forward(&mut self, realm: Realm, packet: &[u8]) -> Seen {
        let (verdict, packet) = self.process(realm, packet);
        assert_eq!(verdict, Verdict::Forward);
        read(&packet)
    }

    /// Sends from inside and returns what leaves outside, every checksum verified.
    pub(crate) fn outbound(&mut self, packet: &[u8]) -> Seen {
        self.forward(Realm::Inside, packet)
    }

    /// Sends from outside and returns what arrives inside, every checksum verified.
    pub(crate) fn inbound(&mut self, packet: &[u8]) -> Seen {
        self.forward(Realm::Outside, packet)
    }

    pub(crate) fn refused(&mut self, realm: Realm, packet: &[u8]) -> DropReason {
        match self.process(realm, packet).0 {
            Verdict::Drop(reason) => reason,
            verdict @ (Verdict::Forward | Verdict::Hairpin | Verdict::Hold | Verdict::DeliverIfListening) => {
                panic!("expected a drop, got {verdict:?}")
            }
        }
    }

    pub(crate) fn advance(&mut self, duration: Duration) {
        self.now = self.now.saturating_add(duration);
        while self.engine.poll_timeout().is_some_and(|at| at <= self.now) {
            self.engine.handle_timeout(self.now);
        }
    }

    /// Opens a TCP session and returns the client's outside endpoint.
    pub(crate) fn connect(&mut self, client: Address, server: Address) -> Address {
        use crate::packets::{ACK, SYN, tcp};
        let outside = self.outbound(&tcp(client, server, 999, 0, SYN, b"")).from;
        self.inbound(&tcp(server, outside, 4999, 1000, SYN | ACK, b""));
        self.outbound(&tcp(client, server, 1000, 5000, ACK, b""));
        outside
    }
}
