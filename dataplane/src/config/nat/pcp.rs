//! Whether inside hosts may ask for mappings of their own, and for how long.

use super::{Dependence, Located, NatError, NatProblem};

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

/// The same before its checks; what is `None` is the default.
#[derive(Clone, Debug)]
pub struct PcpDraft<L> {
    /// Where it is asked for.
    pub at: L,
    /// See [`PcpSettings::nat_pmp`].
    pub nat_pmp: Option<bool>,
    /// See [`PcpSettings::third_party`].
    pub third_party: Option<bool>,
    /// See [`PcpSettings::min_lifetime`].
    pub min_lifetime: Option<Located<i64, L>>,
    /// See [`PcpSettings::max_lifetime`].
    pub max_lifetime: Option<Located<i64, L>>,
}

/// What can be wrong with the settings, in one sentence for the administrator.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PcpError {
    /// An inside endpoint has no outside one of its own where that depends on the destination.
    #[error("pcp cannot be combined with a mapping that depends on the destination")]
    Dependent,
    /// A time out of its range.
    #[error("{given} is out of range: {field} is {least} to {MOST_LIFETIME}")]
    Lifetime {
        /// Which.
        field: &'static str,
        /// What it is.
        given: i64,
        /// The least that it may be.
        least: u32,
    },
}

/// Checks a draft and adds what is wrong to `problems`.
pub(in crate::config::nat) fn check<L: Clone>(
    draft: &PcpDraft<L>,
    mapping: Option<Dependence>,
    problems: &mut Vec<NatProblem<L>>,
) -> PcpSettings {
    let mut report =
        |at: &L, error| problems.push(NatProblem { at: at.clone(), error: NatError::Pcp(error) });
    if matches!(mapping, Some(Dependence::Address | Dependence::AddressAndPort)) {
        report(&draft.at, PcpError::Dependent);
    }
    let mut seconds = |field, number: Option<&Located<i64, L>>, least: u32, default: u32| {
        let Some(number) = number else { return default.max(least) };
        let given = u32::try_from(number.value).ok();
        given.filter(|seconds| (least..=MOST_LIFETIME).contains(seconds)).unwrap_or_else(|| {
            report(&number.at, PcpError::Lifetime { field, given: number.value, least });
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
