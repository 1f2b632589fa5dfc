//! A configuration and what the host is like, made into what the engine enforces.

use std::net::Ipv4Addr;

use pinhole_dataplane::config::ipv6::Ipv6Config;
use pinhole_dataplane::config::nat::Allocation;
use pinhole_dataplane::config::{AlgConfig, Config as EngineConfig, ConfigError, PoolAddress, Snapshot};
use pinhole_dataplane::limits::Timeouts;

use crate::config::Config;
use crate::host::plan::{HostFacts, PlanError};

/// Why a configuration cannot be enforced.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It does not fit the host.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Where ports are decides whose they are, and a host of its own decides where they are.
    #[error(
        "deterministic mapping needs [nat] ports to be given, since the pool's {0} is an address of the gateway's host"
    )]
    SharedDeterministic(Ipv4Addr),
    /// The engine refuses it.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Engine(Vec<ConfigError>),
}

/// Makes the engine's snapshot.
pub(crate) fn snapshot(config: &Config, facts: &HostFacts) -> Result<Snapshot, CompileError> {
    let shared = facts.shared(&config.pool);
    if let (Allocation::Deterministic(_), None, Some(address)) =
        (config.translation.allocation, config.nat_ports, shared.first())
    {
        return Err(CompileError::SharedDeterministic(*address));
    }
    let mut pool = Vec::new();
    for address in config.pool.iter().flat_map(|range| range.addresses()) {
        let host = shared.contains(&address);
        let ports = if host { facts.shared_ports(config)? } else { facts.own_ports(config) };
        pool.push(PoolAddress { address, ports, host });
    }
    Snapshot::new(EngineConfig {
        inside_prefixes: config.inside_prefixes.clone(),
        pool,
        nat: config.translation.clone(),
        ipv6: config.ipv6.clone().map(|settings| Ipv6Config {
            settings,
            host_addresses: facts.addresses.ipv6.iter().copied().collect(),
        }),
        host_addresses: facts.addresses.own.iter().copied().collect(),
        algs: config.algs.iter().map(AlgConfig::from).collect(),
        timeouts: Timeouts::default(),
        // The kernel forwards what the engine returns and counts the hop then.
        decrement_ttl: false,
        mtu: facts.mtu,
    })
    .map_err(CompileError::Engine)
}

#[cfg(test)]
mod tests;
