//! Whether a policy would have two ALGs inspect the same traffic, and whether a service can match at all.

use std::collections::BTreeMap;

use super::alg_policy::AlgPolicy;
use super::alg_protocol::AlgProtocol;
use super::port::PortSet;
use super::service::{Service, Transport};
use crate::ids::ObjectId;

/// Two protocols of a policy that would inspect the same traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Overlap {
    /// The protocol and the service of it that claims the traffic.
    pub protocol: AlgProtocol,
    /// See `protocol`.
    pub service: ObjectId,
    /// The other protocol.
    pub other: AlgProtocol,
    /// The other protocol's service, or `None` for its well-known port.
    pub other_service: Option<ObjectId>,
}

/// Finds every overlap between the enabled protocols of a policy.
///
/// Two services overlap when a flow exists that both match, over a transport that both protocols use. A service
/// also overlaps with another protocol's well-known port when its destination ports name that port; one that is
/// open to any destination port does not, since the well-known port is the closer match.
#[must_use]
pub fn overlaps(policy: &AlgPolicy, services: &BTreeMap<ObjectId, Service>) -> Vec<Overlap> {
    let claims: Vec<Claim<'_>> = policy
        .protocols()
        .filter(|(_, policy)| policy.enabled)
        .flat_map(|(protocol, policy)| policy.services.iter().map(move |id| (protocol, *id)))
        .filter_map(|(protocol, id)| services.get(&id).map(|service| Claim { protocol, id, service }))
        .collect();

    let mut found = Vec::new();
    for (index, claim) in claims.iter().enumerate() {
        for other in AlgProtocol::ALL {
            if other != claim.protocol && policy.protocol(other).enabled && claim.names_port_of(other) {
                found.push(claim.overlap(other, None));
            }
        }
        for earlier in claims.iter().take(index) {
            if earlier.protocol != claim.protocol && claim.meets(earlier) {
                found.push(claim.overlap(earlier.protocol, Some(earlier.id)));
            }
        }
    }
    found
}

/// Whether no control message of a protocol can ever match a service, its transport being another.
#[must_use]
pub fn never_matches(protocol: AlgProtocol, service: &Service) -> bool {
    !Transport::ALL.into_iter().any(|transport| reaches(protocol, service, transport))
}

/// A service that a protocol listens on.
#[derive(Debug, Clone, Copy)]
struct Claim<'a> {
    protocol: AlgProtocol,
    id: ObjectId,
    service: &'a Service,
}

impl Claim<'_> {
    fn overlap(&self, other: AlgProtocol, other_service: Option<ObjectId>) -> Overlap {
        Overlap { protocol: self.protocol, service: self.id, other, other_service }
    }

    fn names_port_of(&self, other: AlgProtocol) -> bool {
        let shared = Transport::ALL
            .into_iter()
            .any(|transport| reaches(self.protocol, self.service, transport) && other.uses(transport));
        let named = self.service.destination_port.as_ref();
        shared && named.is_some_and(|ports| other.well_known_ports().iter().any(|port| ports.contains(*port)))
    }

    fn meets(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.service, other.service);
        let shared = Transport::ALL.into_iter().any(|transport| {
            reaches(self.protocol, mine, transport) && reaches(other.protocol, theirs, transport)
        });
        shared
            && meet(mine.source_port.as_ref(), theirs.source_port.as_ref())
            && meet(mine.destination_port.as_ref(), theirs.destination_port.as_ref())
    }
}

fn reaches(protocol: AlgProtocol, service: &Service, transport: Transport) -> bool {
    protocol.uses(transport) && service.protocol.includes(transport)
}

/// Whether a port is in both; `None` is any port.
fn meet(left: Option<&PortSet>, right: Option<&PortSet>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => left.overlaps(right),
        (None, _) | (_, None) => true,
    }
}

#[cfg(test)]
mod tests;
