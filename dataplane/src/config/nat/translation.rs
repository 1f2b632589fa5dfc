//! How addresses and ports are given to subscribers, and how much of them.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::PortRange;

/// How outside ports are given to subscribers; the default is what settings mean that say nothing about it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Translation {
    /// Which ports of its outside address a subscriber gets.
    pub allocation: Allocation,
    /// What one subscriber may hold at most.
    pub limits: SubscriberLimits,
}

/// Which ports of its outside address a subscriber gets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Allocation {
    /// Any that is free, at random.
    #[default]
    Random,
    /// Only those of its own blocks, which it is given as it needs them.
    Blocks(PortBlocks),
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

/// The numbers of the settings, by the names that files and the REST API give them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TranslationNumber {
    /// [`PortBlocks::per_subscriber`].
    BlocksPerSubscriber,
    /// [`PortBlocks::hold`].
    HoldSeconds,
    /// [`SubscriberLimits::ports`].
    PortsPerSubscriber,
    /// [`SubscriberLimits::sessions`].
    SessionsPerSubscriber,
    /// [`SubscriberLimits::new_sessions_per_second`].
    NewSessionsPerSecond,
}

impl TranslationNumber {
    /// Returns the lowest value.
    pub const fn least(self) -> u32 {
        match self {
            Self::HoldSeconds => 0,
            Self::BlocksPerSubscriber
            | Self::PortsPerSubscriber
            | Self::SessionsPerSubscriber
            | Self::NewSessionsPerSecond => 1,
        }
    }

    /// Returns the highest value.
    pub fn most(self) -> u32 {
        match self {
            Self::BlocksPerSubscriber => u32::from(PortBlocks::MAX_PER_SUBSCRIBER),
            Self::HoldSeconds => PortBlocks::MAX_HOLD_SECONDS,
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
            Self::PortsPerSubscriber => "ports_per_subscriber",
            Self::SessionsPerSubscriber => "sessions_per_subscriber",
            Self::NewSessionsPerSecond => "new_sessions_per_second",
        })
    }
}
