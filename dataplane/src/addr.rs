//! Addresses and the side of the gateway they live on.

mod prefix;
mod range;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

pub use self::prefix::{Ipv6Prefix, Ipv6PrefixError, site_of, subscriber_of};
pub use self::range::{AddressRange, RangeError};

/// The side of the gateway that a packet comes from or an address belongs to (RFC 4787, section 2).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Realm {
    /// The subscribers' side.
    Inside,
    /// The Internet's side.
    Outside,
}

impl Realm {
    /// Returns the other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Inside => Self::Outside,
            Self::Outside => Self::Inside,
        }
    }
}

/// A transport address: IP address and port, or ICMP identifier in the port's place.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Endpoint {
    /// The IP address.
    pub address: IpAddr,
    /// The port in host order; where a field says so, 0 means any.
    pub port: u16,
}

impl Endpoint {
    /// Joins an address and a port.
    pub const fn new(address: IpAddr, port: u16) -> Self {
        Self { address, port }
    }
}

impl From<Endpoint> for std::net::SocketAddr {
    fn from(endpoint: Endpoint) -> Self {
        Self::new(endpoint.address, endpoint.port)
    }
}

impl<A: Into<IpAddr>> From<(A, u16)> for Endpoint {
    fn from((address, port): (A, u16)) -> Self {
        Self::new(address.into(), port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::new(self.address, self.port).fmt(formatter)
    }
}

/// An IPv4 prefix without host bits, for example `10.0.0.0/24`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ipv4Prefix {
    network: Ipv4Addr,
    length: u8,
}

/// Why a text is no prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PrefixError {
    /// Not `a.b.c.d/n` with n from 0 to 32.
    #[error("is not an IPv4 prefix such as 10.0.0.0/24")]
    Syntax,
    /// Bits are set beyond the prefix length.
    #[error("has host bits set: did you mean {0}?")]
    HostBits(Ipv4Prefix),
}

impl Ipv4Prefix {
    /// Makes a prefix; host bits are an error.
    ///
    /// # Errors
    /// [`PrefixError::Syntax`] for a length above 32, [`PrefixError::HostBits`] for bits beyond it.
    pub fn new(network: Ipv4Addr, length: u8) -> Result<Self, PrefixError> {
        if length > 32 {
            return Err(PrefixError::Syntax);
        }
        let masked = Self { network: Ipv4Addr::from_bits(network.to_bits() & mask(length)), length };
        if masked.network == network { Ok(masked) } else { Err(PrefixError::HostBits(masked)) }
    }

    /// Whether the address lies in the prefix.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.length) == self.network.to_bits()
    }

    /// Returns the number of leading bits that the addresses share.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Returns the lowest address.
    pub fn first(self) -> Ipv4Addr {
        self.network
    }

    /// Returns the highest address.
    pub fn last(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() | !mask(self.length))
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.network) || other.contains(self.network)
    }
}

const fn mask(length: u8) -> u32 {
    if length == 0 { 0 } else { u32::MAX << (32 - length) }
}

impl FromStr for Ipv4Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (network, length) = text.split_once('/').ok_or(PrefixError::Syntax)?;
        let network = network.parse().map_err(|_| PrefixError::Syntax)?;
        let length = length.parse().map_err(|_| PrefixError::Syntax)?;
        Self::new(network, length)
    }
}

impl fmt::Display for Ipv4Prefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.network, self.length)
    }
}
