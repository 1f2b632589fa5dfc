use super::*;

fn range(text: &str) -> AddressRange {
    text.parse().unwrap()
}

#[test]
fn ranges_are_addresses_prefixes_or_spans() {
    assert_eq!(range("203.0.113.1").count(), 1);
    assert_eq!(range("203.0.113.0/28").count(), 16);
    assert_eq!(range("203.0.113.1-203.0.113.9").count(), 9);
    assert!("203.0.113.9-203.0.113.1".parse::<AddressRange>().is_err());
    assert!("203.0.113.1-".parse::<AddressRange>().is_err());
}

#[test]
fn a_range_is_exactly_its_prefixes() {
    let texts =
        |text: &str| -> Vec<String> { range(text).prefixes().iter().map(ToString::to_string).collect() };
    assert_eq!(texts("203.0.113.1"), ["203.0.113.1/32"]);
    assert_eq!(texts("203.0.113.0/24"), ["203.0.113.0/24"]);
    assert_eq!(
        texts("203.0.113.1-203.0.113.9"),
        ["203.0.113.1/32", "203.0.113.2/31", "203.0.113.4/30", "203.0.113.8/31"]
    );
    assert_eq!(texts("0.0.0.0/0"), ["0.0.0.0/0"]);
    assert_eq!(texts("255.255.255.254-255.255.255.255"), ["255.255.255.254/31"]);
}

#[test]
fn a_range_is_written_in_its_shortest_form() {
    for (text, shortest) in [
        ("203.0.113.1", "203.0.113.1"),
        ("203.0.113.1/32", "203.0.113.1"),
        ("203.0.113.1-203.0.113.1", "203.0.113.1"),
        ("203.0.113.0-203.0.113.15", "203.0.113.0/28"),
        ("203.0.113.1 - 203.0.113.9", "203.0.113.1-203.0.113.9"),
    ] {
        assert_eq!(range(text).to_string(), shortest);
        assert_eq!(range(shortest), range(text));
    }
}
