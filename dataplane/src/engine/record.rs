//! What becomes of sessions, told to those who keep records of them.

use crate::addr::{Endpoint, Realm};
use crate::alg::CloseReason;
use crate::conntrack::{SessionId, Table};
use crate::engine::{EndReason, Engine, Event, Interest};
use crate::tuple::{Direction, Flow, Protocol};

/// A session at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionRecord {
    /// Who sent the first packet.
    pub originator: Realm,
    /// The inside host's packets as they arrive.
    pub own: Flow,
    /// The inside host's packets as they leave.
    pub translated: Flow,
    /// Packets of the inside host.
    pub packets_out: u64,
    /// Packets to it.
    pub packets_in: u64,
}

impl SessionRecord {
    /// Reads what a table has of a session.
    fn of(table: &Table, id: SessionId) -> Option<Self> {
        let session = table.session(id)?;
        let [original, reply] = session.packets();
        let (direction, packets_out, packets_in) = match session.originator() {
            Realm::Inside => (Direction::Original, original, reply),
            Realm::Outside => (Direction::Reply, reply, original),
        };
        Some(Self {
            originator: session.originator(),
            own: table.arriving(id, direction)?,
            translated: table.leaving(id, direction)?,
            packets_out,
            packets_in,
        })
    }

    /// Returns the transport.
    pub const fn protocol(&self) -> Protocol {
        self.own.protocol
    }

    /// Returns the inside host's endpoint.
    pub const fn inside(&self) -> Endpoint {
        self.own.source
    }

    /// Returns what stands for it outside.
    pub const fn outside(&self) -> Endpoint {
        self.translated.source
    }

    /// Returns the other host's endpoint.
    pub const fn remote(&self) -> Endpoint {
        self.own.destination
    }

    /// Returns the first packet's addresses and ports as its sender sent it.
    pub const fn first(&self) -> Flow {
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
            && let Some(session) = SessionRecord::of(&self.table, id)
        {
            self.events.push(Event::SessionOpened(session));
        }
    }

    /// Returns what is to be told of a session that is about to end: something if somebody wants to know, or if it ends
    /// before its time.
    pub(super) fn told_at_end(&self, id: SessionId, reason: CloseReason) -> Option<Event> {
        let session = self.table.session(id)?;
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
        if !self.interest.sessions && !reason.is_early() {
            return None;
        }
        Some(Event::SessionEnded { session: SessionRecord::of(&self.table, id)?, reason })
    }
}
