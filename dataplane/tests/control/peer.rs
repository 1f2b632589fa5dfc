//! A small TCP: it sends a stream in any pieces, repeats what is not acknowledged, and puts what comes in order.

use std::collections::BTreeMap;

use crate::random::Random;

/// Milliseconds.
pub(crate) type Time = u64;

const FIRST_TIMEOUT: Time = 300;
/// Short enough that a held message is never given up as too slow.
const LONGEST_TIMEOUT: Time = 800;

/// A segment on the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire {
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) window: u16,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) ack_flag: bool,
    pub(crate) sack: Vec<(u32, u32)>,
    pub(crate) payload: Vec<u8>,
}

/// How a peer behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habit {
    /// Longest piece that it sends.
    pub(crate) piece: u64,
    /// It sends nothing new while something is unacknowledged (Nagle's algorithm at its worst).
    pub(crate) waits: bool,
    /// Bytes that it takes at once; it closes its window now and then.
    pub(crate) window: u16,
    pub(crate) closes_window: bool,
}

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    habit: Habit,
    /// Sequence numbers of the first byte of either stream.
    start: u32,
    their_start: Option<u32>,
    /// What it sends; grows until `finished`.
    pub(crate) outgoing: Vec<u8>,
    pub(crate) finished: bool,
    acknowledged: usize,
    sent: usize,
    /// Highest position that was ever sent.
    most_sent: usize,
    selectively: Vec<bool>,
    allowed: usize,
    /// What has arrived in order.
    pub(crate) incoming: Vec<u8>,
    pub(crate) incoming_ended: bool,
    early: BTreeMap<usize, u8>,
    end: Option<usize>,
    timer: Option<Time>,
    timeout: Time,
    must_acknowledge: bool,
    window_open: bool,
}

impl Peer {
    pub(crate) fn new(name: &'static str, habit: Habit, start: u32) -> Self {
        Self {
            name,
            habit,
            start,
            their_start: None,
            outgoing: Vec::new(),
            finished: false,
            acknowledged: 0,
            sent: 0,
            most_sent: 0,
            selectively: Vec::new(),
            allowed: 0,
            incoming: Vec::new(),
            incoming_ended: false,
            early: BTreeMap::new(),
            end: None,
            timer: None,
            timeout: FIRST_TIMEOUT,
            must_acknowledge: false,
            window_open: true,
        }
    }

    /// The SYN, with the answer to theirs once that is known.
    pub(crate) fn syn(&self) -> Wire {
        Wire {
            seq: self.start.wrapping_sub(1),
            ack: self.their_start.unwrap_or(0),
            ack_flag: self.their_start.is_some(),
            window: self.habit.window,
            syn: true,
            ..Wire::default()
        }
    }

    pub(crate) fn learn(&mut self, syn: &Wire) {
        self.their_start = Some(syn.seq.wrapping_add(1));
        self.allowed = usize::from(syn.window);
    }

    /// Whether everything is acknowledged, FIN included, and everything has come.
    pub(crate) fn is_done(&self) -> bool {
        self.finished && self.acknowledged == self.outgoing.len() + 1 && self.incoming_ended
    }

    fn position(&self, ack: u32) -> i64 {
        i64::from(ack.wrapping_sub(self.start).cast_signed())
    }

    pub(crate) fn receive(&mut self, segment: &Wire, now: Time) {
        if segment.syn {
            return;
        }
        if segment.ack_flag {
            self.take_acknowledgement(segment, now);
        }
        let their_start = self.their_start.unwrap();
        let from = i64::from(segment.seq.wrapping_sub(their_start).cast_signed());
        for (index, &byte) in segment.payload.iter().enumerate() {
            let at = from + index as i64;
            self.take_byte(at, byte, segment);
        }
        if segment.fin {
            let end = usize::try_from(from).unwrap() + segment.payload.len();
            assert!(self.end.is_none_or(|known| known == end), "{}: the stream ends twice", self.name);
            self.end = Some(end);
        }
        while let Some(byte) = self.early.remove(&self.incoming.len()) {
            self.incoming.push(byte);
        }
        self.incoming_ended |= self.end == Some(self.incoming.len());
        let behind = from < self.incoming.len() as i64 - i64::from(self.habit.window);
        self.must_acknowledge |= !segment.payload.is_empty() || segment.fin || behind;
    }

    fn take_byte(&mut self, at: i64, byte: u8, segment: &Wire) {
        let Ok(at) = usize::try_from(at) else { return };
        // What was taken is not looked at again, as in any TCP; what was not must be the same each time it comes.
        let window = self.incoming.len()..self.incoming.len() + usize::from(self.habit.window);
        if window.contains(&at) {
            assert!(!self.incoming_ended, "{}: a byte after the end: {segment:?}", self.name);
            let known = *self.early.entry(at).or_insert(byte);
            assert_eq!(known, byte, "{}: byte {at} came with two values", self.name);
        }
    }

    fn take_acknowledgement(&mut self, segment: &Wire, now: Time) {
        let position = self.position(segment.ack);
        let most = self.most_sent as i64;
        assert!(position <= most, "{}: {position} is acknowledged, {most} were sent", self.name);
        let position = usize::try_from(position.max(0)).unwrap();
        if position > self.acknowledged {
            self.acknowledged = position;
            self.sent = self.sent.max(position);
            self.timeout = FIRST_TIMEOUT;
            self.timer = (self.acknowledged < self.most_sent).then_some(now + self.timeout);
        }
        if position >= self.acknowledged {
            self.allowed = self.acknowledged + usize::from(segment.window);
        }
        for &(left, right) in &segment.sack {
            let (left, right) = (self.position(left), self.position(right));
            assert!(left >= 0 && left < right && right <= most, "{}: SACK {left}-{right}", self.name);
            self.selectively.resize(self.outgoing.len().max(self.selectively.len()), false);
            for at in left..right {
                self.selectively[usize::try_from(at).unwrap()] = true;
            }
        }
    }

    fn window(&self) -> u16 {
        if self.window_open { self.habit.window } else { 0 }
    }

    fn segment(&self, from: usize, to: usize) -> Wire {
        let end = self.outgoing.len();
        Wire {
            seq: self.start.wrapping_add(u32::try_from(from).unwrap()),
            ack: self.acknowledgement(),
            ack_flag: true,
            window: self.window(),
            fin: from < to && to == end + 1,
            payload: self.outgoing[from.min(end)..to.min(end)].to_vec(),
            sack: self.blocks(),
            ..Wire::default()
        }
    }

    fn acknowledgement(&self) -> u32 {
        let end = self.incoming.len() + usize::from(self.incoming_ended);
        self.their_start.unwrap().wrapping_add(u32::try_from(end).unwrap())
    }

    fn blocks(&self) -> Vec<(u32, u32)> {
        let mut blocks: Vec<(usize, usize)> = Vec::new();
        for &at in self.early.keys() {
            match blocks.last_mut() {
                Some(block) if block.1 == at => block.1 += 1,
                _ => blocks.push((at, at + 1)),
            }
        }
        let number = |at: usize| self.their_start.unwrap().wrapping_add(u32::try_from(at).unwrap());
        blocks.iter().take(3).map(|&(left, right)| (number(left), number(right))).collect()
    }

    /// What it sends now.
    pub(crate) fn poll(&mut self, random: &mut Random, now: Time) -> Vec<Wire> {
        let mut segments = Vec::new();
        if self.habit.closes_window && random.percent(5) {
            self.window_open = !self.window_open;
            self.must_acknowledge = true;
        }
        if self.timer.is_some_and(|at| at <= now) {
            segments.push(self.repetition(random));
            self.timeout = (self.timeout * 2).min(LONGEST_TIMEOUT);
            self.timer = Some(now + self.timeout);
        }
        let end = self.outgoing.len() + usize::from(self.finished);
        while self.sent < end && !(self.habit.waits && self.sent > self.acknowledged) {
            let room = self.allowed.saturating_sub(self.sent);
            // Into a closed window it sends a probe when the timer says so.
            if room == 0 {
                self.timer.get_or_insert(now + self.timeout);
                break;
            }
            let piece = usize::try_from(random.between(1, self.habit.piece)).unwrap();
            let to = (self.sent + piece.min(room)).min(end);
            segments.push(self.segment(self.sent, to));
            self.sent = to;
            self.most_sent = self.most_sent.max(to);
            self.timer.get_or_insert(now + self.timeout);
        }
        if std::mem::take(&mut self.must_acknowledge) && segments.is_empty() {
            segments.push(self.segment(self.sent, self.sent));
        }
        segments
    }

    /// Repeats from the first byte that nobody has, in other pieces than before.
    fn repetition(&mut self, random: &mut Random) -> Wire {
        let mut from = self.acknowledged;
        while self.selectively.get(from) == Some(&true) && from < self.most_sent {
            from += 1;
        }
        let end = self.outgoing.len() + usize::from(self.finished);
        let piece = usize::try_from(random.between(1, self.habit.piece * 2)).unwrap();
        let to = (from + piece).min(self.most_sent.max(from + 1)).min(end);
        self.sent = self.sent.max(to);
        self.most_sent = self.most_sent.max(to);
        self.segment(from.min(to), to)
    }

    pub(crate) fn timer(&self) -> Option<Time> {
        self.timer
    }
}
