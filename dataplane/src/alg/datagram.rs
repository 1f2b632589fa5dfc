//! One session of datagrams under an ALG: each datagram is a message of its own, or none.

use super::tftp::Tftp;
use crate::alg::{AlgProtocol, Arbiter, Ends, OpaqueReason, Report};
use crate::tuple::Direction;

/// A datagram of an inspected session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    /// Who sent it.
    pub(super) direction: Direction,
    /// What the datagram carries.
    pub(super) bytes: &'a [u8],
    /// Bytes that its sender sent before it.
    pub(super) offset: u64,
}

/// The helpers of the protocols whose control sessions are datagrams.
#[derive(Debug)]
enum Helper {
    /// TFTP.
    Tftp(Tftp),
}

/// The state of one session of datagrams and of the protocol's helper.
#[derive(Debug)]
pub struct DatagramControl {
    ends: Ends,
    /// `None` once the session is not to be read.
    helper: Option<Helper>,
    sent: [u64; 2],
}

impl DatagramControl {
    /// Starts to follow a session of `protocol` before its first datagram; `None` for a protocol that has no messages in
    /// datagrams.
    pub fn new(protocol: AlgProtocol, ends: Ends) -> Option<Self> {
        let helper = match protocol {
            AlgProtocol::Tftp => Helper::Tftp(Tftp::default()),
            AlgProtocol::Ftp | AlgProtocol::IkeEsp | AlgProtocol::Pptp | AlgProtocol::Sip => return None,
        };
        Some(Self { ends, helper: Some(helper), sent: [0; 2] })
    }

    /// Returns the two ends as told at the start.
    pub fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Reads a datagram of `direction`, without its header.
    pub fn handle_datagram(&mut self, direction: Direction, bytes: &[u8], arbiter: &mut impl Arbiter) {
        let [original, reply] = &mut self.sent;
        let sent = match direction {
            Direction::Original => original,
            Direction::Reply => reply,
        };
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let offset = std::mem::replace(sent, sent.saturating_add(length));
        let message = Message { direction, bytes, offset };
        match &mut self.helper {
            Some(Helper::Tftp(tftp)) => tftp.inspect(&message, &self.ends, arbiter),
            None => {}
        }
    }

    /// Stops reading. Pinholes are the engine's to close.
    pub fn disable(&mut self, arbiter: &mut impl Arbiter) {
        if self.helper.take().is_some() {
            arbiter.report(Report::Opaque { reason: OpaqueReason::Disabled });
        }
    }

    /// Whether nothing is read any more, so that the engine may forget it.
    pub fn is_inert(&self) -> bool {
        self.helper.is_none()
    }
}
