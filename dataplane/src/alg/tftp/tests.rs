use super::request::{Kind, Malformed, Request};

#[test]
fn a_request_has_a_name_and_a_mode() {
    let read = Request { kind: Kind::Read, multicast: false };
    let write = Request { kind: Kind::Write, multicast: false };
    for (bytes, expected) in [
        (&b"\0\x01file\0octet\0"[..], Ok(read)),
        (b"\0\x02file\0NetASCII\0", Ok(write)),
        (b"\0\x01file\0octet\0blksize\x001428\0tsize\x000\0", Ok(read)),
        (b"\0\x01file\0octet\0blksize\0", Ok(read)),
        (b"\0\x01file\0octet", Err(Malformed::Request(Kind::Read))),
        (b"\0\x01file\0", Err(Malformed::Request(Kind::Read))),
        (b"\0\x02\0octet\0", Err(Malformed::Request(Kind::Write))),
        (b"\0\x01file\0\0", Err(Malformed::Request(Kind::Read))),
        (b"\0\x01", Err(Malformed::Request(Kind::Read))),
        (b"\0\x03\0\x01data\0data\0", Err(Malformed::NoRequest)),
        (b"\x01\x01file\0octet\0", Err(Malformed::NoRequest)),
        (b"\0", Err(Malformed::NoRequest)),
        (b"", Err(Malformed::NoRequest)),
    ] {
        assert_eq!(Request::parse(bytes), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_group_is_asked_for_by_an_option_not_by_a_value() {
    let asks = |bytes: &[u8]| Request::parse(bytes).unwrap().multicast;
    assert!(asks(b"\0\x01file\0octet\0multicast\0\0"));
    assert!(asks(b"\0\x01file\0octet\0tsize\x000\0MultiCast\0\0"));
    assert!(!asks(b"\0\x01multicast\0octet\0tsize\0multicast\0"));
}

#[test]
fn a_request_fits_a_block() {
    let request = |name: usize| [b"\0\x01", vec![b'a'; name].as_slice(), b"\0octet\0"].concat();
    assert!(Request::parse(&request(503)).is_ok());
    assert_eq!(Request::parse(&request(504)), Err(Malformed::Request(Kind::Read)));
}
