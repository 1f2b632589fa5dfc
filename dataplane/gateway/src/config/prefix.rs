//! IPv4 prefixes and address ranges as configurations spell them.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 network: an address without host bits and a prefix length.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ipv4Prefix {
    network: Ipv4Addr,
    length: u8,
}

impl Ipv4Prefix {
    /// Makes the prefix of `length` that contains `address`; `None` when the length is above 32.
    pub fn containing(address: Ipv4Addr, length: u8) -> Option<Self> {
        let mask = mask(length)?;
        Some(Self { network: Ipv4Addr::from_bits(address.to_bits() & mask), length })
    }

    /// Returns the network's first address.
    pub const fn network(self) -> Ipv4Addr {
        self.network
    }

    /// Returns the number of leading bits that addresses of this network share.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Returns the netmask.
    pub fn mask(self) -> u32 {
        mask(self.length).unwrap_or(u32::MAX)
    }

    /// Returns the same addresses as a range.
    pub fn range(self) -> AddressRange {
        let first = self.network.to_bits();
        let last = first | !self.mask();
        AddressRange { first: self.network, last: Ipv4Addr::from_bits(last) }
    }
}

/// Returns the netmask of a prefix length, `None` above 32.
fn mask(length: u8) -> Option<u32> {
    match length {
        0 => Some(0),
        1..=32 => u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(length))),
        33.. => None,
    }
}

impl fmt::Display for Ipv4Prefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.network, self.length)
    }
}

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
            prefixes.push(Ipv4Prefix { network: Ipv4Addr::from_bits(network), length });
            next = next.saturating_add(1_u64 << bits);
        }
        prefixes
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            self.first.fmt(formatter)
        } else {
            write!(formatter, "{}-{}", self.first, self.last)
        }
    }
}

/// Why a text is no prefix or no address range.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// Not an IPv4 address.
    #[error("\"{0}\" is not an IPv4 address")]
    Address(String),
    /// No "/" where a prefix is wanted.
    #[error("\"{0}\" is not a prefix such as 10.0.0.0/24")]
    NotPrefix(String),
    /// A prefix length that is no number from 0 to 32.
    #[error("\"{0}\" has a prefix length that is not a number from 0 to 32")]
    Length(String),
    /// Bits behind the prefix length are set.
    #[error("\"{0}\" has host bits set; the network is {1}")]
    HostBits(String, Ipv4Prefix),
    /// The first address is above the last.
    #[error("\"{0}\" is reversed: the first address is above the last")]
    Reversed(String),
}

fn parse_address(text: &str) -> Result<Ipv4Addr, AddressError> {
    text.parse().map_err(|_| AddressError::Address(text.to_owned()))
}

impl FromStr for Ipv4Prefix {
    type Err = AddressError;

    /// Parses `address/length`, without host bits.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let Some((address, length)) = text.split_once('/') else {
            return Err(AddressError::NotPrefix(text.to_owned()));
        };
        let network = parse_address(address)?;
        let canonical = length.bytes().all(|byte| byte.is_ascii_digit());
        let length: Option<u8> = if canonical { length.parse().ok() } else { None };
        let Some(prefix) = length.and_then(|length| Self::containing(network, length)) else {
            return Err(AddressError::Length(text.to_owned()));
        };
        if prefix.network == network {
            Ok(prefix)
        } else {
            Err(AddressError::HostBits(text.to_owned(), prefix))
        }
    }
}

impl FromStr for AddressRange {
    type Err = AddressError;

    /// Parses a single address, a prefix, or `first-last`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.contains('/') {
            return Ok(text.parse::<Ipv4Prefix>()?.range());
        }
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (parse_address(first.trim())?, parse_address(last.trim())?),
            None => {
                let address = parse_address(text)?;
                (address, address)
            }
        };
        if first <= last { Ok(Self { first, last }) } else { Err(AddressError::Reversed(text.to_owned())) }
    }
}

impl From<Ipv4Addr> for AddressRange {
    fn from(address: Ipv4Addr) -> Self {
        Self { first: address, last: address }
    }
}
