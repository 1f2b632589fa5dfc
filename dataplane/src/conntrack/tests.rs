use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::index::Index;
use super::timer::{Links, Timed, Wheel};
use crate::limits::{IdleTicks, Timeouts};
use crate::time::{Tick, Timestamp};
use crate::tuple::{Direction, Protocol, Tuple};

proptest! {
    /// Few hashes make long runs, which is where shifting back goes wrong.
    #[test]
    fn the_index_agrees_with_a_map(operations in prop::collection::vec((0_u32..40, any::<bool>()), 0..300)) {
        let mut index = Index::new(64, 40);
        let mut model = BTreeMap::new();
        for (value, insert) in operations {
            let hash = value % 5;
            if insert && !model.contains_key(&value) {
                prop_assert!(index.insert(hash, value));
                model.insert(value, hash);
            } else if !insert {
                prop_assert_eq!(index.remove(hash, value), model.remove(&value).is_some());
            }
            prop_assert_eq!(index.len(), model.len());
            for candidate in 0..40 {
                let found = index.lookup(candidate % 5, |value| value == candidate).is_some();
                prop_assert_eq!(found, model.contains_key(&candidate));
            }
        }
    }

    #[test]
    fn the_wheel_hands_out_everything_in_time(
        entries in prop::collection::vec(0_u64..20_000, 1..50),
        removed in prop::collection::btree_set(0_usize..50, 0..10),
        nearer in prop::collection::vec((0_usize..50, 0_u64..20_000), 0..10),
        steps in prop::collection::vec(1_u64..3_000, 1..30),
    ) {
        let mut entries = entries;
        let mut wheel = Wheel::new(0);
        let mut places: Vec<Place> = entries.iter().map(|_| Place::default()).collect();
        let mut waiting = BTreeSet::new();
        for (entry, at) in (0..).zip(&entries) {
            wheel.insert(&mut places, entry, *at);
            waiting.insert(entry);
        }
        for entry in removed.into_iter().filter(|&entry| entry < entries.len()) {
            let entry = u32::try_from(entry).unwrap();
            wheel.remove(&mut places, entry);
            waiting.remove(&entry);
        }
        let count = entries.len();
        for (entry, at) in nearer.into_iter().filter(|&(entry, _)| entry < count) {
            let place = u32::try_from(entry).unwrap();
            if waiting.contains(&place) && at < entries[entry] {
                entries[entry] = at;
                wheel.hasten(&mut places, place, at);
            }
        }
        let mut now = 0;
        for step in steps {
            now += step;
            while let Some(entry) = wheel.pop_due(&mut places, now) {
                if entries[entry as usize] > now {
                    wheel.insert(&mut places, entry, entries[entry as usize]);
                } else {
                    prop_assert!(waiting.remove(&entry));
                }
            }
            prop_assert!(waiting.iter().all(|&entry| entries[entry as usize] > now));
        }
    }
}

struct Place {
    links: Links,
    slot: u16,
}

impl Default for Place {
    fn default() -> Self {
        Self { links: Links::NONE, slot: u16::MAX }
    }
}

impl Timed for Place {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }

    fn slot(&mut self) -> &mut u16 {
        &mut self.slot
    }
}

#[test]
fn a_stale_name_finds_nothing() {
    use super::{NewSession, State, Table, TupleHasher};
    let tuple = |port| Tuple {
        protocol: Protocol::Udp,
        source: Ipv4Addr::new(10, 0, 0, 2),
        source_port: port,
        destination: Ipv4Addr::new(192, 0, 2, 1),
        destination_port: 53,
    };
    let hasher = TupleHasher::new(&[1; 32]);
    let capacity = crate::nat::Capacity { mappings: 4, sessions: 4, subscribers: 4 };
    let mut nat = crate::nat::Nat::new(capacity, hasher);
    let mapping = nat.obtain_fixed(Protocol::Udp, (tuple(1).source, 1), (tuple(1).source, 1)).unwrap();
    let mut table = Table::new(1, 4, hasher, Timestamp::ZERO);
    let timeouts = Timeouts { udp_one_way: std::time::Duration::from_secs(5), ..Timeouts::default() };
    let idle = IdleTicks::from(&timeouts);
    let session = |port| NewSession {
        original: tuple(port),
        reply: tuple(port).reversed(),
        originator: crate::addr::Realm::Inside,
        state: State::Query { replied: false },
        mapping,
        master: None,
    };
    let insert = |table: &mut Table, port| table.insert(&session(port), Tick::ZERO, &idle);
    let first = insert(&mut table, 1).unwrap();
    assert_eq!(insert(&mut table, 2), Err(super::InsertError::Full));
    assert!(table.remove(first).is_some());
    let second = insert(&mut table, 2).unwrap();
    assert!(table.session(first).is_none());
    assert!(table.find(&tuple(1).into()).is_none());
    assert_eq!(table.find(&tuple(2).into()), Some((second, Direction::Original)));
    assert_eq!(table.find(&tuple(2).reversed().into()), Some((second, Direction::Reply)));
    let mut budget = 10;
    assert_eq!(table.pop_expired(Timestamp::from_nanos(4_999_999_999), &mut budget), None);
    assert_eq!(table.pop_expired(Timestamp::from_nanos(6_000_000_001), &mut budget), Some(second));
}
