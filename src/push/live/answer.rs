//! What gateways answer, to values: whatever cannot be one is refused here.

use std::net::SocketAddr;

use pinhole_proto::v1;
use pinhole_proto::v1::findings::Outcome;
use serde::{Deserialize, Serialize};

use super::{Answer, Answered, Question};
use crate::domain::alg_protocol::AlgProtocol;
use crate::domain::live::{Listing, LiveId, MAX_CURSOR, SessionProtocol};
use crate::error::ApplianceFault;
use crate::push::event::protocol;
use crate::push::limits;
use crate::push::text::clean;

/// Some entries of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// How many there are in all, whatever was asked for.
    pub total: u64,
    /// Where to go on, if there may be more.
    pub next: Option<u64>,
}

/// A side of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// The subscribers'.
    Inside,
    /// The rest of the world.
    Outside,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name.
    pub id: LiveId,
    /// Its protocol.
    pub protocol: SessionProtocol,
    /// The inside host.
    pub inside: SocketAddr,
    /// What the inside host looks like outside.
    pub outside: SocketAddr,
    /// The other host.
    pub remote: SocketAddr,
    /// Who has sent the first packet.
    pub originator: Side,
    /// How far it has come, in a word.
    pub state: String,
    /// Packets of the inside host.
    pub packets_out: u64,
    /// Packets to the inside host.
    pub packets_in: u64,
    /// In how many milliseconds it is forgotten unless a packet comes.
    pub idle_left_ms: u64,
    /// The ALG that reads it.
    pub alg: Option<AlgProtocol>,
    /// What announced it, if it came through a pinhole.
    pub announced: Option<Announcement>,
}

/// What announced a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The control session.
    pub session: LiveId,
    /// The ALG that read the message.
    pub alg: Option<AlgProtocol>,
    /// The control message's name.
    pub message: String,
}

/// A pinhole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinhole {
    /// Its name.
    pub id: LiveId,
    /// The number that it has in events.
    pub pinhole_id: u64,
    /// The ALG that opened it.
    pub alg: AlgProtocol,
    /// The announced session's protocol.
    pub protocol: SessionProtocol,
    /// Who is admitted; port 0 is any.
    pub peer: SocketAddr,
    /// What the peer was told.
    pub outside: SocketAddr,
    /// The inside host.
    pub inside: SocketAddr,
    /// The control session.
    pub session: LiveId,
    /// The control message's name.
    pub message: String,
    /// Bytes of the control stream before the message.
    pub offset: u64,
    /// In how many milliseconds it closes unused.
    pub left_ms: u64,
}

/// A mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Its protocol.
    pub protocol: SessionProtocol,
    /// The inside host.
    pub inside: SocketAddr,
    /// What that looks like outside.
    pub outside: SocketAddr,
    /// Towards whom; `None` is anybody.
    pub remote: Option<SocketAddr>,
    /// Sessions and pinholes that hold it.
    pub holders: u32,
    /// The ports that are the subscriber's alone and that the outside port is one of, first and last.
    pub block: Option<(u16, u16)>,
}

/// Reads what a gateway answers to a question.
pub(super) fn parse(question: &Question, outcome: Outcome) -> Answered {
    match (question, outcome) {
        (Question::Sessions(listing), Outcome::Sessions(found)) => {
            page(listing, found.sessions, session, found.total, found.next).map(Answer::Sessions)
        }
        (Question::Pinholes(listing), Outcome::Pinholes(found)) => {
            page(listing, found.pinholes, pinhole, found.total, found.next).map(Answer::Pinholes)
        }
        (Question::Mappings(listing), Outcome::Mappings(found)) => {
            page(listing, found.mappings, mapping, found.total, found.next).map(Answer::Mappings)
        }
        (Question::EndSession(_) | Question::ClosePinhole(_), Outcome::Done(_)) => Some(Answer::Ended),
        (Question::EndSession(_) | Question::ClosePinhole(_), Outcome::Absent(_)) => Some(Answer::Absent),
        (_, Outcome::Refused(reason)) => {
            return Err(ApplianceFault::Refused(clean(&reason, limits::MAX_REASON_CHARS)));
        }
        _ => None,
    }
    .ok_or(ApplianceFault::Nonsense)
}

fn page<M, T>(
    listing: &Listing,
    messages: Vec<M>,
    parse: impl Fn(M) -> Option<T>,
    total: u64,
    next: Option<u64>,
) -> Option<Page<T>> {
    if messages.len() > usize::try_from(listing.limit).unwrap_or(0) {
        return None;
    }
    // Else whoever reads on would never come to an end, or could not.
    if next.is_some_and(|next| next <= listing.cursor || next > MAX_CURSOR) {
        return None;
    }
    let items = messages.into_iter().map(parse).collect::<Option<Vec<T>>>()?;
    Some(Page { items, total, next })
}

fn session(message: v1::Session) -> Option<Session> {
    let announced = if message.master.is_empty() {
        None
    } else {
        Some(Announcement {
            session: LiveId::parse(&message.master)?,
            alg: protocol(message.announced_by()),
            message: word(&message.announced_in),
        })
    };
    Some(Session {
        id: LiveId::parse(&message.id)?,
        protocol: SessionProtocol::parse(&message.protocol)?,
        inside: message.inside.parse().ok()?,
        outside: message.outside.parse().ok()?,
        remote: message.remote.parse().ok()?,
        originator: match message.originator.as_str() {
            "inside" => Side::Inside,
            "outside" => Side::Outside,
            _ => return None,
        },
        state: word(&message.state),
        packets_out: message.packets_out,
        packets_in: message.packets_in,
        idle_left_ms: message.idle_left_ms,
        alg: protocol(message.alg()),
        announced,
    })
}

fn pinhole(message: v1::Pinhole) -> Option<Pinhole> {
    Some(Pinhole {
        id: LiveId::parse(&message.id)?,
        pinhole_id: message.pinhole_id,
        alg: protocol(message.alg())?,
        protocol: SessionProtocol::parse(&message.protocol)?,
        peer: message.peer.parse().ok()?,
        outside: message.outside.parse().ok()?,
        inside: message.inside.parse().ok()?,
        session: LiveId::parse(&message.master)?,
        message: word(&message.message),
        offset: message.offset,
        left_ms: message.left_ms,
    })
}

fn mapping(message: v1::Mapping) -> Option<Mapping> {
    let port = |port: u32| u16::try_from(port).ok();
    let block = match message.block {
        Some(block) => Some((port(block.first)?, port(block.last)?)),
        None => None,
    };
    let remote: SocketAddr = message.remote.parse().ok()?;
    Some(Mapping {
        protocol: SessionProtocol::parse(&message.protocol)?,
        inside: message.inside.parse().ok()?,
        outside: message.outside.parse().ok()?,
        remote: (!remote.ip().is_unspecified()).then_some(remote),
        holders: message.holders,
        block: block.filter(|(first, last)| first <= last),
    })
}

fn word(text: &str) -> String {
    clean(text, limits::MAX_NAME_CHARS)
}

#[cfg(test)]
mod tests;
