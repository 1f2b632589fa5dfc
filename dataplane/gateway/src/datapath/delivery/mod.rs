//! Which packets that no session expects are the host's own.
//!
//! An address of the pool may be the host's, too. A packet to it that the engine does not expect goes to the host
//! when a socket there would take it, which the kernel is asked; the answer is remembered for a moment, and new
//! questions are limited, so that a scan costs little. All else is dropped: the host's silence is part of the
//! firewall.

mod packet;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::net::Ipv4Addr;
use std::time::Duration;

use pinhole_dataplane::time::Timestamp;

use crate::config::HostEcho;
use crate::datapath::delivery::packet::{Question, read};
use crate::datapath::local::{Presence, SocketTable, SocketTuple};

/// Answers that are remembered; one more replaces an older one.
const REMEMBERED: usize = 4096;
/// How long there is a socket without asking again.
const SOCKET_LASTS: Duration = Duration::from_secs(1);
/// How long there is none: a new listener is found after this time at most.
const NOBODY_LASTS: Duration = Duration::from_millis(50);
/// How long after its last answer a socket's place is not given to a tuple without one.
const SOCKET_KEEPS_PLACE: Duration = Duration::from_secs(10);
/// Questions about packets of which nothing is remembered, per second and at once. One costs about as much as
/// carrying a packet.
const QUESTIONS_PER_SECOND: u64 = 10_000;
const QUESTIONS_AT_ONCE: u64 = 1000;

/// Who answers whether there is a socket.
pub trait Sockets {
    /// Looks for the socket that a packet of this tuple would reach; an error counts as nobody.
    fn lookup(&mut self, tuple: SocketTuple) -> Presence;
}

impl Sockets for SocketTable {
    fn lookup(&mut self, tuple: SocketTuple) -> Presence {
        SocketTable::lookup(self, tuple).unwrap_or_else(|errno| {
            tracing::debug!(%errno, "the kernel did not say whether the host has a socket");
            Presence::Nobody
        })
    }
}

/// What to do with a packet that no session expects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// The host takes it.
    Deliver,
    /// Its destination is no address of the host.
    NotLocal,
    /// No socket waits for it, or the host takes no such packet.
    Unwanted,
    /// Too many questions were asked just now.
    Limited,
}

#[derive(Clone, Copy, Debug)]
struct Memory {
    tuple: SocketTuple,
    presence: Presence,
    until: Timestamp,
}

/// Decides about packets that no session expects.
#[derive(Debug)]
pub struct HostDelivery<S> {
    sockets: S,
    own: BTreeSet<Ipv4Addr>,
    echo: HostEcho,
    hasher: RandomState,
    memory: Vec<Option<Memory>>,
    questions: u64,
    refilled: Timestamp,
}

impl<S: Sockets> HostDelivery<S> {
    /// Starts without any address.
    pub fn new(sockets: S, now: Timestamp) -> Self {
        Self {
            sockets,
            own: BTreeSet::new(),
            echo: HostEcho::Ignore,
            hasher: RandomState::new(),
            memory: vec![None; REMEMBERED],
            questions: QUESTIONS_AT_ONCE,
            refilled: now,
        }
    }

    /// Says which addresses of the pool are the host's, and who answers pings to them.
    pub fn configure(&mut self, own: BTreeSet<Ipv4Addr>, echo: HostEcho) {
        self.own = own;
        self.echo = echo;
    }

    /// Decides about an IPv4 packet.
    pub fn decide(&mut self, packet: &[u8], now: Timestamp) -> Delivery {
        let Some((destination, question)) = read(packet) else { return Delivery::Unwanted };
        if !self.own.contains(&destination) {
            return Delivery::NotLocal;
        }
        match question {
            Question::Socket(tuple) => self.ask(tuple, now),
            Question::EchoRequest => match self.echo {
                HostEcho::Answer => Delivery::Deliver,
                HostEcho::Ignore => Delivery::Unwanted,
            },
            // The host's own pings; the kernel drops answers that it has not asked for.
            Question::EchoReply => Delivery::Deliver,
            Question::Other => Delivery::Unwanted,
        }
    }

    fn ask(&mut self, tuple: SocketTuple, now: Timestamp) -> Delivery {
        let slot = usize::try_from(self.hasher.hash_one(tuple)).unwrap_or_default() % REMEMBERED;
        let held = self.memory.get(slot).copied().flatten();
        let known = held.filter(|memory| memory.tuple == tuple);
        if let Some(memory) = known
            && now < memory.until
        {
            return delivery(memory.presence);
        }
        // What was there a moment ago is asked for without limit, so that a scan does not cut the host off. These
        // questions are bounded by the size of the memory.
        let refresh = known.is_some_and(|memory| memory.presence == Presence::Socket);
        if !refresh && !self.take_question(now) {
            return Delivery::Limited;
        }
        let presence = self.sockets.lookup(tuple);
        let lasts = match presence {
            Presence::Socket => SOCKET_LASTS,
            Presence::Nobody => NOBODY_LASTS,
        };
        let taken = held.is_some_and(|memory| {
            memory.tuple != tuple
                && memory.presence == Presence::Socket
                && now < memory.until.saturating_add(SOCKET_KEEPS_PLACE)
        });
        if let Some(place) = self.memory.get_mut(slot)
            && (presence == Presence::Socket || !taken)
        {
            *place = Some(Memory { tuple, presence, until: now.saturating_add(lasts) });
        }
        delivery(presence)
    }

    /// Takes one question from the budget, which fills again with time.
    fn take_question(&mut self, now: Timestamp) -> bool {
        let elapsed = now.saturating_since(self.refilled).as_micros();
        let refill =
            u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_mul(QUESTIONS_PER_SECOND) / 1_000_000;
        if refill > 0 {
            self.questions = self.questions.saturating_add(refill).min(QUESTIONS_AT_ONCE);
            self.refilled = now;
        }
        let allowed = self.questions > 0;
        self.questions = self.questions.saturating_sub(1);
        allowed
    }
}

const fn delivery(presence: Presence) -> Delivery {
    match presence {
        Presence::Socket => Delivery::Deliver,
        Presence::Nobody => Delivery::Unwanted,
    }
}
