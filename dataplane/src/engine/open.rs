//! The first packet of a session.

use std::net::Ipv4Addr;

use crate::addr::Realm;
use crate::alg::{AlgProtocol, CloseReason, Transport};
use crate::config::nat::Mode;
use crate::config::{Snapshot, Untranslatable};
use crate::conntrack::expectation::Pinhole;
use crate::conntrack::ipv6::Ipv6Key;
use crate::conntrack::tcp::Tcp;
use crate::conntrack::{Session, SessionId, State, Table};
use crate::engine::context::{Context, Way};
use crate::engine::process::Opening;
use crate::engine::{DropReason, Engine, closed_event};
use crate::firewall;
use crate::nat::{MappingId, NatError, SubscriberLimit};
use crate::tuple::{Direction, Flow, Protocol, Tuple};
use crate::wire;

impl Engine {
    /// Opens the session of a first packet; `None` leaves the packet to the host.
    #[inline(never)]
    pub(super) fn open(
        &mut self,
        context: &Context<'_>,
        tuple: &Tuple,
        opening: Opening,
    ) -> Result<Option<SessionId>, DropReason> {
        let opened = match context.realm {
            Realm::Inside => self.open_from_inside(context, tuple, opening),
            Realm::Outside => self.open_from_outside(context, tuple, opening),
        };
        opened.inspect_err(|reason| self.note_refusal(context, tuple, *reason))
    }

    fn open_from_inside(
        &mut self,
        context: &Context<'_>,
        tuple: &Tuple,
        opening: Opening,
    ) -> Result<Option<SessionId>, DropReason> {
        let snapshot = context.snapshot;
        firewall::check_addresses(snapshot, context.realm, tuple.source, tuple.destination)?;
        if !self.leads_inside(snapshot, tuple) {
            if snapshot.is_host(tuple.destination) {
                return Ok(None);
            }
            if snapshot.is_inside(tuple.destination) || snapshot.pool_address(tuple.destination).is_some() {
                return Err(DropReason::BadDestination);
            }
        }
        let state = first_state(opening).ok_or(DropReason::NoSession)?;
        self.check_session(tuple.source, Realm::Inside)?;
        let mapping = self.nat.obtain(tuple, &mut self.rng).map_err(refusal)?;
        let Some(outside) = self.nat.mapping(mapping).map(|mapping| mapping.outside) else {
            return Err(DropReason::NoPort);
        };
        let source_port = match tuple.protocol {
            Protocol::Tcp | Protocol::Udp | Protocol::UdpLite | Protocol::Gre | Protocol::Other => {
                tuple.destination_port
            }
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

    /// Whether a packet from inside is for an outside endpoint that stands for an inside one.
    fn leads_inside(&self, snapshot: &Snapshot, tuple: &Tuple) -> bool {
        // The host itself answers pings of its addresses, whatever their identifiers are.
        let for_host = tuple.protocol == Protocol::IcmpEcho && snapshot.is_host(tuple.destination);
        let (source, outside) =
            ((tuple.source, tuple.source_port), (tuple.destination, tuple.destination_port));
        !for_host
            && snapshot.pool_address(tuple.destination).is_some()
            && (snapshot.forward_to(tuple.protocol, outside).is_some()
                || self.nat.serving(tuple.protocol, outside, source).is_some())
    }

    fn open_from_outside(
        &mut self,
        context: &Context<'_>,
        tuple: &Tuple,
        opening: Opening,
    ) -> Result<Option<SessionId>, DropReason> {
        // On the way back the sender is an inside host and its address one of the pool, checked on the way out.
        if context.way == Way::First {
            firewall::check_addresses(context.snapshot, context.realm, tuple.source, tuple.destination)?;
        }
        if let Some(state) = first_state(opening) {
            if let Some(pinhole) = self.find_pinhole(context.snapshot, &Flow::from(*tuple)) {
                // The session holds the mapping on its own, so that a failure leaves the pinhole as it was.
                self.nat.hold(pinhole.mapping);
                let id = self.open_inwards(context, tuple, state, pinhole.mapping, Some(pinhole.master))?;
                self.use_pinhole(&pinhole, id);
                return Ok(Some(id));
            }
            if let Some(mapping) = self.admitted(context.snapshot, tuple)? {
                let id = self.open_inwards(context, tuple, state, mapping, None)?;
                self.attach_control(context.snapshot, id);
                return Ok(Some(id));
            }
        }
        if context.snapshot.is_host(tuple.destination) {
            return Ok(None);
        }
        Err(DropReason::NotExpected)
    }

    /// Takes note that the session that a pinhole announced is there.
    pub(super) fn use_pinhole(&mut self, pinhole: &Pinhole, id: SessionId) {
        self.announcements.insert(pinhole, id);
        self.expectations.remove(pinhole.id);
        self.nat.release(pinhole.mapping);
        self.events.push(closed_event(pinhole, CloseReason::Used));
    }

    /// Returns the mapping, held, through which a packet may come in that nobody announced: of a static forward, or of
    /// an inside endpoint whose filter lets its sender in.
    fn admitted(&mut self, snapshot: &Snapshot, tuple: &Tuple) -> Result<Option<MappingId>, DropReason> {
        let outside = (tuple.destination, tuple.destination_port);
        if let Some(inside) = snapshot.forward_to(tuple.protocol, outside) {
            return self.nat.obtain_fixed(tuple.protocol, inside, outside).map(Some).map_err(refusal);
        }
        // An identifier means a host only where it has an address of its own.
        if tuple.protocol == Protocol::IcmpEcho
            && snapshot.translation().allocation.mode() == Mode::PortTranslation
        {
            return Ok(None);
        }
        // Towards whom nothing is translated, nobody is answered through a mapping that translates.
        let sender = (tuple.source, tuple.source_port);
        let known = self.nat.lookup_outside(tuple.protocol, outside);
        let admitted = known.filter(|id| {
            (self.nat.admits(*id, sender.0) || self.is_leased_to(*id, tuple))
                && self.nat.allows(snapshot, *id, sender)
        });
        if let Some(id) = admitted {
            self.nat.hold(id);
        }
        Ok(admitted)
    }

    /// Opens a session from outside to the inside endpoint of a mapping, which is held for it.
    fn open_inwards(
        &mut self,
        context: &Context<'_>,
        tuple: &Tuple,
        state: State,
        mapping: MappingId,
        master: Option<SessionId>,
    ) -> Result<SessionId, DropReason> {
        let Some(inside) = self.nat.mapping(mapping).map(|mapping| mapping.inside) else {
            return Err(DropReason::NotExpected);
        };
        if let Err(reason) = self.check_session(inside.0, Realm::Outside) {
            self.nat.release(mapping);
            return Err(reason);
        }
        let destination_port = match tuple.protocol {
            Protocol::Tcp | Protocol::Udp | Protocol::UdpLite | Protocol::Gre | Protocol::Other => {
                tuple.source_port
            }
            Protocol::IcmpEcho => inside.1,
        };
        let reply = Tuple {
            protocol: tuple.protocol,
            source: inside.0,
            source_port: inside.1,
            destination: tuple.source,
            destination_port,
        };
        self.insert(context, tuple, reply, state, mapping, master)
    }

    /// Whether an inside host may have one more session; those that it has stay whatever the answer
    /// (RFC 6888, REQ-4 and REQ-5).
    pub(super) fn check_session(&self, subscriber: Ipv4Addr, originator: Realm) -> Result<(), DropReason> {
        self.nat.check_session(subscriber, originator).map_err(|limit| match limit {
            SubscriberLimit::Sessions => DropReason::SubscriberSessions,
            SubscriberLimit::Rate => DropReason::SubscriberRate,
        })
    }

    /// Has an ALG follow a new session, if one listens on its ports and there is room.
    pub(super) fn attach_control(&mut self, snapshot: &Snapshot, id: SessionId) {
        let other = |key: &Ipv6Key| !matches!(key.protocol, wire::PROTOCOL_TCP | wire::PROTOCOL_UDP);
        if self.table.ipv6_key(id).is_some_and(other) {
            return;
        }
        let transport = match self.table.session(id).map(Session::protocol) {
            Some(Protocol::Tcp) => Transport::Tcp,
            Some(Protocol::Udp) => Transport::Udp,
            Some(Protocol::IcmpEcho | Protocol::UdpLite | Protocol::Gre | Protocol::Other) | None => return,
        };
        let Some((source_port, destination_port)) = alg_ports(&self.table, id) else { return };
        match snapshot.alg_for(transport, source_port, destination_port) {
            Some(protocol @ (AlgProtocol::Ftp | AlgProtocol::Pptp | AlgProtocol::Tftp)) => {
                let limit = self.limits.control_streams;
                let slot = self.controls.insert(protocol, transport, id, &self.table, limit);
                if let Some(session) = self.table.session_mut(id) {
                    session.set_control(slot);
                }
            }
            // These have no helper yet: their sessions are translated like any other.
            Some(AlgProtocol::IkeEsp | AlgProtocol::Sip) | None => {}
        }
    }
}

/// Returns the ports that decide about a session's ALG: those of its two hosts, whatever stands for them.
pub(super) fn alg_ports(table: &Table, id: SessionId) -> Option<(u16, u16)> {
    let original = table.arriving(id, Direction::Original)?;
    let destination = match table.session(id)?.originator() {
        Realm::Inside => original.destination,
        Realm::Outside => table.arriving(id, Direction::Reply)?.source,
    };
    Some((original.source.port, destination.port))
}

const fn refusal(error: NatError) -> DropReason {
    match error {
        NatError::NoPort | NatError::NoPool => DropReason::NoPort,
        NatError::PortLimit => DropReason::SubscriberPorts,
        NatError::Full => DropReason::SessionsFull,
        NatError::SubscribersFull => DropReason::SubscribersFull,
        NatError::Refused(Untranslatable::NoPorts) => DropReason::ProtocolUnsupported,
        NatError::Refused(Untranslatable::Authenticated) => DropReason::AuthenticatedHeader,
    }
}

pub(super) fn first_state(opening: Opening) -> Option<State> {
    match opening {
        Opening::Tcp(info, shift) => Some(State::Tcp(Tcp::new(info, shift))),
        Opening::Query => Some(State::Query { replied: false }),
        Opening::Never => None,
    }
}
