//! What FTP's messages open, close and become (RFC 959, 2428, 4217).

use std::time::Duration;

use pinhole_dataplane::alg::{CloseReason, OpaqueReason, PinholeId, PinholeRequest, Refusal, Transport};
use pinhole_dataplane::tuple::Direction;

use crate::arbiter::{INSIDE, OUTSIDE, Side, endpoint};
use crate::pipe::Pipe;

#[test]
fn port_opens_a_pinhole_for_the_server_and_names_the_mapping() {
    let mut pipe = Pipe::new(Side::Client);
    // 195 * 256 + 80 = 50000; the arbiter maps it to 7143 = 27 * 256 + 231.
    assert_eq!(pipe.client("PORT 10,0,0,2,195,80\r\n"), "PORT 203,0,113,99,27,231\r\n");
    let request = PinholeRequest {
        transport: Transport::Tcp,
        direction: Direction::Original,
        named: endpoint(INSIDE, 50_000),
        peer: endpoint(OUTSIDE, 0),
        lifetime: Duration::from_secs(60),
        message: "PORT",
        offset: 16,
    };
    assert_eq!(pipe.arbiter.opened, [request]);
    let rewritten = ("PORT 10,0,0,2,195,80".to_owned(), "PORT 203,0,113,99,27,231".to_owned());
    assert_eq!(pipe.arbiter.rewritten, [rewritten]);
}

#[test]
fn spelling_case_and_spaces_stay() {
    for (line, expected) in [
        ("port   10,0,0,2,195,80  \r\n", "port   203,0,113,99,27,231  \r\n"),
        ("PoRt 10,0,0,2,195,80\n", "PoRt 203,0,113,99,27,231\n"),
        ("EPRT |1|10.0.0.2|50000|\r\n", "EPRT |1|203.0.113.99|7143|\r\n"),
        ("eprt !1!10.0.0.2!50000!\r\n", "eprt !1!203.0.113.99!7143!\r\n"),
    ] {
        let mut pipe = Pipe::new(Side::Client);
        assert_eq!(pipe.client(line), expected);
        assert_eq!(pipe.arbiter.opened.len(), 1);
    }
}

#[test]
fn what_is_not_the_client_s_own_is_passed_and_opens_nothing() {
    for (line, refusal) in [
        ("PORT 10,0,0,3,195,80", Refusal::ForeignAddress),
        ("PORT 198,51,100,5,195,80", Refusal::ForeignAddress),
        ("PORT 10,0,0,2,0,22", Refusal::PrivilegedPort),
        ("PORT 10,0,0,2,0,0", Refusal::PrivilegedPort),
        ("EPRT |1|10.0.0.3|50000|", Refusal::ForeignAddress),
        ("EPRT |2|2001:db8::2|50000|", Refusal::ForeignAddress),
        ("PORT", Refusal::Malformed),
        ("PORT 10,0,0,2,195", Refusal::Malformed),
        ("PORT 10,0,0,2,195,80,1", Refusal::Malformed),
        ("PORT 10,0,0,2,256,80", Refusal::Malformed),
        ("PORT 10,0,0,2,0195,80", Refusal::Malformed),
        ("PORT 010,0,0,2,195,80", Refusal::Malformed),
        ("PORT 10,0,0,2,195,0000021", Refusal::Malformed),
        ("PORT 10, 0,0,2,195,80", Refusal::Malformed),
        ("PORT 10,0,0,2,195,80\0", Refusal::Malformed),
        ("PORT 10,0,0,2,195,-80", Refusal::Malformed),
        ("PORT (10,0,0,2,195,80)", Refusal::Malformed),
        ("EPRT |1|10.0.0.2|65536|", Refusal::Malformed),
        ("EPRT |1|10.0.0.02|50000|", Refusal::Malformed),
        ("EPRT |3|10.0.0.2|50000|", Refusal::Malformed),
        ("EPRT |1|10.0.0.2|50000", Refusal::Malformed),
        ("EPRT |1|10.0.0.2|50000||", Refusal::Malformed),
        ("EPRT |1|10.0.0.2|50000|x", Refusal::Malformed),
    ] {
        let mut pipe = Pipe::new(Side::Client);
        let line = format!("{line}\r\n");
        assert_eq!(pipe.client(&line), line);
        assert!(pipe.arbiter.opened.is_empty(), "{line:?}");
        assert_eq!(pipe.arbiter.refused, [(&line[..4], refusal)], "{line:?}");
        assert_eq!(pipe.client("PORT 10,0,0,2,195,80\r\n"), "PORT 203,0,113,99,27,231\r\n");
    }
}

#[test]
fn a_port_that_the_server_refuses_closes_its_pinhole() {
    let mut pipe = Pipe::new(Side::Client);
    pipe.client("EPRT |1|10.0.0.2|50000|\r\n");
    pipe.server("500 what?\r\n");
    assert_eq!(pipe.arbiter.closed, [(PinholeId(1), CloseReason::RefusedByPeer)]);
}

#[test]
fn an_accepted_port_replaces_those_before_it() {
    let mut pipe = Pipe::new(Side::Client);
    pipe.client("PORT 10,0,0,2,195,80\r\n");
    pipe.server("200 ok\r\n");
    pipe.client("PORT 10,0,0,2,195,81\r\n");
    assert!(pipe.arbiter.closed.is_empty(), "the server may still use the first");
    pipe.server("200 ok\r\n");
    assert_eq!(pipe.arbiter.closed, [(PinholeId(1), CloseReason::Replaced)]);
}

#[test]
fn pipelined_transfers_each_keep_their_pinhole_until_the_server_gets_there() {
    let mut pipe = Pipe::new(Side::Client);
    let sent = "PORT 10,0,0,2,195,80\r\nRETR a\r\nPORT 10,0,0,2,195,87\r\nRETR b\r\n";
    assert_eq!(
        pipe.client(sent),
        "PORT 203,0,113,99,27,231\r\nRETR a\r\nPORT 203,0,113,99,27,232\r\nRETR b\r\n"
    );
    assert_eq!(pipe.arbiter.opened.len(), 2);
    pipe.server("200 ok\r\n150 here it comes\r\n");
    assert!(pipe.arbiter.closed.is_empty());
    pipe.server("226 done\r\n200 ok\r\n");
    assert_eq!(pipe.arbiter.closed, [(PinholeId(1), CloseReason::Replaced)]);
    pipe.server("150 the other\r\n226 done\r\n");
    pipe.client("QUIT\r\n");
    pipe.server("221 bye\r\n");
    assert_eq!(pipe.arbiter.closed[1..], [(PinholeId(2), CloseReason::ControlEnded)]);
}

#[test]
fn replies_of_several_lines_count_once() {
    let mut pipe = Pipe::new(Side::Client);
    pipe.client("STAT\r\nPORT 10,0,0,2,195,80\r\n");
    pipe.server("211-status\r\n500 is a number here\r\n 211 too\r\n211 end\r\n");
    assert!(pipe.arbiter.closed.is_empty());
    pipe.server("500 no\r\n");
    assert_eq!(pipe.arbiter.closed, [(PinholeId(1), CloseReason::RefusedByPeer)]);
}

#[test]
fn rfc2428_section_4_after_epsv_all_nothing_else_opens() {
    let mut pipe = Pipe::new(Side::Client);
    pipe.client("EPSV ALL\r\n");
    assert_eq!(pipe.client("PORT 10,0,0,2,195,80\r\n"), "PORT 10,0,0,2,195,80\r\n");
    assert_eq!(pipe.client("EPRT |1|10.0.0.2|50000|\r\n"), "EPRT |1|10.0.0.2|50000|\r\n");
    assert_eq!(pipe.arbiter.refused, [("PORT", Refusal::OutOfTurn), ("EPRT", Refusal::OutOfTurn)]);
}

#[test]
fn before_the_greeting_nothing_opens() {
    let mut pipe = Pipe::silent(Side::Client);
    assert_eq!(pipe.client("PORT 10,0,0,2,195,80\r\n"), "PORT 10,0,0,2,195,80\r\n");
    assert_eq!(pipe.arbiter.refused, [("PORT", Refusal::OutOfTurn)]);
}

#[test]
fn an_outside_server_s_passive_replies_stay() {
    let mut pipe = Pipe::new(Side::Client);
    pipe.client("PASV\r\nEPSV\r\n");
    let replies = "227 Entering Passive Mode (198,51,100,5,200,1)\r\n229 (|||51201|)\r\n";
    assert_eq!(pipe.server(replies), replies);
    assert!(pipe.arbiter.opened.is_empty() && pipe.arbiter.refused.is_empty());
}

#[test]
fn an_inside_server_s_passive_replies_name_the_mapping() {
    for (command, reply, expected) in [
        (
            "PASV",
            "227 Entering Passive Mode (10,0,0,2,195,80).",
            "227 Entering Passive Mode (203,0,113,99,27,231).",
        ),
        ("pasv", "227 =10,0,0,2,195,80", "227 =203,0,113,99,27,231"),
        ("PASV", "227 Mode 1,2,3 then 10,0,0,2,195,80", "227 Mode 1,2,3 then 203,0,113,99,27,231"),
        ("EPSV", "229 Extended (|||50000|) mode", "229 Extended (|||7143|) mode"),
        ("EPSV 1", "229 Extended (!!!50000!)", "229 Extended (!!!7143!)"),
    ] {
        let mut pipe = Pipe::new(Side::Server);
        pipe.client(&format!("{command}\r\n"));
        assert_eq!(pipe.server(&format!("{reply}\r\n")), format!("{expected}\r\n"));
        let [request] = pipe.arbiter.opened[..] else { panic!("{command}: one pinhole") };
        assert_eq!(request.named, endpoint(INSIDE, 50_000));
        // The client as the server knows it.
        assert_eq!(request.peer, endpoint(OUTSIDE, 0));
    }
}

#[test]
fn a_passive_reply_that_nobody_asked_for_opens_nothing() {
    for reply in [
        "227 Entering Passive Mode (10,0,0,2,195,80)",
        "229 Extended (|||50000|)",
        "550 227 (10,0,0,2,195,80)",
        "550-no\r\n227 (10,0,0,2,195,80)\r\n550 227 (10,0,0,2,195,80)",
    ] {
        let mut pipe = Pipe::new(Side::Server);
        pipe.client("RETR 227 (10,0,0,2,195,80)\r\n");
        let reply = format!("{reply}\r\n");
        assert_eq!(pipe.server(&reply), reply);
        assert!(pipe.arbiter.opened.is_empty());
    }
}

#[test]
fn passive_replies_without_an_endpoint_are_passed() {
    for reply in ["227 Entering Passive Mode. 1,2,3", "227 Logout.", "227 (10,0,0,2,300,1)", "227"] {
        let mut pipe = Pipe::new(Side::Server);
        pipe.client("PASV\r\n");
        let reply = format!("{reply}\r\n");
        assert_eq!(pipe.server(&reply), reply);
        assert_eq!(pipe.arbiter.refused, [("227", Refusal::Malformed)]);
    }
}

#[test]
fn rfc4217_after_auth_the_stream_is_passed_unread() {
    let mut pipe = Pipe::new(Side::Client);
    pipe.client("AUTH TLS\r\n");
    pipe.server("534 not today\r\n");
    pipe.client("AUTH TLS\r\n");
    pipe.server("234 go ahead\r\n");
    assert_eq!(pipe.client("PORT 10,0,0,2,195,80\r\n"), "PORT 10,0,0,2,195,80\r\n");
    assert_eq!(pipe.arbiter.opaque, [OpaqueReason::Encrypted]);
    assert!(pipe.arbiter.opened.is_empty());
    assert!(pipe.control.is_inert(), "nothing was changed, so the engine may forget it");
}

#[test]
fn telnet_commands_before_a_line_are_skipped() {
    let mut pipe = Pipe::new(Side::Client);
    let abort = b"\xff\xf4\xff\xf2ABOR\r\nPORT 10,0,0,2,195,80\r\n";
    let heard = pipe.say(Direction::Original, abort);
    assert_eq!(heard, b"\xff\xf4\xff\xf2ABOR\r\nPORT 203,0,113,99,27,231\r\n");
    let heard = pipe.say(Direction::Original, b"\xff\xfb\x01PORT 10,0,0,2,195,80\r\n");
    assert_eq!(heard, b"\xff\xfb\x01PORT 203,0,113,99,27,231\r\n");
}
