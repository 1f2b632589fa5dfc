//! The engine as a path.

use std::sync::Arc;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::{Dependence, Translation};
use pinhole_dataplane::config::{Config, PoolAddress, PortRange, Snapshot};
use pinhole_dataplane::engine::{Engine, Packet, Verdict};
use pinhole_dataplane::limits::{Limits, Timeouts};
use pinhole_dataplane::time::Timestamp;

use crate::story::{POOL, Path};

/// What packets may grow by.
const ROOM: usize = 2_048;

pub(crate) struct Ours {
    engine: Engine,
    now: Timestamp,
}

impl Ours {
    pub(crate) fn new() -> Self {
        let now = Timestamp::from_nanos(1_000_000_000);
        let mut engine = Engine::new(Limits { sessions: 256, ..Limits::default() }, &[4; 32], now);
        let ports = PortRange::new(1_024, 65_535).unwrap();
        let config = Config {
            inside_prefixes: vec!["10.0.0.0/24".parse().unwrap()],
            pool: vec![PoolAddress { address: POOL, ports, host: false }],
            // The kernel's filter goes by sessions, too.
            nat: Translation { filtering: Dependence::AddressAndPort, ..Translation::default() },
            host_addresses: vec![],
            algs: vec![],
            timeouts: Timeouts::default(),
            decrement_ttl: true,
            mtu: 1_500,
            ipv6: None,
        };
        engine.apply(Arc::new(Snapshot::new(config).unwrap()), now);
        Self { engine, now }
    }
}

impl Path for Ours {
    fn send(&mut self, from: Realm, packet: &[u8]) -> Vec<(Realm, Vec<u8>)> {
        self.now = self.now.saturating_add(Duration::from_millis(1));
        let mut buffer = packet.to_vec();
        buffer.resize(packet.len() + ROOM, 0);
        let mut lent = Packet::new(&mut buffer, packet.len());
        let verdict = self.engine.process(&mut lent, from, self.now);
        let packet = lent.bytes().to_vec();
        let mut left = match verdict {
            Verdict::Forward => vec![(from.opposite(), packet)],
            Verdict::Hairpin => vec![(from, packet)],
            Verdict::Hold | Verdict::DeliverIfListening | Verdict::Drop(_) => vec![],
        };
        while let Some(transmit) = self.engine.poll_transmit() {
            left.push((transmit.realm, transmit.bytes));
        }
        left
    }
}
