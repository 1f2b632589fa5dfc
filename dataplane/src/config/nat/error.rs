//! What can be wrong with the settings.

use std::fmt;
use std::net::Ipv4Addr;

use super::export::ExportError;
use super::pcp::PcpError;
use super::translation::{BlockSize, TranslationNumber};
use crate::addr::{AddressRange, Ipv4Prefix, PrefixError, RangeError};
use crate::config::PortRange;
use crate::config::interface::{InterfaceName, InterfaceNameError};
use crate::limits::MAX_POOL_ADDRESSES;

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
    /// [`Translation::forwards`].
    Forwards,
    /// [`Translation::exempt`].
    Exempt,
}

impl fmt::Display for NatList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Inside => "inside",
            Self::Outside => "outside",
            Self::InsidePrefixes => "inside_prefixes",
            Self::Pool => "pool",
            Self::Forwards => "forwards",
            Self::Exempt => "exempt_destinations",
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
    /// An address of a static forward that is not one of the pool.
    #[error("{0} is no address of the pool")]
    ForwardOutside(Ipv4Addr),
    /// An address of a static forward that is no subscriber's.
    #[error("{0} is in no inside prefix")]
    ForwardInside(Ipv4Addr),
    /// A static forward of some ports to more or fewer.
    #[error("the outside ports {outside} and the inside ports {inside} are not equally many")]
    ForwardLength {
        /// The outside ones.
        outside: PortRange,
        /// The inside ones.
        inside: PortRange,
    },
    /// Two static forwards of one outside endpoint, or to one inside endpoint.
    #[error("an earlier forward has an outside endpoint or an inside endpoint of this one")]
    ForwardOverlap,
    /// Two ways to give out ports, or one where no ports are given out.
    #[error("{first} cannot be combined with {second}")]
    Exclusive {
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// Outside addresses where nothing is translated.
    #[error("the pool must be empty in the mode none")]
    UselessPool,
    /// Fewer outside addresses, or ports of them, than inside addresses are to have.
    #[error("the pool has room for {room} of {wanted} inside addresses")]
    PoolRoom {
        /// How many it has room for.
        room: u64,
        /// How many there are.
        wanted: u64,
    },
    /// An exporter that is none.
    #[error(transparent)]
    Export(ExportError),
    /// Something about mappings that inside hosts ask for.
    #[error(transparent)]
    Pcp(PcpError),
    /// A size of blocks that ports cannot be cut into.
    #[error("{0} is not a power of two from {min} to {max}", min = BlockSize::MIN, max = BlockSize::MAX)]
    BlockSize(i64),
    /// A number out of its range.
    #[error("{given} is out of range: {which} is {least} to {most}", least = which.least(), most = which.most())]
    Number {
        /// Which.
        which: TranslationNumber,
        /// What it is.
        given: i64,
    },
}
