use super::*;

#[test]
fn prefixes_are_read_and_written() {
    for text in ["::/0", "2001:db8::/32", "2001:db8:0:1::/64", "fe80::1/128"] {
        assert_eq!(text.parse::<Ipv6Prefix>().unwrap().to_string(), text);
    }
    for bad in ["", "2001:db8::", "2001:db8::/129", "2001:db8::/x", "10.0.0.0/8", "2001:db8::/-1"] {
        assert_eq!(bad.parse::<Ipv6Prefix>(), Err(Ipv6PrefixError::Syntax), "{bad}");
    }
    let wrong = "2001:db8::1/32".parse::<Ipv6Prefix>().unwrap_err();
    assert_eq!(wrong.to_string(), "has host bits set: did you mean 2001:db8::/32?");
}

#[test]
fn a_prefix_holds_what_shares_its_bits() {
    let prefix: Ipv6Prefix = "2001:db8:0:10::/60".parse().unwrap();
    assert!(prefix.contains("2001:db8:0:1f:ffff::".parse().unwrap()));
    assert!(!prefix.contains("2001:db8:0:20::".parse().unwrap()));
    assert!(prefix.overlaps("2001:db8::/32".parse().unwrap()));
    assert!(prefix.overlaps("2001:db8:0:12::/64".parse().unwrap()));
    assert!(!prefix.overlaps("2001:db8:0:20::/60".parse().unwrap()));
    assert!("::/0".parse::<Ipv6Prefix>().unwrap().overlaps(prefix));
}

#[test]
fn hosts_of_a_link_are_one_subscriber() {
    let of = |text: &str| subscriber_of(text.parse().unwrap()).to_string();
    assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    assert_eq!(of("2001:db8:1:2:ffff::"), "2001:db8:1:2::");
    assert_eq!(of("10.0.0.2"), "10.0.0.2");
}
