//! What the engine decides for an ALG.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::addr::{Endpoint, Realm};
use crate::alg::{
    AlgProtocol, Arbiter, CloseReason, Decision, Ends, PeerCall, PinholeId, PinholeRequest, Refusal, Report,
    Transport,
};
use crate::config::Snapshot;
use crate::conntrack::SessionId;
use crate::conntrack::expectation::{Expectations, Pinhole};
use crate::engine::event::{Event, Events};
use crate::engine::{Stats, closed_event};
use crate::firewall;
use crate::limits::Limits;
use crate::nat::{MappingId, Nat, NatError};
use crate::rng::Rng;
use crate::time::Timestamp;
use crate::tuple::{Flow, Protocol, Tuple};

/// Decides for one control session.
pub(super) struct Decider<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) limits: &'a Limits,
    pub(super) nat: &'a mut Nat,
    pub(super) expectations: &'a mut Expectations,
    pub(super) rng: &'a mut Rng,
    pub(super) events: &'a mut Events,
    pub(super) stats: &'a mut Stats,
    pub(super) ends: Ends,
    pub(super) protocol: AlgProtocol,
    pub(super) master: SessionId,
    /// The mapping of the control session's inside end.
    pub(super) mapping: MappingId,
    pub(super) control: Flow,
    pub(super) now: Timestamp,
    /// Pinholes whose sessions shall end.
    pub(super) ended: Vec<PinholeId>,
}

impl Decider<'_> {
    fn open(&mut self, request: &PinholeRequest) -> Result<Decision, Refusal> {
        firewall::check_announced(self.snapshot, &self.ends, request)?;
        let inside = request.named;
        let of_master = self.expectations.of_master(self.master);
        // What takes another one's place takes no more of it.
        let of_master = of_master.filter(|id| !self.is_again(*id, request)).count();
        let full = u64::try_from(of_master).unwrap_or(u64::MAX) >= u64::from(self.limits.pinholes_per_master)
            || self.expectations.of_subscriber(inside.address) >= self.limits.pinholes_per_subscriber
            || self.expectations.len() >= usize::try_from(self.limits.pinholes).unwrap_or(0);
        if full {
            return Err(Refusal::Limit);
        }
        let protocol = match request.transport {
            Transport::Tcp => Protocol::Tcp,
            Transport::Udp => Protocol::Udp,
            Transport::Gre(_) => Protocol::Gre,
        };
        let (peer_port, call) = match request.transport {
            Transport::Tcp | Transport::Udp | Transport::Gre(PeerCall::Unknown) => (request.peer.port, None),
            Transport::Gre(PeerCall::Known(call)) => (0, Some(call)),
        };
        let peer = Endpoint::new(request.peer.address, peer_port);
        let (mapping, outside) = match (inside.address, peer.address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                self.map(protocol, (own, inside.port), (other, peer_port))?
            }
            // Addresses of IPv6 are the same on both sides.
            (IpAddr::V6(_), IpAddr::V6(_)) => (MappingId::NONE, inside),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                return Err(Refusal::UnusableAddress);
            }
        };
        let pinhole = Pinhole {
            id: self.expectations.next_id(),
            alg: self.protocol,
            protocol,
            peer,
            call,
            outside,
            inside,
            mapping,
            master: self.master,
            message: request.message,
            offset: request.offset,
            deadline: self.now.saturating_add(request.lifetime),
        };
        if let Some(replaced) = self.expectations.insert(pinhole) {
            self.nat.release(replaced.mapping);
            self.events.push(closed_event(&replaced, CloseReason::Replaced));
        }
        self.stats.pinholes_opened += 1;
        self.events.push(Event::PinholeOpened {
            id: pinhole.id,
            protocol: self.protocol,
            control: self.control,
            message: request.message,
            transport: protocol,
            peer,
            outside,
            inside,
            lifetime: request.lifetime,
        });
        Ok(Decision::Admitted { id: pinhole.id, visible: outside })
    }

    /// Whether a pinhole is of the same call.
    fn is_again(&self, id: PinholeId, request: &PinholeRequest) -> bool {
        let again = |known: &Pinhole| {
            known.protocol == Protocol::Gre
                && known.inside == request.named
                && known.peer.address == request.peer.address
        };
        matches!(request.transport, Transport::Gre(_)) && self.expectations.get(id).is_some_and(again)
    }

    /// Takes a mapping for an announced endpoint; returns it with what stands for the endpoint outside.
    fn map(
        &mut self,
        protocol: Protocol,
        inside: (Ipv4Addr, u16),
        peer: (Ipv4Addr, u16),
    ) -> Result<(MappingId, Endpoint), Refusal> {
        let (own, named) = (self.control.protocol, Endpoint::from(inside));
        if protocol == own && [self.ends.originator, self.ends.responder].iter().any(|end| end.local == named)
        {
            // The peer answers where it was asked from, whatever stands for the same endpoint towards others.
            let outside = self.nat.mapping(self.mapping).map(|mapping| mapping.outside);
            self.nat.hold(self.mapping);
            return Ok((self.mapping, outside.ok_or(Refusal::NoPort)?.into()));
        }
        let announced = Tuple {
            protocol,
            source: inside.0,
            source_port: inside.1,
            destination: peer.0,
            destination_port: peer.1,
        };
        let mapping = self.nat.obtain(&announced, self.rng).map_err(|error| match error {
            NatError::PortLimit | NatError::SubscribersFull | NatError::Full => Refusal::Limit,
            NatError::NoPort | NatError::NoPool | NatError::Refused(_) => Refusal::NoPort,
        })?;
        let outside = self.nat.mapping(mapping).map(|mapping| mapping.outside).ok_or(Refusal::NoPort)?;
        Ok((mapping, outside.into()))
    }
}

impl Arbiter for Decider<'_> {
    fn admit(&mut self, request: &PinholeRequest) -> Decision {
        if self.ends.sender(request.direction).realm == Realm::Outside {
            // The inside end will connect outwards, which the firewall allows anyway.
            return Decision::Unneeded;
        }
        self.open(request).unwrap_or_else(Decision::Refused)
    }

    fn renew(&mut self, id: PinholeId, lifetime: Duration) -> bool {
        self.expectations.renew(id, self.now.saturating_add(lifetime))
    }

    fn close(&mut self, id: PinholeId, reason: CloseReason) {
        if let Some(pinhole) = self.expectations.remove(id) {
            self.nat.release(pinhole.mapping);
            self.events.push(closed_event(&pinhole, reason));
        }
    }

    fn end(&mut self, id: PinholeId) {
        if self.expectations.contains(id) {
            self.close(id, CloseReason::ControlEnded);
        } else {
            self.ended.push(id);
        }
    }

    fn report(&mut self, report: Report<'_>) {
        let (protocol, control) = (self.protocol, self.control);
        self.events.push(match report {
            Report::Rewritten { message, before, after } => Event::AlgRewrite {
                protocol,
                control,
                message,
                before: before.to_vec(),
                after: after.to_vec(),
            },
            Report::Refused { message, reason } => Event::AlgRefusal { protocol, control, message, reason },
            Report::Opaque { reason } => Event::AlgOpaque { protocol, control, reason },
        });
    }
}
