use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn range() -> impl Strategy<Value = PortRange> {
    (1..=u16::MAX, 1..=u16::MAX).prop_map(|(a, b)| {
        let port = |p| NonZeroU16::new(p).unwrap();
        PortRange::new(port(a.min(b)), port(a.max(b))).unwrap()
    })
}

/// Short ranges low in the space, so that lists overlap often.
fn crowded() -> impl Strategy<Value = Vec<PortRange>> {
    let short = (1..60u16, 0..10u16).prop_map(|(first, length)| {
        let port = |p| NonZeroU16::new(p).unwrap();
        PortRange::new(port(first), port(first + length)).unwrap()
    });
    proptest::collection::vec(short, 1..12)
}

fn text(ranges: &[PortRange]) -> String {
    ranges.iter().map(PortRange::to_string).collect::<Vec<_>>().join(",")
}

fn members(ranges: &[PortRange]) -> BTreeSet<u16> {
    ranges.iter().flat_map(|range| range.first()..=range.last()).collect()
}

#[test]
fn what_is_no_port() {
    for (text, code) in [
        ("", Code::Format),
        (",", Code::Format),
        ("1,", Code::Format),
        ("-", Code::Format),
        ("1-", Code::Format),
        ("1-2-3", Code::Format),
        ("+1", Code::Format),
        ("0x10", Code::Format),
        ("1.5", Code::Format),
        ("21;22", Code::Format),
        ("٣", Code::Format),
        ("0", Code::Range),
        ("0-10", Code::Range),
        ("65536", Code::Range),
        ("1-65536", Code::Range),
        ("99999999999999999999", Code::Range),
        ("20-10", Code::Range),
    ] {
        assert_eq!(PortSet::parse(text).unwrap_err().0, code, "{text:?}");
    }
    let long = vec!["1"; MAX_PORT_RANGES + 1].join(",");
    assert_eq!(PortSet::parse(&long).unwrap_err().0, Code::Length);
}

#[test]
fn the_canonical_form() {
    for (written, canonical) in [
        ("21", "21"),
        ("5-5", "5"),
        ("1-65535", "1-65535"),
        ("30, 20", "20,30"),
        ("20,21", "20,21"),
        ("20-30,25,28-40", "20-40"),
        ("007", "7"),
    ] {
        assert_eq!(PortSet::parse(written).unwrap().to_string(), canonical);
    }
}

proptest! {
    #[test]
    fn a_range_survives_the_round_trip(range in range()) {
        let set = PortSet::parse(&range.to_string()).unwrap();
        prop_assert_eq!(set.ranges(), &[range][..]);
    }

    #[test]
    fn a_list_means_what_it_says_and_its_form_is_stable(list in crowded()) {
        let set = PortSet::parse(&text(&list)).unwrap();
        prop_assert_eq!(members(set.ranges()), members(&list));
        prop_assert_eq!(&PortSet::parse(&set.to_string()).unwrap(), &set);
        for pair in set.ranges().windows(2) {
            prop_assert!(pair[0].last() < pair[1].first());
        }
    }

    #[test]
    fn overlap_agrees_with_counting(a in crowded(), b in crowded()) {
        let (left, right) = (PortSet::parse(&text(&a)).unwrap(), PortSet::parse(&text(&b)).unwrap());
        let shared = !members(&a).is_disjoint(&members(&b));
        prop_assert_eq!(left.overlaps(&right), shared);
        prop_assert_eq!(right.overlaps(&left), shared);
    }
}
