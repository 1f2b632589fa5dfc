use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::{Nat, NatError};
use crate::config::nat::Translation;
use crate::config::{PoolAddress, PortRange};
use crate::conntrack::TupleHasher;
use crate::rng::Rng;
use crate::tuple::Protocol;

const SEED: [u8; 32] = [7; 32];

fn nat(first: u16, last: u16, capacity: u32) -> Nat {
    let mut nat = Nat::new(capacity, capacity, TupleHasher::new(&SEED));
    let address = Ipv4Addr::new(203, 0, 113, 1);
    let pool = [PoolAddress { address, ports: PortRange::new(first, last).unwrap(), host: false }];
    nat.configure(&pool, &Translation::default());
    nat
}

fn inside(host: u8, port: u16) -> (Ipv4Addr, u16) {
    (Ipv4Addr::new(10, 0, 0, host), port)
}

#[test]
fn one_inside_endpoint_has_one_outside_endpoint() {
    let (mut nat, mut rng) = (nat(1024, 65535, 8), Rng::new(&SEED));
    let first = nat.obtain(Protocol::Udp, inside(2, 5000), &mut rng).unwrap();
    let again = nat.obtain(Protocol::Udp, inside(2, 5000), &mut rng).unwrap();
    assert_eq!(first, again);
    let other = nat.obtain(Protocol::Tcp, inside(2, 5000), &mut rng).unwrap();
    assert_ne!(first, other);
}

#[test]
fn every_port_of_the_range_is_used_once_and_comes_back() {
    let (mut nat, mut rng) = (nat(1030, 1229, 1000), Rng::new(&SEED));
    let mut ids = Vec::new();
    let mut ports = BTreeSet::new();
    for port in 0..200 {
        let id = nat.obtain(Protocol::Tcp, inside(2, 2000 + port), &mut rng).unwrap();
        let (_, outside) = nat.mapping(id).unwrap().outside;
        assert!((1030..=1229).contains(&outside));
        assert!(ports.insert(outside), "port {outside} was given out twice");
        ids.push(id);
    }
    assert_eq!(nat.obtain(Protocol::Tcp, inside(3, 1), &mut rng), Err(NatError::NoPort));
    assert!(nat.obtain(Protocol::Udp, inside(3, 1), &mut rng).is_ok(), "protocols have ports of their own");
    nat.release(ids[77]);
    assert!(nat.obtain(Protocol::Tcp, inside(3, 1), &mut rng).is_ok());
}

#[test]
fn a_mapping_ends_with_its_last_holder() {
    let (mut nat, mut rng) = (nat(1024, 65535, 8), Rng::new(&SEED));
    let id = nat.obtain(Protocol::Udp, inside(2, 5000), &mut rng).unwrap();
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
    nat.obtain(Protocol::Udp, inside(2, 1), &mut rng).unwrap();
    nat.obtain(Protocol::Udp, inside(2, 2), &mut rng).unwrap();
    assert_eq!(nat.obtain(Protocol::Udp, inside(2, 3), &mut rng), Err(NatError::Full));
    assert_eq!(nat.len(), 2);
}
