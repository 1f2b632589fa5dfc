//! The first packet of a session.

use std::net::Ipv4Addr;

use crate::addr::Realm;
use crate::alg::{AlgProtocol, CloseReason, Transport};
use crate::config::Snapshot;
use crate::conntrack::tcp::Tcp;
use crate::conntrack::{SessionId, State};
use crate::engine::context::Context;
use crate::engine::process::Opening;
use crate::engine::{DropReason, Engine, closed_event};
use crate::firewall;
use crate::nat::{NatError, SubscriberLimit};
use crate::tuple::{Direction, Protocol, Tuple};

impl Engine {
    /// Opens the session of a first packet; `None` leaves the packet to the host.
    #[inline(never)]
    pub(super) fn open(
        &mut self,
        context: &Context<'_>,
        tuple: &Tuple,
        opening: Opening,
    ) -> Result<Option<SessionId>, DropReason> {
        match context.realm {
            Realm::Inside => self.open_from_inside(context, tuple, opening),
            Realm::Outside => self.open_from_outside(context, tuple, opening),
        }
    }

    fn open_from_inside(
        &mut self,
        context: &Context<'_>,
        tuple: &Tuple,
        opening: Opening,
    ) -> Result<Option<SessionId>, DropReason> {
        let snapshot = context.snapshot;
        firewall::check_addresses(snapshot, context.realm, tuple.source, tuple.destination)?;
        if snapshot.is_host(tuple.destination) {
            return Ok(None);
        }
        if snapshot.is_inside(tuple.destination) || snapshot.pool_address(tuple.destination).is_some() {
            return Err(DropReason::BadDestination);
        }
        let state = first_state(opening).ok_or(DropReason::NoSession)?;
        let inside = (tuple.source, tuple.source_port);
        self.check_session(inside.0)?;
        let mapping =
            self.nat.obtain(tuple.protocol, inside, &mut self.rng).map_err(|error| match error {
                NatError::NoPort | NatError::NoPool => DropReason::NoPort,
                NatError::PortLimit => DropReason::SubscriberPorts,
                NatError::Full => DropReason::SessionsFull,
                NatError::SubscribersFull => DropReason::SubscribersFull,
            })?;
        let Some(outside) = self.nat.mapping(mapping).map(|mapping| mapping.outside) else {
            return Err(DropReason::NoPort);
        };
        let source_port = match tuple.protocol {
            Protocol::Tcp | Protocol::Udp => tuple.destination_port,
            Protocol::IcmpEcho => outside.1,
        };
        let reply = Tuple {
            protocol: tuple.protocol,
            source: tuple.destination,
            source_port,
            destination: outside.0,
            destination_port: outside.1,
        };
        let id = self.insert(context, tuple, reply, state, mapping, None)?;
        self.attach_control(snapshot, id);
        Ok(Some(id))
    }

    fn open_from_outside(
        &mut self,
        context: &Context<'_>,
        tuple: &Tuple,
        opening: Opening,
    ) -> Result<Option<SessionId>, DropReason> {
        firewall::check_addresses(context.snapshot, context.realm, tuple.source, tuple.destination)?;
        if let Some(state) = first_state(opening)
            && let Some(pinhole) = self.expectations.lookup(tuple).copied()
        {
            self.check_session(pinhole.inside.0)?;
            let reply = Tuple {
                protocol: tuple.protocol,
                source: pinhole.inside.0,
                source_port: pinhole.inside.1,
                destination: tuple.source,
                destination_port: tuple.source_port,
            };
            // The session holds the mapping on its own, so that a failure leaves the pinhole as it was.
            self.nat.hold(pinhole.mapping);
            let id = self.insert(context, tuple, reply, state, pinhole.mapping, Some(pinhole.master))?;
            self.expectations.remove(pinhole.id);
            self.nat.release(pinhole.mapping);
            self.events.push(closed_event(&pinhole, CloseReason::Used));
            return Ok(Some(id));
        }
        if context.snapshot.is_host(tuple.destination) {
            return Ok(None);
        }
        Err(DropReason::NotExpected)
    }

    /// Whether an inside host may have one more session; those that it has stay whatever the answer
    /// (RFC 6888, REQ-4 and REQ-5).
    fn check_session(&self, subscriber: Ipv4Addr) -> Result<(), DropReason> {
        self.nat.check_session(subscriber).map_err(|limit| match limit {
            SubscriberLimit::Sessions => DropReason::SubscriberSessions,
            SubscriberLimit::Rate => DropReason::SubscriberRate,
        })
    }

    /// Has an ALG follow a new session, if one listens on its ports and there is room.
    fn attach_control(&mut self, snapshot: &Snapshot, id: SessionId) {
        let Some(session) = self.table.session_mut(id) else { return };
        let tuple = session.tuple(Direction::Original);
        if tuple.protocol != Protocol::Tcp {
            return;
        }
        match snapshot.alg_for(Transport::Tcp, tuple.source_port, tuple.destination_port) {
            Some(protocol @ AlgProtocol::Ftp) => {
                let slot = self.controls.insert(protocol, id, session, self.limits.control_streams);
                session.set_control(slot);
            }
            // These have no stream helper yet: their sessions are translated like any other.
            Some(AlgProtocol::IkeEsp | AlgProtocol::Pptp | AlgProtocol::Sip | AlgProtocol::Tftp) | None => {}
        }
    }
}

fn first_state(opening: Opening) -> Option<State> {
    match opening {
        Opening::Tcp(info, shift) => Some(State::Tcp(Tcp::new(info, shift))),
        Opening::Query => Some(State::Query { replied: false }),
        Opening::Never => None,
    }
}
