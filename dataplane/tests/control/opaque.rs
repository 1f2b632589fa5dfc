//! Streams that are not, or no longer, read: passed byte for byte, and nothing opens.

use std::time::Duration;

use pinhole_dataplane::alg::{OpaqueReason, PinholeId};
use pinhole_dataplane::tuple::Direction;

use crate::arbiter::Side;
use crate::pipe::Pipe;

const PORT: &str = "PORT 10,0,0,2,195,80\r\n";

#[test]
fn a_web_page_s_post_opens_nothing() {
    for split in [1, 2, 3, 4, 5, 20, 1_000] {
        let mut pipe = Pipe::silent(Side::Client);
        pipe.server("220 ready\r\n");
        let request = format!("POST / HTTP/1.1\r\nHost: x\r\n\r\n{PORT}");
        let heard: String = request
            .as_bytes()
            .chunks(split)
            .map(|piece| {
                let piece = String::from_utf8(piece.to_vec()).unwrap();
                pipe.client(&piece)
            })
            .collect();
        assert_eq!(heard, request);
        assert_eq!(pipe.arbiter.opaque, [OpaqueReason::NotTheProtocol]);
        assert!(pipe.arbiter.opened.is_empty());
    }
}

#[test]
fn a_tls_record_is_not_ftp() {
    let mut pipe = Pipe::silent(Side::Client);
    let hello = b"\x16\x03\x01\x00\x05hello";
    assert_eq!(pipe.say(Direction::Original, hello), hello);
    assert_eq!(pipe.arbiter.opaque, [OpaqueReason::NotTheProtocol]);
}

#[test]
fn blanks_before_the_first_command_are_not_ftp_and_empty_lines_are_however_they_are_cut() {
    for (before, read) in [(" USER x\r\n", false), ("\t \r\n", false), ("\r\n", true), ("\r\r\n\n", true)] {
        for split in [1, 2, 3, 1_000] {
            let mut pipe = Pipe::silent(Side::Client);
            pipe.server("220 ready\r\n");
            for piece in before.as_bytes().chunks(split) {
                pipe.say(Direction::Original, piece);
            }
            assert_eq!(pipe.client(PORT) != PORT, read, "{before:?} in pieces of {split}");
        }
    }
}

#[test]
fn a_server_that_does_not_greet_is_not_read() {
    for greeting in
        ["HTTP/1.1 400 Bad Request\r\n", "SSH-2.0-x\r\n", "227 (10,0,0,2,195,80)\r\n", "  220 no\r\n"]
    {
        let mut pipe = Pipe::silent(Side::Client);
        assert_eq!(pipe.server(greeting), greeting);
        assert_eq!(pipe.arbiter.opaque, [OpaqueReason::NotTheProtocol], "{greeting:?}");
        assert_eq!(pipe.client(PORT), PORT);
    }
    let mut pipe = Pipe::silent(Side::Client);
    pipe.server("120 in a minute\r\n");
    assert_eq!(pipe.client(PORT), PORT, "not yet");
    pipe.server("220-wel\r\n220 come\r\n");
    assert_ne!(pipe.client(PORT), PORT);
}

#[test]
fn lines_beyond_the_limit_end_the_reading() {
    let mut pipe = Pipe::new(Side::Client);
    let long = format!("SITE {}", "x".repeat(600));
    assert_eq!(pipe.client(&long), long);
    assert_eq!(pipe.arbiter.opaque, [OpaqueReason::TooLong]);
    assert_eq!(pipe.client(&format!("\r\n{PORT}")), format!("\r\n{PORT}"));

    let mut pipe = Pipe::new(Side::Client);
    let port = format!("PORT {}1,2\r\n", "0".repeat(600));
    assert_eq!(pipe.client(&port), port);
    assert_eq!(pipe.arbiter.opaque, [OpaqueReason::TooLong]);
}

#[test]
fn more_commands_than_can_be_told_apart_end_the_reading() {
    let mut pipe = Pipe::new(Side::Client);
    pipe.client(&"NOOP\r\n".repeat(256));
    assert!(pipe.arbiter.opaque.is_empty());
    assert_eq!(pipe.client(PORT), PORT);
    assert_eq!(pipe.arbiter.opaque, [OpaqueReason::Stream]);
    assert!(pipe.arbiter.opened.is_empty() && pipe.arbiter.rewritten.is_empty(), "as it was passed");
}

#[test]
fn a_message_that_never_ends_is_let_go_as_it_is() {
    let mut pipe = Pipe::new(Side::Client);
    assert_eq!(pipe.client("PORT 10,0,0"), "");
    pipe.advance(Duration::from_secs(29));
    assert_eq!(pipe.hear_crafted(Direction::Original), b"");
    assert_eq!(pipe.client(",2"), "", "a byte more starts the time again");
    pipe.advance(Duration::from_secs(29));
    assert_eq!(pipe.hear_crafted(Direction::Original), b"");
    pipe.advance(Duration::from_secs(1));
    assert_eq!(pipe.hear_crafted(Direction::Original), b"PORT 10,0,0,2");
    assert_eq!(pipe.arbiter.opaque, [OpaqueReason::HeldTooLong]);
    assert_eq!(pipe.client(",195,80\r\n"), ",195,80\r\n");
    assert!(pipe.arbiter.opened.is_empty());
}

#[test]
fn what_the_other_end_says_holds_nothing_longer() {
    let mut pipe = Pipe::new(Side::Client);
    pipe.client("PORT 10,0,0");
    pipe.advance(Duration::from_secs(29));
    pipe.server("200 still here\r\n");
    pipe.advance(Duration::from_secs(1));
    assert_eq!(pipe.hear_crafted(Direction::Original), b"PORT 10,0,0");
    assert_eq!(pipe.arbiter.opaque, [OpaqueReason::HeldTooLong]);
}

#[test]
fn turned_off_the_shift_goes_on() {
    let mut pipe = Pipe::new(Side::Client);
    let longer = pipe.client("PORT 10,0,0,2,195,80\r\n");
    assert_ne!(longer.len(), PORT.len());
    assert_eq!(pipe.client("PORT 10,"), "");
    pipe.control.disable(&mut pipe.arbiter);
    assert_eq!(pipe.hear_crafted(Direction::Original), b"PORT 10,");
    assert_eq!(pipe.client("0,0,2,195,80\r\n"), "0,0,2,195,80\r\n");
    assert_eq!(pipe.server("200 ok\r\n"), "200 ok\r\n");
    assert_eq!(pipe.client(PORT), PORT);
    assert_eq!(pipe.arbiter.opaque, [OpaqueReason::Disabled]);
    assert_eq!(pipe.arbiter.opened.len(), 1);
    assert!(!pipe.control.is_inert(), "the shift is still needed");
    assert!(!pipe.arbiter.closed.contains(&(PinholeId(1), pinhole_dataplane::alg::CloseReason::Policy)));
}
