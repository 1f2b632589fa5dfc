use super::*;

fn good() -> v1::Session {
    v1::Session {
        id: "0000002a-1-0".to_owned(),
        protocol: "tcp".to_owned(),
        inside: "10.0.0.2:40000".to_owned(),
        outside: "203.0.113.1:20000".to_owned(),
        remote: "198.51.100.5:21".to_owned(),
        originator: "inside".to_owned(),
        state: "established\u{1b}".to_owned(),
        alg: v1::AlgProtocol::Ftp.into(),
        ..v1::Session::default()
    }
}

fn sessions(listing: Listing, sessions: Vec<v1::Session>, next: Option<u64>) -> Answered {
    let found = v1::Sessions { sessions, total: u64::MAX, next };
    parse(&Question::Sessions(listing), Outcome::Sessions(found))
}

#[test]
fn what_a_gateway_answers_is_read_or_refused() {
    let Answer::Sessions(page) = sessions(Listing::default(), vec![good()], Some(9)).unwrap() else {
        panic!("another kind of answer")
    };
    assert_eq!((page.total, page.next), (u64::MAX, Some(9)));
    assert_eq!((page.items[0].alg, page.items[0].state.as_str()), (Some(AlgProtocol::Ftp), "established"));
    assert_eq!(page.items[0].announced, None);

    let with = |change: fn(&mut v1::Session)| {
        let mut session = good();
        change(&mut session);
        session
    };
    for bad in [
        with(|session| session.id = "a/b".to_owned()),
        with(|session| session.protocol = "sctp".to_owned()),
        with(|session| session.inside = "10.0.0.2".to_owned()),
        with(|session| session.outside = String::new()),
        with(|session| session.remote = "example.org:1".to_owned()),
        with(|session| session.originator = "above".to_owned()),
        with(|session| session.master = "../x".to_owned()),
    ] {
        assert_eq!(sessions(Listing::default(), vec![bad], None), Err(ApplianceFault::Nonsense));
    }
    // More than was asked for, and a way on that leads nowhere.
    let one = || Listing { limit: 1, cursor: 5, ..Listing::default() };
    assert_eq!(sessions(one(), vec![good(), good()], None), Err(ApplianceFault::Nonsense));
    for next in [0, 5, u64::MAX] {
        assert_eq!(sessions(one(), vec![], Some(next)), Err(ApplianceFault::Nonsense));
    }
    // Another question's answer.
    let kill = Question::EndSession(LiveId::parse("a").unwrap());
    for strange in [Outcome::Sessions(v1::Sessions::default()), Outcome::Pinholes(v1::Pinholes::default())] {
        assert_eq!(parse(&kill, strange), Err(ApplianceFault::Nonsense));
    }
    let done = Outcome::Done(v1::Done {});
    assert_eq!(parse(&kill, done.clone()), Ok(Answer::Ended));
    assert_eq!(parse(&Question::Mappings(Listing::default()), done), Err(ApplianceFault::Nonsense));
    let refused = parse(&kill, Outcome::Refused("no\nway".to_owned()));
    assert_eq!(refused, Err(ApplianceFault::Refused("no way".to_owned())));
}

#[test]
fn mappings_are_towards_somebody_or_anybody() {
    let message = |remote: &str, block| v1::Mapping {
        protocol: "udp".to_owned(),
        inside: "10.0.0.2:5353".to_owned(),
        outside: "203.0.113.1:2000".to_owned(),
        remote: remote.to_owned(),
        holders: 2,
        block,
        explicit: None,
    };
    let range = |first, last| Some(v1::PortRange { first, last });
    let read = mapping(message("0.0.0.0:0", range(1984, 2047))).unwrap();
    assert_eq!((read.remote, read.block), (None, Some((1984, 2047))));
    let read = mapping(message("198.51.100.5:53", range(9, 3))).unwrap();
    assert_eq!((read.remote.map(|remote| remote.port()), read.block), (Some(53), None));
    assert_eq!(mapping(message("", None)), None);
    assert_eq!(mapping(message("0.0.0.0:0", range(0, 65_536))), None);
}
