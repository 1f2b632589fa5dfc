//! One end of a TCP session: what it has sent, acknowledged and offered.

use crate::parse::TcpInfo;
use crate::wire::tcp::{ACK_FLAG, SYN};

/// One sender's numbers: `end` in its own sequence space, the others in that of its peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    /// Highest sequence number sent, plus one; nothing counts after the FIN.
    pub(super) end: u32,
    /// Highest acknowledgement sent: the next byte that it expects of its peer. Until there is one, its own initial
    /// sequence number.
    pub(super) ack: u32,
    /// Where the windows that it offered end: the highest number that its peer may send.
    edge: u32,
    /// The largest window that it offered, in units of its scale, rounded up.
    window: u16,
    shift: u8,
    marks: u8,
}

/// `end` is meaningful.
const SENT: u8 = 1 << 0;
/// `ack` is what it says.
const ACKED: u8 = 1 << 1;
/// It has sent its FIN, which `end` then includes.
const FINISHED: u8 = 1 << 2;
/// It has sent an RST that was believed.
const RESET: u8 = 1 << 3;
/// Its SYN offered to scale windows.
const SCALES: u8 = 1 << 4;

/// Whether sequence number `a` is before `b` (RFC 1982 comparison).
#[inline(always)]
pub(super) const fn before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) > u32::MAX / 2
}

impl Sender {
    pub(super) const SILENT: Self = Self { end: 0, ack: 0, edge: 0, window: 0, shift: 0, marks: 0 };

    /// Starts with the sender's SYN.
    pub(super) fn new(syn: TcpInfo, shift: Option<u8>) -> Self {
        let scales = if shift.is_some() { SCALES } else { 0 };
        let mut sender = Self {
            end: syn.end(),
            ack: syn.seq,
            shift: shift.unwrap_or(0),
            marks: SENT | scales,
            ..Self::SILENT
        };
        sender.widen(syn);
        sender
    }

    #[inline(always)]
    const fn is(self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    pub(super) const fn has_sent(self) -> bool {
        self.is(SENT)
    }

    #[inline(always)]
    pub(super) const fn has_acked(self) -> bool {
        self.is(ACKED)
    }

    pub(super) const fn has_finished(self) -> bool {
        self.is(FINISHED)
    }

    pub(super) const fn has_reset(self) -> bool {
        self.is(RESET)
    }

    pub(super) const fn scales(self) -> bool {
        self.is(SCALES)
    }

    pub(super) const fn finish(&mut self) {
        self.marks |= FINISHED;
    }

    pub(super) const fn reset(&mut self) {
        self.marks |= RESET;
    }

    pub(super) const fn take_back_reset(&mut self) {
        self.marks &= !RESET;
    }

    /// Scaling is on only if both sides offer it (RFC 7323, section 2.2).
    pub(super) fn unscale(&mut self) {
        self.window = u16::try_from(self.largest_window()).unwrap_or(u16::MAX);
        self.shift = 0;
    }

    /// Returns the largest window that it offered, in bytes; a peer may always try one.
    #[inline(always)]
    pub(super) fn largest_window(self) -> u32 {
        (u32::from(self.window) << self.shift).max(1)
    }

    /// Lets its peer send a window's worth after `from`, which it has not acknowledged yet.
    pub(super) fn expect(&mut self, from: u32) {
        self.edge = from.wrapping_add(self.largest_window());
    }

    /// Lets its peer send up to a number.
    pub(super) fn allow(&mut self, edge: u32) {
        if before(self.edge, edge) {
            self.edge = edge;
        }
    }

    /// Lets its peer send a window's worth after an acknowledgement.
    pub(super) fn allow_window(&mut self, ack: u32, window: u16) {
        self.allow(ack.wrapping_add(self.scaled(window).max(1)));
    }

    /// Returns how many bytes its peer may send after what it acknowledged; at least one.
    pub(super) fn open_window(self) -> u32 {
        self.edge.wrapping_sub(self.ack).max(1)
    }

    /// Whether its peer may have sent this segment, and says of it nothing impossible.
    ///
    /// A segment begins no later than the window ends, and ends no earlier than a window before everything sent (RFC 9293,
    /// section 3.10.7.4, as far as a third party can tell). It acknowledges nothing that was not sent, and nothing older
    /// than a window before what was acknowledged already (RFC 5961, section 5). Selective acknowledgements need no
    /// allowance of their own: beside them the cumulative one repeats the newest.
    #[inline(always)]
    pub(super) fn may_get(self, peer: Self, segment: TcpInfo) -> bool {
        let sent = !before(self.edge, segment.seq)
            & !before(segment.end(), peer.end.wrapping_sub(self.largest_window()));
        let oldest = peer.ack.wrapping_sub(peer.largest_window());
        let acknowledges = !segment.has(ACK_FLAG)
            | (!before(self.end, segment.ack) & (!peer.has_acked() | !before(segment.ack, oldest)));
        sent & acknowledges
    }

    /// Takes note of what a segment says about its sender.
    #[inline(always)]
    pub(super) fn note(&mut self, segment: TcpInfo) {
        if !self.has_finished() && before(self.end, segment.end()) {
            self.end = segment.end();
        }
        if segment.has(ACK_FLAG) {
            self.note_ack(segment);
        }
    }

    /// Takes note of an acknowledgement and the window with it.
    #[inline(always)]
    pub(super) fn note_ack(&mut self, segment: TcpInfo) {
        if !self.has_acked() || before(self.ack, segment.ack) {
            self.ack = segment.ack;
            self.marks |= ACKED;
        }
        self.widen(segment);
        let window = if segment.has(SYN) { u32::from(segment.window) } else { self.scaled(segment.window) };
        self.allow(segment.ack.wrapping_add(window.max(1)));
    }

    #[inline(always)]
    fn scaled(self, window: u16) -> u32 {
        u32::from(window) << self.shift
    }

    /// Remembers the largest window; that of a SYN is never scaled (RFC 7323, section 2.2).
    #[inline(always)]
    fn widen(&mut self, segment: TcpInfo) {
        let window = if segment.has(SYN) { rounded_up(segment.window, self.shift) } else { segment.window };
        self.window = self.window.max(window);
    }
}

/// Returns a window in units of `1 << shift`.
const fn rounded_up(window: u16, shift: u8) -> u16 {
    let unit = 1_u16 << shift;
    window.div_ceil(unit)
}
