//! Whom the inside endpoints of IPv6 have sent to, and so who may send to them (RFC 6092, REC-11, REC-17, REC-33).

use super::book::Book;
use crate::config::ipv6::Ipv6Filtering;
use crate::conntrack::TupleHasher;
use crate::conntrack::ipv6::Ipv6Key;

/// The inside endpoints, and the addresses that they have sessions with, as far as filtering goes by them; at most one
/// for each session.
#[derive(Debug)]
pub(crate) struct Reach {
    by: Ipv6Filtering,
    /// How many sessions from inside there are of each.
    sessions: Book<Ipv6Key, u32>,
}

impl Reach {
    /// Starts with none. Where filtering goes by sessions themselves there is nothing to remember.
    pub(crate) fn new(by: Ipv6Filtering, sessions: u32, hasher: TupleHasher) -> Self {
        let capacity = match by {
            Ipv6Filtering::Independent | Ipv6Filtering::Address => sessions,
            Ipv6Filtering::AddressAndPort | Ipv6Filtering::Open => 0,
        };
        Self { by, sessions: Book::new(capacity, hasher) }
    }

    /// Returns what it goes by.
    pub(crate) const fn by(&self) -> Ipv6Filtering {
        self.by
    }

    /// Counts a session that the inside end opened.
    pub(crate) fn count(&mut self, session: &Ipv6Key) {
        let Some(key) = self.key(session) else { return };
        match self.sessions.find_mut(&key) {
            Some(sessions) => *sessions += 1,
            None => {
                let inserted = self.sessions.insert(key, 1);
                debug_assert!(inserted, "there is a place for each session");
            }
        }
    }

    /// Counts such a session as ended.
    pub(crate) fn uncount(&mut self, session: &Ipv6Key) {
        let Some(key) = self.key(session) else { return };
        let Some(sessions) = self.sessions.find_mut(&key) else { return };
        *sessions = sessions.saturating_sub(1);
        if *sessions == 0 {
            self.sessions.remove(&key);
        }
    }

    /// Whether a packet from outside that belongs to no session may come in.
    pub(crate) fn admits(&self, arriving: &Ipv6Key) -> bool {
        match self.by {
            Ipv6Filtering::Open => true,
            Ipv6Filtering::Independent | Ipv6Filtering::Address | Ipv6Filtering::AddressAndPort => {
                self.key(arriving).is_some_and(|key| self.sessions.find(&key).is_some())
            }
        }
    }

    /// Returns what of a session counts; `None` where only whole ones do.
    const fn key(&self, session: &Ipv6Key) -> Option<Ipv6Key> {
        match self.by {
            Ipv6Filtering::Independent => Some(session.without_remote()),
            Ipv6Filtering::Address => Some(session.without_remote_port()),
            Ipv6Filtering::AddressAndPort | Ipv6Filtering::Open => None,
        }
    }
}
