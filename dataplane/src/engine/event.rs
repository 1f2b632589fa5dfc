//! What the engine tells its caller about, beside verdicts.

use std::collections::VecDeque;
use std::time::Duration;

use crate::addr::Endpoint;
use crate::alg::{AlgProtocol, CloseReason, OpaqueReason, PinholeId, Refusal};
use crate::engine::lease::{Lease, LeaseEnd};
use crate::engine::limit::LimitReached;
use crate::engine::record::SessionRecord;
use crate::nat::PortBlock;
use crate::tuple::{Flow, Protocol};

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// An ALG rewrote a control message.
    AlgRewrite {
        /// The ALG.
        protocol: AlgProtocol,
        /// The control session as its originator sees it.
        control: Flow,
        /// The message's name.
        message: &'static str,
        /// The message as sent, without its line end.
        before: Vec<u8>,
        /// The message as received.
        after: Vec<u8>,
    },
    /// An ALG did not open what a control message announced.
    AlgRefusal {
        /// The ALG.
        protocol: AlgProtocol,
        /// The control session as its originator sees it.
        control: Flow,
        /// The message's name.
        message: &'static str,
        /// Why.
        reason: Refusal,
    },
    /// An ALG stopped reading a control session.
    AlgOpaque {
        /// The ALG.
        protocol: AlgProtocol,
        /// The control session as its originator sees it.
        control: Flow,
        /// Why.
        reason: OpaqueReason,
    },
    /// A pinhole opened.
    PinholeOpened {
        /// Its name.
        id: PinholeId,
        /// The ALG.
        protocol: AlgProtocol,
        /// The control session as its originator sees it.
        control: Flow,
        /// The message that opened it.
        message: &'static str,
        /// The transport of the session that it waits for.
        transport: Protocol,
        /// Who is admitted, port 0 for any.
        peer: Endpoint,
        /// What the peer was told.
        outside: Endpoint,
        /// The inside endpoint.
        inside: Endpoint,
        /// How long it waits.
        lifetime: Duration,
    },
    /// A pinhole closed.
    PinholeClosed {
        /// Its name.
        id: PinholeId,
        /// The ALG.
        protocol: AlgProtocol,
        /// The transport of the session that it waited for.
        transport: Protocol,
        /// Who was admitted, port 0 for any.
        peer: Endpoint,
        /// What the peer was told.
        outside: Endpoint,
        /// The inside endpoint.
        inside: Endpoint,
        /// Why.
        reason: CloseReason,
    },
    /// A subscriber was given a block of ports: what it sends comes from them until it gives them back.
    PortBlockAllocated(PortBlock),
    /// A subscriber gave a block of ports back.
    PortBlockReleased(PortBlock),
    /// A session opened; told where [`Interest::sessions`] says so.
    SessionOpened(SessionRecord),
    /// A session ended: before its time, or in any way where [`Interest::sessions`] says so.
    SessionEnded {
        /// The session.
        session: SessionRecord,
        /// Why.
        reason: EndReason,
    },
    /// An inside host was given a mapping that it asked for by name; that it lasts longer is not told.
    LeaseGiven(Lease),
    /// Such a mapping is no longer kept for it.
    LeaseEnded {
        /// The lease.
        lease: Lease,
        /// Why.
        reason: LeaseEnd,
    },
    /// A subscriber was refused something because there is no more of it; told where [`Interest::limits`] says so, and
    /// again only after a while.
    LimitReached(LimitReached),
}

/// Which frequent events somebody wants to be told; the others always are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Interest {
    /// Every session that opens or ends.
    pub sessions: bool,
    /// Limits that subscribers reach.
    pub limits: bool,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum EndReason {
    /// No packet came for its idle time.
    Expired,
    /// Both ends of a TCP connection had ended it.
    Closed,
    /// A new configuration no longer allows it.
    Policy,
    /// An administrator ended it.
    Killed,
    /// Nobody had answered it, and there was no room for another one.
    Evicted,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Expired, Self::Closed, Self::Policy, Self::Killed, Self::Evicted];

    /// Returns the name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Closed => "closed",
            Self::Policy => "policy",
            Self::Killed => "killed",
            Self::Evicted => "evicted",
        }
    }

    /// Whether it ended before its time, which is always told.
    pub(crate) const fn is_early(self) -> bool {
        match self {
            Self::Policy | Self::Killed | Self::Evicted => true,
            Self::Expired | Self::Closed => false,
        }
    }
}

/// Events that wait to be fetched, bounded.
#[derive(Debug)]
pub(crate) struct Events {
    queue: VecDeque<Event>,
    limit: usize,
    lost: u64,
}

impl Events {
    pub(crate) fn new(limit: usize) -> Self {
        Self { queue: VecDeque::new(), limit, lost: 0 }
    }

    pub(crate) fn push(&mut self, event: Event) {
        if self.queue.len() < self.limit {
            self.queue.push_back(event);
        } else {
            self.lost += 1;
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }
}
