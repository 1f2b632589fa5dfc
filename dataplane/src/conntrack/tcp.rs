//! What a firewall must know of a TCP session (RFC 5382, RFC 5961, RFC 7857).

use crate::engine::DropReason;
use crate::parse::TcpInfo;
use crate::tuple::Direction;
use crate::wire::tcp::{ACK_FLAG, FIN, RST, SYN};

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

/// One sender's numbers, in its own sequence space.
#[derive(Clone, Copy, Debug)]
struct Sender {
    /// Highest sequence number sent, plus one; nothing counts after the FIN.
    end: u32,
    /// Highest acknowledgement sent: the next byte it expects of the other.
    ack: u32,
    /// Window that it advertised last, scaled.
    window: u32,
    shift: u8,
    /// Whether `ack` is meaningful.
    acked: bool,
    /// Whether `end` is.
    sent: bool,
    /// Whether it has sent its FIN, which `end` then includes.
    finished: bool,
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
}

impl Sender {
    const SILENT: Self =
        Self { end: 0, ack: 0, window: 0, shift: 0, acked: false, sent: false, finished: false };
}

/// The state machine of one session.
#[derive(Clone, Copy, Debug)]
pub struct Tcp {
    state: TcpState,
    senders: Senders,
}

/// Whether sequence number `a` is before `b` (RFC 1982 comparison).
fn before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) > u32::MAX / 2
}

impl Tcp {
    /// Starts with the originator's SYN.
    pub fn new(syn: TcpInfo, window_shift: Option<u8>) -> Self {
        let original = Sender {
            end: syn.end(),
            sent: true,
            window: u32::from(syn.window),
            shift: window_shift.unwrap_or(0),
            ..Sender::SILENT
        };
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
        let Senders { original, reply } = self.senders;
        let (sender, receiver) = match direction {
            Direction::Original => (original, reply),
            Direction::Reply => (reply, original),
        };
        let acknowledged = receiver.acked.then_some(receiver.ack);
        let end = sender.sent.then_some(sender.end).filter(|end| acknowledged != Some(*end));
        acknowledged.into_iter().chain(end)
    }

    fn sender(&mut self, direction: Direction) -> &mut Sender {
        match direction {
            Direction::Original => &mut self.senders.original,
            Direction::Reply => &mut self.senders.reply,
        }
    }

    /// Takes note of a segment.
    ///
    /// # Errors
    /// The reason to drop it; the state is then unchanged.
    pub fn handle(
        &mut self,
        direction: Direction,
        segment: TcpInfo,
        window_shift: Option<u8>,
    ) -> Result<(), DropReason> {
        if segment.has(RST) {
            return self.handle_rst(direction, segment);
        }
        if segment.has(SYN) {
            return self.handle_syn(direction, segment, window_shift);
        }
        if self.state == TcpState::SynSent {
            // Nothing but a SYN or RST can follow a lone SYN.
            return Err(DropReason::TcpState);
        }
        self.note(direction, segment);
        if self.state == TcpState::SynReceived && segment.has(ACK_FLAG) {
            self.state = TcpState::Established;
        }
        if segment.has(FIN) {
            self.sender(direction).finished = true;
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
        Ok(())
    }

    fn handle_syn(
        &mut self,
        direction: Direction,
        segment: TcpInfo,
        shift: Option<u8>,
    ) -> Result<(), DropReason> {
        let with_ack = segment.has(ACK_FLAG);
        match (self.state, direction) {
            // A new incarnation on the same ports (RFC 9293, 3.10.7.4).
            (TcpState::Closed, Direction::Original) if !with_ack => *self = Self::new(segment, shift),
            (TcpState::SynSent, Direction::Original) => {
                self.senders.original.end = segment.end();
                self.senders.original.shift = shift.unwrap_or(0);
            }
            (TcpState::SynSent, Direction::Reply) => {
                // Without ACK it is a simultaneous open (RFC 5382, REQ-2).
                if with_ack && segment.ack != self.senders.original.end {
                    return Err(DropReason::TcpState);
                }
                self.note(direction, segment);
                self.senders.reply.shift = shift.unwrap_or(0);
                if shift.is_none() {
                    // Scaling is on only if both sides offer it (RFC 7323, 2.2).
                    self.senders.original.shift = 0;
                }
                self.state = TcpState::SynReceived;
            }
            // Elsewhere a SYN changes nothing: its receiver answers with a challenge (RFC 5961, section 4).
            (TcpState::SynReceived, _) => self.note(direction, segment),
            (TcpState::Established | TcpState::Closing | TcpState::Closed, _) => {}
        }
        Ok(())
    }

    /// Only an RST that the receiver would obey ends the session (RFC 5961, section 3; RFC 7857, section 2.2).
    fn handle_rst(&mut self, direction: Direction, segment: TcpInfo) -> Result<(), DropReason> {
        let receiver = *self.sender(direction.opposite());
        if self.state == TcpState::SynSent {
            let answers =
                direction == Direction::Reply && segment.has(ACK_FLAG) && segment.ack == receiver.end;
            if !answers && direction == Direction::Reply {
                return Err(DropReason::TcpWindow);
            }
            self.state = TcpState::Closed;
            return Ok(());
        }
        if !receiver.acked || segment.seq == receiver.ack {
            self.state = TcpState::Closed;
            return Ok(());
        }
        let offset = segment.seq.wrapping_sub(receiver.ack);
        if offset < receiver.window.max(1) { Ok(()) } else { Err(DropReason::TcpWindow) }
    }

    fn note(&mut self, direction: Direction, segment: TcpInfo) {
        let sender = self.sender(direction);
        if !sender.sent || !sender.finished && before(sender.end, segment.end()) {
            sender.end = segment.end();
            sender.sent = true;
        }
        if segment.has(ACK_FLAG) {
            if !sender.acked || before(sender.ack, segment.ack) {
                sender.ack = segment.ack;
                sender.acked = true;
            }
            // The window of a SYN is never scaled (RFC 7323, 2.2).
            let shift = if segment.has(SYN) { 0 } else { sender.shift };
            sender.window = u32::from(segment.window) << shift;
        }
    }

    fn fin_acked(&mut self, direction: Direction) -> bool {
        let sender = *self.sender(direction);
        let peer = *self.sender(direction.opposite());
        sender.finished && peer.acked && !before(peer.ack, sender.end)
    }
}
