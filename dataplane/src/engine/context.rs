//! What the stages of the pipeline share about one packet.

use std::ops::Deref;

use crate::addr::Realm;
use crate::config::Snapshot;
use crate::parse::{Parsed, Span, TcpInfo};
use crate::time::{Tick, Timestamp};

/// How a packet came.
pub(super) struct Arrival<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) realm: Realm,
    pub(super) now: Timestamp,
    pub(super) tick: Tick,
    pub(super) way: Way,
}

impl Arrival<'_> {
    /// Whether the engine counts a hop.
    pub(super) const fn counts_hop(&self) -> bool {
        match self.way {
            Way::First => self.snapshot.config().decrement_ttl,
            Way::Back => false,
        }
    }
}

/// How often a packet has crossed already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// Not yet: it is as its sender sent it.
    First,
    /// Once, out, and it turned back there.
    Back,
}

/// What the stages of the pipeline share about one packet.
pub(super) struct Context<'a> {
    pub(super) arrival: &'a Arrival<'a>,
    pub(super) parsed: &'a Parsed,
}

impl<'a> Deref for Context<'a> {
    type Target = Arrival<'a>;

    fn deref(&self) -> &Arrival<'a> {
        self.arrival
    }
}

/// What the stages share about a TCP segment of either version of IP.
pub(super) struct Segmented<'a> {
    pub(super) arrival: &'a Arrival<'a>,
    pub(super) span: Span,
    pub(super) info: TcpInfo,
}

impl<'a> Deref for Segmented<'a> {
    type Target = Arrival<'a>;

    fn deref(&self) -> &Arrival<'a> {
        self.arrival
    }
}
