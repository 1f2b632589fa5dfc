//! What there is now, shown a bounded piece at a time, and ended one by one.

use std::net::Ipv4Addr;

use crate::alg::{AlgProtocol, CloseReason, PinholeId};
use crate::config::PortRange;
use crate::conntrack::expectation::Pinhole;
use crate::conntrack::{Session, SessionId};
use crate::emit;
use crate::engine::{Announcement, Engine};
use crate::nat::{Mapping, SubscriberView};
use crate::tuple::{Direction, Flow};

/// What became of the wish to end something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kill {
    /// It has ended.
    Done,
    /// It is not there, or not any more.
    Absent,
}

impl Engine {
    /// Returns the number of places for sessions, free ones included.
    pub fn session_places(&self) -> u32 {
        self.table.places()
    }

    /// Visits the sessions at `count` places from `first` on; takes time by the places, however few are used.
    pub fn sessions_from(&self, first: u32, count: u32) -> impl Iterator<Item = (SessionId, &Session)> {
        self.table.range(first, count)
    }

    /// Returns the number of places for mappings, free ones included.
    pub fn mapping_places(&self) -> u32 {
        self.nat.places()
    }

    /// Visits the mappings at `count` places from `first` on, with their places.
    pub fn mappings_from(&self, first: u32, count: u32) -> impl Iterator<Item = (u32, &Mapping)> {
        self.nat.range(first, count)
    }

    /// Returns the number of mappings.
    pub fn mapping_count(&self) -> usize {
        self.nat.len()
    }

    /// Returns the outside address that a host's sessions leave from, or would if it had any.
    pub fn outside_address_of(&self, host: Ipv4Addr) -> Option<Ipv4Addr> {
        self.nat.outside_address_of(host)
    }

    /// Returns the number of places for inside hosts, free ones included.
    pub fn subscriber_places(&self) -> u32 {
        self.nat.subscriber_places()
    }

    /// Visits the inside hosts at `count` places from `first` on that have something, with their places.
    pub fn subscribers_from(&self, first: u32, count: u32) -> impl Iterator<Item = (u32, SubscriberView)> {
        self.nat.subscriber_range(first, count)
    }

    /// Returns the ports that are the subscriber's alone and that a mapping's is one of, where ports are given out so.
    pub fn block_of(&self, mapping: &Mapping) -> Option<PortRange> {
        self.nat.block_of(mapping)
    }

    /// Visits the pinholes that opened after another, oldest first.
    pub fn pinholes_after(&self, id: PinholeId) -> impl Iterator<Item = &Pinhole> {
        self.expectations.after(id)
    }

    /// Returns a session.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.table.session(id)
    }

    /// Returns the addresses and ports of a session's packets of `direction` as they arrive.
    pub fn arriving(&self, id: SessionId, direction: Direction) -> Option<Flow> {
        self.table.arriving(id, direction)
    }

    /// Returns the addresses and ports of a session's packets of `direction` as they leave.
    pub fn leaving(&self, id: SessionId, direction: Direction) -> Option<Flow> {
        self.table.leaving(id, direction)
    }

    /// Returns the ALG that reads a session.
    pub fn alg_of(&self, session: &Session) -> Option<AlgProtocol> {
        self.controls.protocol(session.control()?)
    }

    /// Returns what announced a session.
    pub fn announcement_of(&self, id: SessionId) -> Option<Announcement> {
        self.announcements.of(id)
    }

    /// Ends a session with its unused pinholes. Both ends of a TCP session are told by a reset; hosts that go on with
    /// another protocol may open it anew.
    pub fn kill_session(&mut self, id: SessionId) -> Kill {
        let Some(session) = self.table.session(id).copied() else { return Kill::Absent };
        self.reset_ends(id, &session);
        self.end_session(id, CloseReason::Removed);
        self.tell();
        Kill::Done
    }

    /// Closes a pinhole: who was announced is not let in any more.
    pub fn kill_pinhole(&mut self, id: PinholeId) -> Kill {
        if !self.expectations.contains(id) {
            return Kill::Absent;
        }
        self.close_pinhole(id, CloseReason::Removed);
        self.tell();
        Kill::Done
    }

    /// Sends each end of a TCP session a reset. It obeys one with exactly the number that it expects next (RFC 5961,
    /// section 3.2): what it acknowledged last or, when its acknowledgement is still to come, what follows everything
    /// that was sent to it.
    fn reset_ends(&mut self, id: SessionId, session: &Session) {
        let Some(tcp) = session.tcp().filter(|_| !session.is_closed()) else { return };
        for direction in [Direction::Original, Direction::Reply] {
            let Some(flow) = self.table.leaving(id, direction) else { continue };
            for seq in tcp.expected(direction) {
                let stream = session.control().and_then(|slot| self.controls.stream(slot));
                let seq = stream.map_or(seq, |stream| stream.map_seq(direction, seq));
                let packet = emit::craft_reset(&flow, direction, seq);
                self.transmit(session.realm(direction).opposite(), packet);
            }
        }
    }
}
