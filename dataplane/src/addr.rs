//! Addresses and the side of the gateway they live on.

use std::fmt;
use std::net::IpAddr;

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

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::new(self.address, self.port).fmt(formatter)
    }
}
