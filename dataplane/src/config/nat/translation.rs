//! How addresses and ports are given to subscribers, and how much of them.

use std::fmt;
use std::net::Ipv4Addr;
use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;
use std::time::Duration;

use super::MAX_QUOTED_CHARS;
use crate::addr::Ipv4Prefix;
use crate::config::{PortRange, ServiceTransport};
use crate::limits::FIRST_UNPRIVILEGED_PORT;

/// How outside endpoints are given to inside ones; the default is what settings mean that say nothing about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Translation {
    /// Which outside endpoint an inside one gets.
    pub allocation: Allocation,
    /// What of the destination decides about the outside endpoint (RFC 4787, section 4.1).
    pub mapping: Dependence,
    /// What of the source decides whether a packet from outside may come in (RFC 4787, section 5).
    pub filtering: Dependence,
    /// Outside endpoints that lead to inside ones whoever sends to them.
    pub forwards: Vec<Forward>,
    /// Destinations towards which addresses and ports stay as they are (RFC 6888, REQ-6).
    pub exempt: Vec<Exemption>,
    /// What becomes of protocols without ports where outside addresses are shared.
    pub other_protocols: OtherProtocols,
    /// The largest TCP segment that hosts are told they may send, where they would say more; `None` leaves it to them.
    pub tcp_mss: Option<Mss>,
    /// What one subscriber may hold at most.
    pub limits: SubscriberLimits,
}

/// What is translated at all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// Addresses and ports: subscribers share the outside addresses.
    #[default]
    PortTranslation,
    /// Addresses: each inside address has an outside address of its own.
    OneToOne,
    /// Nothing.
    None,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::PortTranslation, Self::OneToOne, Self::None];

    /// Returns the name in files and in the REST API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PortTranslation => "port_translation",
            Self::OneToOne => "one_to_one",
            Self::None => "none",
        }
    }
}

impl Allocation {
    /// Ports of one subscriber under deterministic mapping, where nothing is said about them: 64 share an address.
    pub const DETERMINISTIC_PORTS: NonZeroU16 = match NonZeroU16::new(1_008) {
        Some(ports) => ports,
        None => NonZeroU16::MIN,
    };

    /// Returns the mode that it is of.
    pub const fn mode(self) -> Mode {
        match self {
            Self::Random | Self::Blocks(_) | Self::Deterministic(_) => Mode::PortTranslation,
            Self::OneToOne => Mode::OneToOne,
            Self::Untranslated => Mode::None,
        }
    }
}

impl Default for Translation {
    fn default() -> Self {
        Self {
            allocation: Allocation::default(),
            mapping: Dependence::Independent,
            filtering: Dependence::AddressAndPort,
            forwards: Vec::new(),
            exempt: Vec::new(),
            other_protocols: OtherProtocols::default(),
            tcp_mss: None,
            limits: SubscriberLimits::default(),
        }
    }
}

/// A largest TCP segment, in bytes of its payload (RFC 9293, section 3.7.1).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Mss(u16);

impl Mss {
    /// What any host takes that says nothing (RFC 9293, section 3.7.1).
    pub const MIN: u16 = 536;
    /// What fits the longest IPv4 packet.
    pub const MAX: u16 = 65_495;

    /// Makes a size; `None` where it is out of bounds.
    pub const fn new(bytes: u16) -> Option<Self> {
        if bytes >= Self::MIN && bytes <= Self::MAX { Some(Self(bytes)) } else { None }
    }

    /// Returns the bytes.
    pub const fn bytes(self) -> u16 {
        self.0
    }

    /// Returns what fits the same packets of IPv6, whose header is longer.
    #[must_use]
    pub const fn in_ipv6(self) -> Self {
        Self(self.0 - 20)
    }
}

/// What of the other end's address and port something depends on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dependence {
    /// Nothing.
    Independent,
    /// The address.
    Address,
    /// Both.
    AddressAndPort,
}

impl Dependence {
    /// Each.
    pub const ALL: [Self; 3] = [Self::Independent, Self::Address, Self::AddressAndPort];

    /// Returns the name in files and in the REST API (RFC 4787, sections 4.1 and 5).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Independent => "endpoint_independent",
            Self::Address => "address_dependent",
            Self::AddressAndPort => "address_and_port_dependent",
        }
    }
}

/// What becomes of protocols that have no ports, or whose ports are not translated, where subscribers share outside
/// addresses: SCTP, GRE, ESP and any that is not known.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OtherProtocols {
    /// They are dropped.
    #[default]
    Refuse,
    /// The address is translated: of the hosts behind an outside address, one at a time has a protocol with an address
    /// outside.
    Translate,
}

impl OtherProtocols {
    /// Each.
    pub const ALL: [Self; 2] = [Self::Refuse, Self::Translate];

    /// Returns the name in files and in the REST API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Translate => "translate",
        }
    }
}

/// A static forward: who sends to the outside endpoint reaches the inside one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Forward {
    /// The transport, or both.
    pub transport: ServiceTransport,
    /// The outside address.
    pub outside: Ipv4Addr,
    /// The outside ports.
    pub outside_ports: PortRange,
    /// The inside address.
    pub inside: Ipv4Addr,
    /// The inside ports, as many, which the outside ones lead to in their order.
    pub inside_ports: PortRange,
}

/// Destinations towards which nothing is translated.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Exemption {
    /// The addresses.
    pub destination: Ipv4Prefix,
    /// The TCP and UDP ports; empty for any, and for ICMP.
    pub ports: Vec<PortRange>,
}

/// Which outside endpoint an inside one gets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Allocation {
    /// Any free port of its outside address, at random.
    #[default]
    Random,
    /// A port of its own blocks, which it is given as it needs them.
    Blocks(PortBlocks),
    /// One of so many ports that are its own by a formula (RFC 7422).
    Deterministic(NonZeroU16),
    /// The same port of the outside address that is its own.
    OneToOne,
    /// None: the gateway is a firewall only.
    Untranslated,
}

/// Blocks of ports, each given to one subscriber at a time (RFC 6888, REQ-14; RFC 7422, section 1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PortBlocks {
    /// Ports of a block.
    pub size: BlockSize,
    /// Blocks of one subscriber at most; at least 1.
    pub per_subscriber: u16,
    /// How long a block that was given back is kept from other subscribers (RFC 6888, REQ-8).
    pub hold: Duration,
}

impl PortBlocks {
    /// Most blocks that one subscriber can be allowed.
    pub const MAX_PER_SUBSCRIBER: u16 = 64;
    /// Longest time that a block is held, in seconds.
    pub const MAX_HOLD_SECONDS: u32 = 86_400;
}

impl Default for PortBlocks {
    fn default() -> Self {
        Self { size: BlockSize(512), per_subscriber: 4, hold: Duration::from_secs(120) }
    }
}

/// The ports of a block: a power of two, so that blocks are aligned and a port alone says which one it is in.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct BlockSize(u16);

impl BlockSize {
    /// The smallest block.
    pub const MIN: u16 = 64;
    /// The largest block.
    pub const MAX: u16 = 4_096;

    /// Makes a size; `None` where it is no power of two or beyond the bounds.
    pub const fn new(ports: u16) -> Option<Self> {
        if ports.is_power_of_two() && ports >= Self::MIN && ports <= Self::MAX {
            Some(Self(ports))
        } else {
            None
        }
    }

    /// Returns how many ports these are.
    pub const fn ports(self) -> u16 {
        self.0
    }

    /// Whether a whole block lies in a range; blocks start at multiples of their size.
    pub fn fits(self, range: PortRange) -> bool {
        let size = u32::from(self.0);
        let first = u32::from(range.first()).div_ceil(size).saturating_mul(size);
        first.saturating_add(size) <= u32::from(range.last()).saturating_add(1)
    }
}

/// What one subscriber may hold at most; `None` is no limit of its own (RFC 6888, REQ-4 and REQ-5).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SubscriberLimits {
    /// Outside ports and ICMP identifiers.
    pub ports: Option<NonZeroU32>,
    /// Sessions.
    pub sessions: Option<NonZeroU32>,
    /// Sessions that it opens in a second; as many may come at once after a second of rest.
    pub new_sessions_per_second: Option<NonZeroU32>,
}

impl SubscriberLimits {
    /// The highest value of each limit.
    pub const MAX: u32 = 10_000_000;
}

/// Ports of an address that subscribers can have at most.
const UNPRIVILEGED_PORTS: u32 = 65_536 - (FIRST_UNPRIVILEGED_PORT as u32);

/// A word that is none of those that there are.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{given}\" is not one of {known}")]
pub struct UnknownWord {
    /// What was given, cut.
    given: String,
    /// What there is.
    known: String,
}

/// Finds what a word names.
pub(crate) fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> Result<T, UnknownWord> {
    all.iter().copied().find(|value| name(*value) == text).ok_or_else(|| UnknownWord {
        given: text.chars().take(MAX_QUOTED_CHARS).collect(),
        known: all.iter().map(|value| name(*value)).collect::<Vec<_>>().join(", "),
    })
}

impl FromStr for Mode {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        named(&Self::ALL, Self::name, text)
    }
}

impl FromStr for OtherProtocols {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        named(&Self::ALL, Self::name, text)
    }
}

impl FromStr for Dependence {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        named(&Self::ALL, Self::name, text)
    }
}

/// The numbers of the settings, by the names that files and the REST API give them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TranslationNumber {
    /// [`PortBlocks::per_subscriber`].
    BlocksPerSubscriber,
    /// [`PortBlocks::hold`].
    HoldSeconds,
    /// [`SubscriberLimits::ports`].
    PortsPerSubscriber,
    /// The ports of [`Allocation::Deterministic`].
    DeterministicPorts,
    /// [`SubscriberLimits::sessions`].
    SessionsPerSubscriber,
    /// [`SubscriberLimits::new_sessions_per_second`].
    NewSessionsPerSecond,
    /// [`Translation::tcp_mss`].
    TcpMss,
}

impl TranslationNumber {
    /// Returns the lowest value.
    pub const fn least(self) -> u32 {
        match self {
            Self::HoldSeconds => 0,
            Self::TcpMss => Mss::MIN as u32,
            Self::BlocksPerSubscriber
            | Self::PortsPerSubscriber
            | Self::DeterministicPorts
            | Self::SessionsPerSubscriber
            | Self::NewSessionsPerSecond => 1,
        }
    }

    /// Returns the highest value.
    pub fn most(self) -> u32 {
        match self {
            Self::BlocksPerSubscriber => u32::from(PortBlocks::MAX_PER_SUBSCRIBER),
            Self::HoldSeconds => PortBlocks::MAX_HOLD_SECONDS,
            Self::DeterministicPorts => UNPRIVILEGED_PORTS,
            Self::TcpMss => u32::from(Mss::MAX),
            Self::PortsPerSubscriber | Self::SessionsPerSubscriber | Self::NewSessionsPerSecond => {
                SubscriberLimits::MAX
            }
        }
    }
}

impl fmt::Display for TranslationNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::BlocksPerSubscriber => "per_subscriber",
            Self::HoldSeconds => "hold_seconds",
            Self::PortsPerSubscriber | Self::DeterministicPorts => "ports_per_subscriber",
            Self::SessionsPerSubscriber => "sessions_per_subscriber",
            Self::NewSessionsPerSecond => "new_sessions_per_second",
            Self::TcpMss => "tcp_mss",
        })
    }
}
