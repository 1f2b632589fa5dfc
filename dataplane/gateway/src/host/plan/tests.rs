use super::*;

const CONFIG: &str = r#"
    inside = ["in0"]
    outside = ["out0"]
    [nat]
    inside_prefixes = ["10.0.0.0/24"]
    pool = ["203.0.113.1", "198.51.100.0/28"]
"#;

fn config(ports: &str) -> Config {
    let text = if ports.is_empty() { CONFIG.to_owned() } else { format!("{CONFIG}\nports = \"{ports}\"") };
    crate::config::file::parse(&text).unwrap()
}

fn facts(own: &[[u8; 4]]) -> HostFacts {
    let own = own.iter().copied().map(Ipv4Addr::from).collect();
    let broadcast = [Ipv4Addr::new(10, 0, 0, 255), Ipv4Addr::new(203, 0, 113, 255)].into();
    let local_ports = PortRange::new(32_768, 60_999).unwrap();
    HostFacts {
        addresses: HostAddresses { own, broadcast, ..HostAddresses::default() },
        local_ports,
        mtu: 1500,
    }
}

fn ports(config_ports: &str, own: &[[u8; 4]]) -> Result<String, String> {
    match facts(own).shared_ports(&config(config_ports)) {
        Ok(range) => Ok(range.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn an_address_of_its_own_gives_every_unprivileged_port() {
    let facts = facts(&[]);
    assert_eq!(facts.own_ports(&config("")).to_string(), "1024-65535");
    assert_eq!(facts.own_ports(&config("2000-3000")).to_string(), "2000-3000");
}

#[test]
fn an_address_of_the_host_leaves_it_a_window_of_ports() {
    assert_eq!(ports("", &[[203, 0, 113, 1]]).unwrap(), "16384-59975");
    assert_eq!(ports("40000-50000", &[[203, 0, 113, 1]]).unwrap(), "40000-50000");
    let error = ports("1024-65535", &[[203, 0, 113, 1]]).unwrap_err();
    assert!(
        error.starts_with("the NAT ports 1024-65535 leave 0 of the host's own ports 32768-60999"),
        "{error}"
    );
}

#[test]
fn interfaces_leave_to_the_host_what_is_the_hosts_of_ipv6() {
    let text = format!("{CONFIG}[ipv6]\ninside_prefixes = [\"2001:db8:1::/48\"]\n");
    let config = crate::config::file::parse(&text).unwrap();
    let mut facts = facts(&[]);
    facts.addresses.ipv6 = ["2001:db8:1::1", "2001:2::1"].map(|text| text.parse().unwrap()).into();
    let texts = |side| -> Vec<String> {
        let rules = ipv6::rules(&config, &facts, side);
        let text = |rule: &Rule| match rule {
            Rule::PassIpv6(prefix) => prefix.to_string(),
            Rule::Pass(_)
            | Rule::Redirect(_)
            | Rule::RedirectIpv6(_)
            | Rule::ErrorsTo(..)
            | Rule::ErrorsAbout(..) => {
                format!("{rule:?}")
            }
        };
        rules.iter().map(text).collect()
    };
    let link = ["fe80::/10", "ff00::/8"];
    assert_eq!(texts(Side::Outside), ["2001:2::1/128", link[0], link[1], "RedirectIpv6(\"pinhole-out\")"]);
    let inside = ["2001:2::1/128", "2001:db8:1::1/128", link[0], link[1], "RedirectIpv6(\"pinhole-in\")"];
    assert_eq!(texts(Side::Inside), inside);
}

#[test]
fn interfaces_leave_to_the_host_what_is_the_hosts_on_their_side() {
    let facts = facts(&[[127, 0, 0, 1], [10, 0, 0, 1], [203, 0, 113, 1], [203, 0, 113, 9]]);
    let texts = |side| -> Vec<String> {
        host_destinations(&config(""), &facts, side).iter().map(ToString::to_string).collect()
    };
    let inside = ["10.0.0.1/32", "10.0.0.255/32", "203.0.113.9/32", "203.0.113.255/32", "224.0.0.0/4"];
    assert_eq!(texts(Side::Inside)[..5], inside);
    assert_eq!(texts(Side::Inside)[5], "255.255.255.255/32");
    let outside = ["203.0.113.9/32", "203.0.113.255/32", "224.0.0.0/4", "255.255.255.255/32"];
    assert_eq!(texts(Side::Outside), outside);
}
