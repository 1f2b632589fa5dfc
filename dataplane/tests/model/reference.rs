//! What a NAT is: mappings between inside and outside endpoints, and sessions that use them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::Config;
use pinhole_dataplane::config::nat::{Allocation, Dependence};
use pinhole_dataplane::engine::DropReason;
use pinhole_dataplane::tuple::Protocol;

use crate::flow::{End, Flow, Kind};

/// An inside endpoint, and towards whom: an unspecified address is everybody.
pub(crate) type MappingKey = (Protocol, End, End);
/// An inside endpoint and the other end.
pub(crate) type SessionKey = (Protocol, End, End);

const EVERYBODY: End = (Ipv4Addr::UNSPECIFIED, 0);
const SECOND: u64 = 1_000_000_000;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    Opening,
    Answered,
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub(crate) mapping: MappingKey,
    pub(crate) opened_by: Realm,
    pub(crate) answered: bool,
    pub(crate) stage: Stage,
    /// When it is forgotten at the earliest, in nanoseconds.
    pub(crate) expires: u64,
}

/// What becomes of a packet.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It leaves with these ends.
    Pass {
        from: End,
        to: End,
    },
    Drop(DropReason),
    /// The engine has done what it must not.
    Wrong(String),
}

/// What the engine has chosen for a new mapping; `None` where it has made none.
pub(crate) type Chosen<'a> = &'a dyn Fn(MappingKey) -> Option<End>;

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) config: Config,
    pub(crate) now: u64,
    /// The outside endpoint of each mapping; a mapping is there as long as a session uses it.
    pub(crate) mappings: BTreeMap<MappingKey, End>,
    pub(crate) sessions: BTreeMap<SessionKey, Session>,
    /// The mappings that have taken a port of the pool.
    pub(crate) pooled: BTreeSet<MappingKey>,
    /// Whose each block is, and how long it stays so when there is no mapping in it.
    pub(crate) blocks: BTreeMap<End, Block>,
    /// When each host may open as many sessions at once as in a second.
    rested: BTreeMap<Ipv4Addr, u64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) owner: Ipv4Addr,
    /// Until when nobody else gets it at least, and at most; `None` while it is in use.
    pub(crate) held: Option<(u64, u64)>,
}

impl Block {
    /// Whether it is its owner's for sure; one that waited in line before may be so for longer than it has to.
    pub(crate) fn is_surely_owned(&self, now: u64) -> bool {
        self.held.is_none_or(|(least, _)| least > now)
    }

    pub(crate) fn may_be_owned(&self, now: u64) -> bool {
        self.held.is_none_or(|(_, most)| most > now)
    }
}

/// Where an outside endpoint comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rule {
    Same,
    Fixed(End),
    Pooled,
}

impl Model {
    pub(crate) fn new(config: Config, now: u64) -> Self {
        let (mappings, sessions) = (BTreeMap::new(), BTreeMap::new());
        Self {
            config,
            now,
            mappings,
            sessions,
            pooled: BTreeSet::new(),
            blocks: BTreeMap::new(),
            rested: BTreeMap::new(),
        }
    }

    pub(crate) fn is_inside(address: Ipv4Addr) -> bool {
        address.octets()[..3] == [10, 0, 0] && u16::from(address.octets()[3]) < crate::settings::INSIDE_COUNT
    }

    pub(crate) fn is_pool(&self, address: Ipv4Addr) -> bool {
        self.config.pool.iter().any(|entry| entry.address == address)
    }

    /// Forgets what nobody has used for its time.
    pub(crate) fn pass_time(&mut self, now: u64) {
        self.now = now;
        self.sessions.retain(|_, session| session.expires > now);
        self.blocks.retain(|_, block| block.may_be_owned(now));
        self.drop_unused();
    }

    fn drop_unused(&mut self) {
        let Self { mappings, sessions, pooled, blocks, rested, .. } = self;
        mappings.retain(|key, _| sessions.values().any(|session| session.mapping == *key));
        pooled.retain(|key| mappings.contains_key(key));
        // Who has nothing is not remembered, with what it has opened lately neither.
        rested.retain(|host, _| {
            mappings.keys().any(|key| key.1.0 == *host) || blocks.values().any(|block| block.owner == *host)
        });
    }

    /// The configuration is another one: what it would not make so ends. Returns that, with its outside endpoints.
    pub(crate) fn change(&mut self, config: Config) -> Vec<(SessionKey, End)> {
        self.config = config;
        let ended = |key: &SessionKey, session: &Session| {
            let (protocol, inside, _) = session.mapping;
            let (outside, pooled) = (self.mappings[&session.mapping], self.pooled.contains(&session.mapping));
            match self.rule(protocol, inside, key.2) {
                // A port of the pool goes back, even if by configuration it is the same one.
                Rule::Same => pooled || outside != inside,
                Rule::Fixed(fixed) => pooled || outside != fixed,
                Rule::Pooled => !pooled || self.forward_to(protocol, outside).is_some(),
            }
        };
        let gone = self.sessions.iter().filter(|(key, session)| ended(key, session));
        let gone: Vec<_> = gone.map(|(key, session)| (*key, self.mappings[&session.mapping])).collect();
        for (key, _) in &gone {
            self.sessions.remove(key);
        }
        self.drop_unused();
        gone
    }

    /// A packet from an inside host crosses; `chosen` tells of the engine's choice.
    pub(crate) fn outwards(&mut self, flow: Flow, chosen: Chosen<'_>) -> Outcome {
        let key = (flow.protocol, flow.from, Flow::remote(flow.protocol, flow.to));
        if !self.sessions.contains_key(&key) {
            if let Err(outcome) = self.open_outwards(flow, key, chosen) {
                return outcome;
            }
        } else if let Some(outcome) = self.misfit(key, flow, Realm::Inside) {
            return outcome;
        }
        self.used(key, Realm::Inside);
        let outside = self.mappings[&self.sessions[&key].mapping];
        let to = if flow.protocol == Protocol::IcmpEcho { (flow.to.0, outside.1) } else { flow.to };
        Outcome::Pass { from: outside, to }
    }

    fn open_outwards(&mut self, flow: Flow, key: SessionKey, chosen: Chosen<'_>) -> Result<(), Outcome> {
        let (protocol, inside) = (flow.protocol, flow.from);
        if !Self::is_inside(inside.0) {
            return Err(Outcome::Drop(DropReason::SpoofedSource));
        }
        let known =
            self.forward_to(protocol, flow.to).is_some() || self.mapping_at(protocol, flow.to).is_some();
        let own = self.is_pool(flow.to.0);
        if Self::is_inside(flow.to.0) || own && !known {
            return Err(Outcome::Drop(DropReason::BadDestination));
        }
        if matches!(flow.kind, Kind::Segment | Kind::Answer) {
            return Err(Outcome::Drop(DropReason::NoSession));
        }
        self.check_limits(inside.0, Realm::Inside)?;
        let towards = match self.rule(protocol, inside, flow.to) {
            Rule::Same => inside,
            Rule::Fixed(_) => EVERYBODY,
            Rule::Pooled => match self.config.nat.mapping {
                Dependence::Independent => EVERYBODY,
                Dependence::Address => (flow.to.0, 0),
                Dependence::AddressAndPort => key.2,
            },
        };
        let mapping = (protocol, inside, towards);
        if !self.mappings.contains_key(&mapping) {
            let outside = match self.rule(protocol, inside, flow.to) {
                Rule::Same => inside,
                Rule::Fixed(outside) => outside,
                Rule::Pooled => {
                    let outside = self.check_choice(mapping, chosen(mapping))?;
                    self.pooled.insert(mapping);
                    outside
                }
            };
            self.mappings.insert(mapping, outside);
        }
        self.insert(key, mapping, Realm::Inside);
        Ok(())
    }

    /// A packet from outside crosses, or one from inside for the second time.
    pub(crate) fn inwards(&mut self, flow: Flow, from_outside: bool) -> Outcome {
        let protocol = flow.protocol;
        if from_outside && (Self::is_inside(flow.from.0) || self.is_pool(flow.from.0)) {
            return Outcome::Drop(DropReason::SpoofedSource);
        }
        let remote = Flow::remote(protocol, flow.from);
        let known = self.sessions.iter().find(|(key, session)| {
            key.0 == protocol && key.2 == remote && self.mappings[&session.mapping] == flow.to
        });
        let key = match known.map(|(key, _)| *key) {
            Some(key) => {
                if let Some(outcome) = self.misfit(key, flow, Realm::Outside) {
                    return outcome;
                }
                key
            }
            None => match self.open_inwards(flow, remote) {
                Ok(key) => key,
                Err(outcome) => return outcome,
            },
        };
        self.used(key, Realm::Outside);
        let from = if protocol == Protocol::IcmpEcho { (flow.from.0, key.1.1) } else { flow.from };
        Outcome::Pass { from, to: key.1 }
    }

    fn open_inwards(&mut self, flow: Flow, remote: End) -> Result<SessionKey, Outcome> {
        let refused = Err(Outcome::Drop(DropReason::NotExpected));
        if matches!(flow.kind, Kind::Segment | Kind::Answer) {
            return refused;
        }
        let mapping = if let Some(inside) = self.forward_to(flow.protocol, flow.to) {
            (flow.protocol, inside, EVERYBODY)
        } else {
            let shared =
                !matches!(self.config.nat.allocation, Allocation::OneToOne | Allocation::Untranslated);
            match self.mapping_at(flow.protocol, flow.to) {
                Some(mapping)
                    if !(shared && flow.kind == Kind::Ask)
                        && self.admits(mapping, remote.0)
                        && self.would_be(mapping, flow) =>
                {
                    mapping
                }
                Some(_) | None => return refused,
            }
        };
        self.check_limits(mapping.1.0, Realm::Outside)?;
        let key = (flow.protocol, mapping.1, remote);
        if self.sessions.contains_key(&key) {
            return Err(Outcome::Drop(DropReason::TupleTaken));
        }
        self.mappings.insert(mapping, flow.to);
        self.insert(key, mapping, Realm::Outside);
        Ok(key)
    }

    /// Whether somebody at an address may open a session through a mapping (RFC 4787, section 5).
    fn admits(&self, mapping: MappingKey, address: Ipv4Addr) -> bool {
        let sent = |wanted: &dyn Fn(Ipv4Addr) -> bool| {
            self.sessions.iter().any(|(key, session)| {
                session.mapping == mapping && session.opened_by == Realm::Inside && wanted(key.2.0)
            })
        };
        match self.config.nat.filtering {
            Dependence::Independent => sent(&|_| true),
            Dependence::Address => sent(&|remote| remote == address),
            Dependence::AddressAndPort => false,
        }
    }

    /// Whether the mapping's host would answer through it.
    fn would_be(&self, mapping: MappingKey, flow: Flow) -> bool {
        match self.rule(flow.protocol, mapping.1, flow.from) {
            Rule::Same => flow.to == mapping.1,
            Rule::Fixed(outside) => flow.to == outside,
            Rule::Pooled => self.pooled.contains(&mapping),
        }
    }

    /// Returns what is wrong with a packet of a session that is there.
    fn misfit(&self, key: SessionKey, flow: Flow, from: Realm) -> Option<Outcome> {
        let by_opener = self.sessions[&key].opened_by == from;
        let fits = match flow.kind {
            Kind::Ask => by_opener,
            Kind::Answer => !by_opener,
            Kind::Syn | Kind::Segment | Kind::Datagram => true,
        };
        (!fits).then_some(Outcome::Drop(DropReason::NotExpected))
    }

    fn check_limits(&self, host: Ipv4Addr, opener: Realm) -> Result<(), Outcome> {
        let limits = self.config.nat.limits;
        let sessions = self.sessions.keys().filter(|key| key.1.0 == host).count();
        if limits.sessions.is_some_and(|most| sessions >= most.get() as usize) {
            return Err(Outcome::Drop(DropReason::SubscriberSessions));
        }
        if let (Some(rate), Realm::Inside) = (limits.new_sessions_per_second, opener) {
            let missing = self.rested.get(&host).map_or(0, |rested| rested.saturating_sub(self.now));
            if missing + SECOND / u64::from(rate.get()) > SECOND {
                return Err(Outcome::Drop(DropReason::SubscriberRate));
            }
        }
        Ok(())
    }

    fn insert(&mut self, key: SessionKey, mapping: MappingKey, opened_by: Realm) {
        if let (Some(rate), Realm::Inside) = (self.config.nat.limits.new_sessions_per_second, opened_by) {
            let rested = self.rested.entry(key.1.0).or_default();
            *rested = (*rested).max(self.now) + SECOND / u64::from(rate.get());
        }
        let session = Session { mapping, opened_by, answered: false, stage: Stage::Opening, expires: 0 };
        self.sessions.insert(key, session);
        self.refresh(key);
    }

    /// A packet of a session has passed.
    fn used(&mut self, key: SessionKey, from: Realm) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let first_answer = session.opened_by != from && !session.answered;
        session.answered |= first_answer;
        // RFC 4787, REQ-6: nobody outside keeps a UDP session alive.
        if from == Realm::Inside || key.0 != Protocol::Udp || first_answer {
            self.refresh(key);
        }
    }

    fn refresh(&mut self, key: SessionKey) {
        let timeouts = self.config.timeouts;
        let now = self.now;
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let idle = match (key.0, session.stage) {
            (Protocol::Tcp, Stage::Open) => timeouts.tcp_established,
            (Protocol::Tcp, Stage::Opening | Stage::Answered | Stage::Closed) => timeouts.tcp_transitory,
            (Protocol::IcmpEcho, _) => timeouts.icmp,
            _ if session.answered => timeouts.udp,
            _ => timeouts.udp_one_way,
        };
        session.expires = now + u64::try_from(idle.as_nanos()).unwrap();
    }

    /// A connection has come further, by a packet that has just passed.
    pub(crate) fn set_stage(&mut self, key: SessionKey, stage: Stage) {
        if let Some(session) = self.sessions.get_mut(&key) {
            session.stage = stage;
            self.refresh(key);
        }
    }

    fn mapping_at(&self, protocol: Protocol, outside: End) -> Option<MappingKey> {
        let found = self.mappings.iter().find(|(key, end)| key.0 == protocol && **end == outside);
        found.map(|(key, _)| *key)
    }
}
