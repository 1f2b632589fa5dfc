//! What the engine decides for an ALG.

use std::net::IpAddr;

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
use crate::nat::{Nat, NatError};
use crate::rng::Rng;
use crate::time::Timestamp;
use crate::tuple::{Protocol, Tuple};

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
    pub(super) control: Tuple,
    pub(super) now: Timestamp,
}

impl Decider<'_> {
    fn open(&mut self, request: &PinholeRequest) -> Result<Decision, Refusal> {
        let inside = firewall::check_announced(self.snapshot, &self.ends, request)?;
        let IpAddr::V4(peer) = request.peer.address else { return Err(Refusal::UnusableAddress) };
        let of_master = self.expectations.of_master(self.master).count();
        let full = u64::try_from(of_master).unwrap_or(u64::MAX) >= u64::from(self.limits.pinholes_per_master)
            || self.expectations.of_subscriber(inside.0) >= self.limits.pinholes_per_subscriber
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
        let announced = Tuple {
            protocol,
            source: inside.0,
            source_port: inside.1,
            destination: peer,
            destination_port: peer_port,
        };
        let mapping = self.nat.obtain(&announced, self.rng).map_err(|error| match error {
            NatError::PortLimit | NatError::SubscribersFull | NatError::Full => Refusal::Limit,
            NatError::NoPort | NatError::NoPool | NatError::Refused(_) => Refusal::NoPort,
        })?;
        let outside = self.nat.mapping(mapping).map(|mapping| mapping.outside).ok_or(Refusal::NoPort)?;
        let pinhole = Pinhole {
            id: self.expectations.next_id(),
            alg: self.protocol,
            protocol,
            peer,
            peer_port,
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
            peer: (peer, peer_port),
            outside,
            inside,
            lifetime: request.lifetime,
        });
        let visible = Endpoint::new(IpAddr::V4(outside.0), outside.1);
        Ok(Decision::Admitted { id: pinhole.id, visible })
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

    fn close(&mut self, id: PinholeId, reason: CloseReason) {
        if let Some(pinhole) = self.expectations.remove(id) {
            self.nat.release(pinhole.mapping);
            self.events.push(closed_event(&pinhole, reason));
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
