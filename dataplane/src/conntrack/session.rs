//! One tracked session.

use std::time::Duration;

use crate::addr::Realm;
use crate::conntrack::tcp::{Tcp, TcpState};
use crate::limits::Timeouts;
use crate::nat::MappingId;
use crate::time::Timestamp;
use crate::tuple::{Direction, Tuple};

/// A session's place in the table, with the count of its uses so that a stale name finds nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// What is known beyond the tuples.
#[derive(Clone, Copy, Debug)]
pub enum State {
    /// TCP.
    Tcp(Tcp),
    /// UDP or ICMP echo.
    Query {
        /// Whether the responder has answered.
        replied: bool,
    },
}

/// A session; plain data, a few cache lines.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// The originator's packets as they arrive.
    pub original: Tuple,
    /// The responder's packets as they arrive.
    pub reply: Tuple,
    /// The side of the originator.
    pub originator: Realm,
    /// Progress.
    pub state: State,
    /// The mapping that the inside endpoint holds.
    pub mapping: MappingId,
    /// The control session that announced this one.
    pub master: Option<SessionId>,
    /// The control stream that follows this session, by its slot.
    pub control: Option<u32>,
    /// When the session is forgotten unless a packet comes.
    pub deadline: Timestamp,
    /// Packets of the originator and of the responder.
    pub packets: [u64; 2],
}

impl Session {
    /// Returns the side that packets of `direction` come from.
    pub const fn realm(&self, direction: Direction) -> Realm {
        match direction {
            Direction::Original => self.originator,
            Direction::Reply => self.originator.opposite(),
        }
    }

    /// Returns the key of packets of `direction` as they arrive.
    pub const fn tuple(&self, direction: Direction) -> Tuple {
        match direction {
            Direction::Original => self.original,
            Direction::Reply => self.reply,
        }
    }

    /// Returns the key of packets of `direction` as they leave.
    pub const fn translated(&self, direction: Direction) -> Tuple {
        self.tuple(direction.opposite()).reversed()
    }

    /// Returns the inside host's own address.
    pub const fn subscriber(&self) -> std::net::Ipv4Addr {
        match self.originator {
            Realm::Inside => self.original.source,
            Realm::Outside => self.reply.source,
        }
    }

    /// Returns how long the session lives without a packet.
    pub fn idle_timeout(&self, timeouts: &Timeouts) -> Duration {
        match (&self.state, self.original.protocol) {
            (State::Tcp(tcp), _) => match tcp.state() {
                TcpState::Established => timeouts.tcp_established,
                TcpState::SynSent | TcpState::SynReceived | TcpState::Closing | TcpState::Closed => {
                    timeouts.tcp_transitory
                }
            },
            (State::Query { .. }, crate::tuple::Protocol::IcmpEcho) => timeouts.icmp,
            (State::Query { replied: true }, _) => timeouts.udp,
            (State::Query { replied: false }, _) => timeouts.udp_one_way,
        }
    }

    /// Counts a packet.
    pub fn count(&mut self, direction: Direction) {
        let [original, reply] = &mut self.packets;
        let counter = match direction {
            Direction::Original => original,
            Direction::Reply => reply,
        };
        *counter = counter.wrapping_add(1);
    }
}
