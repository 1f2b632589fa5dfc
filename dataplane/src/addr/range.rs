//! IPv4 address ranges as configurations and the REST API spell them.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use super::{Ipv4Prefix, PrefixError};

/// Consecutive IPv4 addresses, both ends included, first not above last.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AddressRange {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

impl AddressRange {
    /// Returns the first address.
    pub const fn first(self) -> Ipv4Addr {
        self.first
    }

    /// Returns the last address.
    pub const fn last(self) -> Ipv4Addr {
        self.last
    }

    /// Returns how many addresses these are.
    pub fn count(self) -> u64 {
        u64::from(self.last.to_bits()).saturating_sub(u64::from(self.first.to_bits())).saturating_add(1)
    }

    /// Visits every address in order.
    pub fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        (self.first.to_bits()..=self.last.to_bits()).map(Ipv4Addr::from_bits)
    }

    /// Whether `address` is one of them.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        self.first <= address && address <= self.last
    }

    /// Whether an address is in both ranges.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Returns the fewest prefixes that hold exactly these addresses, in order.
    pub fn prefixes(self) -> Vec<Ipv4Prefix> {
        let mut prefixes = Vec::new();
        let mut next = u64::from(self.first.to_bits());
        let end = u64::from(self.last.to_bits()).saturating_add(1);
        while next < end {
            let aligned = if next == 0 { 32 } else { next.trailing_zeros().min(32) };
            let fitting = end.saturating_sub(next).ilog2();
            let bits = aligned.min(fitting);
            let (Ok(network), Ok(length)) = (u32::try_from(next), u8::try_from(32_u32.saturating_sub(bits)))
            else {
                break;
            };
            // Aligned, so there are no host bits.
            prefixes.extend(Ipv4Prefix::new(Ipv4Addr::from_bits(network), length));
            next = next.saturating_add(1_u64 << bits);
        }
        prefixes
    }
}

impl From<Ipv4Prefix> for AddressRange {
    fn from(prefix: Ipv4Prefix) -> Self {
        Self { first: prefix.first(), last: prefix.last() }
    }
}

impl fmt::Display for AddressRange {
    /// Writes an address, the prefix that holds exactly these addresses, or `first-last`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return self.first.fmt(formatter);
        }
        match self.prefixes().as_slice() {
            [prefix] => prefix.fmt(formatter),
            _ => write!(formatter, "{}-{}", self.first, self.last),
        }
    }
}

/// Why a text is no address range.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RangeError {
    /// Not an IPv4 address.
    #[error("is not an IPv4 address")]
    Address,
    /// A wrong prefix.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// The first address is above the last.
    #[error("is reversed: the first address is above the last")]
    Reversed,
}

impl FromStr for AddressRange {
    type Err = RangeError;

    /// Parses a single address, a prefix, or `first-last`.
    fn from_str(text: &str) -> Result<Self, RangeError> {
        if text.contains('/') {
            return Ok(Self::from(text.parse::<Ipv4Prefix>()?));
        }
        let parse = |text: &str| text.trim().parse().map_err(|_| RangeError::Address);
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = Self { first: parse(first)?, last: parse(last)? };
        if range.first <= range.last { Ok(range) } else { Err(RangeError::Reversed) }
    }
}

#[cfg(test)]
mod tests;
