//! What becomes of sessions, told to those who keep records of them.

use std::net::Ipv4Addr;

use crate::addr::Realm;
use crate::alg::CloseReason;
use crate::conntrack::{Session, SessionId};
use crate::engine::{EndReason, Engine, Event, Interest};
use crate::tuple::{Direction, Protocol, Tuple};

/// A session at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionRecord {
    /// Who sent the first packet.
    pub originator: Realm,
    /// The inside host's packets as they arrive.
    pub own: Tuple,
    /// The inside host's packets as they leave.
    pub translated: Tuple,
    /// Packets of the inside host.
    pub packets_out: u64,
    /// Packets to it.
    pub packets_in: u64,
}

impl From<&Session> for SessionRecord {
    fn from(session: &Session) -> Self {
        let [original, reply] = session.packets();
        let (direction, packets_out, packets_in) = match session.originator() {
            Realm::Inside => (Direction::Original, original, reply),
            Realm::Outside => (Direction::Reply, reply, original),
        };
        Self {
            originator: session.originator(),
            own: session.tuple(direction),
            translated: session.translated(direction),
            packets_out,
            packets_in,
        }
    }
}

impl SessionRecord {
    /// Returns the transport.
    pub const fn protocol(&self) -> Protocol {
        self.own.protocol
    }

    /// Returns the inside host's endpoint.
    pub const fn inside(&self) -> (Ipv4Addr, u16) {
        (self.own.source, self.own.source_port)
    }

    /// Returns what stands for it outside.
    pub const fn outside(&self) -> (Ipv4Addr, u16) {
        (self.translated.source, self.translated.source_port)
    }

    /// Returns the other host's endpoint.
    pub const fn remote(&self) -> (Ipv4Addr, u16) {
        (self.own.destination, self.own.destination_port)
    }

    /// Returns the first packet's addresses and ports as its sender sent it.
    pub const fn first(&self) -> Tuple {
        match self.originator {
            Realm::Inside => self.own,
            Realm::Outside => self.translated.reversed(),
        }
    }
}

impl Engine {
    /// Changes which frequent events are told from now on.
    pub fn set_interest(&mut self, interest: Interest) {
        self.interest = interest;
    }

    /// Tells of a session that has just opened, if somebody wants to know.
    pub(super) fn tell_opened(&mut self, id: SessionId) {
        if self.interest.sessions
            && let Some(session) = self.table.session(id)
        {
            self.events.push(Event::SessionOpened(session.into()));
        }
    }

    /// Tells of a session that has just ended, if somebody wants to know or it ended before its time.
    pub(super) fn tell_ended(&mut self, session: &Session, reason: CloseReason) {
        let reason = match reason {
            CloseReason::Policy => EndReason::Policy,
            CloseReason::Removed => EndReason::Killed,
            CloseReason::Evicted => EndReason::Evicted,
            CloseReason::Used
            | CloseReason::Expired
            | CloseReason::Replaced
            | CloseReason::RefusedByPeer
            | CloseReason::ControlEnded => {
                if session.is_closed() {
                    EndReason::Closed
                } else {
                    EndReason::Expired
                }
            }
        };
        if self.interest.sessions || reason.is_early() {
            self.events.push(Event::SessionEnded { session: session.into(), reason });
        }
    }
}
