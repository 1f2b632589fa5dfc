use std::net::Ipv4Addr;

use super::*;

fn listing(listing: v1::Listing) -> Result<Question, String> {
    let inquiry = v1::Inquiry { id: 1, question: Some(v1::inquiry::Question::Sessions(listing)) };
    parse(inquiry).map_err(|unasked| match unasked {
        Unasked::Absent => "absent".to_owned(),
        Unasked::Refused(refusal) => refusal.to_string(),
    })
}

#[test]
fn listings_are_read_or_refused() {
    let asked = v1::Listing {
        from: 7,
        limit: 3,
        address: "10.0.0.2".to_owned(),
        port: 21,
        protocol: "tcp".to_owned(),
        alg: v1::AlgProtocol::Ftp.into(),
        state: "established".to_owned(),
    };
    let filter = Filter {
        address: Some(Ipv4Addr::new(10, 0, 0, 2).into()),
        port: Some(21),
        protocol: Some(Protocol::Tcp),
        alg: Some(AlgProtocol::Ftp),
        state: Some(Progress::Established),
    };
    assert_eq!(listing(asked.clone()), Ok(Question::Sessions(Listing { from: 7, limit: 3, filter })));
    let anything = Listing { from: 0, limit: MAX_ENTRIES, filter: Filter::default() };
    for limit in [0, 257, u32::MAX] {
        let asked = v1::Listing { limit, ..v1::Listing::default() };
        assert_eq!(listing(asked), Ok(Question::Sessions(anything.clone())));
    }
    for (bad, reason) in [
        (v1::Listing { address: "10.0.0".to_owned(), ..asked.clone() }, "\"10.0.0\" is no IP address"),
        (v1::Listing { port: 65_536, ..asked.clone() }, "65536 is no port"),
        (v1::Listing { protocol: "TCP".to_owned(), ..asked.clone() }, "\"TCP\" is no protocol known here"),
        (v1::Listing { alg: 77, ..asked.clone() }, "77 is no ALG known here"),
        (v1::Listing { state: "new".to_owned(), ..asked }, "\"new\" is no state of a session known here"),
    ] {
        assert_eq!(listing(bad), Err(reason.to_owned()));
    }
    assert!(matches!(parse(v1::Inquiry { id: 1, question: None }), Err(Unasked::Refused(Refusal::Unknown))));
}

#[test]
fn names_have_one_spelling() {
    let session = SessionName { life: Life(0xab), id: SessionId::from_parts(16, 2) };
    assert_eq!(session.to_string(), "000000ab-10-2");
    assert_eq!(SessionName::parse("000000ab-10-2"), Some(session));
    let pinhole = PinholeName { life: Life(u32::MAX), id: PinholeId(u64::MAX) };
    assert_eq!(PinholeName::parse(&pinhole.to_string()), Some(pinhole));
    for bad in
        ["", "-", "ab-10-2", "000000ab-10-02", "000000AB-10-2", "000000ab-+1-2", "000000ab-10-2-3", "ä"]
    {
        assert_eq!(SessionName::parse(bad), None, "{bad}");
    }
    for bad in ["", "000000ab", "000000ab-", "000000ab-10-2", "000000ab-11111111111111111"] {
        assert_eq!(PinholeName::parse(bad), None, "{bad}");
    }
}

#[test]
fn one_endpoint_may_have_the_address_and_another_the_port() {
    let (first, second) = (Endpoint::from(([10, 0, 0, 2], 40_000)), Endpoint::from(([198, 51, 100, 5], 21)));
    let filter = Filter { address: Some(first.address), port: Some(21), ..Filter::default() };
    assert!(filter.admits(&[first, second]));
    assert!(!filter.admits(&[first]));
    assert!(!filter.admits(&[second]));
    assert!(Filter::default().admits(&[]));
}
