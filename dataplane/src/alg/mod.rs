//! The seam between the engine and the Application Layer Gateways.
//!
//! A [`control::ControlStream`] follows one TCP control session: it puts segments in order, hands whole lines or
//! messages to its helper, and splices what the helper renders. A [`datagram::DatagramControl`] follows one whose
//! messages are datagrams. Neither ever sees a table, a clock or a port allocator: what needs a decision is asked of the
//! engine through [`Arbiter`], what needs time is told.

use std::time::Duration;

use crate::addr::{Endpoint, Realm};
use crate::tuple::Direction;

pub mod control;
pub mod datagram;
mod ftp;
mod helper;
mod late;
mod pptp;
mod segment;
mod splice;
mod stream;
mod tftp;

/// The protocols that have an ALG; a closed set, dispatched statically.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum AlgProtocol {
    /// File Transfer Protocol (RFC 959, 2428).
    Ftp,
    /// IKE and ESP (RFC 7296, 4303).
    IkeEsp,
    /// Point-to-Point Tunneling Protocol (RFC 2637).
    Pptp,
    /// Session Initiation Protocol (RFC 3261).
    Sip,
    /// Trivial File Transfer Protocol (RFC 1350).
    Tftp,
}

/// One end of a control session, as it names itself and as the other end sees it.
///
/// The two differ where an address translation lies between the ends, and are equal in a pure firewall.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End {
    /// The side of the gateway this end is on.
    pub realm: Realm,
    /// Its own address.
    pub local: Endpoint,
    /// Its address as the other end sees it.
    pub visible: Endpoint,
}

/// Both ends of a control session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ends {
    /// The end that sent the first packet: for FTP the client.
    pub originator: End,
    /// The other end: for FTP the server.
    pub responder: End,
}

impl Ends {
    /// Returns the end that sends packets of `direction`.
    pub const fn sender(&self, direction: Direction) -> &End {
        match direction {
            Direction::Original => &self.originator,
            Direction::Reply => &self.responder,
        }
    }

    /// Returns the end that receives packets of `direction`.
    pub const fn receiver(&self, direction: Direction) -> &End {
        self.sender(direction.opposite())
    }
}

/// Names an expectation (to users: a pinhole) for as long as the engine lives; never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PinholeId(pub u64);

/// The transport of an announced session.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// GRE by call ids (RFC 2637): the named port is the call id of the message's sender, with the peer's beside it.
    Gre(PeerCall),
}

/// What is known of the peer's call id.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum PeerCall {
    /// It has not told it: the sender's own gets its translation, and nothing passes. Asking again with the peer's keeps
    /// that translation.
    Unknown,
    /// What packets to the peer carry.
    Known(u16),
}

/// What a control message announces: a session to `named` will follow from `peer`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PinholeRequest {
    /// The transport of the announced session.
    pub transport: Transport,
    /// The direction of the control message: its sender owns `named`.
    pub direction: Direction,
    /// The endpoint as the message spells it.
    pub named: Endpoint,
    /// Who will connect, as the sender of the message sees it; port 0 admits any source port. GRE has none.
    pub peer: Endpoint,
    /// How long the pinhole waits for its first packet.
    pub lifetime: Duration,
    /// The message's name, for example `PORT`.
    pub message: &'static str,
    /// Bytes of the sender's stream before the message.
    pub offset: u64,
}

/// What the engine makes of a [`PinholeRequest`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// A pinhole is open; the message must name `visible` (equal to the named endpoint without translation).
    Admitted {
        /// The pinhole.
        id: PinholeId,
        /// What the receiver of the message must be told.
        visible: Endpoint,
    },
    /// The announced session needs no pinhole (it leaves from inside), and the message stays as it is.
    Unneeded,
    /// Nothing is opened, and the message is passed unchanged.
    Refused(Refusal),
}

/// Why a pinhole was refused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Refusal {
    /// The message names an address that is not its sender's own.
    ForeignAddress,
    /// The named port is 0 or below 1024.
    PrivilegedPort,
    /// The named address is unspecified, loopback, multicast, broadcast, link-local or the gateway's own.
    UnusableAddress,
    /// The control session, the subscriber or the gateway has as many pinholes as its limit allows.
    Limit,
    /// The pool has no port left.
    NoPort,
    /// The ALG was turned off.
    Disabled,
    /// The message is not well formed: a helper's own finding, never an arbiter's.
    Malformed,
    /// The message comes where the protocol does not allow it, as a reply that nobody asked for: a helper's own
    /// finding, never an arbiter's.
    OutOfTurn,
}

/// Why a pinhole closed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum CloseReason {
    /// Its session arrived.
    Used,
    /// Nobody came in its lifetime.
    Expired,
    /// The same control session announced another one in its place.
    Replaced,
    /// The other end refused the message that opened it.
    RefusedByPeer,
    /// The control session said goodbye or ended.
    ControlEnded,
    /// A new configuration no longer allows it.
    Policy,
    /// An administrator removed it.
    Removed,
    /// Its control session had to make room for another one.
    Evicted,
}

/// Something that happened to a control message, for counters and for people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Report<'a> {
    /// A message was rewritten; the texts are the whole line or message without its line end.
    Rewritten {
        /// The message's name.
        message: &'static str,
        /// As its sender wrote it.
        before: &'a [u8],
        /// As its receiver reads it.
        after: &'a [u8],
    },
    /// A message announced a session that was refused, and was passed unchanged.
    Refused {
        /// The message's name.
        message: &'static str,
        /// Why.
        reason: Refusal,
    },
    /// The stream is not (or no longer) readable as the protocol: passed from here on, never inspected again.
    Opaque {
        /// Why.
        reason: OpaqueReason,
    },
}

/// Why a control stream is passed without being read.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum OpaqueReason {
    /// The first bytes are not the protocol's (an HTTP verb, a TLS record).
    NotTheProtocol,
    /// The peers agreed on encryption.
    Encrypted,
    /// A line or message is longer than any legitimate one.
    TooLong,
    /// A token did not complete in time.
    HeldTooLong,
    /// The segment stream contradicts itself or exceeds a bound.
    Stream,
    /// The ALG was turned off while the session was open.
    Disabled,
}

/// The engine as an ALG sees it: decides what is opened, and is told what happened.
pub trait Arbiter {
    /// Admits or refuses an announced session; on admission the pinhole is open when this returns.
    fn admit(&mut self, request: &PinholeRequest) -> Decision;
    /// Has a pinhole that has not been used wait for `lifetime` from now on; `false` when it is gone.
    fn renew(&mut self, id: PinholeId, lifetime: Duration) -> bool;
    /// Closes a pinhole that has not been used; closing one that is gone is allowed.
    fn close(&mut self, id: PinholeId, reason: CloseReason);
    /// Closes a pinhole that has not been used, or ends the session that came through it.
    fn end(&mut self, id: PinholeId);
    /// Takes note of something that happened.
    fn report(&mut self, report: Report<'_>);
}
