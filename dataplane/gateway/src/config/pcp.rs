//! Whether inside hosts may ask for mappings of their own, and for how long.

use pinhole_dataplane::config::nat::{Dependence, Located};

use crate::config::Problem;

/// The shortest time for which a mapping is given, unless the configuration says otherwise, in seconds (RFC 6887, section
/// 15).
pub const DEFAULT_MIN_LIFETIME: u32 = 120;
/// The longest such time, unless the configuration says otherwise, in seconds.
pub const DEFAULT_MAX_LIFETIME: u32 = 86_400;
/// The longest time that a configuration may say, in seconds.
pub const MOST_LIFETIME: u32 = 604_800;

/// How the server for PCP answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PcpSettings {
    /// Whether clients of NAT-PMP are served as well.
    pub nat_pmp: bool,
    /// Whether a host may ask for another one's mappings.
    pub third_party: bool,
    /// The shortest time for which a mapping is given, in seconds; at least 1 and at most `max_lifetime`.
    pub min_lifetime: u32,
    /// The longest, in seconds.
    pub max_lifetime: u32,
}

/// The same before its checks.
#[derive(Clone, Debug)]
pub(in crate::config) struct PcpDraft<L> {
    pub(in crate::config) at: L,
    pub(in crate::config) nat_pmp: Option<bool>,
    pub(in crate::config) third_party: Option<bool>,
    pub(in crate::config) min_lifetime: Option<Located<i64, L>>,
    pub(in crate::config) max_lifetime: Option<Located<i64, L>>,
}

/// Checks a draft and adds what is wrong to `problems`. An inside endpoint has no outside one of its own where that depends
/// on the destination.
pub(in crate::config) fn check<L: Clone>(
    draft: PcpDraft<L>,
    mapping: Option<Dependence>,
    problems: &mut Vec<Problem<L>>,
) -> PcpSettings {
    if matches!(mapping, Some(Dependence::Address | Dependence::AddressAndPort)) {
        let message = "pcp cannot be combined with a mapping that depends on the destination".to_owned();
        problems.push(Problem { at: draft.at.clone(), message });
    }
    let mut seconds = |name: &str, number: Option<&Located<i64, L>>, least: u32, default: u32| {
        let Some(number) = number else { return default.max(least) };
        let given =
            u32::try_from(number.value).ok().filter(|seconds| (least..=MOST_LIFETIME).contains(seconds));
        given.unwrap_or_else(|| {
            let message = format!("{} is out of range: {name} is {least} to {MOST_LIFETIME}", number.value);
            problems.push(Problem { at: number.at.clone(), message });
            default.max(least)
        })
    };
    let min_lifetime = seconds("min_lifetime_seconds", draft.min_lifetime.as_ref(), 1, DEFAULT_MIN_LIFETIME);
    let max_lifetime =
        seconds("max_lifetime_seconds", draft.max_lifetime.as_ref(), min_lifetime, DEFAULT_MAX_LIFETIME);
    PcpSettings {
        nat_pmp: draft.nat_pmp.unwrap_or(true),
        third_party: draft.third_party.unwrap_or(false),
        min_lifetime,
        max_lifetime,
    }
}

#[cfg(test)]
mod tests;
