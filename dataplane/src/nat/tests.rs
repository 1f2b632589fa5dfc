use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{Capacity, MappingId, Nat, NatError, Notice};
use crate::config::nat::{Allocation, BlockSize, PortBlocks};
use crate::config::{PortRange, Snapshot};
use crate::conntrack::TupleHasher;
use crate::rng::Rng;
use crate::time::Timestamp;
use crate::tuple::{Protocol, Tuple};

const SEED: [u8; 32] = [7; 32];

fn nat(first: u16, last: u16, capacity: u32) -> Nat {
    let mut nat = Nat::new(
        Capacity { mappings: capacity, sessions: capacity, subscribers: capacity },
        TupleHasher::new(&SEED),
    );
    let config = crate::config::tests::with_ports(PortRange::new(first, last).unwrap());
    nat.configure(&Arc::new(Snapshot::new(config).unwrap()));
    nat
}

fn towards_anybody(protocol: Protocol, inside: (Ipv4Addr, u16)) -> Tuple {
    Tuple {
        protocol,
        source: inside.0,
        source_port: inside.1,
        destination: Ipv4Addr::new(198, 51, 100, 1),
        destination_port: 53,
    }
}

fn inside(host: u8, port: u16) -> (Ipv4Addr, u16) {
    (Ipv4Addr::new(10, 0, 0, host), port)
}

#[test]
fn one_inside_endpoint_has_one_outside_endpoint() {
    let (mut nat, mut rng) = (nat(1024, 65535, 8), Rng::new(&SEED));
    let first = nat.obtain(&towards_anybody(Protocol::Udp, inside(2, 5000)), &mut rng).unwrap();
    let again = nat.obtain(&towards_anybody(Protocol::Udp, inside(2, 5000)), &mut rng).unwrap();
    assert_eq!(first, again);
    let other = nat.obtain(&towards_anybody(Protocol::Tcp, inside(2, 5000)), &mut rng).unwrap();
    assert_ne!(first, other);
}

#[test]
fn every_port_of_the_range_is_used_once_and_comes_back() {
    let (mut nat, mut rng) = (nat(1030, 1229, 1000), Rng::new(&SEED));
    let mut ids = Vec::new();
    let mut ports = BTreeSet::new();
    for port in 0..200 {
        let id = nat.obtain(&towards_anybody(Protocol::Tcp, inside(2, 2000 + port)), &mut rng).unwrap();
        let (_, outside) = nat.mapping(id).unwrap().outside;
        assert!((1030..=1229).contains(&outside));
        assert!(ports.insert(outside), "port {outside} was given out twice");
        ids.push(id);
    }
    assert_eq!(nat.obtain(&towards_anybody(Protocol::Tcp, inside(3, 1)), &mut rng), Err(NatError::NoPort));
    assert!(
        nat.obtain(&towards_anybody(Protocol::Udp, inside(3, 1)), &mut rng).is_ok(),
        "protocols have ports of their own"
    );
    nat.release(ids[77]);
    assert!(nat.obtain(&towards_anybody(Protocol::Tcp, inside(3, 1)), &mut rng).is_ok());
}

#[test]
fn a_mapping_ends_with_its_last_holder() {
    let (mut nat, mut rng) = (nat(1024, 65535, 8), Rng::new(&SEED));
    let id = nat.obtain(&towards_anybody(Protocol::Udp, inside(2, 5000)), &mut rng).unwrap();
    nat.hold(id);
    nat.release(id);
    assert_eq!(nat.len(), 1);
    nat.release(id);
    assert_eq!(nat.len(), 0);
    assert!(nat.mapping(id).is_none());
}

#[test]
fn a_full_table_refuses_and_keeps_what_it_has() {
    let (mut nat, mut rng) = (nat(1024, 65535, 2), Rng::new(&SEED));
    nat.obtain(&towards_anybody(Protocol::Udp, inside(2, 1)), &mut rng).unwrap();
    nat.obtain(&towards_anybody(Protocol::Udp, inside(2, 2)), &mut rng).unwrap();
    assert_eq!(nat.obtain(&towards_anybody(Protocol::Udp, inside(2, 3)), &mut rng), Err(NatError::Full));
    assert_eq!(nat.len(), 2);
}

/// The outside ports of a pair.
fn pair(nat: &mut Nat, inside: (Ipv4Addr, u16), rng: &mut Rng) -> Result<(u16, u16), NatError> {
    let ids = nat.obtain_pair(&towards_anybody(Protocol::Udp, inside), rng)?;
    let [(_, first), (_, second)] = ids.map(|id| nat.mapping(id).unwrap().outside);
    Ok((first, second))
}

#[test]
fn rfc4787_req_4_two_adjacent_ports_are_there_for_who_asks_for_them() {
    let (mut nat, mut rng) = (nat(1030, 1049, 100), Rng::new(&SEED));
    let mut taken = BTreeSet::new();
    for index in 0..10 {
        let (first, second) = pair(&mut nat, inside(2, 5000 + 2 * index), &mut rng).unwrap();
        assert!(first % 2 == 0 && second == first + 1);
        assert!(taken.insert(first) && (1030..=1048).contains(&first));
    }
    assert_eq!(pair(&mut nat, inside(2, 6000), &mut rng), Err(NatError::NoPort));
    assert_eq!(nat.len(), 20, "what was refused took nothing");
    // The same endpoints have the same pair.
    let again = pair(&mut nat, inside(2, 5000), &mut rng).unwrap();
    assert!(taken.contains(&again.0));
    assert_eq!(nat.len(), 20);
}

#[test]
fn an_endpoint_that_is_mapped_alone_has_no_pair_by_force() {
    let (mut nat, mut rng) = (nat(1024, 1025, 100), Rng::new(&SEED));
    let id = nat.obtain(&towards_anybody(Protocol::Udp, inside(2, 5001)), &mut rng).unwrap();
    assert_eq!(nat.mapping(id).unwrap().outside.1, 1025);
    // The one that is left happens to be the right one.
    assert_eq!(pair(&mut nat, inside(2, 5000), &mut rng), Ok((1024, 1025)));
    assert_eq!(pair(&mut nat, inside(2, 5001), &mut rng), Err(NatError::NoPort));
    assert_eq!(pair(&mut nat, inside(2, 65_535), &mut rng), Err(NatError::NoPort));
    assert_eq!(nat.len(), 2);
}

/// Blocks of 64 ports, two for a subscriber at most, held for ten seconds, on ports that make eight of them.
fn nat_of_blocks() -> Nat {
    let capacity = Capacity { mappings: 400, sessions: 400, subscribers: 400 };
    let mut nat = Nat::new(capacity, TupleHasher::new(&SEED));
    let mut config = crate::config::tests::with_ports(PortRange::new(1024, 1535).unwrap());
    let size = BlockSize::new(64).unwrap();
    let hold = Duration::from_secs(10);
    config.nat.allocation = Allocation::Blocks(PortBlocks { size, per_subscriber: 2, hold });
    nat.configure(&Arc::new(Snapshot::new(config).unwrap()));
    nat
}

/// What the notices say, and when.
#[derive(Default)]
struct Ledger {
    /// Whose each block is, by its first port.
    owners: BTreeMap<u16, Ipv4Addr>,
    /// Whose each block was, and when it was given back.
    returned: BTreeMap<u16, (Ipv4Addr, u64)>,
}

impl Ledger {
    fn read(&mut self, nat: &mut Nat, second: u64) {
        while let Some(notice) = nat.poll_notice() {
            match notice {
                Notice::BlockAllocated(block) => {
                    let first = block.ports.first();
                    assert_eq!(
                        self.owners.insert(first, block.subscriber),
                        None,
                        "{block:?} is twice given out"
                    );
                    if let Some((before, at)) = self.returned.remove(&first) {
                        assert!(before == block.subscriber || second >= at + 10, "{block:?} is still held");
                    }
                }
                Notice::BlockReleased(block) => {
                    let first = block.ports.first();
                    assert_eq!(self.owners.remove(&first), Some(block.subscriber));
                    self.returned.insert(first, (block.subscriber, second));
                }
            }
        }
    }
}

proptest! {
    /// Whatever comes and goes: an outside endpoint is one mapping's, a port is in a block of its subscriber, nobody has
    /// more blocks than it may, and in the end nothing is left over.
    #[test]
    fn blocks_are_one_subscribers_at_a_time(
        steps in prop::collection::vec((0_u8..8, 0_u16..90, any::<bool>(), 0_u64..4), 1..400),
    ) {
        let (mut nat, mut rng, mut ledger) = (nat_of_blocks(), Rng::new(&SEED), Ledger::default());
        let mut held: BTreeMap<(Ipv4Addr, u16), MappingId> = BTreeMap::new();
        let mut second = 0;
        for (host, port, obtains, wait) in steps {
            second += wait;
            nat.set_time(Timestamp::from_nanos(second * 1_000_000_000));
            while nat.expire() {}
            let endpoint = inside(host, 2000 + port);
            if !obtains {
                held.remove(&endpoint).into_iter().for_each(|id| nat.release(id));
            } else if !held.contains_key(&endpoint)
                && let Ok(id) = nat.obtain(&towards_anybody(Protocol::Udp, endpoint), &mut rng)
            {
                held.insert(endpoint, id);
            }
            ledger.read(&mut nat, second);
            let outside: BTreeSet<_> = nat.iter().map(|mapping| mapping.outside).collect();
            prop_assert_eq!(outside.len(), held.len());
            for mapping in nat.iter() {
                prop_assert_eq!(ledger.owners.get(&(mapping.outside.1 / 64 * 64)), Some(&mapping.inside.0));
                prop_assert_eq!(nat.lookup_outside(Protocol::Udp, mapping.outside), held.get(&mapping.inside).copied());
            }
            for owner in ledger.owners.values() {
                prop_assert!(ledger.owners.values().filter(|other| *other == owner).count() <= 2);
            }
        }
        held.into_values().for_each(|id| nat.release(id));
        ledger.read(&mut nat, second);
        prop_assert!(ledger.owners.is_empty() && nat.is_empty());
        nat.set_time(Timestamp::from_nanos((second + 11) * 1_000_000_000));
        while nat.expire() {}
        prop_assert_eq!(nat.subscriber_count(), 0);
        // All eight blocks can be given out again.
        for host in 100..108 {
            prop_assert!(nat.obtain(&towards_anybody(Protocol::Udp, inside(host, 1)), &mut rng).is_ok());
        }
    }
}
