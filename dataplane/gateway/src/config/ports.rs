//! Port ranges as configurations spell them.

use std::fmt;
use std::str::FromStr;

use pinhole_dataplane::config::PortRange;
use pinhole_dataplane::limits::MAX_RANGES_PER_SERVICE;

/// At most this many ranges in one set: more than any service needs, and a bound on what a lookup costs.
pub const MAX_RANGES: usize = MAX_RANGES_PER_SERVICE;

/// Makes a range of two numbers of any size.
pub fn port_range(first: u32, last: u32) -> Result<PortRange, PortError> {
    let port = |number: u32| match u16::try_from(number) {
        Ok(port) if port != 0 => Ok(port),
        Ok(_) | Err(_) => Err(PortError::Number(number.to_string())),
    };
    let (first, last) = (port(first)?, port(last)?);
    PortRange::new(first, last).ok_or(PortError::Reversed(first, last))
}

/// Parses `n` or `n-m`.
pub fn parse_port_range(text: &str) -> Result<PortRange, PortError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    port_range(parse_number(first)?, parse_number(last)?)
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

fn parse_number(text: &str) -> Result<u32, PortError> {
    let text = text.trim();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(number),
        Ok(_) | Err(_) => Err(PortError::Number(text.to_owned())),
    }
}

/// A set of ports: never empty, ordered, without overlapping or touching ranges.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PortSet {
    ranges: Vec<PortRange>,
}

impl PortSet {
    /// Makes a set of ranges in any order.
    pub fn from_ranges(ranges: impl IntoIterator<Item = PortRange>) -> Result<Self, PortError> {
        let ranges: Vec<PortRange> = ranges.into_iter().collect();
        if ranges.len() > MAX_RANGES {
            return Err(PortError::TooMany(ranges.len()));
        }
        Self::union(ranges)
    }

    /// Makes a set of any number of ranges in any order, for what is only shown.
    pub(crate) fn union(mut sorted: Vec<PortRange>) -> Result<Self, PortError> {
        sorted.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            let joined = merged.last().and_then(|last| join(*last, range));
            match (merged.last_mut(), joined) {
                (Some(last), Some(joined)) => *last = joined,
                (Some(_) | None, None) | (None, Some(_)) => merged.push(range),
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

/// Returns both ranges as one, where the second starts in the first or right behind it.
fn join(first: PortRange, second: PortRange) -> Option<PortRange> {
    if second.first() > first.last().saturating_add(1) {
        return None;
    }
    PortRange::new(first.first(), first.last().max(second.last()))
}

impl FromStr for PortSet {
    type Err = PortError;

    /// Parses a comma list of `n` and `n-m`.
    fn from_str(text: &str) -> Result<Self, PortError> {
        if text.trim().is_empty() {
            return Err(PortError::Empty);
        }
        let ranges: Vec<PortRange> = text.split(',').map(parse_port_range).collect::<Result<_, _>>()?;
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
