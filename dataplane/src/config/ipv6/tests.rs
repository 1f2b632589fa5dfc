use super::*;

fn rules() -> Ipv6Rules {
    let opening = |inside: &str, transport, first, last| Ipv6Opening {
        inside: inside.parse().unwrap(),
        transport,
        ports: PortRange::new(first, last).unwrap(),
    };
    let settings = Ipv6Settings {
        inside_prefixes: ["2001:db8:9::/48", "2001:db8:1::/64", "2001:db8:1:8::/61"]
            .map(|p| p.parse().unwrap())
            .into(),
        filtering: Ipv6Filtering::default(),
        ipsec: true,
        openings: vec![
            opening("2001:db8:9::2", ServiceTransport::TcpUdp, 5_000, 5_010),
            opening("2001:db8:9::1", ServiceTransport::Udp, 53, 53),
            opening("2001:db8:9::2", ServiceTransport::Tcp, 22, 22),
        ],
    };
    Ipv6Rules::new(&Ipv6Config {
        settings,
        host_addresses: ["2001:db8:9::ff", "fe80::1", "::1", "2001:2::1"].map(|a| a.parse().unwrap()).into(),
    })
}

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

#[test]
fn an_address_is_inside_when_a_prefix_holds_it() {
    let rules = rules();
    for inside in ["2001:db8:9::", "2001:db8:9:ffff::1", "2001:db8:1::1", "2001:db8:1:f::1", "2001:db8:9::ff"]
    {
        assert!(rules.is_inside(address(inside)), "{inside}");
    }
    for outside in
        ["2001:db8:8::", "2001:db8:a::", "2001:db8:1:1::", "2001:db8:1:7::", "2001:db8:1:10::", "::1"]
    {
        assert!(!rules.is_inside(address(outside)), "{outside}");
    }
    assert!(!rules.is_subscriber(address("2001:db8:9::ff")));
    assert!(rules.is_subscriber(address("2001:db8:9::fe")));
}

#[test]
fn an_opening_is_of_one_address() {
    let (rules, host) = (rules(), address("2001:db8:9::2"));
    for (protocol, port) in [(6, 22), (6, 5_000), (17, 5_010)] {
        assert!(rules.is_open(protocol, host, port));
    }
    for (protocol, port) in [(17, 22), (6, 23), (17, 53), (132, 22), (6, 4_999), (6, 5_011)] {
        assert!(!rules.is_open(protocol, host, port));
    }
    assert!(rules.is_open(17, address("2001:db8:9::1"), 53));
    assert!(!rules.is_open(17, address("2001:db8:9::3"), 53));
}

#[test]
fn errors_come_from_an_address_that_is_known_outside() {
    assert_eq!(rules().reporter(), Some(address("2001:2::1")));
    let of = |addresses: &[&str]| {
        let settings = Ipv6Settings {
            inside_prefixes: vec!["2001:db8:9::/48".parse().unwrap()],
            filtering: Ipv6Filtering::default(),
            ipsec: true,
            openings: vec![],
        };
        let host_addresses = addresses.iter().map(|text| address(text)).collect();
        Ipv6Rules::new(&Ipv6Config { settings, host_addresses }).reporter()
    };
    assert_eq!(of(&["::1", "fe80::1", "2001:db8:9::1"]), Some(address("2001:db8:9::1")));
    assert_eq!(of(&["::1", "fe80::1", "fd00::1"]), None);
}

#[test]
fn kinds_of_filtering_have_their_names() {
    for kind in Ipv6Filtering::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
    }
    let error = "none".parse::<Ipv6Filtering>().unwrap_err().to_string();
    assert!(
        error.ends_with(
            "is not one of endpoint_independent, address_dependent, address_and_port_dependent, open"
        ),
        "{error}"
    );
}
