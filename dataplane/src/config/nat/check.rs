//! The rules for the settings.

mod translation;

use std::net::Ipv4Addr;
use std::str::FromStr;

use self::translation::Room;
use super::{List, Located, MAX_QUOTED_CHARS, Mode, NatDraft, NatError, NatList, NatProblem, NatSettings};
use super::{export, pcp};
use crate::addr::{AddressRange, Ipv4Prefix, RangeError};
use crate::config::interface::InterfaceName;
use crate::limits::{MAX_INSIDE_PREFIXES, MAX_INTERFACES, MAX_POOL_ADDRESSES, MAX_POOL_RANGES};

/// Checks a draft.
///
/// # Errors
/// Everything that is wrong with it; nothing, when all that is wrong is that a list is `None`.
pub fn check<L: Clone>(draft: NatDraft<L>) -> Result<NatSettings, Vec<NatProblem<L>>> {
    let lists = [&draft.inside, &draft.outside, &draft.inside_prefixes, &draft.pool];
    let complete = lists.iter().all(|list| list.is_some()) && draft.translation.is_some();
    let mut checker = Checker { problems: Vec::new() };
    let inside = checker.interfaces(draft.inside, NatList::Inside);
    let outside = checker.interfaces(draft.outside, NatList::Outside);
    for name in &outside {
        if inside.iter().any(|other| other.value == name.value) {
            checker.report(&name.at, NatError::BothSides(name.value.clone()));
        }
    }
    let prefixes = checker.prefixes(draft.inside_prefixes);
    let translation_draft = draft.translation.unwrap_or_default();
    let pool_at = draft.pool.as_ref().map(|pool| pool.at.clone());
    let pool = checker.pool(draft.pool, &prefixes, translation_draft.mode);
    let room = Room { at: pool_at, prefixes: &prefixes, pool: &pool };
    let mapping = translation_draft.mapping;
    let translation = checker.translation(translation_draft, &room);
    let pcp = draft.pcp.map(|pcp| pcp::check(&pcp, mapping, &mut checker.problems));
    let exports = export::check(draft.exports, draft.trust, &mut checker.problems);
    if !complete || !checker.problems.is_empty() {
        return Err(checker.problems);
    }
    Ok(NatSettings {
        inside: values(inside),
        outside: values(outside),
        inside_prefixes: values(prefixes),
        pool: values(pool),
        translation,
        pcp,
        exports,
    })
}

/// Parses an address of a static forward.
///
/// # Errors
/// [`NatError::Range`].
pub fn parse_address(text: &str) -> Result<Ipv4Addr, NatError> {
    text.parse().map_err(|_| NatError::Range { text: cut(text), error: RangeError::Address })
}

/// Parses a prefix of destinations.
///
/// # Errors
/// [`NatError::Prefix`].
pub fn parse_prefix(text: &str) -> Result<Ipv4Prefix, NatError> {
    text.parse().map_err(|error| NatError::Prefix { text: cut(text), error })
}

/// Returns as much of a wrong text as an error repeats.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARS).collect()
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
                    self.report(&item.at, wrong(cut(&item.value), error));
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
        mode: Mode,
    ) -> Vec<Located<AddressRange, L>> {
        let wrong = |text, error| NatError::Range { text, error };
        let at = list.as_ref().map(|list| list.at.clone());
        if mode == Mode::None {
            let useless = list.filter(|list| !list.items.is_empty());
            useless.inspect(|list| self.report(&list.at, NatError::UselessPool));
            return Vec::new();
        }
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
