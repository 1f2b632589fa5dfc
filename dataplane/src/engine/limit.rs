//! Limits that subscribers reach, told once in a while: who is refused goes on asking, a million times a second if it
//! likes.

use std::net::Ipv4Addr;
use std::num::NonZeroU32;

use crate::addr::Realm;
use crate::conntrack::TupleHasher;
use crate::engine::context::Context;
use crate::engine::{DropReason, Engine, Event};
use crate::limits::{LIMIT_NOTICE_INTERVAL, LIMIT_NOTICES};
use crate::time::Timestamp;
use crate::tuple::{Protocol, Tuple};

/// Something that there is no more of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LimitReached {
    /// The inside host that was refused it.
    pub subscriber: Ipv4Addr,
    /// The transport of what it sent.
    pub protocol: Protocol,
    /// What there is no more of.
    pub scarce: Scarce,
}

/// What there may be no more of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scarce {
    /// Places for sessions, of which there are so many.
    Sessions(u32),
    /// Places for subscribers, of which there are so many.
    Subscribers(u32),
    /// Outside ports that the subscriber may have, so many.
    SubscriberPorts(u32),
    /// Sessions that it may have, so many.
    SubscriberSessions(u32),
    /// Sessions that it may open in a second, so many.
    SubscriberRate(u32),
    /// Ports of the outside address that it leaves from, or its share of them.
    Ports(Ipv4Addr),
    /// Outside addresses with a port that is free.
    Addresses,
}

impl Scarce {
    /// Returns the name in lower case, the drop reason's where there is one of its own.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sessions(_) => "sessions",
            Self::Subscribers(_) => "subscribers",
            Self::SubscriberPorts(_) => "subscriber_ports",
            Self::SubscriberSessions(_) => "subscriber_sessions",
            Self::SubscriberRate(_) => "subscriber_rate",
            Self::Ports(_) => "ports",
            Self::Addresses => "addresses",
        }
    }

    /// Returns the outside address that it is about, where there is one.
    pub const fn outside(self) -> Option<Ipv4Addr> {
        match self {
            Self::Ports(outside) => Some(outside),
            Self::Sessions(_)
            | Self::Subscribers(_)
            | Self::SubscriberPorts(_)
            | Self::SubscriberSessions(_)
            | Self::SubscriberRate(_)
            | Self::Addresses => None,
        }
    }

    /// Tells one kind from the others.
    const fn place(self) -> u16 {
        match self {
            Self::Sessions(_) => 0,
            Self::Subscribers(_) => 1,
            Self::SubscriberPorts(_) => 2,
            Self::SubscriberSessions(_) => 3,
            Self::SubscriberRate(_) => 4,
            Self::Ports(_) => 5,
            Self::Addresses => 6,
        }
    }

    /// Returns how much of it there may be, where that is a number.
    pub const fn most(self) -> Option<u32> {
        match self {
            Self::Sessions(most)
            | Self::Subscribers(most)
            | Self::SubscriberPorts(most)
            | Self::SubscriberSessions(most)
            | Self::SubscriberRate(most) => Some(most),
            Self::Ports(_) | Self::Addresses => None,
        }
    }
}

/// Remembers what was told lately, in as many places as there may be notices in one interval. Where a place is another
/// notice's, the new one is not told: the hash is keyed, so nobody can choose whom it meets.
#[derive(Debug)]
pub(super) struct Notices {
    hasher: TupleHasher,
    /// What was told, and until when it is not told again; empty until the first notice.
    places: Vec<Timestamp>,
}

impl Notices {
    pub(super) fn new(hasher: TupleHasher) -> Self {
        Self { hasher, places: Vec::new() }
    }

    /// Whether a notice is due; it is then not due again for a while.
    fn take(&mut self, subscriber: Ipv4Addr, scarce: Scarce, now: Timestamp) -> bool {
        self.places.resize(LIMIT_NOTICES, Timestamp::ZERO);
        let hash = self.hasher.endpoint(Protocol::Udp, subscriber, scarce.place());
        let at = usize::try_from(hash).unwrap_or(0) % LIMIT_NOTICES;
        let Some(place) = self.places.get_mut(at).filter(|until| **until <= now) else { return false };
        *place = now.saturating_add(LIMIT_NOTICE_INTERVAL);
        true
    }
}

impl Engine {
    /// Notes that an inside host was refused a session for want of something, if that is why, and tells of it unless that
    /// was told lately.
    #[cold]
    pub(super) fn note_refusal(&mut self, context: &Context<'_>, tuple: &Tuple, reason: DropReason) {
        if context.realm != Realm::Inside {
            return;
        }
        let Some(scarce) = self.scarce(context, tuple, reason) else { return };
        self.nat.count_refused(tuple.source);
        if self.interest.limits && self.notices.take(tuple.source, scarce, context.now) {
            let protocol = tuple.protocol;
            self.events.push(Event::LimitReached(LimitReached {
                subscriber: tuple.source,
                protocol,
                scarce,
            }));
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most reasons are about the packet, and none is a limit's"
    )]
    fn scarce(&self, context: &Context<'_>, tuple: &Tuple, reason: DropReason) -> Option<Scarce> {
        let limits = &context.snapshot.translation().limits;
        let most = |limit: Option<NonZeroU32>| limit.map_or(0, NonZeroU32::get);
        Some(match reason {
            DropReason::SessionsFull => Scarce::Sessions(self.limits.sessions),
            DropReason::SubscribersFull => Scarce::Subscribers(self.limits.subscribers),
            DropReason::SubscriberPorts => Scarce::SubscriberPorts(most(limits.ports)),
            DropReason::SubscriberSessions => Scarce::SubscriberSessions(most(limits.sessions)),
            DropReason::SubscriberRate => Scarce::SubscriberRate(most(limits.new_sessions_per_second)),
            DropReason::NoPort => self.nat.paired_with(tuple.source).map_or(Scarce::Addresses, Scarce::Ports),
            _ => return None,
        })
    }
}
