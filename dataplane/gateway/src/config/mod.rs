//! What a gateway enforces, parsed and checked once: from a file or from the controller's message.

mod draft;
pub mod file;
pub mod message;
pub mod ports;

use std::str::FromStr;

use pinhole_dataplane::addr::{AddressRange, Ipv4Prefix};
use pinhole_dataplane::alg::AlgProtocol;
use pinhole_dataplane::config::interface::InterfaceName;
use pinhole_dataplane::config::ipv6::Ipv6Settings;
use pinhole_dataplane::config::nat::export::ExportSettings;
use pinhole_dataplane::config::nat::pcp::PcpSettings;
use pinhole_dataplane::config::nat::{Allocation, Translation};
use pinhole_dataplane::config::order::{Deterministic, SubscriberOrder};
use pinhole_dataplane::config::{self as engine, PortRange};
use pinhole_dataplane::limits;

use crate::config::ports::PortSet;

pub use draft::Problem;

/// At most this many user-defined services on one ALG.
pub const MAX_SERVICES: usize = limits::MAX_SERVICES_PER_ALG;
/// The longest name of a service in characters, as in the controller's API.
pub const MAX_SERVICE_NAME: usize = 63;

/// A whole configuration: every value is valid and they do not contradict each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Interfaces of the subscribers' side; never empty.
    pub inside: Vec<InterfaceName>,
    /// Interfaces of the Internet's side; never empty, disjoint from `inside`.
    pub outside: Vec<InterfaceName>,
    /// Whose addresses are translated; never empty, disjoint.
    pub inside_prefixes: Vec<Ipv4Prefix>,
    /// Outside addresses; never empty, disjoint from each other and from the inside prefixes.
    pub pool: Vec<AddressRange>,
    /// How addresses and ports are given to subscribers.
    pub translation: Translation,
    /// The firewall for IPv6; without it no packet of IPv6 passes.
    pub ipv6: Option<Ipv6Settings>,
    /// The outside ports that may be given to subscribers; `None` leaves the choice to the gateway.
    pub nat_ports: Option<PortRange>,
    /// Whether the host itself answers pings to pool addresses that are its own.
    pub host_echo: HostEcho,
    /// All five ALGs, ordered by protocol.
    pub algs: Vec<AlgSetting>,
    /// Whether inside hosts may ask for mappings of their own; `None` if not.
    pub pcp: Option<PcpSettings>,
    /// To whom events are exported.
    pub exports: Vec<ExportSettings>,
}

/// The ports that subscribers get on an address of the pool that only the gateway uses (RFC 6888, REQ-13: 64,512
/// ports of an address are usable).
pub(crate) const UNPRIVILEGED: PortRange = match PortRange::new(limits::FIRST_UNPRIVILEGED_PORT, u16::MAX) {
    Some(range) => range,
    None => panic!("1024 is not above 65535"),
};

impl Config {
    /// Returns whose ports are whose, where that follows from the configuration alone.
    pub fn deterministic(&self) -> Option<Deterministic> {
        match self.translation.allocation {
            Allocation::Deterministic(ports) => {
                let order = SubscriberOrder::new(&self.inside_prefixes);
                let pool = self.pool.iter().flat_map(|range| range.addresses()).collect();
                let usable = self.nat_ports.unwrap_or(UNPRIVILEGED);
                Some(Deterministic::new(order, pool, usable, ports.get()))
            }
            Allocation::Random | Allocation::Blocks(_) | Allocation::OneToOne | Allocation::Untranslated => {
                None
            }
        }
    }
}

/// Whether the host answers pings to those of its own addresses that are in the pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HostEcho {
    /// Echo requests that no session expects go to the host.
    Answer,
    /// They are dropped.
    Ignore,
}

/// What one ALG does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlgSetting {
    /// Which.
    pub protocol: AlgProtocol,
    /// On or off.
    pub state: AlgState,
    /// Where it listens beyond the protocol's well-known ports.
    pub services: Vec<AlgService>,
}

impl From<&AlgSetting> for engine::AlgConfig {
    fn from(setting: &AlgSetting) -> Self {
        let enabled = match setting.state {
            AlgState::Enabled => true,
            AlgState::Disabled => false,
        };
        let ports = |set: Option<&PortSet>| set.map(PortSet::ranges).unwrap_or_default().to_vec();
        let services = setting.services.iter().map(|service| engine::AlgService {
            name: service.name.clone(),
            transport: service.protocol.into(),
            source_ports: ports(service.source_ports.as_ref()),
            destination_ports: ports(service.destination_ports.as_ref()),
        });
        Self { protocol: setting.protocol, enabled, services: services.collect() }
    }
}

/// Whether an ALG reads its protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AlgState {
    /// It does.
    Enabled,
    /// Sessions pass as any other.
    Disabled,
}

impl From<bool> for AlgState {
    fn from(enabled: bool) -> Self {
        if enabled { Self::Enabled } else { Self::Disabled }
    }
}

/// A user-defined service that an ALG listens on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlgService {
    /// Its name, for people.
    pub name: String,
    /// Its transport.
    pub protocol: ServiceProtocol,
    /// The client's ports; `None` is any.
    pub source_ports: Option<PortSet>,
    /// The server's ports; `None` is any. At least one of the two is given.
    pub destination_ports: Option<PortSet>,
}

/// The transport of a user-defined service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServiceProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Both.
    TcpUdp,
}

impl From<ServiceProtocol> for engine::ServiceTransport {
    fn from(protocol: ServiceProtocol) -> Self {
        match protocol {
            ServiceProtocol::Tcp => Self::Tcp,
            ServiceProtocol::Udp => Self::Udp,
            ServiceProtocol::TcpUdp => Self::TcpUdp,
        }
    }
}

impl ServiceProtocol {
    /// Whether a packet can be of both.
    pub const fn overlaps(self, other: Self) -> bool {
        !matches!((self, other), (Self::Tcp, Self::Udp) | (Self::Udp, Self::Tcp))
    }
}

/// A text that names nothing known.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{given}\" is not one of {known}")]
pub struct UnknownName {
    /// What was given.
    pub given: String,
    /// What there is.
    pub known: &'static str,
}

impl FromStr for ServiceProtocol {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "tcp_udp" => Ok(Self::TcpUdp),
            other => Err(UnknownName { given: other.to_owned(), known: "tcp, udp, tcp_udp" }),
        }
    }
}

/// All ALG protocols in their order.
pub const ALG_PROTOCOLS: [AlgProtocol; 5] =
    [AlgProtocol::Ftp, AlgProtocol::IkeEsp, AlgProtocol::Pptp, AlgProtocol::Sip, AlgProtocol::Tftp];

/// Returns a protocol's name in files and messages.
pub const fn alg_name(protocol: AlgProtocol) -> &'static str {
    match protocol {
        AlgProtocol::Ftp => "ftp",
        AlgProtocol::IkeEsp => "ike_esp",
        AlgProtocol::Pptp => "pptp",
        AlgProtocol::Sip => "sip",
        AlgProtocol::Tftp => "tftp",
    }
}

/// Finds a protocol by its name.
pub fn parse_alg_name(text: &str) -> Result<AlgProtocol, UnknownName> {
    ALG_PROTOCOLS
        .into_iter()
        .find(|protocol| alg_name(*protocol) == text)
        .ok_or_else(|| UnknownName { given: text.to_owned(), known: "ftp, ike_esp, pptp, sip, tftp" })
}

#[cfg(test)]
mod tests;
