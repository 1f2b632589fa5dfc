//! What the engine enforces: a plain [`Config`], and the validated, immutable [`Snapshot`] made of it;
//! and the parts of configurations whose spelling the gateway and the controller share.

pub mod dispatch;
pub mod interface;
pub mod ipv6;
pub mod nat;
pub mod order;
mod rules;

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

use self::dispatch::{FlowPorts, Listened, dispatch};
use self::ipv6::{Ipv6Config, Ipv6Rules};
use self::nat::{Allocation, Translation};
use self::rules::Relations;
pub use self::rules::{Rule, Untranslatable};
use crate::addr::{Ipv4Prefix, Realm};
use crate::alg::{AlgProtocol, Transport};
use crate::limits::{
    IdleTicks, MAX_INSIDE_PREFIXES, MAX_POOL_ADDRESSES, MAX_RANGES_PER_SERVICE, MAX_SERVICES_PER_ALG,
    Timeouts,
};

/// An inclusive range of ports, 1 to 65535.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Makes a range; `None` where `first` is 0 or above `last`.
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        if first == 0 || first > last { None } else { Some(Self { first, last }) }
    }

    /// Returns the lowest port.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// Returns the highest port.
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Whether the port lies in the range.
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// Returns how many ports these are.
    pub fn count(self) -> u32 {
        u32::from(self.last) - u32::from(self.first) + 1
    }

    /// Returns the ports that are in both ranges.
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.first.max(other.first), self.last.min(other.last))
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            self.first.fmt(formatter)
        } else {
            write!(formatter, "{}-{}", self.first, self.last)
        }
    }
}

/// One outside address and the ports of it that the engine may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolAddress {
    /// The address.
    pub address: Ipv4Addr,
    /// Ports from 1024 on that mappings may take.
    pub ports: PortRange,
    /// Whether the gateway's own host has this address, so that unexpected packets may be the host's.
    pub host: bool,
}

/// A transport or both.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ServiceTransport {
    /// TCP only.
    Tcp,
    /// UDP only.
    Udp,
    /// Both.
    TcpUdp,
}

/// A user-defined service that an ALG listens on besides its well-known ports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlgService {
    /// The name that people gave it.
    pub name: String,
    /// The transports.
    pub transport: ServiceTransport,
    /// Source ports; empty for any.
    pub source_ports: Vec<PortRange>,
    /// Destination ports; empty for any.
    pub destination_ports: Vec<PortRange>,
}

/// The setting of one ALG.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlgConfig {
    /// The protocol.
    pub protocol: AlgProtocol,
    /// Whether it inspects.
    pub enabled: bool,
    /// Where it listens besides the well-known ports.
    pub services: Vec<AlgService>,
}

/// Everything that can be configured, unchecked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Prefixes of the subscribers.
    pub inside_prefixes: Vec<Ipv4Prefix>,
    /// Outside addresses.
    pub pool: Vec<PoolAddress>,
    /// How they and their ports are given to subscribers.
    pub nat: Translation,
    /// The firewall for IPv6; without it no packet of IPv6 passes.
    pub ipv6: Option<Ipv6Config>,
    /// Addresses of the gateway's host: packets to them that no session claims may be the host's.
    pub host_addresses: Vec<Ipv4Addr>,
    /// ALG settings; a protocol that is not listed is enabled on its well-known ports.
    pub algs: Vec<AlgConfig>,
    /// Idle times.
    pub timeouts: Timeouts,
    /// Whether the engine counts a hop; off where the kernel forwards what the engine returns and counts it.
    pub decrement_ttl: bool,
    /// Longest packet that may leave, in bytes; what an ALG makes longer is split.
    pub mtu: u16,
}

/// One thing that is wrong with a [`Config`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct ConfigError {
    /// The field, for example `pool[1]`.
    pub field: String,
    /// What is wrong.
    pub detail: String,
}

/// A validated configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    config: Config,
    idle: IdleTicks,
    /// The inside prefixes in order; they do not overlap.
    inside: Vec<Ipv4Prefix>,
    /// The pool's addresses in order, each with its place in the configuration.
    pool: Vec<(Ipv4Addr, usize)>,
    /// The same addresses, first and last of consecutive ones.
    pool_ranges: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// The host's addresses in order.
    host: Vec<Ipv4Addr>,
    relations: Relations,
    ipv6: Option<Ipv6Rules>,
    listened: Listened,
}

/// Lowest MTU of IPv4 (RFC 791).
const MIN_MTU: u16 = 68;

impl Snapshot {
    /// Checks a configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it, not only the first.
    pub fn new(config: Config) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        check_prefixes(&config, &mut errors);
        check_pool(&config, &mut errors);
        rules::check(&config, &mut errors);
        ipv6::check_config(&config, &mut errors);
        check_algs(&config, &mut errors);
        if config.mtu < MIN_MTU {
            errors.push(error("mtu", format!("is below {MIN_MTU}")));
        }
        if errors.is_empty() { Ok(Self::index(config)) } else { Err(errors) }
    }

    /// Orders what packets are compared with, so that it is found without looking at all of it.
    fn index(config: Config) -> Self {
        let idle = IdleTicks::from(&config.timeouts);
        let mut inside = config.inside_prefixes.clone();
        inside.sort_unstable();
        let mut pool: Vec<_> =
            config.pool.iter().enumerate().map(|(place, entry)| (entry.address, place)).collect();
        pool.sort_unstable();
        let mut pool_ranges: Vec<(Ipv4Addr, Ipv4Addr)> = Vec::new();
        for (address, _) in &pool {
            match pool_ranges.last_mut() {
                Some((_, last)) if last.to_bits().checked_add(1) == Some(address.to_bits()) => {
                    *last = *address
                }
                Some(_) | None => pool_ranges.push((*address, *address)),
            }
        }
        let mut host = config.host_addresses.clone();
        host.sort_unstable();
        let relations = Relations::new(&config);
        let ipv6 = config.ipv6.as_ref().map(Ipv6Rules::new);
        let listened = Listened::new(&config.algs);
        Self { config, idle, inside, pool, pool_ranges, host, relations, ipv6, listened }
    }

    /// Returns the configuration as given.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the rules for IPv6, if it is on.
    pub const fn ipv6(&self) -> Option<&Ipv6Rules> {
        self.ipv6.as_ref()
    }

    /// Returns the idle times.
    pub const fn idle(&self) -> &IdleTicks {
        &self.idle
    }

    /// Whether an address is a subscriber's.
    pub fn is_inside(&self, address: Ipv4Addr) -> bool {
        let after = self.inside.partition_point(|prefix| prefix.first() <= address);
        let last_before = after.checked_sub(1).and_then(|at| self.inside.get(at));
        last_before.is_some_and(|prefix| prefix.contains(address))
    }

    /// Whether an address is the gateway's own.
    pub fn is_host(&self, address: Ipv4Addr) -> bool {
        self.host.binary_search(&address).is_ok()
    }

    /// Returns the outside address's entry.
    pub fn pool_address(&self, address: Ipv4Addr) -> Option<&PoolAddress> {
        let at = self.pool.binary_search_by_key(&address, |(address, _)| *address).ok()?;
        self.config.pool.get(self.pool.get(at)?.1)
    }

    /// Whether an address is one of the pool: of few ranges, whatever the number of its addresses.
    #[inline]
    pub fn is_pool(&self, address: Ipv4Addr) -> bool {
        let after = self.pool_ranges.partition_point(|(first, _)| *first <= address);
        let last_before = after.checked_sub(1).and_then(|at| self.pool_ranges.get(at));
        last_before.is_some_and(|(_, last)| address <= *last)
    }

    /// Returns the ALG that inspects a session with these ports, as its first packet has them.
    pub fn alg_for(
        &self,
        transport: Transport,
        source_port: u16,
        destination_port: u16,
    ) -> Option<AlgProtocol> {
        if !self.listened.has(transport, destination_port) {
            return None;
        }
        let flow = FlowPorts { transport, source: source_port, destination: destination_port };
        dispatch(&self.config.algs, flow).map(|(protocol, _)| protocol)
    }

    /// Returns the realm that an address lies in.
    pub fn realm_of(&self, address: Ipv4Addr) -> Realm {
        if self.is_inside(address) { Realm::Inside } else { Realm::Outside }
    }
}

fn error(field: impl Into<String>, detail: impl Into<String>) -> ConfigError {
    ConfigError { field: field.into(), detail: detail.into() }
}

fn check_prefixes(config: &Config, errors: &mut Vec<ConfigError>) {
    if config.inside_prefixes.is_empty() {
        errors.push(error("inside_prefixes", "is empty"));
    }
    if config.inside_prefixes.len() > MAX_INSIDE_PREFIXES {
        errors.push(error("inside_prefixes", format!("has more than {MAX_INSIDE_PREFIXES} entries")));
    }
    let mut sorted: Vec<_> = config.inside_prefixes.iter().copied().enumerate().collect();
    sorted.sort_by_key(|(_, prefix)| *prefix);
    for pair in sorted.windows(2) {
        if let &[(_, earlier), (index, later)] = pair
            && earlier.overlaps(later)
        {
            errors.push(error(format!("inside_prefixes[{index}]"), format!("{later} overlaps {earlier}")));
        }
    }
}

fn check_pool(config: &Config, errors: &mut Vec<ConfigError>) {
    if config.pool.is_empty() && config.nat.allocation != Allocation::Untranslated {
        errors.push(error("pool", "is empty"));
    }
    if config.pool.len() > MAX_POOL_ADDRESSES {
        errors.push(error("pool", format!("has more than {MAX_POOL_ADDRESSES} addresses")));
    }
    let mut seen = BTreeSet::new();
    for (index, entry) in config.pool.iter().enumerate() {
        let field = || format!("pool[{index}]");
        let address = entry.address;
        if !seen.insert(address) {
            errors.push(error(field(), format!("{address} is listed twice")));
        }
        if !is_unicast(address) {
            errors.push(error(field(), format!("{address} is no unicast address")));
        }
        // RFC 4787, REQ-7: an address is on one side only.
        if let Some(prefix) = config.inside_prefixes.iter().find(|prefix| prefix.contains(address)) {
            errors.push(error(field(), format!("{address} lies in the inside prefix {prefix}")));
        }
        if entry.ports.first() < crate::limits::FIRST_UNPRIVILEGED_PORT {
            errors.push(error(field(), "ports start below 1024"));
        }
    }
}

fn check_algs(config: &Config, errors: &mut Vec<ConfigError>) {
    let mut seen = BTreeSet::new();
    for (index, alg) in config.algs.iter().enumerate() {
        if !seen.insert(alg.protocol) {
            errors.push(error(format!("algs[{index}]"), "the protocol is listed twice"));
        }
        if alg.services.len() > MAX_SERVICES_PER_ALG {
            errors.push(error(
                format!("algs[{index}].services"),
                format!("has more than {MAX_SERVICES_PER_ALG} entries"),
            ));
        }
        for (position, service) in alg.services.iter().enumerate() {
            let field = format!("algs[{index}].services[{position}]");
            if service.source_ports.is_empty() && service.destination_ports.is_empty() {
                errors.push(error(&field, "names neither a source nor a destination port"));
            }
            if service.source_ports.len().max(service.destination_ports.len()) > MAX_RANGES_PER_SERVICE {
                errors.push(error(&field, format!("has more than {MAX_RANGES_PER_SERVICE} port ranges")));
            }
        }
    }
}

/// Whether a host can have the address: not unspecified, loopback, link-local, multicast, reserved or broadcast.
pub fn is_unicast(address: Ipv4Addr) -> bool {
    let first = address.octets().first().copied().unwrap_or(0);
    first != 0 && !address.is_loopback() && !address.is_link_local() && first < 224
}

#[cfg(test)]
pub(crate) mod tests;
