//! Which ALG reads a session, and why.

use super::{AlgConfig, AlgService, PortRange, ServiceTransport};
use crate::alg::{AlgProtocol, Transport};

/// All protocols, in the order of their names.
const ALL: [AlgProtocol; 5] =
    [AlgProtocol::Ftp, AlgProtocol::IkeEsp, AlgProtocol::Pptp, AlgProtocol::Sip, AlgProtocol::Tftp];

/// The ports of a session's first packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FlowPorts {
    /// TCP or UDP.
    pub transport: Transport,
    /// The client's port. 0 is in no range, so it stands for a port that no service names.
    pub source: u16,
    /// The server's port.
    pub destination: u16,
}

/// What a flow matches of an ALG. Where it matches several ALGs the closest match wins: what names both ports, then
/// what names the destination, where the server is, then what names the source only.
#[derive(Clone, Copy, Debug)]
pub enum Match<'a> {
    /// A service that names source ports only.
    SourceService(&'a AlgService),
    /// The protocol's well-known port.
    WellKnownPort,
    /// A service that names destination ports only.
    DestinationService(&'a AlgService),
    /// A service that names both.
    FullService(&'a AlgService),
}

impl<'a> Match<'a> {
    /// Returns the service, if it is one.
    pub const fn service(self) -> Option<&'a AlgService> {
        match self {
            Self::SourceService(service) | Self::DestinationService(service) | Self::FullService(service) => {
                Some(service)
            }
            Self::WellKnownPort => None,
        }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::SourceService(_) => 0,
            // Both name the destination, and nothing else.
            Self::WellKnownPort | Self::DestinationService(_) => 1,
            Self::FullService(_) => 2,
        }
    }
}

/// Returns the ALG that reads a session, and what the session matches of it. A protocol that is not listed is enabled
/// on its well-known ports.
pub fn dispatch(algs: &[AlgConfig], flow: FlowPorts) -> Option<(AlgProtocol, Match<'_>)> {
    let mut best: Option<(AlgProtocol, Match<'_>)> = None;
    for protocol in ALL {
        let setting = algs.iter().find(|setting| setting.protocol == protocol);
        if setting.is_some_and(|setting| !setting.enabled) {
            continue;
        }
        let services = setting.map(|setting| setting.services.as_slice()).unwrap_or_default();
        for found in matches(protocol, services, flow) {
            if best.is_none_or(|(_, best)| best.rank() < found.rank()) {
                best = Some((protocol, found));
            }
        }
    }
    best
}

/// What a flow matches of one protocol.
fn matches(
    protocol: AlgProtocol,
    services: &[AlgService],
    flow: FlowPorts,
) -> impl Iterator<Item = Match<'_>> {
    let own = well_known(protocol);
    let well_known = own.contains(&(flow.transport, flow.destination)).then_some(Match::WellKnownPort);
    // A protocol's messages are on its own transports only, whatever a service says.
    let used = own.iter().any(|(transport, _)| *transport == flow.transport);
    let services =
        services.iter().filter(move |service| used && service.matches(flow)).map(|service| {
            match (service.source_ports.as_slice(), service.destination_ports.as_slice()) {
                ([_, ..], [_, ..]) => Match::FullService(service),
                ([], _) => Match::DestinationService(service),
                ([_, ..], []) => Match::SourceService(service),
            }
        });
    well_known.into_iter().chain(services)
}

impl AlgService {
    fn matches(&self, flow: FlowPorts) -> bool {
        let covers =
            |ranges: &[PortRange], port| ranges.is_empty() || ranges.iter().any(|range| range.contains(port));
        self.transport.covers(flow.transport)
            && covers(&self.source_ports, flow.source)
            && covers(&self.destination_ports, flow.destination)
    }
}

impl ServiceTransport {
    /// Whether a packet can be of both.
    pub(super) const fn overlaps(self, other: Self) -> bool {
        !matches!((self, other), (Self::Tcp, Self::Udp) | (Self::Udp, Self::Tcp))
    }

    const fn covers(self, transport: Transport) -> bool {
        match (self, transport) {
            (Self::Tcp | Self::TcpUdp, Transport::Tcp) | (Self::Udp | Self::TcpUdp, Transport::Udp) => true,
            (Self::Tcp, Transport::Udp) | (Self::Udp, Transport::Tcp) | (_, Transport::Gre(_)) => false,
        }
    }
}

/// The server's ports of all sessions that an ALG may read: most sessions have another one, and are told by this alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listened {
    tcp: Vec<PortRange>,
    udp: Vec<PortRange>,
}

impl Listened {
    /// Gathers the ports of all ALGs that are on.
    pub fn new(algs: &[AlgConfig]) -> Self {
        Self { tcp: listened(algs, Transport::Tcp), udp: listened(algs, Transport::Udp) }
    }

    /// Whether an ALG may read a session with this port.
    pub fn has(&self, transport: Transport, destination: u16) -> bool {
        let ranges = match transport {
            Transport::Tcp => &self.tcp,
            Transport::Udp => &self.udp,
            Transport::Gre(_) => return false,
        };
        let after = ranges.partition_point(|range| range.first <= destination);
        after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|range| range.contains(destination))
    }
}

/// Returns the ranges of one transport in order; none meets another.
fn listened(algs: &[AlgConfig], transport: Transport) -> Vec<PortRange> {
    let mut all = Vec::new();
    for protocol in ALL {
        let setting = algs.iter().find(|setting| setting.protocol == protocol);
        let own = well_known(protocol);
        if setting.is_some_and(|setting| !setting.enabled) || own.iter().all(|(own, _)| *own != transport) {
            continue;
        }
        let own = own.iter().filter(|(own, _)| *own == transport);
        all.extend(own.map(|(_, port)| PortRange { first: *port, last: *port }));
        let services = setting.map(|setting| setting.services.as_slice()).unwrap_or_default();
        for service in services.iter().filter(|service| service.transport.covers(transport)) {
            match service.destination_ports.as_slice() {
                [] => all.push(PortRange { first: 0, last: u16::MAX }),
                some => all.extend_from_slice(some),
            }
        }
    }
    all.sort_unstable_by_key(|range| range.first);
    let mut apart: Vec<PortRange> = Vec::new();
    for range in all {
        match apart.last_mut() {
            Some(before) if range.first <= before.last => before.last = before.last.max(range.last),
            Some(_) | None => apart.push(range),
        }
    }
    apart
}

/// The ports that IANA assigned to each protocol.
const fn well_known(protocol: AlgProtocol) -> &'static [(Transport, u16)] {
    match protocol {
        AlgProtocol::Ftp => &[(Transport::Tcp, 21)],
        AlgProtocol::IkeEsp => &[(Transport::Udp, 500), (Transport::Udp, 4500)],
        AlgProtocol::Pptp => &[(Transport::Tcp, 1723)],
        AlgProtocol::Sip => &[(Transport::Udp, 5060), (Transport::Tcp, 5060)],
        AlgProtocol::Tftp => &[(Transport::Udp, 69)],
    }
}

#[cfg(test)]
mod tests;
