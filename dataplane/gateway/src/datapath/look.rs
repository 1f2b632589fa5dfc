//! What the engine holds, in the contract's words, a bounded piece at a time.

use pinhole_dataplane::addr::{Endpoint, Realm};
use pinhole_dataplane::alg::{AlgProtocol, PinholeId};
use pinhole_dataplane::conntrack::expectation::Pinhole;
use pinhole_dataplane::conntrack::{Session, SessionId};
use pinhole_dataplane::engine::{Engine, Kill};
use pinhole_dataplane::nat::{Mapping, SubscriberView};
use pinhole_dataplane::time::Timestamp;
use pinhole_dataplane::tuple::{Direction, Flow};
use pinhole_proto::v1;
use pinhole_proto::v1::findings::Outcome;

use crate::config::message::protocol_message;
use crate::export::record::owner_name;
use crate::live::{LeaseName, Life, Listing, PinholeName, Question, SessionName};

/// Places of a table that are looked at in one piece, in which no packet is carried: 0.1 to 0.25 ms where all are used.
const MAX_PLACES: u32 = 8_192;

/// Answers a question, or a first piece of it.
pub(crate) fn answer(engine: &mut Engine, question: &Question, life: Life, now: Timestamp) -> Outcome {
    match question {
        Question::Sessions(listing) => Outcome::Sessions(sessions(engine, listing, life, now)),
        Question::Pinholes(listing) => Outcome::Pinholes(pinholes(engine, listing, life, now)),
        Question::Mappings(listing) => Outcome::Mappings(mappings(engine, listing, life, now)),
        Question::Subscribers(listing) => Outcome::Subscribers(subscribers(engine, listing)),
        Question::EndSession(name) if name.life == life => outcome_of(engine.kill_session(name.id)),
        Question::ClosePinhole(name) if name.life == life => outcome_of(engine.kill_pinhole(name.id)),
        Question::EndMapping(name) if name.life == life => outcome_of(engine.kill_lease(name.id)),
        // Of a datapath that has ended.
        Question::EndSession(_) | Question::ClosePinhole(_) | Question::EndMapping(_) => {
            outcome_of(Kill::Absent)
        }
    }
}

const fn outcome_of(kill: Kill) -> Outcome {
    match kill {
        Kill::Done => Outcome::Done(v1::Done {}),
        Kill::Absent => Outcome::Absent(v1::Absent {}),
    }
}

/// The first place to look at, and where the next piece begins, if there is one.
fn piece(from: u64, places: u32) -> (u32, Option<u64>) {
    let first = u32::try_from(from).unwrap_or(u32::MAX);
    let end = first.saturating_add(MAX_PLACES);
    (first, (end < places).then_some(end.into()))
}

fn sessions(engine: &Engine, listing: &Listing, life: Life, now: Timestamp) -> v1::Sessions {
    let (first, mut next) = piece(listing.from, engine.session_places());
    let mut sessions = Vec::new();
    for (id, session) in engine.sessions_from(first, MAX_PLACES) {
        let Some(shown) = Shown::of(engine, id, session) else { continue };
        if !shown.fits(listing) {
            continue;
        }
        if sessions.len() >= listing.limit {
            next = Some(id.parts().0.into());
            break;
        }
        sessions.push(shown.message(life, now));
    }
    v1::Sessions { sessions, total: count(engine.session_count()), next }
}

/// A session with what stands elsewhere of it.
struct Shown<'a> {
    id: SessionId,
    session: &'a Session,
    /// What the inside host sends, as it arrives and as it leaves.
    own: Flow,
    translated: Flow,
    alg: Option<AlgProtocol>,
    announced_by: Option<AlgProtocol>,
    announced_in: &'static str,
}

impl<'a> Shown<'a> {
    fn of(engine: &Engine, id: SessionId, session: &'a Session) -> Option<Self> {
        let from_inside = match session.originator() {
            Realm::Inside => Direction::Original,
            Realm::Outside => Direction::Reply,
        };
        let announcement = session.master().and_then(|_| engine.announcement_of(id));
        Some(Self {
            id,
            session,
            own: engine.arriving(id, from_inside)?,
            translated: engine.leaving(id, from_inside)?,
            alg: engine.alg_of(session),
            announced_by: announcement.map(|announcement| announcement.alg),
            announced_in: announcement.map_or("", |announcement| announcement.message),
        })
    }

    fn fits(&self, listing: &Listing) -> bool {
        let filter = &listing.filter;
        filter.protocol.is_none_or(|protocol| protocol == self.own.protocol)
            && filter.state.is_none_or(|state| state == self.session.progress())
            && filter.alg.is_none_or(|alg| self.alg == Some(alg) || self.announced_by == Some(alg))
            && filter.admits(&[self.own.source, self.translated.source, self.own.destination])
    }

    fn message(&self, life: Life, now: Timestamp) -> v1::Session {
        let [original, reply] = self.session.packets();
        let (originator, packets_out, packets_in) = match self.session.originator() {
            Realm::Inside => ("inside", original, reply),
            Realm::Outside => ("outside", reply, original),
        };
        let master = self.session.master().map(|id| SessionName { life, id }.to_string());
        v1::Session {
            id: SessionName { life, id: self.id }.to_string(),
            protocol: self.own.protocol.name().to_owned(),
            inside: self.own.source.to_string(),
            outside: self.translated.source.to_string(),
            remote: self.own.destination.to_string(),
            originator: originator.to_owned(),
            state: self.session.progress().name().to_owned(),
            packets_out,
            packets_in,
            idle_left_ms: left_ms(self.session.deadline().timestamp(), now),
            alg: alg_message(self.alg),
            master: master.unwrap_or_default(),
            announced_by: alg_message(self.announced_by),
            announced_in: self.announced_in.to_owned(),
        }
    }
}

fn pinholes(engine: &Engine, listing: &Listing, life: Life, now: Timestamp) -> v1::Pinholes {
    let filter = &listing.filter;
    let fits = |pinhole: &Pinhole| {
        filter.protocol.is_none_or(|protocol| protocol == pinhole.protocol)
            && filter.alg.is_none_or(|alg| alg == pinhole.alg)
            && filter.admits(&[pinhole.inside, pinhole.outside, pinhole.peer])
    };
    let mut last = listing.from;
    let mut next = None;
    let mut found = Vec::new();
    for (looked, pinhole) in (0_u32..).zip(engine.pinholes_after(PinholeId(listing.from))) {
        if looked >= MAX_PLACES || found.len() >= listing.limit {
            next = Some(last);
            break;
        }
        last = pinhole.id.0;
        if fits(pinhole) {
            found.push(pinhole_message(pinhole, life, now));
        }
    }
    v1::Pinholes { pinholes: found, total: count(engine.pinhole_count()), next }
}

fn pinhole_message(pinhole: &Pinhole, life: Life, now: Timestamp) -> v1::Pinhole {
    v1::Pinhole {
        id: PinholeName { life, id: pinhole.id }.to_string(),
        pinhole_id: pinhole.id.0,
        alg: protocol_message(pinhole.alg).into(),
        protocol: pinhole.protocol.name().to_owned(),
        peer: pinhole.peer.to_string(),
        outside: pinhole.outside.to_string(),
        inside: pinhole.inside.to_string(),
        master: SessionName { life, id: pinhole.master }.to_string(),
        message: pinhole.message.to_owned(),
        offset: pinhole.offset,
        left_ms: left_ms(pinhole.deadline, now),
    }
}

fn mappings(engine: &Engine, listing: &Listing, life: Life, now: Timestamp) -> v1::Mappings {
    let filter = &listing.filter;
    let fits = |mapping: &Mapping| {
        filter.protocol.is_none_or(|protocol| protocol == mapping.protocol)
            && filter.admits(&[mapping.inside, mapping.outside, mapping.remote].map(Endpoint::from))
    };
    let (first, mut next) = piece(listing.from, engine.mapping_places());
    let mut mappings = Vec::new();
    let looked_at = engine.mappings_from(first, MAX_PLACES);
    for (place, mapping) in looked_at.filter(|(_, mapping)| fits(mapping)) {
        if mappings.len() >= listing.limit {
            next = Some(place.into());
            break;
        }
        mappings.push(v1::Mapping {
            protocol: mapping.protocol.name().to_owned(),
            inside: Endpoint::from(mapping.inside).to_string(),
            outside: Endpoint::from(mapping.outside).to_string(),
            remote: Endpoint::from(mapping.remote).to_string(),
            holders: mapping.holders(),
            block: engine
                .block_of(mapping)
                .map(|block| v1::PortRange { first: block.first().into(), last: block.last().into() }),
            explicit: engine.longest_lease_of(place).map(|lease| v1::Explicit {
                id: LeaseName { life, id: lease.id }.to_string(),
                origin: owner_name(lease.owner).to_owned(),
                left_ms: left_ms(lease.deadline, now),
            }),
        });
    }
    v1::Mappings { mappings, total: count(engine.mapping_count()), next }
}

/// Only an address chooses here: subscribers have no port of their own, and no protocol.
fn subscribers(engine: &Engine, listing: &Listing) -> v1::Subscribers {
    let fits = |subscriber: &SubscriberView| {
        listing.filter.address.is_none_or(|wanted| {
            wanted == subscriber.address || subscriber.outside.is_some_and(|own| wanted == own)
        })
    };
    let (first, mut next) = piece(listing.from, engine.subscriber_places());
    let mut subscribers = Vec::new();
    let looked_at = engine.subscribers_from(first, MAX_PLACES);
    for (place, subscriber) in looked_at.filter(|(_, subscriber)| fits(subscriber)) {
        if subscribers.len() >= listing.limit {
            next = Some(place.into());
            break;
        }
        subscribers.push(v1::Subscriber {
            address: subscriber.address.to_string(),
            outside: subscriber.outside.map(|outside| outside.to_string()).unwrap_or_default(),
            sessions: subscriber.sessions,
            mappings: subscriber.mappings,
            ports: subscriber.ports,
            blocks: subscriber.blocks.into(),
            refused: subscriber.refused,
        });
    }
    v1::Subscribers { subscribers, total: count(engine.subscriber_count()), next }
}

fn alg_message(alg: Option<AlgProtocol>) -> i32 {
    alg.map_or(v1::AlgProtocol::Unspecified, protocol_message).into()
}

fn left_ms(deadline: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(deadline.saturating_since(now).as_millis()).unwrap_or(u64::MAX)
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
