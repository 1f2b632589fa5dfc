//! Shorthands of these tests.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::{Allocation, BlockSize, PortBlocks, Translation};
use pinhole_dataplane::config::{Config, PoolAddress, PortRange, Snapshot};
use pinhole_dataplane::engine::{DropReason, Event, Verdict};
use pinhole_dataplane::limits::Limits;
use pinhole_dataplane::nat::PortBlock;

use crate::network::{Network, POOL, SERVER, config};
use crate::packets::{Address, Seen, read, udp};

pub(crate) const DNS: Address = (SERVER, 53);

pub(crate) fn host(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number)
}

pub(crate) fn ports(first: u16, last: u16) -> PortRange {
    PortRange::new(first, last).unwrap()
}

pub(crate) fn most(number: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(number)
}

/// A configuration whose pool has so many addresses with these ports.
pub(crate) fn pool_of(addresses: u8, ports: PortRange) -> Config {
    let address = |last| Ipv4Addr::new(203, 0, 113, last);
    let pool = (1..=addresses).map(|last| PoolAddress { address: address(last), ports, host: false });
    Config { pool: pool.collect(), ..config() }
}

/// Blocks of 64 ports, held for two minutes.
pub(crate) fn blocks(per_subscriber: u16) -> Allocation {
    let (size, hold) = (BlockSize::new(64).unwrap(), Duration::from_secs(120));
    Allocation::Blocks(PortBlocks { size, per_subscriber, hold })
}

pub(crate) fn network(config: Config, nat: Translation) -> Network {
    Network::new(Limits::default(), Config { nat, ..config })
}

impl Network {
    /// Sends a datagram and returns the outside endpoint that it leaves from.
    pub(crate) fn mapped(&mut self, from: Address) -> Address {
        self.outbound(&udp(from, DNS, b"")).from
    }

    /// Sends a datagram that is refused, and returns why.
    pub(crate) fn unmapped(&mut self, from: Address) -> DropReason {
        self.refused(Realm::Inside, &udp(from, DNS, b""))
    }

    /// Sends datagrams from so many ports and returns the outside ports, each of which is there once.
    pub(crate) fn mapped_from(&mut self, host: Ipv4Addr, count: u16) -> BTreeSet<Address> {
        let outside: BTreeSet<_> = (0..count).map(|port| self.mapped((host, 2_000 + port))).collect();
        assert_eq!(outside.len(), usize::from(count), "an outside endpoint stands for two inside ones");
        outside
    }

    /// Changes the configuration, and waits until it has reached everything.
    pub(crate) fn apply(&mut self, config: Config) {
        self.begin(config);
        self.advance(Duration::ZERO);
    }

    /// Changes the configuration.
    pub(crate) fn begin(&mut self, config: Config) {
        self.engine.apply(Arc::new(Snapshot::new(config).unwrap()), self.now);
    }

    /// Sends from inside and returns what comes back to that side, every checksum verified.
    pub(crate) fn turned_back(&mut self, packet: &[u8]) -> Seen {
        let (verdict, packet) = self.process(Realm::Inside, packet);
        assert_eq!(verdict, Verdict::Hairpin);
        read(&packet)
    }

    /// Returns the blocks that were given out, or back, since the last call.
    pub(crate) fn block_events(&mut self) -> Vec<(&'static str, PortBlock)> {
        std::iter::from_fn(|| self.engine.poll_event())
            .filter_map(|event| match event {
                Event::PortBlockAllocated(block) => Some(("allocated", block)),
                Event::PortBlockReleased(block) => Some(("released", block)),
                Event::AlgRewrite { .. }
                | Event::AlgRefusal { .. }
                | Event::AlgOpaque { .. }
                | Event::PinholeOpened { .. }
                | Event::PinholeClosed { .. }
                | Event::SessionOpened(_)
                | Event::SessionEnded { .. }
                | Event::LeaseGiven(_)
                | Event::LeaseEnded { .. }
                | Event::LimitReached(_) => None,
            })
            .collect()
    }
}

/// Whether an endpoint lies in a block.
pub(crate) fn is_in(block: &PortBlock, endpoint: Address) -> bool {
    block.outside == endpoint.0 && block.ports.contains(endpoint.1)
}

#[test]
fn the_first_address_of_a_pool_is_the_one_that_the_others_tests_know() {
    assert_eq!(pool_of(1, ports(1024, 65_535)).pool[0].address, POOL);
}
