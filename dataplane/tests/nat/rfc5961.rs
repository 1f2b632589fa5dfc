//! Improving TCP's Robustness to Blind In-Window Attacks: who does not know a connection's numbers changes nothing of it.

use pinhole_dataplane::conntrack::Progress;
use pinhole_dataplane::engine::DropReason::{IcmpSequence, TcpWindow};

use crate::connection::{Connection, Fate, WEB};
use crate::network::STRANGER;
use crate::packets::{ACK, FIN, RST, SYN, tcp, unreachable};

const FORWARDED: Fate = Fate::Forwarded;
const OUT_OF_WINDOW: Fate = Fate::Dropped(TcpWindow);

#[test]
fn rfc5961_section_3_only_an_rst_with_the_next_number_closes() {
    let mut connection = Connection::open();
    // In the window it may be right after all: the client answers with a challenge.
    for seq in [5_001, 5_000 + 0x1000 - 1] {
        assert_eq!(connection.answer(seq, 0, RST, b""), FORWARDED);
        assert_eq!(connection.progress(), Some(Progress::Established));
    }
    for seq in [4_999, 5_000 + 0x1000, 0x8000_0000] {
        assert_eq!(connection.answer(seq, 0, RST, b""), OUT_OF_WINDOW);
    }
    connection.goes_on();
    assert_eq!(connection.answer(5_006, 0, RST, b""), FORWARDED);
    assert_eq!(connection.progress(), Some(Progress::Closed));
}

#[test]
fn rfc5961_section_3_an_rst_after_data_that_were_not_acknowledged_yet_closes() {
    let mut connection = Connection::open();
    connection.answer(5_000, 1_000, ACK, b"the last words");
    assert_eq!(connection.answer(5_014, 1_000, RST | ACK, b""), FORWARDED);
    assert_eq!(connection.progress(), Some(Progress::Closed));
}

#[test]
fn rfc5961_section_3_a_challenge_and_its_answer_close() {
    let mut connection = Connection::open();
    assert_eq!(connection.answer(5_100, 0, RST, b""), FORWARDED);
    assert_eq!(connection.send(1_000, 5_000, ACK, b""), FORWARDED);
    assert_eq!(connection.answer(5_000, 0, RST, b""), FORWARDED);
    assert_eq!(connection.progress(), Some(Progress::Closed));
}

#[test]
fn rfc5961_section_3_a_refusal_answers_the_syn() {
    let mut connection = Connection::begun();
    for ack in [0, 999, 1_001] {
        assert_eq!(connection.answer(0, ack, RST | ACK, b""), OUT_OF_WINDOW);
    }
    assert_eq!(connection.answer(0, 1_000, RST, b""), OUT_OF_WINDOW);
    assert_eq!(connection.progress(), Some(Progress::SynSent));
    assert_eq!(connection.answer(0, 1_000, RST | ACK, b""), FORWARDED);
    assert_eq!(connection.progress(), Some(Progress::Closed));
}

#[test]
fn rfc5961_section_4_a_syn_changes_nothing_of_an_open_connection() {
    let mut connection = Connection::open();
    for seq in [0, 5_000, 0x7000_0000] {
        assert_eq!(connection.answer(seq, 0, SYN, b""), FORWARDED, "for the client to challenge");
        assert_eq!(connection.answer(seq, 1_000, SYN | ACK, b"data"), FORWARDED);
        assert_eq!(connection.send(seq, 0, SYN, b""), FORWARDED);
    }
    connection.goes_on();
}

#[test]
fn rfc5961_section_4_a_host_that_has_lost_its_connection_gets_a_new_one() {
    let mut connection = Connection::open();
    // The client has started anew, the server knows the old connection.
    assert_eq!(connection.send(70_000, 0, SYN, b""), FORWARDED);
    assert_eq!(connection.answer(5_000, 1_000, ACK, b""), FORWARDED, "the challenge");
    assert_eq!(connection.send(1_000, 0, RST, b""), FORWARDED, "nobody has such a connection");
    assert_eq!(connection.send(70_000, 0, SYN, b""), FORWARDED, "once more");
    assert_eq!(connection.progress(), Some(Progress::SynSent));
    assert_eq!(connection.answer(90_000, 70_001, SYN | ACK, b""), FORWARDED);
    assert_eq!(connection.send(70_001, 90_001, ACK, b""), FORWARDED);
    assert_eq!(connection.progress(), Some(Progress::Established));
}

#[test]
fn rfc5961_section_4_a_syn_changes_nothing_of_a_handshake() {
    let mut connection = Connection::begun();
    connection.answer(4_999, 1_000, SYN | ACK, b"");
    for (seq, ack) in [(77, 1_000), (4_999, 1_777)] {
        connection.answer(seq, ack, SYN | ACK, b"");
        connection.answer(seq, 0, SYN, b"");
    }
    assert_eq!(connection.progress(), Some(Progress::SynReceived));
    connection.send(1_000, 5_000, ACK, b"");
    connection.goes_on();
}

#[test]
fn rfc5961_section_5_data_count_only_with_an_acknowledgement_that_can_be() {
    let mut connection = Connection::open();
    connection.send(1_000, 5_000, ACK, b"sent");
    for ack in [1_005, 1_004 + 0x1000, 0x8000_0000, 1_000_u32.wrapping_sub(0x1001)] {
        assert_eq!(connection.answer(5_000, ack, ACK, b"forged"), OUT_OF_WINDOW);
        assert_eq!(connection.answer(5_000, ack, FIN | ACK, b""), OUT_OF_WINDOW);
    }
    assert_eq!(connection.progress(), Some(Progress::Established));
    let oldest = 1_000_u32.wrapping_sub(0x1000);
    assert_eq!(connection.answer(5_000, oldest, ACK, b"old"), FORWARDED, "one window behind");
    assert_eq!(connection.answer(5_003, 1_004, ACK, b"new"), FORWARDED);
}

#[test]
fn what_is_out_of_the_window_keeps_no_session_alive() {
    let mut connection = Connection::open();
    connection.wait(7_000);
    assert_eq!(connection.answer(5_000 + 0x1001, 1_000, ACK, b"beyond"), OUT_OF_WINDOW);
    assert_eq!(connection.answer(5_000_u32.wrapping_sub(0x2000), 1_000, ACK, b"long ago"), OUT_OF_WINDOW);
    assert_eq!(connection.answer(5_200, 0, RST, b""), FORWARDED);
    assert_eq!(connection.answer(5_200, 0, SYN, b""), FORWARDED);
    connection.wait(442);
    assert_eq!(connection.progress(), None);
}

#[test]
fn rfc5927_section_4_an_icmp_error_must_quote_what_is_in_flight() {
    let mut connection = Connection::open();
    connection.send(1_000, 5_000, ACK, b"in flight");
    let outside = connection.outside;
    let error = |seq| {
        let quoted = tcp(outside, WEB, seq, 5_000, ACK, b"in flight");
        unreachable(1, STRANGER, outside.0, &quoted)
    };
    for seq in [999, 1_010, 0, 0x8000_0000] {
        assert_eq!(connection.error_arrives(&error(seq)), Fate::Dropped(IcmpSequence));
    }
    for seq in [1_000, 1_004, 1_009] {
        assert_eq!(connection.error_arrives(&error(seq)), FORWARDED);
    }
    connection.answer(5_000, 1_009, ACK, b"");
    assert_eq!(connection.error_arrives(&error(1_000)), Fate::Dropped(IcmpSequence), "it has arrived");
    assert_eq!(connection.progress(), Some(Progress::Established));
}

#[test]
fn rfc5927_section_4_the_error_about_a_syn_quotes_its_number() {
    let mut connection = Connection::begun();
    let outside = connection.outside;
    let error = |seq| unreachable(1, STRANGER, outside.0, &tcp(outside, WEB, seq, 0, SYN, b""));
    assert_eq!(connection.error_arrives(&error(5)), Fate::Dropped(IcmpSequence));
    assert_eq!(connection.error_arrives(&error(999)), FORWARDED);
    assert_eq!(connection.progress(), Some(Progress::SynSent));
}
