//! What the host must look like for IPv6. Its addresses stay as they are, so filters and forwarding are all.
//!
//! The kernel forwards IPv6 on all interfaces or on none. So forwarding is on only while filters hand all that arrives
//! to the gateway; what it writes is forwarded from the TUN devices.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use pinhole_dataplane::addr::Ipv6Prefix;

use super::{HostFacts, INSIDE_TUN, OUTSIDE_TUN, Plan, PlanError, Side, original};
use crate::config::Config;
use crate::host::journal::Journal;
use crate::host::sysctl::SysctlError;
use crate::host::traffic::Rule;

/// Whether the kernel forwards.
const FORWARDING: &str = "net/ipv6/conf/all/forwarding";
/// Where each interface's settings are.
const INTERFACE_SETTINGS: &str = "/proc/sys/net/ipv6/conf";
/// Of `accept_ra`: routers are heard unless the kernel forwards, and always.
const HEAR_AS_HOST: &str = "1";
const HEAR_ALWAYS: &str = "2";

/// What stays on its link: neighbour discovery, routers' advertisements and multicast listeners among it.
const OF_THE_LINK: [(Ipv6Addr, u8); 2] =
    [(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10), (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8)];

/// Whether a setting lets packets through.
pub(crate) fn opens(path: &str) -> bool {
    path == FORWARDING
}

/// Adds to a plan what the configuration wants for IPv6.
pub(super) fn extend(
    plan: &mut Plan,
    config: &Config,
    facts: &HostFacts,
    journal: &Journal,
) -> Result<(), PlanError> {
    if config.ipv6.is_none() {
        return Ok(());
    }
    for (names, side) in [(&config.inside, Side::Inside), (&config.outside, Side::Outside)] {
        for name in names {
            plan.interfaces.entry(name.to_string()).or_default().extend(rules(config, facts, side));
        }
    }
    plan.settings.extend(router_advertisements(journal)?);
    for device in [INSIDE_TUN, OUTSIDE_TUN] {
        plan.settings.insert(format!("net/ipv6/conf/{device}/disable_ipv6"), "0".to_owned());
    }
    plan.opening.insert(FORWARDING.to_owned(), "1".to_owned());
    Ok(())
}

/// Returns the filters of an interface of one side.
pub(super) fn rules(config: &Config, facts: &HostFacts, side: Side) -> Vec<Rule> {
    let prefixes = config.ipv6.as_ref().map(|ipv6| ipv6.inside_prefixes.as_slice()).unwrap_or_default();
    // From outside, the host's addresses among the subscribers cannot be reached.
    let visible = |address: &&Ipv6Addr| match side {
        Side::Inside => true,
        Side::Outside => !prefixes.iter().any(|prefix| prefix.contains(**address)),
    };
    let own = facts.addresses.ipv6.iter().filter(visible).map(|address| (*address, 128));
    let device = match side {
        Side::Inside => INSIDE_TUN,
        Side::Outside => OUTSIDE_TUN,
    };
    own.chain(OF_THE_LINK)
        .filter_map(|(address, length)| Ipv6Prefix::new(address, length).ok())
        .map(Rule::PassIpv6)
        .chain([Rule::RedirectIpv6(device)])
        .collect()
}

/// Has interfaces that are configured by routers go on to hear these, although the kernel forwards.
fn router_advertisements(journal: &Journal) -> Result<BTreeMap<String, String>, PlanError> {
    let mut settings = BTreeMap::new();
    let entries = std::fs::read_dir(INTERFACE_SETTINGS).into_iter().flatten().flatten();
    for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
        if [INSIDE_TUN, OUTSIDE_TUN, "all", "default", "lo"].contains(&name.as_str()) {
            continue;
        }
        let path = format!("net/ipv6/conf/{name}/accept_ra");
        match original(&path, journal) {
            Ok(value) if value == HEAR_AS_HOST => {
                settings.insert(path, HEAR_ALWAYS.to_owned());
            }
            Ok(_) => {}
            // It has just gone.
            Err(error) if SysctlError::is_missing(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(settings)
}
