//! Port ranges as configurations spell them.

use std::fmt;
use std::str::FromStr;

use pinhole_dataplane::limits::MAX_RANGES_PER_SERVICE;

/// At most this many ranges in one set: more than any service needs, and a bound on what a lookup costs.
pub const MAX_RANGES: usize = MAX_RANGES_PER_SERVICE;

/// Consecutive ports, both ends included, never 0, first not above last.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Every port from 1 to 65535.
    pub const ALL: Self = Self { first: 1, last: u16::MAX };

    /// Makes a range of two numbers of any size.
    pub fn new(first: u32, last: u32) -> Result<Self, PortError> {
        let valid = |port: u32| match u16::try_from(port) {
            Ok(port) if port != 0 => Ok(port),
            Ok(_) | Err(_) => Err(PortError::Number(port.to_string())),
        };
        let range = Self { first: valid(first)?, last: valid(last)? };
        if range.first <= range.last { Ok(range) } else { Err(PortError::Reversed(range.first, range.last)) }
    }

    /// Returns the first port.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// Returns the last port.
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Returns how many ports these are.
    pub fn count(self) -> u32 {
        u32::from(self.last).saturating_sub(u32::from(self.first)).saturating_add(1)
    }

    /// Returns the ports that are in both ranges.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let first = self.first.max(other.first);
        let last = self.last.min(other.last);
        (first <= last).then_some(Self { first, last })
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            self.first.fmt(formatter)
        } else {
            write!(formatter, "{}-{}", self.first, self.last)
        }
    }
}

/// Why something is no port range or set of them.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PortError {
    /// Not a number from 1 to 65535.
    #[error("\"{0}\" is not a port from 1 to 65535")]
    Number(String),
    /// The first port is above the last.
    #[error("the range {0}-{1} is reversed")]
    Reversed(u16, u16),
    /// No port at all.
    #[error("the list of ports is empty")]
    Empty,
    /// More ranges than [`MAX_RANGES`].
    #[error("{0} port ranges are more than {MAX_RANGES}")]
    TooMany(usize),
}

impl FromStr for PortRange {
    type Err = PortError;

    /// Parses `n` or `n-m`.
    fn from_str(text: &str) -> Result<Self, PortError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Self::new(parse_number(first)?, parse_number(last)?)
    }
}

fn parse_number(text: &str) -> Result<u32, PortError> {
    let text = text.trim();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(number),
        Ok(_) | Err(_) => Err(PortError::Number(text.to_owned())),
    }
}

/// A set of ports: never empty, ordered, without overlapping or touching ranges.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PortSet {
    ranges: Vec<PortRange>,
}

impl PortSet {
    /// Makes a set of ranges in any order.
    pub fn from_ranges(ranges: impl IntoIterator<Item = PortRange>) -> Result<Self, PortError> {
        let mut sorted: Vec<PortRange> = ranges.into_iter().collect();
        if sorted.len() > MAX_RANGES {
            return Err(PortError::TooMany(sorted.len()));
        }
        sorted.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match merged.last_mut() {
                Some(last) if range.first <= last.last.saturating_add(1) => {
                    last.last = last.last.max(range.last)
                }
                Some(_) | None => merged.push(range),
            }
        }
        if merged.is_empty() { Err(PortError::Empty) } else { Ok(Self { ranges: merged }) }
    }

    /// Returns the ranges in order.
    pub fn ranges(&self) -> &[PortRange] {
        &self.ranges
    }

    /// Whether a port is in both sets.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.ranges.iter().any(|mine| other.ranges.iter().any(|theirs| mine.intersection(*theirs).is_some()))
    }
}

impl FromStr for PortSet {
    type Err = PortError;

    /// Parses a comma list of `n` and `n-m`.
    fn from_str(text: &str) -> Result<Self, PortError> {
        if text.trim().is_empty() {
            return Err(PortError::Empty);
        }
        let ranges: Vec<PortRange> = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        Self::from_ranges(ranges)
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.ranges.iter().enumerate() {
            if index > 0 {
                formatter.write_str(",")?;
            }
            range.fmt(formatter)?;
        }
        Ok(())
    }
}
