use super::*;

fn parse(listed: Listed, query: &str) -> Result<Listing, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    Listing::parse(listed, pairs).map_err(|(name, detail)| format!("{name} {detail}"))
}

#[test]
fn listings_are_read_or_refused() {
    let query = "cursor=7&limit=256&address=10.0.0.2&port=21&protocol=tcp&alg=ftp&state=syn_sent";
    let expected = Listing {
        cursor: 7,
        limit: 256,
        address: Some(Ipv4Addr::new(10, 0, 0, 2)),
        port: NonZeroU16::new(21),
        protocol: Some(SessionProtocol::Tcp),
        alg: Some(AlgProtocol::Ftp),
        state: Some(SessionState::SynSent),
    };
    assert_eq!(parse(Listed::Sessions, query), Ok(expected));
    assert_eq!(parse(Listed::Mappings, ""), Ok(Listing::default()));
    for (query, error) in [
        ("cursor=x", "cursor is to be a next_cursor that was answered"),
        ("cursor=+1", "cursor is to be a next_cursor that was answered"),
        ("cursor=1000000000000000000", "cursor is to be a next_cursor that was answered"),
        ("limit=0", "limit is to be a number from 1 to 256"),
        ("limit=257", "limit is to be a number from 1 to 256"),
        ("address=10.0.0", "address is to be an IPv4 address"),
        ("port=0", "port is to be a port from 1 to 65535"),
        ("protocol=TCP", "protocol is to be tcp, udp, icmp, udp_lite, gre or other"),
        ("alg=http", "alg is to be ftp, ike_esp, pptp, sip or tftp"),
        ("state=new", "state is no state of a session"),
        ("port=1&port=1", "port is given twice"),
        ("page=1", "page there is no such parameter"),
    ] {
        assert_eq!(parse(Listed::Sessions, query), Err(error.to_owned()), "{query}");
    }
    for (listed, query) in [
        (Listed::Pinholes, "state=replied"),
        (Listed::Mappings, "state=replied"),
        (Listed::Mappings, "alg=ftp"),
    ] {
        assert!(parse(listed, query).unwrap_err().ends_with("there is no such parameter"), "{query}");
    }
}

#[test]
fn names_are_short_and_plain() {
    for good in ["0000002a-1-0", "A", &"x".repeat(64)] {
        assert_eq!(LiveId::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "a/b", "a b", "ä", "a\0", &"x".repeat(65)] {
        assert_eq!(LiveId::parse(bad), None, "{bad:?}");
    }
}
