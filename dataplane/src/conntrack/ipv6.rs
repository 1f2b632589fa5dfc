//! The sessions of IPv6: in the same table, with the same timers and state machines, found by a key of their own.
//!
//! Nothing is translated, so one key and one entry of an index serve both directions. The keys stand beside the
//! sessions, place by place; neither they nor their index take memory before a configuration has IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::index::Index;
use super::session::{NewSession, SessionId, State};
use super::{InsertError, Session, Table, TupleHasher, fold, seconds};
use crate::addr::{Endpoint, Realm};
use crate::limits::IdleTicks;
use crate::nat::MappingId;
use crate::time::Tick;
use crate::tuple::{Direction, Flow, Protocol, Tuple};
use crate::wire;

/// The version of IP that a session's packets are of.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Family {
    /// IPv4: translated, or passed as it is.
    V4,
    /// IPv6: passed as it is.
    V6,
}

/// What an IPv6 session is found by, the same for packets of both directions.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ipv6Key {
    /// The inside address.
    pub inside: Ipv6Addr,
    /// The outside address.
    pub outside: Ipv6Addr,
    /// The inside port, or ICMP identifier; 0 for protocols without ports.
    pub inside_port: u16,
    /// The outside port, or ICMP identifier; 0 for protocols without ports.
    pub outside_port: u16,
    /// The IP protocol number of what follows the extension headers.
    pub protocol: u8,
}

impl Ipv6Key {
    const NONE: Self = Self {
        inside: Ipv6Addr::UNSPECIFIED,
        outside: Ipv6Addr::UNSPECIFIED,
        inside_port: 0,
        outside_port: 0,
        protocol: 0,
    };

    /// Returns the transport, which for all that are not named is UDP.
    pub const fn transport(&self) -> Protocol {
        match self.protocol {
            wire::PROTOCOL_TCP => Protocol::Tcp,
            wire::PROTOCOL_ICMPV6 => Protocol::IcmpEcho,
            wire::PROTOCOL_UDP => Protocol::Udp,
            wire::PROTOCOL_UDP_LITE => Protocol::UdpLite,
            _ => Protocol::Other,
        }
    }

    /// Returns how long a session lives without a packet that is a connection of a transport whose states are not
    /// followed: as long as one of TCP, but that of DCCP may take longer to open (RFC 6092, REC-40 and REC-44).
    pub(crate) const fn connection_time(&self, replied: bool, idle: &IdleTicks) -> Option<Tick> {
        match (self.protocol, replied) {
            (wire::PROTOCOL_SCTP, false) => Some(idle.tcp_transitory),
            (wire::PROTOCOL_SCTP, true) | (wire::PROTOCOL_DCCP, _) => Some(idle.tcp_established),
            _ => None,
        }
    }

    /// Returns addresses and ports of packets that come from a side; the protocol's number stands in the place of the
    /// ports of those that have no name here.
    pub const fn flow(&self, from: Realm) -> Flow {
        let protocol = self.transport();
        let (inside_port, outside_port) = match protocol {
            Protocol::Other => (self.protocol as u16, self.protocol as u16),
            Protocol::Tcp | Protocol::Udp | Protocol::UdpLite | Protocol::IcmpEcho | Protocol::Gre => {
                (self.inside_port, self.outside_port)
            }
        };
        let source = Endpoint::new(IpAddr::V6(self.inside), inside_port);
        let destination = Endpoint::new(IpAddr::V6(self.outside), outside_port);
        let flow = Flow { protocol, source, destination };
        match from {
            Realm::Inside => flow,
            Realm::Outside => flow.reversed(),
        }
    }

    /// Returns what the packets of all sessions of the inside endpoint with the outside address share.
    #[must_use]
    pub const fn without_remote_port(self) -> Self {
        Self { outside_port: 0, ..self }
    }

    /// Returns what the packets of all sessions of the inside endpoint share.
    #[must_use]
    pub const fn without_remote(self) -> Self {
        Self { outside: Ipv6Addr::UNSPECIFIED, outside_port: 0, ..self }
    }
}

/// What an IPv6 session starts as.
#[derive(Clone, Copy, Debug)]
pub struct NewIpv6Session {
    /// What it is found by.
    pub key: Ipv6Key,
    /// The side of the originator.
    pub originator: Realm,
    /// What is known beyond the key.
    pub state: State,
    /// The control session that announced this one.
    pub master: Option<SessionId>,
}

impl NewIpv6Session {
    /// Returns what of it stands in the session's own place. The tuples there are no packet's.
    const fn without_key(&self) -> NewSession {
        let (source, destination) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
        let protocol = self.key.transport();
        let none = Tuple { protocol, source, source_port: 0, destination, destination_port: 0 };
        let Self { originator, state, master, .. } = *self;
        NewSession { original: none, reply: none, originator, state, mapping: MappingId::NONE, master }
    }
}

/// What finds the sessions.
#[derive(Debug)]
pub(super) struct Ipv6 {
    /// By the places of the sessions, as far as one of IPv6 ever was.
    keys: Vec<Ipv6Key>,
    index: Index,
}

impl TupleHasher {
    /// Hashes a number.
    pub fn number(&self, number: u64) -> u32 {
        self.words(number, 0)
    }

    /// Hashes a key of IPv6.
    #[inline]
    pub fn ipv6(&self, key: &Ipv6Key) -> u32 {
        let halves = |address: Ipv6Addr| {
            let bits = address.to_bits();
            // The upper and the lower 64 bits.
            ((bits >> 64) as u64, bits as u64)
        };
        let ((a, b), (c, d)) = (halves(key.inside), halves(key.outside));
        let ports = u64::from(key.inside_port) << 24 | u64::from(key.outside_port) << 8;
        let [first, second, third, fourth, fifth] = self.secret;
        let inside = fold(a ^ first, b ^ second);
        let both = fold(c ^ third ^ inside, d ^ fourth);
        // The upper half is as good as any.
        u32::try_from(fold(both ^ fifth, ports ^ u64::from(key.protocol) ^ first) >> 32).unwrap_or(0)
    }
}

impl Table {
    /// Takes the memory for finding sessions of IPv6, once.
    pub fn enable_ipv6(&mut self) {
        let places = self.sessions.len();
        let values = self.places();
        self.ipv6.get_or_insert_with(|| Ipv6 {
            keys: Vec::with_capacity(places),
            index: Index::new(places, values),
        });
    }

    /// Finds the session of IPv6 that a packet belongs to.
    #[inline]
    pub fn find_ipv6(&self, key: &Ipv6Key) -> Option<SessionId> {
        let ipv6 = self.ipv6.as_ref()?;
        let slot = ipv6.index.lookup(self.hasher.ipv6(key), |slot| ipv6.at(slot) == Some(key))?;
        Some(SessionId { slot, generation: self.at(slot)?.generation })
    }

    /// Returns the key of a session of IPv6.
    pub fn ipv6_key(&self, id: SessionId) -> Option<&Ipv6Key> {
        self.session(id).filter(|session| session.family() == Family::V6)?;
        self.ipv6.as_ref()?.at(id.slot)
    }

    /// Puts a session of IPv6 in, to live until its idle time from `now` on is over.
    ///
    /// # Errors
    /// When there is no room or the key is taken; nothing changes then.
    pub fn insert_ipv6(
        &mut self,
        new: &NewIpv6Session,
        now: Tick,
        idle: &IdleTicks,
    ) -> Result<SessionId, InsertError> {
        if self.find_ipv6(&new.key).is_some() {
            return Err(InsertError::Taken);
        }
        let hash = self.hasher.ipv6(&new.key);
        let ipv6 = self.ipv6.as_mut().ok_or(InsertError::Full)?;
        let slot = self.free.pop().ok_or(InsertError::Full)?;
        let inserted = ipv6.put(slot, new.key) && ipv6.index.insert(hash, slot);
        debug_assert!(inserted, "there is a place for each session");
        let session = self.at_mut(slot).ok_or(InsertError::Full)?;
        session.occupy(&new.without_key(), Family::V6);
        session.refresh(now, idle);
        let (generation, deadline) = (session.generation, seconds(session.deadline().timestamp()));
        self.wheel.insert(&mut self.sessions, slot, deadline + 1);
        Ok(SessionId { slot, generation })
    }

    /// Has the session of IPv6 at a place be found no more.
    pub(super) fn forget_ipv6(&mut self, slot: u32) {
        let Some(ipv6) = &mut self.ipv6 else { return };
        if let Some(key) = ipv6.at(slot).copied() {
            ipv6.index.remove(self.hasher.ipv6(&key), slot);
        }
    }

    /// Returns the addresses and ports of a session's packets of `direction` as they arrive.
    pub fn arriving(&self, id: SessionId, direction: Direction) -> Option<Flow> {
        let session = self.session(id)?;
        match session.family() {
            Family::V4 => Some(session.tuple(direction).into()),
            Family::V6 => Some(self.ipv6_key(id)?.flow(session.realm(direction))),
        }
    }

    /// Returns the addresses and ports of a session's packets of `direction` as they leave.
    pub fn leaving(&self, id: SessionId, direction: Direction) -> Option<Flow> {
        self.arriving(id, direction.opposite()).map(Flow::reversed)
    }

    /// Visits every session of IPv6 with its key, in the order of their places.
    pub fn iter_ipv6(&self) -> impl Iterator<Item = (SessionId, &Session, &Ipv6Key)> {
        self.iter().filter_map(|(id, session)| Some((id, session, self.ipv6_key(id)?)))
    }
}

impl Ipv6 {
    fn at(&self, slot: u32) -> Option<&Ipv6Key> {
        self.keys.get(usize::try_from(slot).ok()?)
    }

    fn put(&mut self, slot: u32, key: Ipv6Key) -> bool {
        let Ok(at) = usize::try_from(slot) else { return false };
        if at >= self.keys.len() {
            // Within what was reserved, and never before it is needed.
            self.keys.resize(at.saturating_add(1), Ipv6Key::NONE);
        }
        self.keys.get_mut(at).map(|place| *place = key).is_some()
    }
}
