//! IPv6 prefixes.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// An IPv6 prefix without host bits, for example `2001:db8::/32`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ipv6Prefix {
    network: Ipv6Addr,
    length: u8,
}

/// Why a text is no IPv6 prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Ipv6PrefixError {
    /// Not an address, a slash and a length from 0 to 128.
    #[error("is not an IPv6 prefix such as 2001:db8::/32")]
    Syntax,
    /// Bits are set beyond the prefix length.
    #[error("has host bits set: did you mean {0}?")]
    HostBits(Ipv6Prefix),
}

impl Ipv6Prefix {
    /// Makes a prefix; host bits are an error.
    ///
    /// # Errors
    /// [`Ipv6PrefixError::Syntax`] for a length above 128, [`Ipv6PrefixError::HostBits`] for bits beyond it.
    pub const fn new(network: Ipv6Addr, length: u8) -> Result<Self, Ipv6PrefixError> {
        if length > 128 {
            return Err(Ipv6PrefixError::Syntax);
        }
        let bits = network.to_bits();
        let masked = bits & mask(length);
        let prefix = Self { network: Ipv6Addr::from_bits(masked), length };
        if masked == bits { Ok(prefix) } else { Err(Ipv6PrefixError::HostBits(prefix)) }
    }

    /// Whether the address lies in the prefix.
    pub const fn contains(self, address: Ipv6Addr) -> bool {
        address.to_bits() & mask(self.length) == self.network.to_bits()
    }

    /// Returns the number of leading bits that the addresses share.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Returns the lowest address.
    pub const fn first(self) -> Ipv6Addr {
        self.network
    }

    /// Whether the two share an address.
    pub const fn overlaps(self, other: Self) -> bool {
        self.contains(other.network) || other.contains(self.network)
    }
}

const fn mask(length: u8) -> u128 {
    if length == 0 { 0 } else { u128::MAX << (128 - length) }
}

impl FromStr for Ipv6Prefix {
    type Err = Ipv6PrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (network, length) = text.split_once('/').ok_or(Ipv6PrefixError::Syntax)?;
        let network = network.parse().map_err(|_| Ipv6PrefixError::Syntax)?;
        let length = length.parse().map_err(|_| Ipv6PrefixError::Syntax)?;
        Self::new(network, length)
    }
}

impl fmt::Display for Ipv6Prefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.network, self.length)
    }
}

/// Bits that the addresses of one subscriber share: a link has a /64, and its hosts choose as many addresses in it as
/// they like (RFC 4291, section 2.5.4; RFC 8981).
const SUBSCRIBER_BITS: u32 = 64;

/// Returns the number of the subscriber that an IPv6 address belongs to: its first 64 bits.
pub const fn site_of(address: Ipv6Addr) -> u64 {
    // The upper half of 128 bits.
    (address.to_bits() >> SUBSCRIBER_BITS) as u64
}

/// Returns what stands for the subscriber of an inside address: the address itself, of IPv6 the first one of its /64.
pub const fn subscriber_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits((site_of(address) as u128) << SUBSCRIBER_BITS)),
    }
}

#[cfg(test)]
mod tests;
