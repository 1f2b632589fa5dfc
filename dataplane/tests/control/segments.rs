//! Segments by themselves: numbers, flags, windows and bounds.

use std::time::Duration;

use pinhole_dataplane::alg::control::{Segment, SegmentVerdict, TcpTimestamps};
use pinhole_dataplane::tuple::Direction::{Original, Reply};

use crate::arbiter::Side;
use crate::pipe::{CLIENT_ISN, Pipe, SERVER_ISN, forwarded, segment};

const PORT: &[u8] = b"PORT 10,0,0,2,195,80\r\n";
const REWRITTEN: &[u8] = b"PORT 203,0,113,99,27,231\r\n";
/// How much longer the message gets.
const GROWTH: u32 = 4;

#[test]
fn later_numbers_are_shifted_both_ways() {
    let mut pipe = Pipe::new(Side::Client);
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    let port = forwarded(pipe.handle(Original, &segment(seq, ack, PORT)));
    assert_eq!((port.seq, port.payload.as_deref()), (seq, Some(REWRITTEN)));
    let end = seq + PORT.len() as u32;
    let next = forwarded(pipe.handle(Original, &segment(end, ack, b"RETR x\r\n")));
    assert_eq!((next.seq, next.payload), (end + GROWTH, None));
    let all = forwarded(pipe.handle(Reply, &segment(ack, end + GROWTH + 8, b"200 ok\r\n")));
    assert_eq!((all.seq, all.ack, all.payload), (ack, end + 8, None));
    // Inside the replacement nothing of it counts as received.
    let mut pipe = Pipe::new(Side::Client);
    forwarded(pipe.handle(Original, &segment(seq, ack, PORT)));
    let part = forwarded(pipe.handle(Reply, &segment(ack, seq + 12, b"")));
    assert_eq!(part.ack, seq + 5);
}

#[test]
fn a_repeated_message_goes_out_as_it_went_out_first() {
    let mut pipe = Pipe::new(Side::Client);
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    forwarded(pipe.handle(Original, &segment(seq, ack, PORT)));
    for (from, payload) in [(0, PORT), (0, &b"PORT 10,0,0,2,195,99\r\n"[..])] {
        let again = forwarded(pipe.handle(Original, &segment(seq + from, ack, payload)));
        assert_eq!((again.seq, again.payload.as_deref()), (seq, Some(REWRITTEN)));
    }
    let tail = forwarded(pipe.handle(Original, &segment(seq + 10, ack, &PORT[10..])));
    assert_eq!((tail.seq, tail.payload.as_deref()), (seq + 5, Some(&REWRITTEN[5..])));
    assert_eq!(pipe.arbiter.opened.len(), 1);
}

#[test]
fn held_bytes_are_acknowledged_for_a_sender_that_waits() {
    let mut pipe = Pipe::new(Side::Client);
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    let now = Some(TcpTimestamps { value: 7, echo: 3 });
    let first = Segment { timestamps: now, ..segment(seq, ack, b"PO") };
    assert_eq!(pipe.handle(Original, &first), SegmentVerdict::Held);
    let crafted = pipe.control.poll_crafted().unwrap();
    assert_eq!((crafted.direction, crafted.seq, crafted.ack), (Reply, ack, seq + 2));
    assert_eq!((crafted.window, crafted.payload.len(), crafted.fin), (10_000, 0, false));
    // Its sender has not heard: it says so again.
    assert_eq!(pipe.handle(Original, &first), SegmentVerdict::Held);
    assert_eq!(pipe.control.poll_crafted(), Some(crafted));
    // The whole message then leaves, in the place of the last piece.
    let last = forwarded(pipe.handle(Original, &segment(seq + 2, ack, &PORT[2..])));
    assert_eq!((last.seq, last.payload.as_deref()), (seq, Some(REWRITTEN)));
    assert!(last.push);
}

#[test]
fn what_was_acknowledged_for_the_receiver_is_sent_again_until_it_has_it() {
    let mut pipe = Pipe::new(Side::Client);
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    pipe.handle(Original, &segment(seq, ack, b"PORT 10,0,"));
    assert!(pipe.control.poll_crafted().is_some());
    forwarded(pipe.handle(Original, &segment(seq + 10, ack, &PORT[10..])));
    assert!(pipe.control.poll_crafted().is_none());
    for seconds in [1, 2, 4, 8] {
        pipe.advance(Duration::from_secs(seconds));
        let again = pipe.control.poll_crafted().unwrap();
        assert_eq!((again.direction, again.seq, again.ack), (Original, seq, ack));
        assert_eq!(again.payload, &REWRITTEN[..24], "the line end is its sender's to repeat");
        assert!(pipe.control.poll_crafted().is_none());
    }
    forwarded(pipe.handle(Reply, &segment(ack, seq + REWRITTEN.len() as u32, b"")));
    assert_eq!(pipe.control.poll_timeout(), None);
}

#[test]
fn a_receiver_that_opens_its_window_gets_it_at_once() {
    let mut pipe = Pipe::new(Side::Client);
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    pipe.handle(Original, &segment(seq, ack, b"PORT 10,0,"));
    forwarded(pipe.handle(Original, &segment(seq + 10, ack, &PORT[10..])));
    while pipe.control.poll_crafted().is_some() {}
    forwarded(pipe.handle(Reply, &Segment { window: 0, ..segment(ack, seq, b"") }));
    forwarded(pipe.handle(Reply, &segment(ack, seq, b"")));
    assert_eq!(pipe.control.poll_timeout(), Some(pipe.now));
}

#[test]
fn what_comes_early_waits_and_its_sender_hears_of_the_gap() {
    let mut pipe = Pipe::new(Side::Client);
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    assert_eq!(pipe.handle(Original, &segment(seq + 10, ack, &PORT[10..])), SegmentVerdict::Held);
    let crafted = pipe.control.poll_crafted().unwrap();
    assert_eq!((crafted.direction, crafted.ack, crafted.payload.len()), (Reply, seq, 0));
    let whole = forwarded(pipe.handle(Original, &segment(seq, ack, &PORT[..10])));
    assert_eq!((whole.seq, whole.payload.as_deref()), (seq, Some(REWRITTEN)));
}

#[test]
fn early_segments_beyond_the_window_or_the_bounds_are_dropped() {
    let mut pipe = Pipe::new(Side::Client);
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    let beyond = segment(seq + 10_001, ack, b"x");
    assert_eq!(pipe.handle(Original, &beyond), SegmentVerdict::Dropped);
    let mut kept = 0;
    while pipe.handle(Original, &segment(seq + 2 + 2 * kept, ack, b"x")) != SegmentVerdict::Dropped {
        kept += 1;
    }
    assert_eq!(kept, 32);
    forwarded(pipe.handle(Original, &segment(seq, ack, b"xx")));
}

#[test]
fn what_a_receiver_never_acknowledges_is_bounded() {
    let mut pipe = Pipe::new(Side::Client);
    let (mut seq, ack) = (pipe.client.next, pipe.client.expected);
    let line = [b"SITE ".as_slice(), &[b'x'; 493], b"\r\n"].concat();
    let mut taken = 0;
    while pipe.handle(Original, &segment(seq, ack, &line)) != SegmentVerdict::Dropped {
        seq += 500;
        taken += 500;
    }
    assert_eq!(taken, 66_000, "65,536 bytes and what more the last segment brings");
    forwarded(pipe.handle(Reply, &segment(ack, seq, b"")));
    forwarded(pipe.handle(Original, &segment(seq, ack, &line)));
}

#[test]
fn a_fin_waits_for_the_bytes_before_it() {
    let mut pipe = Pipe::new(Side::Client);
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    let fin = Segment { fin: true, ..segment(seq + 10, ack, &PORT[10..]) };
    assert_eq!(pipe.handle(Original, &fin), SegmentVerdict::Held);
    let whole = forwarded(pipe.handle(Original, &segment(seq, ack, &PORT[..10])));
    assert!(whole.fin);
    assert_eq!(whole.payload.as_deref(), Some(REWRITTEN));
    let end = seq + PORT.len() as u32 + 1;
    let done = forwarded(pipe.handle(Reply, &segment(ack, end + GROWTH, b"")));
    assert_eq!(done.ack, end);
    let last = forwarded(pipe.handle(Original, &segment(end, ack, b"")));
    assert_eq!(last.seq, end + GROWTH);
}

#[test]
fn a_fin_lets_an_unfinished_message_go() {
    let mut pipe = Pipe::new(Side::Client);
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    assert_eq!(pipe.handle(Original, &segment(seq, ack, b"PORT 10,0")), SegmentVerdict::Held);
    let fin = forwarded(pipe.handle(Original, &Segment { fin: true, ..segment(seq + 9, ack, b"") }));
    assert_eq!((fin.seq, fin.fin, fin.payload.as_deref()), (seq, true, Some(&b"PORT 10,0"[..])));
}

#[test]
fn an_rst_is_numbered_as_its_receiver_counts() {
    let mut pipe = Pipe::new(Side::Client);
    pipe.client("PORT 10,0,0,2,195,80\r\n");
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    let rst = forwarded(pipe.handle(Original, &Segment { rst: true, ..segment(seq, ack, b"") }));
    assert_eq!(rst.seq, seq + GROWTH);
    let rst = forwarded(pipe.handle(Reply, &Segment { rst: true, ..segment(ack, seq + GROWTH, b"") }));
    assert_eq!((rst.seq, rst.ack), (ack, seq));
}

#[test]
fn rfc5961_section_5_an_acknowledgement_of_what_was_never_sent_is_dropped() {
    let mut pipe = Pipe::new(Side::Client);
    let (next, expected) = (pipe.server.next, pipe.server.expected);
    let ahead = segment(next, expected + 1, b"227 (10,0,0,2,195,80)\r\n");
    assert_eq!(pipe.handle(Reply, &ahead), SegmentVerdict::Dropped);
}

#[test]
fn sack_blocks_count_whole_replacements_only() {
    let mut pipe = Pipe::new(Side::Client);
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    forwarded(pipe.handle(Original, &segment(seq, ack, b"USER x\r\n")));
    forwarded(pipe.handle(Original, &segment(seq + 8, ack, PORT)));
    forwarded(pipe.handle(Original, &segment(seq + 30, ack, b"RETR x\r\n")));
    let (line, end) = (seq + 8, seq + 8 + REWRITTEN.len() as u32);
    for (block, expected) in [
        ((line, end), Some((seq + 8, seq + 30))),
        ((end, end + 8), Some((seq + 30, seq + 38))),
        ((line, line + 10), Some((seq + 8, seq + 13))),
        ((line + 10, end), Some((seq + 28, seq + 30))),
        ((line + 6, line + 20), None),
        ((seq - 20, seq), None),
    ] {
        assert_eq!(pipe.control.map_sack(Reply, block.0, block.1), expected, "{block:?}");
    }
    assert_eq!(pipe.control.unmap_seq(Original, end), seq + 30);
}

#[test]
fn an_urgent_pointer_still_points_behind_the_same_byte() {
    let mut pipe = Pipe::new(Side::Client);
    pipe.client("PORT 10,0,0,2,195,80\r\n");
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    let bytes = [PORT, b"\xff\xf2ABOR\r\n"].concat();
    let urgent = Some(PORT.len() as u16 + 2);
    let sent = forwarded(pipe.handle(Original, &Segment { urgent, ..segment(seq, ack, &bytes) }));
    assert_eq!(sent.urgent, Some(REWRITTEN.len() as u16 + 2));
}

#[test]
fn data_on_a_syn_comes_again_and_is_read_then() {
    let mut pipe = Pipe::silent(Side::Client);
    let syn = Segment { syn: true, ..segment(CLIENT_ISN, SERVER_ISN + 1, PORT) };
    assert_eq!(forwarded(pipe.handle(Original, &syn)).payload, Some(Vec::new()));
}

#[test]
fn a_keep_alive_is_answered_by_its_receiver() {
    let mut pipe = Pipe::new(Side::Client);
    pipe.client("PORT 10,0,0,2,195,80\r\n");
    let (seq, ack) = (pipe.client.next, pipe.client.expected);
    let probe = forwarded(pipe.handle(Original, &segment(seq - 1, ack, b"\0")));
    assert_eq!((probe.seq, probe.payload), (seq + GROWTH - 1, None));
    let probe = forwarded(pipe.handle(Original, &segment(seq - 1, ack, b"")));
    assert_eq!(probe.seq, seq + GROWTH - 1);
}

#[test]
fn a_session_announces_as_often_as_it_likes() {
    let mut pipe = Pipe::new(Side::Client);
    for _ in 0..1_000 {
        assert_eq!(pipe.client("PORT 10,0,0,2,195,80\r\n"), "PORT 203,0,113,99,27,231\r\n");
        pipe.server("200 ok\r\n");
    }
}
