//! The same port, and clients of NAT-PMP (RFC 6886).

use super::*;

fn pmp_map(opcode: u8, port: u16, suggested: u16, lifetime: u32) -> Vec<u8> {
    let mut bytes = vec![0, opcode, 0, 0];
    bytes.extend(port.to_be_bytes());
    bytes.extend(suggested.to_be_bytes());
    bytes.extend(lifetime.to_be_bytes());
    bytes
}

#[test]
fn rfc6886_3_2_the_outside_address_is_told() {
    let mut world = world();
    let expected = [&[0, 128, 0, 0][..], &EPOCH.to_be_bytes(), &POOL.octets()].concat();
    assert_eq!(world.ask(&[0, 0]), expected);
}

#[test]
fn rfc6886_3_3_and_3_4_mappings_are_given_renewed_and_given_back() {
    let mut world = world();
    let answer = world.ask(&pmp_map(1, 5_000, 7_777, 7_200));
    let expected = [
        &[0, 129, 0, 0][..],
        &EPOCH.to_be_bytes(),
        &5_000_u16.to_be_bytes(),
        &7_777_u16.to_be_bytes(),
        &7_200_u32.to_be_bytes(),
    ];
    assert_eq!(answer, expected.concat());
    assert_eq!(world.ask(&pmp_map(2, 5_000, 7_777, 7_200))[..4], [0, 130, 0, 0]);
    // Another host's own port is its own.
    assert_eq!(world.from(NEIGHBOUR, &pmp_map(1, 5_000, 7_777, 7_200)).map(|answer| answer[3]), Some(0));
    let gone = world.ask(&pmp_map(1, 5_000, 0, 0));
    assert_eq!(gone[8..], [&5_000_u16.to_be_bytes()[..], &[0; 6]].concat());
    assert_eq!(world.engine.lease_count(), 2);
    world.ask(&pmp_map(2, 0, 0, 0));
    assert_eq!(world.engine.lease_count(), 1);
    // What a client of the one protocol has, one of the other does not take.
    world.ask(&map(600, UDP, 6_000, ANY));
    assert_eq!(world.ask(&pmp_map(1, 6_000, 0, 600))[..4], [0, 129, 0, 2]);
}

#[test]
fn rfc6886_3_5_what_is_not_understood_is_refused_or_ignored() {
    let mut world = world();
    assert_eq!(world.ask(&[0, 3])[..4], [0, 131, 0, 5]);
    assert_eq!(world.ask(&pmp_map(1, 0, 0, 600))[3], 2);
    for ignored in [&[0][..], &[0, 128], &[0, 1], &pmp_map(1, 1, 1, 1)[..11]] {
        assert_eq!(world.from(CLIENT, ignored), None);
    }
}
