//! What the engine tells its caller about, beside verdicts.

use std::collections::VecDeque;
use std::time::Duration;

use crate::addr::Endpoint;
use crate::alg::{AlgProtocol, CloseReason, OpaqueReason, PinholeId, Refusal};
use crate::nat::PortBlock;
use crate::tuple::Flow;

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
    /// A session was ended before its time.
    SessionEnded {
        /// The session as its originator sees it.
        session: Flow,
        /// Why.
        reason: EndReason,
    },
}

/// Why a session was ended before its time.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum EndReason {
    /// A new configuration no longer allows it.
    Policy,
    /// An administrator ended it.
    Killed,
    /// Nobody had answered it, and there was no room for another one.
    Evicted,
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
