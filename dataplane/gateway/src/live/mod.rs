//! What a gateway is asked about what it does now, as values, and how a question is put to the datapath.

use std::fmt;
use std::net::IpAddr;

use pinhole_dataplane::addr::Endpoint;
use pinhole_dataplane::alg::{AlgProtocol, PinholeId};
use pinhole_dataplane::conntrack::{Progress, SessionId};
use pinhole_dataplane::engine::LeaseId;
use pinhole_dataplane::tuple::Protocol;
use pinhole_proto::v1;
use pinhole_proto::v1::findings::Outcome;

use crate::config::message::parse_protocol;
use crate::datapath::worker::WorkerHandle;

/// The most entries of one answer, so that it is some tens of KiB.
pub(crate) const MAX_ENTRIES: usize = 256;
/// How often the datapath is asked for one answer, between packets: this many times its bound is a table of the default
/// size.
const MAX_ROUNDS: usize = 32;

/// Tells one run of the datapath from the next, whose table begins anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Life(pub(crate) u32);

/// A session's name in messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SessionName {
    pub(crate) life: Life,
    pub(crate) id: SessionId,
}

/// A pinhole's name in messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct PinholeName {
    pub(crate) life: Life,
    pub(crate) id: PinholeId,
}

/// An explicit mapping's name in messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LeaseName {
    pub(crate) life: Life,
    pub(crate) id: LeaseId,
}

/// What is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Question {
    Sessions(Listing),
    Pinholes(Listing),
    Mappings(Listing),
    Subscribers(Listing),
    EndSession(SessionName),
    ClosePinhole(PinholeName),
    EndMapping(LeaseName),
}

/// Which entries are wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Listing {
    pub(crate) from: u64,
    /// From 1 to [`MAX_ENTRIES`].
    pub(crate) limit: usize,
    pub(crate) filter: Filter,
}

/// What an entry has to have; `None` is anything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Filter {
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: Option<u16>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) alg: Option<AlgProtocol>,
    pub(crate) state: Option<Progress>,
}

impl Filter {
    /// Whether one endpoint has the wanted address, and one, perhaps another, the wanted port.
    pub(crate) fn admits(&self, endpoints: &[Endpoint]) -> bool {
        self.address.is_none_or(|wanted| endpoints.iter().any(|endpoint| endpoint.address == wanted))
            && self.port.is_none_or(|wanted| endpoints.iter().any(|endpoint| endpoint.port == wanted))
    }
}

/// Why a question is not answered.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the question is none that this gateway knows")]
    Unknown,
    #[error("\"{0}\" is no IP address")]
    Address(String),
    #[error("{0} is no port")]
    Port(u32),
    #[error("\"{0}\" is no protocol known here")]
    Protocol(String),
    #[error("{0} is no ALG known here")]
    Alg(i32),
    #[error("\"{0}\" is no state of a session known here")]
    State(String),
}

/// Why there is no question for the datapath.
enum Unasked {
    /// What is to end is named in a way that nothing here is.
    Absent,
    Refused(Refusal),
}

/// Answers a question; the datapath carries packets between the pieces of its work.
pub(crate) async fn answer(worker: &WorkerHandle, inquiry: v1::Inquiry) -> v1::Findings {
    let id = inquiry.id;
    let outcome = match parse(inquiry) {
        Ok(question) => ask(worker, question).await,
        Err(Unasked::Absent) => Some(Outcome::Absent(v1::Absent {})),
        Err(Unasked::Refused(refusal)) => Some(Outcome::Refused(refusal.to_string())),
    };
    let ended = || Outcome::Refused("the datapath has ended".to_owned());
    v1::Findings { id, outcome: Some(outcome.unwrap_or_else(ended)) }
}

async fn ask(worker: &WorkerHandle, question: Question) -> Option<Outcome> {
    let mut all = worker.look(question.clone()).await?;
    for _ in 1..MAX_ROUNDS {
        let Some(rest) = rest(&question, &all) else { break };
        join(&mut all, worker.look(rest).await?);
    }
    Some(all)
}

/// Returns what is still to be asked when this was answered so far.
fn rest(question: &Question, so_far: &Outcome) -> Option<Question> {
    let further = |listing: &Listing, found: usize, next: Option<u64>| {
        let missing = listing.limit.checked_sub(found).filter(|missing| *missing > 0)?;
        Some(Listing { from: next?, limit: missing, filter: listing.filter.clone() })
    };
    match (question, so_far) {
        (Question::Sessions(listing), Outcome::Sessions(page)) => {
            further(listing, page.sessions.len(), page.next).map(Question::Sessions)
        }
        (Question::Pinholes(listing), Outcome::Pinholes(page)) => {
            further(listing, page.pinholes.len(), page.next).map(Question::Pinholes)
        }
        (Question::Mappings(listing), Outcome::Mappings(page)) => {
            further(listing, page.mappings.len(), page.next).map(Question::Mappings)
        }
        (Question::Subscribers(listing), Outcome::Subscribers(page)) => {
            further(listing, page.subscribers.len(), page.next).map(Question::Subscribers)
        }
        (
            Question::Sessions(_)
            | Question::Pinholes(_)
            | Question::Mappings(_)
            | Question::Subscribers(_)
            | Question::EndSession(_)
            | Question::ClosePinhole(_)
            | Question::EndMapping(_),
            _,
        ) => None,
    }
}

/// Puts the answer to the rest behind what was answered before.
fn join(all: &mut Outcome, more: Outcome) {
    match (all, more) {
        (Outcome::Sessions(all), Outcome::Sessions(more)) => {
            all.sessions.extend(more.sessions);
            (all.total, all.next) = (more.total, more.next);
        }
        (Outcome::Pinholes(all), Outcome::Pinholes(more)) => {
            all.pinholes.extend(more.pinholes);
            (all.total, all.next) = (more.total, more.next);
        }
        (Outcome::Mappings(all), Outcome::Mappings(more)) => {
            all.mappings.extend(more.mappings);
            (all.total, all.next) = (more.total, more.next);
        }
        (Outcome::Subscribers(all), Outcome::Subscribers(more)) => {
            all.subscribers.extend(more.subscribers);
            (all.total, all.next) = (more.total, more.next);
        }
        (all, more) => *all = more,
    }
}

fn parse(inquiry: v1::Inquiry) -> Result<Question, Unasked> {
    use v1::inquiry::Question as Asked;

    let listing = |listing: v1::Listing| parse_listing(&listing).map_err(Unasked::Refused);
    match inquiry.question {
        Some(Asked::Sessions(asked)) => listing(asked).map(Question::Sessions),
        Some(Asked::Pinholes(asked)) => listing(asked).map(Question::Pinholes),
        Some(Asked::Mappings(asked)) => listing(asked).map(Question::Mappings),
        Some(Asked::Subscribers(asked)) => listing(asked).map(Question::Subscribers),
        Some(Asked::EndSession(name)) => {
            SessionName::parse(&name).map(Question::EndSession).ok_or(Unasked::Absent)
        }
        Some(Asked::ClosePinhole(name)) => {
            PinholeName::parse(&name).map(Question::ClosePinhole).ok_or(Unasked::Absent)
        }
        Some(Asked::EndMapping(name)) => {
            LeaseName::parse(&name).map(Question::EndMapping).ok_or(Unasked::Absent)
        }
        None => Err(Unasked::Refused(Refusal::Unknown)),
    }
}

fn parse_listing(listing: &v1::Listing) -> Result<Listing, Refusal> {
    let limit = match usize::try_from(listing.limit) {
        Ok(limit @ 1..=MAX_ENTRIES) => limit,
        Ok(_) | Err(_) => MAX_ENTRIES,
    };
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let protocol_named = |name: String| {
        let known = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name);
        known.ok_or(Refusal::Protocol(name))
    };
    let state_named = |name: String| {
        let known = Progress::ALL.into_iter().find(|state| state.name() == name);
        known.ok_or(Refusal::State(name))
    };
    let filter = Filter {
        address: text(&listing.address)
            .map(|address| address.parse().map_err(|_| Refusal::Address(address)))
            .transpose()?,
        port: (listing.port > 0)
            .then(|| u16::try_from(listing.port).map_err(|_| Refusal::Port(listing.port)))
            .transpose()?,
        protocol: text(&listing.protocol).map(protocol_named).transpose()?,
        alg: (listing.alg != i32::from(v1::AlgProtocol::Unspecified))
            .then(|| parse_protocol(listing.alg).ok_or(Refusal::Alg(listing.alg)))
            .transpose()?,
        state: text(&listing.state).map(state_named).transpose()?,
    };
    Ok(Listing { from: listing.from, limit, filter })
}

impl SessionName {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('-').map(|number| u32::from_str_radix(number, 16).ok());
        let (life, slot, generation) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let name = Self { life: Life(life), id: SessionId::from_parts(slot, generation) };
        // One spelling each.
        (name.to_string() == text).then_some(name)
    }
}

impl PinholeName {
    fn parse(text: &str) -> Option<Self> {
        let (life, id) = parse_numbered(text)?;
        Some(Self { life, id: PinholeId(id) })
    }
}

impl LeaseName {
    fn parse(text: &str) -> Option<Self> {
        let (life, id) = parse_numbered(text)?;
        Some(Self { life, id: LeaseId(id) })
    }
}

fn parse_numbered(text: &str) -> Option<(Life, u64)> {
    let (life, id) = text.split_once('-')?;
    let (life, id) = (Life(u32::from_str_radix(life, 16).ok()?), u64::from_str_radix(id, 16).ok()?);
    (numbered(life, id) == text).then_some((life, id))
}

fn numbered(life: Life, id: u64) -> String {
    format!("{:08x}-{id:x}", life.0)
}

impl fmt::Display for SessionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (slot, generation) = self.id.parts();
        write!(formatter, "{:08x}-{slot:x}-{generation:x}", self.life.0)
    }
}

impl fmt::Display for PinholeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&numbered(self.life, self.id.0))
    }
}

impl fmt::Display for LeaseName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&numbered(self.life, self.id.0))
    }
}

#[cfg(test)]
mod tests;
