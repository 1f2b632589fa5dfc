//! One direction of a session and its key.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::addr::Endpoint;

/// The direction of a packet in its session.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Direction {
    /// From the originator, which sent the session's first packet.
    Original,
    /// From the responder.
    Reply,
}

impl Direction {
    /// Returns the other direction.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Original => Self::Reply,
            Self::Reply => Self::Original,
        }
    }
}

/// The transports that are translated.
// As wide as a word, so that a key has no gaps and is copied in one piece.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u32)]
pub enum Protocol {
    /// TCP (RFC 9293).
    Tcp,
    /// UDP (RFC 768).
    Udp,
    /// ICMP echo and its reply (RFC 792); the identifier stands in the place of both ports.
    IcmpEcho,
    /// UDP-Lite (RFC 3828).
    UdpLite,
    /// A PPTP call's GRE (RFC 2637, section 4.1). A packet carries its receiver's call id, which stands in the place of
    /// the destination port, and the source port is 0: so the keys of a session's directions have a call id each.
    Gre,
    /// Any other one; its IP protocol number stands in the place of both ports, and nothing behind the addresses is read.
    Other,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 6] = [Self::Tcp, Self::Udp, Self::IcmpEcho, Self::UdpLite, Self::Gre, Self::Other];

    /// Returns the name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::IcmpEcho => "icmp",
            Self::UdpLite => "udp_lite",
            Self::Gre => "gre",
            Self::Other => "other",
        }
    }
}

/// One IPv4 packet's addresses and ports as they are on the wire, in host order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Tuple {
    /// The transport.
    pub protocol: Protocol,
    /// Source address.
    pub source: Ipv4Addr,
    /// Source port, or what stands in its place.
    pub source_port: u16,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// Destination port, or what stands in its place.
    pub destination_port: u16,
}

impl Tuple {
    /// Returns the key of an answer to this packet.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            protocol: self.protocol,
            source: self.destination,
            source_port: self.destination_port,
            destination: self.source,
            destination_port: self.source_port,
        }
    }

    /// Returns the source as an endpoint.
    pub const fn source_endpoint(self) -> Endpoint {
        Endpoint::new(IpAddr::V4(self.source), self.source_port)
    }

    /// Returns the destination as an endpoint.
    pub const fn destination_endpoint(self) -> Endpoint {
        Endpoint::new(IpAddr::V4(self.destination), self.destination_port)
    }
}

/// A [`Tuple`] as it lies in a packet: what tables compare and hash without turning a byte.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Key {
    /// The transport.
    pub protocol: Protocol,
    /// Source address, destination address, and both ports, the source's first; each the packet's own four bytes.
    pub words: [u32; 3],
}

impl Key {
    /// Returns the key of an answer to this packet.
    #[must_use]
    #[inline(always)]
    pub const fn reversed(self) -> Self {
        let [source, destination, ports] = self.words;
        Self { protocol: self.protocol, words: [destination, source, ports.rotate_left(16)] }
    }

    /// Returns the destination address.
    #[inline(always)]
    pub const fn destination(self) -> Ipv4Addr {
        let [_, destination, _] = self.words;
        Ipv4Addr::from_octets(destination.to_ne_bytes())
    }

    /// Returns the tuple.
    pub const fn tuple(self) -> Tuple {
        let [source, destination, ports] = self.words;
        let [a, b, c, d] = ports.to_ne_bytes();
        Tuple {
            protocol: self.protocol,
            source: Ipv4Addr::from_octets(source.to_ne_bytes()),
            source_port: u16::from_be_bytes([a, b]),
            destination: Ipv4Addr::from_octets(destination.to_ne_bytes()),
            destination_port: u16::from_be_bytes([c, d]),
        }
    }
}

impl From<Tuple> for Key {
    fn from(tuple: Tuple) -> Self {
        let ([a, b], [c, d]) = (tuple.source_port.to_be_bytes(), tuple.destination_port.to_be_bytes());
        Self {
            protocol: tuple.protocol,
            words: [
                u32::from_ne_bytes(tuple.source.octets()),
                u32::from_ne_bytes(tuple.destination.octets()),
                u32::from_ne_bytes([a, b, c, d]),
            ],
        }
    }
}

/// A packet's addresses and ports of either version of IP, as people and ALGs see them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Flow {
    /// The transport.
    pub protocol: Protocol,
    /// Source address and port, or ICMP identifier.
    pub source: Endpoint,
    /// Destination address and port, or ICMP identifier.
    pub destination: Endpoint,
}

impl Flow {
    /// Returns the flow of an answer to this packet.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { protocol: self.protocol, source: self.destination, destination: self.source }
    }
}

impl From<Tuple> for Flow {
    fn from(tuple: Tuple) -> Self {
        Self {
            protocol: tuple.protocol,
            source: tuple.source_endpoint(),
            destination: tuple.destination_endpoint(),
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} -> {}", self.protocol.name(), self.source, self.destination)
    }
}

impl fmt::Display for Tuple {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Flow::from(*self).fmt(formatter)
    }
}
