//! Ports as an administrator writes them: `"123"`, `"100-200"`, or a comma list of both.

use std::fmt;
use std::num::NonZeroU16;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::input::{self, Code, Report};

/// The most numbers and ranges in one list.
pub const MAX_PORT_RANGES: usize = 64;

/// Ports from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: NonZeroU16,
    last: NonZeroU16,
}

impl PortRange {
    /// A range, unless it is reversed.
    #[must_use]
    pub fn new(first: NonZeroU16, last: NonZeroU16) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// The lowest port.
    #[must_use]
    pub fn first(self) -> u16 {
        self.first.get()
    }

    /// The highest port.
    #[must_use]
    pub fn last(self) -> u16 {
        self.last.get()
    }

    /// Whether a port is in both ranges.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Whether a port is in the range.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.first()..=self.last()).contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// One or more ports: ranges in ascending order, none of which overlaps another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PortSet(Vec<PortRange>);

impl PortSet {
    /// Reads a comma list of ports and ranges.
    ///
    /// # Errors
    /// The text is no such list; says why.
    pub fn parse(text: &str) -> Result<Self, (Code, String)> {
        let items = text.split(',').count();
        if items > MAX_PORT_RANGES {
            let detail = format!("lists {items} ports and ranges; at most {MAX_PORT_RANGES} are allowed");
            return Err((Code::Length, detail));
        }
        let mut ranges =
            text.split(',').map(|item| parse_range(item.trim())).collect::<Result<Vec<_>, _>>()?;
        ranges.sort_unstable();
        Ok(Self(merge_overlapping(&ranges)))
    }

    /// Decodes ports from JSON.
    pub fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        match Self::parse(input::string(value, report)?) {
            Ok(ports) => Some(ports),
            Err((code, detail)) => {
                report.error(code, detail);
                None
            }
        }
    }

    /// The ranges in order.
    #[must_use]
    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }

    /// Whether a port is in both sets. Takes time linear in their ranges.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut mine, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(left), Some(right)) = (mine.peek(), theirs.peek()) {
            if left.overlaps(**right) {
                return true;
            }
            if left.last < right.last {
                mine.next();
            } else {
                theirs.next();
            }
        }
        false
    }

    /// Whether a port is in the set.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(port))
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            range.fmt(f)?;
        }
        Ok(())
    }
}

impl Serialize for PortSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Joins ranges, which are sorted, where they overlap; those that only touch stay as they were written.
fn merge_overlapping(sorted: &[PortRange]) -> Vec<PortRange> {
    let mut merged: Vec<PortRange> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match merged.last_mut() {
            Some(previous) if previous.overlaps(*range) => previous.last = previous.last.max(range.last),
            Some(_) | None => merged.push(*range),
        }
    }
    merged
}

fn parse_range(text: &str) -> Result<PortRange, (Code, String)> {
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (parse_port(first)?, parse_port(last)?),
        None => {
            let port = parse_port(text)?;
            (port, port)
        }
    };
    PortRange::new(first, last)
        .ok_or_else(|| (Code::Range, format!("the range {first}-{last} ends before it starts")))
}

fn parse_port(text: &str) -> Result<NonZeroU16, (Code, String)> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        let rule =
            "is to be a port, a range of ports, or a comma list of both, as in \"21\" or \"21,2100-2199\"";
        return Err((Code::Format, rule.to_owned()));
    }
    text.parse().map_err(|_| (Code::Range, "a port is 1 to 65535".to_owned()))
}

#[cfg(test)]
mod tests;
