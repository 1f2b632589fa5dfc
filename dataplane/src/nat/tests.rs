use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Capacity, Nat, NatError};
use crate::config::{PortRange, Snapshot};
use crate::conntrack::TupleHasher;
use crate::rng::Rng;
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
