//! What a firewall must know of a TCP session (RFC 9293, RFC 5382, RFC 5961, RFC 7857).
//!
//! Only what certainly is of the connection changes anything. What may be a stranger's and harms nobody is passed on to
//! its receiver, which can tell; what the receiver would not take anyway is dropped.

use crate::engine::DropReason;
use crate::parse::TcpInfo;
use crate::tuple::Direction;
use crate::wire::tcp::{ACK_FLAG, FIN, RST, SYN};

mod sender;

use sender::{Sender, before};

/// How far a session has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TcpState {
    /// The originator's SYN was seen.
    SynSent,
    /// Both SYNs were seen.
    SynReceived,
    /// Data may flow both ways.
    Established,
    /// One side has sent its FIN.
    Closing,
    /// Both FINs were acknowledged, or a valid RST was seen.
    Closed,
}

/// What a segment does that is passed on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// It is of the connection, which lives on for its idle time.
    Counts,
    /// It may be anybody's: nothing changes, the timer neither.
    Passes,
}

/// What both senders have said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Senders {
    original: Sender,
    reply: Sender,
}

impl Senders {
    /// Nothing yet.
    pub(super) const NONE: Self = Self { original: Sender::SILENT, reply: Sender::SILENT };

    /// Returns something of what is here: it is one cache line.
    #[inline(always)]
    pub(super) const fn touch(&self) -> u32 {
        self.original.end
    }

    /// Takes note of a segment of an open connection that carries an ACK and no SYN, FIN or RST, where it is; `false` where
    /// it can be none, and nothing has changed. [`Tcp::handle`] in short.
    #[inline(always)]
    pub(super) fn flow(&mut self, direction: Direction, segment: TcpInfo) -> bool {
        let Self { original, reply } = self;
        let (sender, receiver) = match direction {
            Direction::Original => (original, reply),
            Direction::Reply => (reply, original),
        };
        // Known to the compiler as well, which leaves out all that other flags would mean.
        let segment = TcpInfo { flags: ACK_FLAG, ..segment };
        let fits = receiver.may_get(*sender, segment);
        if fits {
            sender.note(segment);
        }
        fits
    }
}

const _: () = assert!(size_of::<Senders>() == 32, "a session has no more room");

/// The state machine of one session.
#[derive(Clone, Copy, Debug)]
pub struct Tcp {
    state: TcpState,
    senders: Senders,
}

impl Tcp {
    /// Starts with the originator's SYN.
    pub fn new(syn: TcpInfo, window_shift: Option<u8>) -> Self {
        let original = Sender::new(syn, window_shift);
        Self { state: TcpState::SynSent, senders: Senders { original, ..Senders::NONE } }
    }

    pub(super) const fn from_parts(state: TcpState, senders: Senders) -> Self {
        Self { state, senders }
    }

    pub(super) const fn senders(&self) -> Senders {
        self.senders
    }

    /// Returns how far the session has come.
    pub const fn state(&self) -> TcpState {
        self.state
    }

    /// Returns the numbers that the receiver of `direction` may expect next, in the sequence space of that direction's
    /// sender: what it acknowledged last, and what follows everything sent. Those that were never seen are left out.
    pub fn expected(&self, direction: Direction) -> impl Iterator<Item = u32> + use<> {
        let (sender, receiver) = self.pair(direction);
        let acknowledged = receiver.has_acked().then_some(receiver.ack);
        let end = sender.has_sent().then_some(sender.end).filter(|end| acknowledged != Some(*end));
        acknowledged.into_iter().chain(end)
    }

    /// Whether the sender of `direction` still waits for an acknowledgement of this number, or is about to send it: only
    /// then an ICMP error that quotes it is about this connection (RFC 5927, section 4.1).
    pub fn is_in_flight(&self, direction: Direction, seq: u32) -> bool {
        let (sender, receiver) = self.pair(direction);
        let oldest = if receiver.has_acked() {
            receiver.ack
        } else if sender.has_acked() {
            sender.end.wrapping_sub(receiver.largest_window())
        } else {
            sender.ack
        };
        sender.has_sent() && !before(seq, oldest) && !before(sender.end, seq)
    }

    /// Lets the receiver of a segment that was made in the other end's name send what that segment allows.
    pub(crate) fn allow(&mut self, direction: Direction, ack: u32, window: u16) {
        let sender = self.sender(direction);
        sender.allow_window(ack, window);
    }

    #[inline(always)]
    const fn pair(&self, direction: Direction) -> (Sender, Sender) {
        let Senders { original, reply } = self.senders;
        match direction {
            Direction::Original => (original, reply),
            Direction::Reply => (reply, original),
        }
    }

    #[inline(always)]
    const fn sender(&mut self, direction: Direction) -> &mut Sender {
        match direction {
            Direction::Original => &mut self.senders.original,
            Direction::Reply => &mut self.senders.reply,
        }
    }

    /// Whether a segment that is neither SYN nor RST can be of the connection.
    ///
    /// # Errors
    /// The reason to drop it.
    #[inline(always)]
    pub fn check(&self, direction: Direction, segment: TcpInfo) -> Result<(), DropReason> {
        let (sender, receiver) = self.pair(direction);
        if receiver.may_get(sender, segment) { Ok(()) } else { Err(DropReason::TcpWindow) }
    }

    /// Like [`Self::check`], where acknowledgements may be `behind` those that were noted by so many bytes.
    ///
    /// # Errors
    /// The reason to drop it.
    pub fn check_behind(
        &self,
        direction: Direction,
        segment: TcpInfo,
        behind: u32,
    ) -> Result<(), DropReason> {
        let (mut sender, receiver) = self.pair(direction);
        sender.ack = sender.ack.wrapping_sub(behind);
        if receiver.may_get(sender, segment) { Ok(()) } else { Err(DropReason::TcpWindow) }
    }

    /// Takes note of a segment.
    ///
    /// # Errors
    /// The reason to drop it; the state is then unchanged.
    #[inline(always)]
    pub fn handle(
        &mut self,
        direction: Direction,
        segment: TcpInfo,
        window_shift: Option<u8>,
    ) -> Result<Effect, DropReason> {
        if segment.has(RST) {
            return self.handle_rst(direction, segment);
        }
        if segment.has(SYN) {
            return self.handle_syn(direction, segment, window_shift);
        }
        if self.state == TcpState::SynSent {
            return answer_without_syn(direction, segment);
        }
        self.check(direction, segment)?;
        if self.state == TcpState::Closed {
            self.doubt_reset(direction, segment);
        }
        self.sender(direction).note(segment);
        if self.state != TcpState::Established || segment.has(FIN) {
            self.advance(direction, segment);
        }
        Ok(Effect::Counts)
    }

    /// Moves on after a segment that was noted.
    #[inline(never)]
    fn advance(&mut self, direction: Direction, segment: TcpInfo) {
        self.establish();
        if segment.has(FIN) {
            self.sender(direction).finish();
            if self.state == TcpState::Established {
                self.state = TcpState::Closing;
            }
        }
        if self.state == TcpState::Closing
            && self.fin_acked(Direction::Original)
            && self.fin_acked(Direction::Reply)
        {
            self.state = TcpState::Closed;
        }
    }

    /// Data may flow once each has acknowledged the other's SYN; after a simultaneous open no pure ACK need follow.
    fn establish(&mut self) {
        let Senders { original, reply } = self.senders;
        if self.state == TcpState::SynReceived && original.has_acked() && reply.has_acked() {
            self.state = TcpState::Established;
        }
    }

    /// Who goes on after its RST has not sent it: the connection is open as before (RFC 7857, section 2.2; the session
    /// has been kept for this).
    fn doubt_reset(&mut self, direction: Direction, segment: TcpInfo) {
        let sender = self.sender(direction);
        let news = before(sender.end, segment.end()) || before(sender.ack, segment.ack);
        if !sender.has_reset() || !news {
            return;
        }
        sender.take_back_reset();
        let Senders { original, reply } = self.senders;
        if !original.has_reset() && !reply.has_reset() {
            let finished = original.has_finished() || reply.has_finished();
            self.state = if finished { TcpState::Closing } else { TcpState::Established };
        }
    }

    #[inline(never)]
    fn handle_syn(
        &mut self,
        direction: Direction,
        segment: TcpInfo,
        shift: Option<u8>,
    ) -> Result<Effect, DropReason> {
        match (self.state, direction) {
            (TcpState::SynSent, Direction::Original) => {
                // Repeated, or by a host that has started anew.
                *self = Self::new(segment, shift);
                Ok(Effect::Counts)
            }
            (TcpState::SynSent, Direction::Reply) => self.answer_syn(segment, shift),
            (TcpState::SynReceived, _) => Ok(self.repeat_syn(direction, segment)),
            // The engine opens a new session where the originator may have one; nobody waits for this one.
            (TcpState::Closed, Direction::Reply) if !segment.has(ACK_FLAG) => Err(DropReason::TcpState),
            // Its receiver answers with a challenge (RFC 5961, section 4), to which only the host whose connection it is
            // can say that it has lost it.
            (TcpState::Established | TcpState::Closing | TcpState::Closed, _) => Ok(Effect::Passes),
        }
    }

    /// The responder's SYN. Without ACK it is a simultaneous open (RFC 5382, REQ-2).
    fn answer_syn(&mut self, segment: TcpInfo, shift: Option<u8>) -> Result<Effect, DropReason> {
        let Senders { mut original, .. } = self.senders;
        // Data on the SYN may be taken or not (RFC 7413, section 4.2.2).
        let acceptable = before(original.ack, segment.ack) && !before(original.end, segment.ack);
        if segment.has(ACK_FLAG) && !acceptable {
            return Err(DropReason::TcpState);
        }
        let mut reply = Sender::new(segment, shift);
        if !original.scales() || !reply.scales() {
            original.unscale();
            reply.unscale();
        }
        reply.expect(original.end);
        original.expect(reply.end);
        if segment.has(ACK_FLAG) {
            reply.note_ack(segment);
        }
        *self = Self { state: TcpState::SynReceived, senders: Senders { original, reply } };
        Ok(Effect::Counts)
    }

    /// A SYN after both were seen: the same again, or with the acknowledgement that a simultaneous open lacked; else
    /// its receiver answers with a challenge (RFC 5961, section 4).
    fn repeat_syn(&mut self, direction: Direction, segment: TcpInfo) -> Effect {
        let (sender, receiver) = self.pair(direction);
        if segment.end() != sender.end {
            return Effect::Passes;
        }
        if segment.has(ACK_FLAG) && segment.ack == receiver.end {
            self.sender(direction).note_ack(segment);
            self.establish();
        }
        Effect::Counts
    }

    /// Only an RST that its receiver would obey ends the session (RFC 5961, section 3; RFC 7857, section 2.2).
    #[inline(never)]
    fn handle_rst(&mut self, direction: Direction, segment: TcpInfo) -> Result<Effect, DropReason> {
        let (sender, receiver) = self.pair(direction);
        let exact = match (self.state, direction) {
            // A refusal has no number of its own yet (RFC 9293, section 3.10.7.3).
            (TcpState::SynSent, Direction::Reply) => acknowledges_syn(receiver, segment),
            (TcpState::SynSent, Direction::Original) => segment.seq == sender.end,
            (TcpState::SynReceived, _) if !receiver.has_acked() => {
                segment.seq == sender.end || acknowledges_syn(receiver, segment)
            }
            // What was sent and not acknowledged yet may have arrived all the same.
            (TcpState::SynReceived | TcpState::Established | TcpState::Closing, _) => {
                segment.seq == receiver.ack || segment.seq == sender.end
            }
            (TcpState::Closed, _) => false,
        };
        if exact {
            self.state = TcpState::Closed;
            self.sender(direction).reset();
            return Ok(Effect::Counts);
        }
        let in_window = match (self.state, direction) {
            (TcpState::SynSent, Direction::Reply) => false,
            // Towards a host that will ignore it, or has none to ignore.
            (TcpState::SynSent, Direction::Original) => true,
            (TcpState::SynReceived | TcpState::Established | TcpState::Closing | TcpState::Closed, _) => {
                segment.seq.wrapping_sub(receiver.ack) < receiver.open_window()
            }
        };
        if in_window { Ok(Effect::Passes) } else { Err(DropReason::TcpWindow) }
    }

    fn fin_acked(&self, direction: Direction) -> bool {
        let (sender, peer) = self.pair(direction);
        sender.has_finished() && peer.has_acked() && !before(peer.ack, sender.end)
    }
}

/// Whether an RST answers a SYN.
const fn acknowledges_syn(syn: Sender, segment: TcpInfo) -> bool {
    segment.has(ACK_FLAG) && segment.ack == syn.end
}

/// After a lone SYN the responder may show that it still has an old connection on these ports: the originator answers
/// with an RST, and then tries again (RFC 9293, section 3.5.1). No data can come before both SYNs.
fn answer_without_syn(direction: Direction, segment: TcpInfo) -> Result<Effect, DropReason> {
    let challenges = segment.has(ACK_FLAG) && segment.payload == 0 && !segment.has(FIN);
    match direction {
        Direction::Reply if challenges => Ok(Effect::Passes),
        Direction::Reply | Direction::Original => Err(DropReason::TcpState),
    }
}

#[cfg(test)]
mod law;
#[cfg(test)]
mod tests;
