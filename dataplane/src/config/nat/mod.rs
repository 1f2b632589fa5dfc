//! Where a gateway stands, as files, messages and the REST API spell it: its interfaces, the prefixes of its
//! subscribers and its outside addresses. Checked here once for all three; each problem is named at its place, of
//! which this module only needs to know that it can be copied.

mod check;
mod error;
pub mod export;
mod forward;
pub mod pcp;
mod translation;

use self::export::{ExportDraft, ExportSettings, Trust};
use self::pcp::{PcpDraft, PcpSettings};
use super::interface::InterfaceName;
use crate::addr::{AddressRange, Ipv4Prefix};

pub use self::check::{check, parse_address, parse_prefix};
pub use self::error::{NatError, NatList, NatProblem};
pub(crate) use self::forward::forward_problems;
pub(crate) use self::translation::named;
pub use self::translation::{
    Allocation, BlockSize, Dependence, Exemption, Forward, Mode, Mss, OtherProtocols, PortBlocks,
    SubscriberLimits, Translation, TranslationNumber, UnknownWord,
};

/// The most characters of a wrong text that an error repeats.
pub(crate) const MAX_QUOTED_CHARS: usize = 48;

/// The settings: every value is valid and they do not contradict each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NatSettings {
    /// Interfaces of the subscribers' side; never empty, none twice.
    pub inside: Vec<InterfaceName>,
    /// Interfaces of the Internet's side; never empty, none twice, disjoint from `inside`.
    pub outside: Vec<InterfaceName>,
    /// Whose addresses are translated; never empty, disjoint.
    pub inside_prefixes: Vec<Ipv4Prefix>,
    /// Outside addresses; empty only where nothing is translated, disjoint from each other and from the inside prefixes.
    pub pool: Vec<AddressRange>,
    /// How addresses and ports are given to subscribers.
    pub translation: Translation,
    /// Whether inside hosts may ask for mappings of their own; `None` if not.
    pub pcp: Option<PcpSettings>,
    /// To whom events are exported.
    pub exports: Vec<ExportSettings>,
}

/// The settings before their checks. What is `None` is what the caller could not read and has reported.
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
    /// See [`NatSettings::translation`].
    pub translation: Option<TranslationDraft<L>>,
    /// See [`NatSettings::pcp`].
    pub pcp: Option<PcpDraft<L>>,
    /// See [`NatSettings::exports`].
    pub exports: Vec<ExportDraft<L>>,
    /// Whose word all this is.
    pub trust: Trust,
}

/// The translation before its checks; what is `None` is the default.
#[derive(Clone, Debug)]
pub struct TranslationDraft<L> {
    /// What is translated at all.
    pub mode: Mode,
    /// See [`Translation::mapping`].
    pub mapping: Option<Dependence>,
    /// See [`Translation::filtering`].
    pub filtering: Option<Dependence>,
    /// See [`Allocation::Blocks`].
    pub port_block: Option<PortBlockDraft<L>>,
    /// See [`Allocation::Deterministic`].
    pub deterministic: Option<DeterministicDraft<L>>,
    /// See [`Translation::forwards`].
    pub forwards: Vec<Located<Forward, L>>,
    /// See [`Translation::exempt`].
    pub exempt: Vec<Located<Exemption, L>>,
    /// See [`Translation::other_protocols`].
    pub other_protocols: Option<OtherProtocols>,
    /// See [`Translation::tcp_mss`].
    pub tcp_mss: Option<Located<i64, L>>,
    /// See [`Translation::limits`].
    pub limits: LimitsDraft<L>,
}

impl<L> Default for TranslationDraft<L> {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            mapping: None,
            filtering: None,
            port_block: None,
            deterministic: None,
            forwards: Vec::new(),
            exempt: Vec::new(),
            other_protocols: None,
            tcp_mss: None,
            limits: LimitsDraft::default(),
        }
    }
}

/// Blocks of ports before their checks; what is `None` is the default.
#[derive(Clone, Debug)]
pub struct PortBlockDraft<L> {
    /// Where they are asked for.
    pub at: L,
    /// See [`PortBlocks::size`].
    pub size: Option<Located<i64, L>>,
    /// See [`PortBlocks::per_subscriber`].
    pub per_subscriber: Option<Located<i64, L>>,
    /// See [`PortBlocks::hold`].
    pub hold_seconds: Option<Located<i64, L>>,
}

/// Deterministic mapping before its checks.
#[derive(Clone, Debug)]
pub struct DeterministicDraft<L> {
    /// Where it is asked for.
    pub at: L,
    /// See [`Allocation::Deterministic`]; `None` is the default.
    pub ports_per_subscriber: Option<Located<i64, L>>,
}

/// Limits of a subscriber before their checks; what is `None` is no limit.
#[derive(Clone, Debug)]
pub struct LimitsDraft<L> {
    /// See [`SubscriberLimits::ports`].
    pub ports: Option<Located<i64, L>>,
    /// See [`SubscriberLimits::sessions`].
    pub sessions: Option<Located<i64, L>>,
    /// See [`SubscriberLimits::new_sessions_per_second`].
    pub new_sessions_per_second: Option<Located<i64, L>>,
}

impl<L> Default for LimitsDraft<L> {
    fn default() -> Self {
        Self { ports: None, sessions: None, new_sessions_per_second: None }
    }
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

#[cfg(test)]
mod tests;
