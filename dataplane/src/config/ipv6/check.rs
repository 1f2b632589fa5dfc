//! The rules for the settings of IPv6, checked once for files, messages and the REST API.

use std::net::Ipv6Addr;

use super::{Ipv6Filtering, Ipv6Opening, Ipv6Settings, NEVER_FORWARDED};
use crate::addr::{Ipv6Prefix, Ipv6PrefixError};
use crate::config::nat::{List, Located, MAX_QUOTED_CHARS};
use crate::limits::{MAX_IPV6_OPENINGS, MAX_IPV6_PREFIXES};

/// The settings before their checks. What is `None` is what the caller could not read and has reported, or the default.
#[derive(Clone, Debug)]
pub struct Ipv6Draft<L> {
    /// See [`Ipv6Settings::inside_prefixes`]; `None` was reported.
    pub inside_prefixes: Option<List<L>>,
    /// See [`Ipv6Settings::filtering`].
    pub filtering: Option<Ipv6Filtering>,
    /// See [`Ipv6Settings::ipsec`].
    pub ipsec: Option<bool>,
    /// See [`Ipv6Settings::openings`].
    pub openings: Vec<Located<Ipv6Opening, L>>,
}

/// Something that is wrong, at its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ipv6Problem<L> {
    /// Where.
    pub at: L,
    /// What.
    pub error: Ipv6Error,
}

/// What is wrong with a value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Ipv6Error {
    /// A text is no prefix.
    #[error("\"{text}\" {error}")]
    Prefix {
        /// The text, cut.
        text: String,
        /// Why.
        error: Ipv6PrefixError,
    },
    /// A text is no address.
    #[error("\"{0}\" is not an IPv6 address")]
    Address(String),
    /// There is no prefix.
    #[error("inside_prefixes is empty")]
    NoPrefix,
    /// There are too many prefixes.
    #[error("{0} inside prefixes, at most {MAX_IPV6_PREFIXES} are allowed")]
    Prefixes(usize),
    /// Hosts cannot have such addresses beyond their link.
    #[error("{prefix} cannot be an inside prefix: it holds {held}")]
    UnusablePrefix {
        /// The prefix.
        prefix: Ipv6Prefix,
        /// What is in it.
        held: &'static str,
    },
    /// Two prefixes share an address.
    #[error("{prefix} overlaps with the inside prefix {other}")]
    PrefixOverlap {
        /// The later one.
        prefix: Ipv6Prefix,
        /// The earlier one.
        other: Ipv6Prefix,
    },
    /// There are too many openings.
    #[error("{0} openings, at most {MAX_IPV6_OPENINGS} are allowed")]
    Openings(usize),
    /// An opening leads to no subscriber.
    #[error("{0} is in no inside prefix")]
    OpeningInside(Ipv6Addr),
}

/// Parses an address of an opening.
///
/// # Errors
/// [`Ipv6Error::Address`].
pub fn parse_address(text: &str) -> Result<Ipv6Addr, Ipv6Error> {
    text.parse().map_err(|_| Ipv6Error::Address(cut(text)))
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARS).collect()
}

/// Checks a draft.
///
/// # Errors
/// Everything that is wrong with it; nothing, when all that is wrong is that the prefixes are `None`.
pub fn check<L: Clone>(draft: Ipv6Draft<L>) -> Result<Ipv6Settings, Vec<Ipv6Problem<L>>> {
    let mut problems = Vec::new();
    let complete = draft.inside_prefixes.is_some();
    let (at, prefixes) = match draft.inside_prefixes {
        Some(list) => (Some(list.at.clone()), read_prefixes(list, &mut problems)),
        None => (None, Vec::new()),
    };
    let unread = problems.len();
    let settings = Ipv6Settings {
        inside_prefixes: prefixes.iter().map(|prefix| prefix.value).collect(),
        filtering: draft.filtering.unwrap_or_default(),
        ipsec: draft.ipsec.unwrap_or(true),
        openings: draft.openings.iter().map(|opening| opening.value).collect(),
    };
    if let Some(at) = at {
        let place = |place: Place| match place {
            Place::Prefixes => Some(at.clone()),
            Place::Prefix(index) => prefixes.get(index).map(|prefix| prefix.at.clone()),
            Place::Openings => draft.openings.last().map(|opening| opening.at.clone()),
            Place::Opening(index) => draft.openings.get(index).map(|opening| opening.at.clone()),
        };
        let found = settings.problems().into_iter();
        // What could not be read is not also missing.
        let found = found.filter(|(_, error)| unread == 0 || *error != Ipv6Error::NoPrefix);
        problems.extend(found.filter_map(|(at, error)| Some(Ipv6Problem { at: place(at)?, error })));
    }
    if complete && problems.is_empty() { Ok(settings) } else { Err(problems) }
}

fn read_prefixes<L>(list: List<L>, problems: &mut Vec<Ipv6Problem<L>>) -> Vec<Located<Ipv6Prefix, L>> {
    let mut prefixes = Vec::with_capacity(list.items.len());
    for item in list.items {
        match item.value.parse() {
            Ok(value) => prefixes.push(Located { value, at: item.at }),
            Err(error) => {
                let text = cut(&item.value);
                problems.push(Ipv6Problem { at: item.at, error: Ipv6Error::Prefix { text, error } });
            }
        }
    }
    prefixes
}

/// What a problem is with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// All inside prefixes.
    Prefixes,
    /// The inside prefix of this place.
    Prefix(usize),
    /// All openings.
    Openings,
    /// The opening of this place.
    Opening(usize),
}

impl Ipv6Settings {
    /// Returns what is wrong with the settings.
    pub(crate) fn problems(&self) -> Vec<(Place, Ipv6Error)> {
        let mut problems = Vec::new();
        let prefixes = &self.inside_prefixes;
        if prefixes.is_empty() {
            problems.push((Place::Prefixes, Ipv6Error::NoPrefix));
        }
        if prefixes.len() > MAX_IPV6_PREFIXES {
            problems.push((Place::Prefixes, Ipv6Error::Prefixes(prefixes.len())));
            return problems;
        }
        for (index, &prefix) in prefixes.iter().enumerate() {
            if let Some((_, held)) = NEVER_FORWARDED.iter().find(|(special, _)| special.overlaps(prefix)) {
                problems.push((Place::Prefix(index), Ipv6Error::UnusablePrefix { prefix, held }));
            }
            let mut earlier = prefixes.iter().take(index);
            if let Some(&other) = earlier.find(|other| other.overlaps(prefix)) {
                problems.push((Place::Prefix(index), Ipv6Error::PrefixOverlap { prefix, other }));
            }
        }
        if self.openings.len() > MAX_IPV6_OPENINGS {
            problems.push((Place::Openings, Ipv6Error::Openings(self.openings.len())));
        }
        for (index, opening) in self.openings.iter().enumerate() {
            if !prefixes.iter().any(|prefix| prefix.contains(opening.inside)) {
                problems.push((Place::Opening(index), Ipv6Error::OpeningInside(opening.inside)));
            }
        }
        problems
    }
}
