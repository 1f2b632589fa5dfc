//! Where a gateway stands, as files, messages and the REST API spell it: its interfaces, the prefixes of its
//! subscribers and its outside addresses. Checked here once for all three; each problem is named at its place, of
//! which this module only needs to know that it can be copied.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use super::interface::{InterfaceName, InterfaceNameError};
use crate::addr::{AddressRange, Ipv4Prefix, PrefixError, RangeError};
use crate::limits::{MAX_INSIDE_PREFIXES, MAX_INTERFACES, MAX_POOL_ADDRESSES, MAX_POOL_RANGES};

/// The most characters of a wrong text that an error repeats.
const MAX_QUOTED_CHARS: usize = 48;

/// The settings: every value is valid and they do not contradict each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NatSettings {
    /// Interfaces of the subscribers' side; never empty, none twice.
    pub inside: Vec<InterfaceName>,
    /// Interfaces of the Internet's side; never empty, none twice, disjoint from `inside`.
    pub outside: Vec<InterfaceName>,
    /// Whose addresses are translated; never empty, disjoint.
    pub inside_prefixes: Vec<Ipv4Prefix>,
    /// Outside addresses; never empty, disjoint from each other and from the inside prefixes.
    pub pool: Vec<AddressRange>,
}

/// The settings before their checks. A list that is `None` is one that the caller could not read and has reported.
#[derive(Clone, Debug)]
pub struct NatDraft<L> {
    /// See [`NatSettings::inside`].
    pub inside: Option<List<L>>,
    /// See [`NatSettings::outside`].
    pub outside: Option<List<L>>,
    /// See [`NatSettings::inside_prefixes`].
    pub inside_prefixes: Option<List<L>>,
    /// See [`NatSettings::pool`].
    pub pool: Option<List<L>>,
}

/// A list of texts and where it stands.
#[derive(Clone, Debug)]
pub struct List<L> {
    /// Where the list stands.
    pub at: L,
    /// The texts.
    pub items: Vec<Located<String, L>>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Located<T, L> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: L,
}

/// The lists of the settings, by the names that files and the REST API give them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NatList {
    /// [`NatSettings::inside`].
    Inside,
    /// [`NatSettings::outside`].
    Outside,
    /// [`NatSettings::inside_prefixes`].
    InsidePrefixes,
    /// [`NatSettings::pool`].
    Pool,
}

impl fmt::Display for NatList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Inside => "inside",
            Self::Outside => "outside",
            Self::InsidePrefixes => "inside_prefixes",
            Self::Pool => "pool",
        })
    }
}

/// Something wrong with the settings, at a place in them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NatProblem<L> {
    /// Where.
    pub at: L,
    /// What.
    pub error: NatError,
}

/// What can be wrong with the settings, in one sentence for the administrator.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NatError {
    /// A list without items.
    #[error("{0} is empty")]
    Empty(NatList),
    /// A list with more items than the engine takes.
    #[error("{list} has {given} entries, at most {most} are allowed")]
    TooMany {
        /// Which.
        list: NatList,
        /// How many there are.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// A text that names no interface.
    #[error("\"{text}\" {error}")]
    Interface {
        /// The text, cut.
        text: String,
        /// Why.
        error: InterfaceNameError,
    },
    /// A text that is no prefix.
    #[error("\"{text}\" {error}")]
    Prefix {
        /// The text, cut.
        text: String,
        /// Why.
        error: PrefixError,
    },
    /// A text that is no range of addresses.
    #[error("\"{text}\" {error}")]
    Range {
        /// The text, cut.
        text: String,
        /// Why.
        error: RangeError,
    },
    /// An interface twice in one list.
    #[error("{name} is listed twice in {list}")]
    Repeated {
        /// The interface.
        name: InterfaceName,
        /// Where.
        list: NatList,
    },
    /// An interface on both sides.
    #[error("{0} is both inside and outside")]
    BothSides(InterfaceName),
    /// A prefix of addresses that no subscriber can have.
    #[error("{prefix} cannot be an inside prefix: it holds {held}")]
    UnusablePrefix {
        /// The prefix.
        prefix: Ipv4Prefix,
        /// What no host has.
        held: &'static str,
    },
    /// Two prefixes with addresses in common.
    #[error("{prefix} overlaps with the inside prefix {other}")]
    PrefixOverlap {
        /// The later one.
        prefix: Ipv4Prefix,
        /// The earlier one.
        other: Ipv4Prefix,
    },
    /// Outside addresses that no host can have.
    #[error("{range} cannot be in the pool: it holds {held}")]
    UnusableRange {
        /// The addresses.
        range: AddressRange,
        /// What no host has.
        held: &'static str,
    },
    /// Outside addresses that are inside ones, too (RFC 4787, REQ-7: the sides would be indistinguishable).
    #[error("the pool's {range} overlaps with the inside prefix {prefix}")]
    PoolInside {
        /// The addresses.
        range: AddressRange,
        /// The prefix.
        prefix: Ipv4Prefix,
    },
    /// Outside addresses twice.
    #[error("{range} overlaps with the pool's {other}")]
    PoolOverlap {
        /// The later ones.
        range: AddressRange,
        /// The earlier ones.
        other: AddressRange,
    },
    /// More outside addresses than the engine takes.
    #[error("the pool has {0} addresses, at most {MAX_POOL_ADDRESSES} are allowed")]
    PoolSize(u64),
}

/// Checks a draft.
///
/// # Errors
/// Everything that is wrong with it; nothing, when all that is wrong is that a list is `None`.
pub fn check<L: Clone>(draft: NatDraft<L>) -> Result<NatSettings, Vec<NatProblem<L>>> {
    let read = [&draft.inside, &draft.outside, &draft.inside_prefixes, &draft.pool];
    let complete = read.iter().all(|list| list.is_some());
    let mut checker = Checker { problems: Vec::new() };
    let inside = checker.interfaces(draft.inside, NatList::Inside);
    let outside = checker.interfaces(draft.outside, NatList::Outside);
    for name in &outside {
        if inside.iter().any(|other| other.value == name.value) {
            checker.report(&name.at, NatError::BothSides(name.value.clone()));
        }
    }
    let prefixes = checker.prefixes(draft.inside_prefixes);
    let pool = checker.pool(draft.pool, &prefixes);
    if !complete || !checker.problems.is_empty() {
        return Err(checker.problems);
    }
    Ok(NatSettings {
        inside: values(inside),
        outside: values(outside),
        inside_prefixes: values(prefixes),
        pool: values(pool),
    })
}

fn values<T, L>(located: Vec<Located<T, L>>) -> Vec<T> {
    located.into_iter().map(|located| located.value).collect()
}

struct Checker<L> {
    problems: Vec<NatProblem<L>>,
}

impl<L: Clone> Checker<L> {
    fn report(&mut self, at: &L, error: NatError) {
        self.problems.push(NatProblem { at: at.clone(), error });
    }

    /// Parses the items of a list, reports what does not parse, and what the list's bounds do not allow.
    fn items<T: FromStr>(
        &mut self,
        list: Option<List<L>>,
        which: NatList,
        most: usize,
        wrong: impl Fn(String, T::Err) -> NatError,
    ) -> Vec<Located<T, L>> {
        let Some(list) = list else { return Vec::new() };
        let given = list.items.len();
        if given == 0 {
            self.report(&list.at, NatError::Empty(which));
        }
        if given > most {
            self.report(&list.at, NatError::TooMany { list: which, given, most });
            return Vec::new();
        }
        let mut parsed = Vec::with_capacity(given);
        for item in list.items {
            match item.value.parse::<T>() {
                Ok(value) => parsed.push(Located { value, at: item.at }),
                Err(error) => {
                    let text = item.value.chars().take(MAX_QUOTED_CHARS).collect();
                    self.report(&item.at, wrong(text, error));
                }
            }
        }
        parsed
    }

    fn interfaces(&mut self, list: Option<List<L>>, which: NatList) -> Vec<Located<InterfaceName, L>> {
        let wrong = |text, error| NatError::Interface { text, error };
        let mut names: Vec<Located<InterfaceName, L>> = Vec::new();
        for name in self.items::<InterfaceName>(list, which, MAX_INTERFACES, wrong) {
            if names.iter().any(|earlier| earlier.value == name.value) {
                self.report(&name.at, NatError::Repeated { name: name.value, list: which });
            } else {
                names.push(name);
            }
        }
        names
    }

    fn prefixes(&mut self, list: Option<List<L>>) -> Vec<Located<Ipv4Prefix, L>> {
        let wrong = |text, error| NatError::Prefix { text, error };
        let mut prefixes: Vec<Located<Ipv4Prefix, L>> = Vec::new();
        for item in self.items::<Ipv4Prefix>(list, NatList::InsidePrefixes, MAX_INSIDE_PREFIXES, wrong) {
            let prefix = item.value;
            if let Some(held) = unusable(prefix.into()) {
                self.report(&item.at, NatError::UnusablePrefix { prefix, held });
            }
            if let Some(other) = prefixes.iter().map(|other| other.value).find(|other| other.overlaps(prefix))
            {
                self.report(&item.at, NatError::PrefixOverlap { prefix, other });
            }
            prefixes.push(item);
        }
        prefixes
    }

    fn pool(
        &mut self,
        list: Option<List<L>>,
        prefixes: &[Located<Ipv4Prefix, L>],
    ) -> Vec<Located<AddressRange, L>> {
        let wrong = |text, error| NatError::Range { text, error };
        let at = list.as_ref().map(|list| list.at.clone());
        let mut pool: Vec<Located<AddressRange, L>> = Vec::new();
        for item in self.items::<AddressRange>(list, NatList::Pool, MAX_POOL_RANGES, wrong) {
            let range = item.value;
            if let Some(held) = unusable(range) {
                self.report(&item.at, NatError::UnusableRange { range, held });
            }
            let mut inside = prefixes.iter().map(|prefix| prefix.value);
            if let Some(prefix) = inside.find(|prefix| AddressRange::from(*prefix).overlaps(range)) {
                self.report(&item.at, NatError::PoolInside { range, prefix });
            }
            if let Some(other) = pool.iter().map(|other| other.value).find(|other| other.overlaps(range)) {
                self.report(&item.at, NatError::PoolOverlap { range, other });
            }
            pool.push(item);
        }
        let count: u64 = pool.iter().map(|range| range.value.count()).sum();
        if let Some(at) = at
            && usize::try_from(count).map_or(true, |count| count > MAX_POOL_ADDRESSES)
        {
            self.report(&at, NatError::PoolSize(count));
        }
        pool
    }
}

/// Names what in a range is never a host's address beyond its link (RFC 1122, section 3.2.1.3; RFC 3927; RFC 6890).
fn unusable(range: AddressRange) -> Option<&'static str> {
    let special = |first: [u8; 4], last: [u8; 4]| {
        range.first() <= Ipv4Addr::from(last) && Ipv4Addr::from(first) <= range.last()
    };
    if special([0, 0, 0, 0], [0, 255, 255, 255]) {
        Some("addresses of \"this network\" (0.0.0.0/8)")
    } else if special([127, 0, 0, 0], [127, 255, 255, 255]) {
        Some("loopback addresses")
    } else if special([169, 254, 0, 0], [169, 254, 255, 255]) {
        Some("link-local addresses")
    } else if special([224, 0, 0, 0], [255, 255, 255, 255]) {
        Some("multicast, reserved or broadcast addresses")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
