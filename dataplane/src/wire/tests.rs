use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::checksum::{Delta, checksum, pseudo_header, transport};
use super::{set_u16, tcp, u16_at};

#[test]
fn rfc1071_section_3_example() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(checksum(&bytes), !0xddf2);
}

#[test]
fn rfc1624_section_4_example() {
    // Header checksum 0xDD2F, a field changes from 0x5555 to 0x3285: equation 3 gives 0x0000.
    assert_eq!(Delta::NONE.replace(0x5555, 0x3285).apply([0xdd, 0x2f]), [0, 0]);
}

#[test]
fn options_of_a_usual_syn() {
    let mut segment = vec![0; 40];
    segment[tcp::DATA_OFFSET] = 10 << 4;
    segment[20..40].copy_from_slice(&[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 1, 3, 3, 7]);
    let options = tcp::options(&segment);
    assert_eq!(options.window_shift, Some(7));
    assert_eq!(options.timestamps, Some((7, 9)));
    assert_eq!(options.sack, None);
}

#[test]
fn an_option_longer_than_the_header_ends_the_reading() {
    let mut segment = vec![0; 24];
    segment[tcp::DATA_OFFSET] = 6 << 4;
    segment[20..24].copy_from_slice(&[5, 255, 1, 1]);
    assert_eq!(tcp::options(&segment), tcp::Options::default());
}

proptest! {
    #[test]
    fn incremental_equals_whole(
        mut bytes in prop::collection::vec(any::<u8>(), 4..200),
        at in any::<prop::sample::Index>(),
        new in any::<u16>(),
    ) {
        // A sum of only zero words has two representations; a packet is never all zero.
        bytes[0] = 0x45;
        let at = at.index(bytes.len() / 2 - 1) * 2 + 2;
        prop_assume!(at + 2 <= bytes.len());
        let before = checksum(&bytes);
        let old = u16_at(&bytes, at);
        set_u16(&mut bytes, at, new);
        prop_assert_eq!(Delta::NONE.replace(old, new).apply(before.to_be_bytes()), checksum(&bytes).to_be_bytes());
    }

    #[test]
    fn partial_equals_the_new_pseudo_header(a in any::<[u8; 4]>(), b in any::<[u8; 4]>(), c in any::<[u8; 4]>(), length in 8_usize..65_000) {
        let (a, b, c) = (Ipv4Addr::from(a), Ipv4Addr::from(b), Ipv4Addr::from(c));
        let field = pseudo_header(a, b, 6, length);
        let changed = Delta::NONE.replace_address(a, c).apply_partial(field.to_be_bytes());
        prop_assert_eq!(u16::from_be_bytes(changed) % 0xffff, pseudo_header(c, b, 6, length) % 0xffff);
    }

    #[test]
    fn a_right_transport_checksum_sums_to_zero(payload in prop::collection::vec(any::<u8>(), 8..100)) {
        let (a, b) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(192, 0, 2, 1));
        let mut segment = payload;
        set_u16(&mut segment, 6, 0);
        let sum = transport(a, b, 17, &segment);
        set_u16(&mut segment, 6, sum);
        prop_assert_eq!(transport(a, b, 17, &segment), 0);
    }
}
