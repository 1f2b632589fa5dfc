//! What a mapping is found by.

use std::net::Ipv4Addr;

use crate::config::nat::Dependence;
use crate::nat::{Mapping, Source};
use crate::tuple::{Protocol, Tuple};

/// Whom a mapping serves that serves everybody.
pub(super) const ANYBODY: (Ipv4Addr, u16) = (Ipv4Addr::UNSPECIFIED, 0);

pub(super) fn flow(protocol: Protocol, inside: (Ipv4Addr, u16), remote: (Ipv4Addr, u16)) -> Tuple {
    Tuple {
        protocol,
        source: inside.0,
        source_port: inside.1,
        destination: remote.0,
        destination_port: remote.1,
    }
}

impl Mapping {
    pub(super) fn key(&self) -> Tuple {
        flow(self.protocol, self.inside, self.remote)
    }

    /// Whether the outside endpoint stands for this host alone.
    pub(super) const fn is_found_by_outside(&self) -> bool {
        match self.source {
            Source::Pool | Source::Configuration => true,
            Source::Shared => false,
        }
    }
}

impl Dependence {
    /// Returns what of a packet its mapping is found by (RFC 4787, section 4.1).
    pub(super) fn key(self, tuple: &Tuple) -> Tuple {
        // What stands in the place of ports is no part of the destination.
        let port = match tuple.protocol {
            Protocol::Tcp | Protocol::Udp | Protocol::UdpLite => tuple.destination_port,
            Protocol::IcmpEcho | Protocol::Gre | Protocol::Other => 0,
        };
        let remote = match self {
            Self::Independent => ANYBODY,
            Self::Address => (tuple.destination, 0),
            Self::AddressAndPort => (tuple.destination, port),
        };
        flow(tuple.protocol, (tuple.source, tuple.source_port), remote)
    }
}
