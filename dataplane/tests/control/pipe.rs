//! A control session on a perfect network: what one end says, the other hears at once.

use std::time::Duration;

use pinhole_dataplane::alg::AlgProtocol;
use pinhole_dataplane::alg::control::{ControlStream, Rewritten, Segment, SegmentVerdict};
use pinhole_dataplane::time::Timestamp;
use pinhole_dataplane::tuple::Direction;

use crate::arbiter::{Recorder, Side, ends};

pub(crate) const CLIENT_ISN: u32 = 1_000;
pub(crate) const SERVER_ISN: u32 = 5_000;

/// One end's counts, as it knows them itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) next: u32,
    pub(crate) expected: u32,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) control: ControlStream,
    pub(crate) arbiter: Recorder,
    pub(crate) now: Timestamp,
    pub(crate) client: End,
    pub(crate) server: End,
}

/// A segment without any special flag.
pub(crate) fn segment(seq: u32, ack: u32, payload: &[u8]) -> Segment<'_> {
    Segment {
        seq,
        ack,
        window: 10_000,
        window_scale: None,
        syn: false,
        fin: false,
        rst: false,
        ack_flag: true,
        push: false,
        urgent: None,
        timestamps: None,
        payload,
    }
}

pub(crate) fn forwarded(verdict: SegmentVerdict) -> Rewritten {
    match verdict {
        SegmentVerdict::Forward(rewritten) => rewritten,
        SegmentVerdict::Held | SegmentVerdict::Dropped => panic!("{verdict:?}"),
    }
}

impl Pipe {
    /// A session whose handshake is done and whose server has said nothing.
    pub(crate) fn silent(inside: Side) -> Self {
        let mut pipe = Self {
            control: ControlStream::new(AlgProtocol::Ftp, ends(inside)),
            arbiter: Recorder::new(inside),
            now: Timestamp::ZERO,
            client: End { next: CLIENT_ISN + 1, expected: SERVER_ISN + 1 },
            server: End { next: SERVER_ISN + 1, expected: CLIENT_ISN + 1 },
        };
        let syn = Segment { syn: true, ack_flag: false, ..segment(CLIENT_ISN, 0, b"") };
        forwarded(pipe.handle(Direction::Original, &syn));
        let syn = Segment { syn: true, ..segment(SERVER_ISN, CLIENT_ISN + 1, b"") };
        forwarded(pipe.handle(Direction::Reply, &syn));
        forwarded(pipe.handle(Direction::Original, &segment(CLIENT_ISN + 1, SERVER_ISN + 1, b"")));
        pipe
    }

    /// A session in which a user has logged in.
    pub(crate) fn new(inside: Side) -> Self {
        let mut pipe = Self::silent(inside);
        pipe.server("220 ready\r\n");
        pipe.client("USER anonymous\r\n");
        pipe.server("230 welcome\r\n");
        pipe
    }

    pub(crate) fn handle(&mut self, direction: Direction, segment: &Segment<'_>) -> SegmentVerdict {
        self.control.handle_segment(direction, segment, &mut self.arbiter, self.now)
    }

    fn end(&mut self, direction: Direction) -> &mut End {
        match direction {
            Direction::Original => &mut self.client,
            Direction::Reply => &mut self.server,
        }
    }

    /// Lets an end take a segment that the gateway has sent; returns what it hears.
    fn hear(&mut self, direction: Direction, seq: u32, ack: u32, payload: &[u8], fin: bool) -> Vec<u8> {
        let hearer = self.end(direction.opposite());
        assert!(ack.wrapping_sub(hearer.next).cast_signed() <= 0, "{ack} is acknowledged too early");
        let skip = hearer.expected.wrapping_sub(seq) as usize;
        let heard = payload.get(skip..).unwrap_or_default().to_vec();
        hearer.expected = hearer.expected.wrapping_add(heard.len() as u32 + u32::from(fin));
        heard
    }

    /// Hears what the gateway sends of its own; returns the bytes that arrive at the receiver of `direction`.
    pub(crate) fn hear_crafted(&mut self, direction: Direction) -> Vec<u8> {
        let mut heard = Vec::new();
        while let Some(crafted) = self.control.poll_crafted() {
            let bytes = self.hear(crafted.direction, crafted.seq, crafted.ack, &crafted.payload, crafted.fin);
            if crafted.direction == direction {
                heard.extend(bytes);
            }
        }
        heard
    }

    /// Sends bytes and returns what arrives; the hearer then acknowledges.
    pub(crate) fn say(&mut self, direction: Direction, bytes: &[u8]) -> Vec<u8> {
        let End { next, expected } = *self.end(direction);
        let verdict = self.handle(direction, &segment(next, expected, bytes));
        self.end(direction).next = next.wrapping_add(bytes.len() as u32);
        let mut heard = Vec::new();
        if let SegmentVerdict::Forward(rewritten) = verdict {
            let payload = rewritten.payload.unwrap_or_else(|| bytes.to_vec());
            heard = self.hear(direction, rewritten.seq, rewritten.ack, &payload, rewritten.fin);
        }
        heard.extend(self.hear_crafted(direction));
        self.acknowledge(direction);
        heard
    }

    fn acknowledge(&mut self, direction: Direction) {
        let back = direction.opposite();
        let End { next, expected } = *self.end(back);
        let rewritten = forwarded(self.handle(back, &segment(next, expected, b"")));
        self.hear(back, rewritten.seq, rewritten.ack, b"", false);
        self.hear_crafted(back);
    }

    pub(crate) fn client(&mut self, text: &str) -> String {
        String::from_utf8(self.say(Direction::Original, text.as_bytes())).unwrap()
    }

    pub(crate) fn server(&mut self, text: &str) -> String {
        String::from_utf8(self.say(Direction::Reply, text.as_bytes())).unwrap()
    }

    pub(crate) fn advance(&mut self, duration: Duration) {
        self.now = self.now.saturating_add(duration);
        self.control.handle_timeout(&mut self.arbiter, self.now);
    }
}
