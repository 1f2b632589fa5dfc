//! What the host must look like for a configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use pinhole_dataplane::addr::{AddressRange, Ipv4Prefix};
use pinhole_dataplane::config::PortRange;
use pinhole_dataplane::config::interface::InterfaceName;

use crate::config::ports::PortSet;
use crate::config::{Config, UNPRIVILEGED};
use crate::datapath::{INSIDE_TUN, OUTSIDE_TUN};
use crate::host::addresses::HostAddresses;
use crate::host::journal::Journal;
use crate::host::sysctl::{self, SysctlError};
use crate::host::traffic::Rule;

/// The kernel's choice of ports for the host's own sockets.
const LOCAL_PORT_RANGE: &str = "net/ipv4/ip_local_port_range";
/// Ports that the kernel leaves out of that choice.
const RESERVED_PORTS: &str = "net/ipv4/ip_local_reserved_ports";
/// Reverse path filter of all interfaces: the larger of this and an interface's own counts.
const ALL_RP_FILTER: &str = "net/ipv4/conf/all/rp_filter";

/// Where the kernel sends its errors to addresses of its own.
const LOOPBACK: &str = "lo";

/// Where each interface's settings are.
const INTERFACE_SETTINGS: &str = "/proc/sys/net/ipv4/conf";

/// The first port that subscribers get on an address that is also the host's: most services listen below.
const FIRST_SHARED_PORT: u16 = 16_384;
/// How many of its ports for outgoing connections the host keeps on a shared address.
const HOST_PORTS: u16 = 1024;
/// The fewest that must be left to it.
const MIN_HOST_PORTS: u32 = 64;

/// The host's state that a configuration wants.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Plan {
    /// Kernel settings below `/proc/sys`.
    pub(crate) settings: BTreeMap<String, String>,
    /// Outside addresses that the host answers ARP for although they are not its own.
    pub(crate) routes: BTreeSet<Ipv4Prefix>,
    /// The filters of each interface.
    pub(crate) interfaces: BTreeMap<String, Vec<Rule>>,
    /// Kernel settings that let packets through, changed when the filters are there and restored before they go.
    pub(crate) opening: BTreeMap<String, String>,
}

/// Whose packets an interface carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Inside,
    Outside,
}

/// Why a configuration does not fit the host.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// An interface is not there.
    #[error("there is no interface {0}")]
    NoInterface(InterfaceName),
    /// The host's addresses cannot be read.
    #[error("cannot read the host's addresses: {0}")]
    Addresses(nix::Error),
    /// A setting cannot be read.
    #[error(transparent)]
    Setting(#[from] SysctlError),
    /// A setting makes no sense to the gateway.
    #[error("the kernel setting {path} has the value \"{value}\", which is not understood")]
    Value {
        /// Its path.
        path: &'static str,
        /// Its value.
        value: String,
    },
    /// The pool holds an address of the host, and its ports leave none to the host's own connections.
    #[error(
        "the NAT ports {nat} leave {left} of the host's own ports {host}; since a pool address is the host's, at \
         least {MIN_HOST_PORTS} must be left"
    )]
    NoHostPorts {
        /// The ports for subscribers.
        nat: PortRange,
        /// The host's ports for outgoing connections.
        host: PortRange,
        /// How many are in only the latter.
        left: u32,
    },
}

/// What of the host a configuration depends on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct HostFacts {
    /// Its addresses.
    pub(crate) addresses: HostAddresses,
    /// From where the kernel takes ports for outgoing connections.
    pub(crate) local_ports: PortRange,
    /// The smallest MTU of the configuration's interfaces.
    pub(crate) mtu: u16,
}

impl HostFacts {
    /// Asks the kernel.
    pub(crate) fn read(config: &Config) -> Result<Self, PlanError> {
        let addresses = HostAddresses::read().map_err(PlanError::Addresses)?;
        let value = sysctl::read(LOCAL_PORT_RANGE)?;
        let mut numbers = value.split_whitespace().map(str::parse);
        let (Some(Ok(first)), Some(Ok(last)), None) = (numbers.next(), numbers.next(), numbers.next()) else {
            return Err(PlanError::Value { path: LOCAL_PORT_RANGE, value });
        };
        let Some(local_ports) = PortRange::new(first, last) else {
            return Err(PlanError::Value { path: LOCAL_PORT_RANGE, value });
        };
        let mut mtu = u16::MAX;
        for name in config.inside.iter().chain(&config.outside) {
            let own =
                crate::sys::interface_mtu(name.as_str()).map_err(|_| PlanError::NoInterface(name.clone()))?;
            mtu = mtu.min(u16::try_from(own).unwrap_or(u16::MAX));
        }
        Ok(Self { addresses, local_ports, mtu })
    }

    /// Returns the host's own addresses that are in the pool.
    pub(crate) fn shared(&self, pool: &[AddressRange]) -> BTreeSet<Ipv4Addr> {
        let shared = |own: &&Ipv4Addr| pool.iter().any(|range| range.contains(**own));
        self.addresses.own.iter().filter(shared).copied().collect()
    }

    /// Returns the ports for subscribers on an address that only the gateway uses: the configuration's, or all
    /// but the privileged ones.
    pub(crate) fn own_ports(&self, config: &Config) -> PortRange {
        config.nat_ports.unwrap_or(UNPRIVILEGED)
    }

    /// Returns the ports for subscribers on an address that is the host's, too.
    ///
    /// The host keeps what is below [`FIRST_SHARED_PORT`] for its services and the last [`HOST_PORTS`] of its
    /// range for connections of its own, and is told to take none of the others by itself. The choice is the
    /// configuration's where it makes one.
    pub(crate) fn shared_ports(&self, config: &Config) -> Result<PortRange, PlanError> {
        let chosen = PortRange::new(FIRST_SHARED_PORT, self.local_ports.last().saturating_sub(HOST_PORTS));
        let nat = config.nat_ports.or(chosen).unwrap_or(UNPRIVILEGED);
        let taken = nat.intersection(self.local_ports).map_or(0, PortRange::count);
        let left = self.local_ports.count().saturating_sub(taken);
        if left < MIN_HOST_PORTS {
            return Err(PlanError::NoHostPorts { nat, host: self.local_ports, left });
        }
        Ok(nat)
    }
}

/// Works out what a configuration wants of the host.
pub(crate) fn make(config: &Config, facts: &HostFacts, journal: &Journal) -> Result<Plan, PlanError> {
    let shared = facts.shared(&config.pool);
    let mut plan = Plan::default();
    for (names, side) in [(&config.inside, Side::Inside), (&config.outside, Side::Outside)] {
        for name in names {
            plan.interfaces.insert(name.to_string(), rules(config, facts, side));
            // Nothing that arrives here is ever forwarded around the gateway, not even without filters. The TUN
            // devices forward instead.
            plan.settings.insert(format!("net/ipv4/conf/{name}/forwarding"), "0".to_owned());
        }
    }
    for prefix in config.pool.iter().flat_map(|range| range.prefixes()) {
        let own = prefix.length() == 32 && shared.contains(&prefix.first());
        if !own {
            plan.routes.insert(prefix);
        }
    }
    let to_pool = |prefix| Rule::ErrorsTo(prefix, OUTSIDE_TUN);
    let pool = config.pool.iter().flat_map(|range| range.prefixes());
    plan.interfaces.insert(LOOPBACK.to_owned(), pool.map(to_pool).collect());
    if !shared.is_empty() {
        let forwarded = config.translation.forwards.iter().filter(|f| shared.contains(&f.outside));
        let mut ports = vec![facts.shared_ports(config)?];
        ports.extend(forwarded.map(|forward| forward.outside_ports));
        let ports = reserved_ports(ports, journal)?;
        plan.settings.insert(RESERVED_PORTS.to_owned(), ports);
    }
    plan.settings.extend(reverse_path_filters(journal)?);
    ipv6::extend(&mut plan, config, facts, journal)?;
    Ok(plan)
}

/// Returns the filters of an interface of one side.
fn rules(config: &Config, facts: &HostFacts, side: Side) -> Vec<Rule> {
    let pass = host_destinations(config, facts, side).into_iter().map(Rule::Pass);
    match side {
        Side::Inside => pass.chain([Rule::Redirect(INSIDE_TUN)]).collect(),
        Side::Outside => {
            let about = |prefix: &Ipv4Prefix| Rule::ErrorsAbout(*prefix, INSIDE_TUN);
            let errors = config.inside_prefixes.iter().map(about);
            pass.chain([Rule::Redirect(OUTSIDE_TUN)]).chain(errors).collect()
        }
    }
}

/// Returns the destinations that an interface leaves to the host: its addresses that are not in the pool, and
/// broadcast and multicast. From outside, the host's addresses among the subscribers cannot be reached.
fn host_destinations(config: &Config, facts: &HostFacts, side: Side) -> BTreeSet<Ipv4Prefix> {
    let shared = facts.shared(&config.pool);
    let visible = |address: &&Ipv4Addr| {
        let inside = || config.inside_prefixes.iter().any(|prefix| prefix.contains(**address));
        let hidden = match side {
            Side::Inside => false,
            Side::Outside => inside(),
        };
        !(hidden || address.is_loopback())
    };
    let own = facts.addresses.own.difference(&shared);
    own.chain(&facts.addresses.broadcast)
        .filter(visible)
        .chain(&[Ipv4Addr::BROADCAST])
        .filter_map(|address| Ipv4Prefix::new(*address, 32).ok())
        .chain(Ipv4Prefix::new(Ipv4Addr::new(224, 0, 0, 0), 4))
        .collect()
}

/// Adds the subscribers' ports to those that the kernel must not take for the host's sockets.
fn reserved_ports(mut ranges: Vec<PortRange>, journal: &Journal) -> Result<String, PlanError> {
    let before = original(RESERVED_PORTS, journal)?;
    if !before.is_empty() {
        let set: PortSet =
            before.parse().map_err(|_| PlanError::Value { path: RESERVED_PORTS, value: before.clone() })?;
        ranges.extend_from_slice(set.ranges());
    }
    let set = PortSet::union(ranges)
        .map_err(|_| PlanError::Value { path: RESERVED_PORTS, value: before.clone() })?;
    Ok(set.to_string())
}

/// Moves the reverse path filter from all interfaces to each of them, so that the TUN devices can be without:
/// their packets come back from the gateway with the addresses of elsewhere.
fn reverse_path_filters(journal: &Journal) -> Result<BTreeMap<String, String>, PlanError> {
    let mut settings = BTreeMap::new();
    let number = |value: &str| value.parse::<u8>().unwrap_or(0);
    let everywhere = number(&original(ALL_RP_FILTER, journal)?);
    if everywhere == 0 {
        return Ok(settings);
    }
    let entries = std::fs::read_dir(INTERFACE_SETTINGS).into_iter().flatten().flatten();
    for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
        let devices = [INSIDE_TUN, OUTSIDE_TUN, "all"];
        if devices.contains(&name.as_str()) {
            continue;
        }
        let path = format!("net/ipv4/conf/{name}/rp_filter");
        let own = match original(&path, journal) {
            Ok(value) => number(&value),
            // It has just gone.
            Err(error) if error.is_missing() => continue,
            Err(error) => return Err(error.into()),
        };
        if own < everywhere {
            settings.insert(path, everywhere.to_string());
        }
    }
    settings.insert(ALL_RP_FILTER.to_owned(), "0".to_owned());
    Ok(settings)
}

/// Returns a setting's value as it was before the gateway changed it.
fn original(path: &str, journal: &Journal) -> Result<String, SysctlError> {
    journal.original(path).map_or_else(|| sysctl::read(path), |value| Ok(value.to_owned()))
}

mod ipv6;

pub(crate) use ipv6::opens;

#[cfg(test)]
mod tests;
