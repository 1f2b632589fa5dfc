//! What the configuration says about IPv6: who is inside, and who may come in.

mod check;

use std::net::Ipv6Addr;
use std::str::FromStr;

use self::check::Place;
pub use self::check::{Ipv6Draft, Ipv6Error, Ipv6Problem, check, parse_address};
use super::nat::UnknownWord;
use super::{Config, ConfigError, PortRange, ServiceTransport, error};
use crate::addr::Ipv6Prefix;
use crate::wire;

/// The firewall for IPv6 (RFC 6092): nothing is translated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ipv6Settings {
    /// Prefixes of the subscribers; never empty, disjoint.
    pub inside_prefixes: Vec<Ipv6Prefix>,
    /// What decides whether a packet from outside may come in that belongs to no session.
    pub filtering: Ipv6Filtering,
    /// Whether IPsec, IKE and HIP come in unasked, as they protect themselves (RFC 6092, REC-21 to REC-26).
    pub ipsec: bool,
    /// What else may come in unasked.
    pub openings: Vec<Ipv6Opening>,
}

/// The settings, and what the host is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ipv6Config {
    /// The settings.
    pub settings: Ipv6Settings,
    /// Addresses of the gateway's host.
    pub host_addresses: Vec<Ipv6Addr>,
}

/// Who may send to an inside endpoint beside those that a session, a pinhole or an opening lets in (RFC 6092, REC-11,
/// REC-17, REC-33 and REC-49).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Ipv6Filtering {
    /// Anybody, once it has sent to somebody.
    Independent,
    /// Who has an address that it has a session with.
    #[default]
    Address,
    /// Nobody.
    AddressAndPort,
    /// Anybody at any time: the gateway is transparent.
    Open,
}

impl Ipv6Filtering {
    /// Each.
    pub const ALL: [Self; 4] = [Self::Independent, Self::Address, Self::AddressAndPort, Self::Open];

    /// Returns the name in files and in the REST API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Independent => "endpoint_independent",
            Self::Address => "address_dependent",
            Self::AddressAndPort => "address_and_port_dependent",
            Self::Open => "open",
        }
    }
}

impl FromStr for Ipv6Filtering {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        super::nat::named(&Self::ALL, Self::name, text)
    }
}

/// An inside endpoint that may be reached unasked, as a static forward makes one of IPv4 reachable.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ipv6Opening {
    /// The inside address.
    pub inside: Ipv6Addr,
    /// The transport, or both.
    pub transport: ServiceTransport,
    /// The ports.
    pub ports: PortRange,
}

impl Ipv6Opening {
    fn admits(&self, protocol: u8, port: u16) -> bool {
        let transport = match self.transport {
            ServiceTransport::Tcp => protocol == wire::PROTOCOL_TCP,
            ServiceTransport::Udp => protocol == wire::PROTOCOL_UDP,
            ServiceTransport::TcpUdp => matches!(protocol, wire::PROTOCOL_TCP | wire::PROTOCOL_UDP),
        };
        transport && self.ports.contains(port)
    }
}

/// [`Ipv6Config`], checked, with what packets are compared with in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ipv6Rules {
    /// They do not overlap.
    inside: Vec<Ipv6Prefix>,
    host: Vec<Ipv6Addr>,
    /// By their address.
    openings: Vec<Ipv6Opening>,
    filtering: Ipv6Filtering,
    ipsec: bool,
}

impl Ipv6Rules {
    pub(super) fn new(config: &Ipv6Config) -> Self {
        let mut rules = Self {
            inside: config.settings.inside_prefixes.clone(),
            host: config.host_addresses.clone(),
            openings: config.settings.openings.clone(),
            filtering: config.settings.filtering,
            ipsec: config.settings.ipsec,
        };
        rules.inside.sort_unstable();
        rules.host.sort_unstable();
        rules.openings.sort_unstable();
        rules
    }

    /// Whether an address lies in the subscribers' prefixes.
    pub fn is_inside(&self, address: Ipv6Addr) -> bool {
        let after = self.inside.partition_point(|prefix| prefix.first() <= address);
        let last_before = after.checked_sub(1).and_then(|at| self.inside.get(at));
        last_before.is_some_and(|prefix| prefix.contains(address))
    }

    /// Whether an address is the gateway's own.
    pub fn is_host(&self, address: Ipv6Addr) -> bool {
        self.host.binary_search(&address).is_ok()
    }

    /// Whether an address is a subscriber's.
    pub fn is_subscriber(&self, address: Ipv6Addr) -> bool {
        self.is_inside(address) && !self.is_host(address)
    }

    /// Returns the address that the engine's own errors come from: one of the host's that is known outside.
    pub fn reporter(&self) -> Option<Ipv6Addr> {
        let known = self.host.iter().filter(|address| is_global(**address) || self.is_inside(**address));
        known.copied().min_by_key(|address| self.is_inside(*address))
    }

    /// Returns who may come in that nothing has announced.
    pub const fn filtering(&self) -> Ipv6Filtering {
        self.filtering
    }

    /// Whether IPsec, IKE and HIP come in unasked.
    pub const fn admits_ipsec(&self) -> bool {
        self.ipsec
    }

    /// Whether an opening leads to an inside endpoint.
    pub fn is_open(&self, protocol: u8, inside: Ipv6Addr, port: u16) -> bool {
        let first = self.openings.partition_point(|opening| opening.inside < inside);
        let of_address = self.openings.iter().skip(first).take_while(|opening| opening.inside == inside);
        of_address.into_iter().any(|opening| opening.admits(protocol, port))
    }
}

/// Checks what a configuration says about IPv6.
pub(super) fn check_config(config: &Config, errors: &mut Vec<ConfigError>) {
    let Some(ipv6) = &config.ipv6 else { return };
    for (place, problem) in ipv6.settings.problems() {
        let field = match place {
            Place::Prefixes => "ipv6.inside_prefixes".to_owned(),
            Place::Prefix(index) => format!("ipv6.inside_prefixes[{index}]"),
            Place::Openings => "ipv6.openings".to_owned(),
            Place::Opening(index) => format!("ipv6.openings[{index}]"),
        };
        errors.push(error(field, problem.to_string()));
    }
    if config.mtu < MIN_MTU {
        errors.push(error("mtu", format!("is below {MIN_MTU}, the least of IPv6")));
    }
}

/// Lowest MTU of IPv6 (RFC 8200, section 5).
const MIN_MTU: u16 = 1_280;

/// Addresses that no host has beyond its link, whatever a configuration says.
const NEVER_FORWARDED: [(Ipv6Prefix, &str); 5] = [
    (
        prefix([0, 0, 0, 0, 0, 0, 0, 0], 96),
        "the unspecified address, loopback or IPv4-compatible addresses (::/96)",
    ),
    (prefix([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), "IPv4-mapped addresses (::ffff:0:0/96)"),
    (prefix([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local addresses (fe80::/10)"),
    (prefix([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "site-local addresses (fec0::/10)"),
    (prefix([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast addresses (ff00::/8)"),
];

/// Addresses that nobody on the Internet has (RFC 6092, REC-3 and REC-7; RFC 5156; RFC 6666; RFC 9637).
const NEVER_OUTSIDE: [Ipv6Prefix; 6] = [
    prefix([0x0100, 0, 0, 0, 0, 0, 0, 0], 64),
    prefix([0x2001, 0x0010, 0, 0, 0, 0, 0, 0], 28),
    prefix([0x2001, 0x0020, 0, 0, 0, 0, 0, 0], 28),
    prefix([0x2001, 0x0db8, 0, 0, 0, 0, 0, 0], 32),
    prefix([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    prefix([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
];

const fn prefix(segments: [u16; 8], length: u8) -> Ipv6Prefix {
    let [a, b, c, d, e, f, g, h] = segments;
    match Ipv6Prefix::new(Ipv6Addr::new(a, b, c, d, e, f, g, h), length) {
        Ok(prefix) => prefix,
        Err(_) => panic!("a constant has host bits"),
    }
}

/// Whether a host somewhere on the Internet can have the address.
pub fn is_global(address: Ipv6Addr) -> bool {
    let never = NEVER_FORWARDED.iter().map(|(special, _)| special).chain(&NEVER_OUTSIDE);
    never.into_iter().all(|special| !special.contains(address))
}

#[cfg(test)]
mod tests;
