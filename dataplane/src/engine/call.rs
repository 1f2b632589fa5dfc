//! PPTP's calls: GRE sessions that a control message has announced, each direction with the call id of its receiver
//! (RFC 2637, section 4.1). GRE that nobody has announced is a protocol like others that are not read.

use std::net::IpAddr;

use crate::addr::Realm;
use crate::config::Snapshot;
use crate::conntrack::expectation::Pinhole;
use crate::conntrack::{Session, SessionId, State};
use crate::emit;
use crate::engine::context::{Arrival, Context, Way};
use crate::engine::process::{checked, count};
use crate::engine::{DropReason, Engine, Packet, Verdict};
use crate::firewall;
use crate::parse::{Body, Parsed, Quoted};
use crate::tuple::{Direction, Flow, Key, Protocol, Tuple};

impl Engine {
    /// Returns a packet as what it is tracked as.
    #[inline]
    pub(super) fn tracked(&self, parsed: Parsed, arrival: &Arrival<'_>) -> Parsed {
        if parsed.body != Body::Call || self.is_call(&parsed, arrival) { parsed } else { parsed.as_unread() }
    }

    fn is_call(&self, parsed: &Parsed, arrival: &Arrival<'_>) -> bool {
        self.table.find(&parsed.key).is_some() || self.expected_call(arrival, &parsed.tuple()).is_some()
    }

    /// Returns the pinhole of a call's first packet.
    fn expected_call(&self, arrival: &Arrival<'_>, tuple: &Tuple) -> Option<(Pinhole, u16)> {
        let pinhole = match arrival.realm {
            Realm::Inside => self.expectations.lookup_call(tuple),
            Realm::Outside => self.expectations.lookup(&Flow::from(*tuple)),
        };
        let pinhole = *pinhole?;
        Some((pinhole, pinhole.call?))
    }

    /// Takes a packet of a call to the other side.
    #[inline(never)]
    pub(super) fn call_packet(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
    ) -> Result<Verdict, DropReason> {
        let key = &context.parsed.key;
        let (id, direction) = match self.find_allowed(context.snapshot, key) {
            Some(found) => found,
            None => (self.open_call(context)?, Direction::Original),
        };
        let session = checked(&mut self.table, context, id, direction)?;
        let answered = direction == Direction::Reply && session.set_replied();
        count(session, context, direction);
        let (leaving, mapping, master) = (session.leaving(direction), session.mapping(), session.master());
        let call = match context.realm {
            // The peer's own stays as it is.
            Realm::Inside => key.tuple().destination_port,
            Realm::Outside => self.nat.mapping(mapping).map_or(0, |mapping| mapping.inside.1),
        };
        let new = Key::from(Tuple { source_port: 0, destination_port: call, ..leaving.tuple() });
        emit::translate(packet, key, &new, context.parsed.transport_at(), context.counts_hop());
        if answered {
            self.table.waiting_mut().leave(id.slot);
        }
        self.refresh_master(context, master);
        Ok(Verdict::Forward)
    }

    /// Opens the session of a call that was announced, whichever end sends first.
    fn open_call(&mut self, context: &Context<'_>) -> Result<SessionId, DropReason> {
        let original = context.parsed.tuple();
        if context.way == Way::First {
            let (source, destination) = (original.source, original.destination);
            firewall::check_addresses(context.snapshot, context.realm, source, destination)?;
        }
        let (pinhole, peers_call) = self.expected_call(context, &original).ok_or(DropReason::NotExpected)?;
        if !self.is_pinhole_allowed(context.snapshot, &pinhole) {
            return Err(DropReason::NotExpected);
        }
        let [inside, outside, peer] = [pinhole.inside, pinhole.outside, pinhole.peer];
        let (IpAddr::V4(inside), IpAddr::V4(own), IpAddr::V4(peer)) =
            (inside.address, outside.address, peer.address)
        else {
            return Err(DropReason::NotExpected);
        };
        self.check_session(inside, context.realm)?;
        let between = |source, destination, call| Tuple {
            protocol: Protocol::Gre,
            source,
            source_port: 0,
            destination,
            destination_port: call,
        };
        let reply = match context.realm {
            Realm::Inside => between(peer, own, outside.port),
            Realm::Outside => between(inside, peer, peers_call),
        };
        let outward = between(own, peer, peers_call);
        let rival = self.calls.get(&outward).copied();
        if rival.is_some_and(|(id, _)| self.is_allowed(context.snapshot, id)) {
            // The peer could not tell the two apart either.
            return Err(DropReason::TupleTaken);
        }
        // The session holds the mapping on its own, so that a failure leaves the pinhole as it was.
        self.nat.hold(pinhole.mapping);
        let (state, mapping) = (State::Query { replied: false }, pinhole.mapping);
        let id = self.insert(context, &original, reply, state, mapping, Some(pinhole.master))?;
        self.use_pinhole(&pinhole, id);
        if let Some(session) = self.table.session(id).copied() {
            for (quotable, direction) in self.quotable(&session).into_iter().flatten() {
                self.calls.insert(quotable, (id, direction));
            }
        }
        Ok(id)
    }

    /// Takes note that a session is over, if it is a call.
    pub(super) fn forget_call(&mut self, session: &Session) {
        for (quotable, _) in self.quotable(session).into_iter().flatten() {
            self.calls.remove(&quotable);
        }
    }

    /// Returns what leaves of a call in both directions, as an error may quote it, with the direction that the error
    /// itself has.
    fn quotable(&self, session: &Session) -> Option<[(Tuple, Direction); 2]> {
        if session.protocol() != Protocol::Gre {
            return None;
        }
        let inside_call = self.nat.mapping(session.mapping())?.inside.1;
        Some([Direction::Original, Direction::Reply].map(|direction| {
            let call = match session.realm(direction) {
                Realm::Inside => session.tuple(direction).destination_port,
                Realm::Outside => inside_call,
            };
            let leaving = session.translated(direction);
            (Tuple { source_port: 0, destination_port: call, ..leaving }, direction.opposite())
        }))
    }

    /// Finds the session that sent what an ICMP error quotes, and the error's direction in it.
    pub(super) fn find_quoted(
        &mut self,
        snapshot: &Snapshot,
        quoted: Quoted,
    ) -> (Quoted, Option<(SessionId, Direction)>) {
        let mut quoted = quoted;
        if quoted.tuple.protocol == Protocol::Gre {
            if let Some(found) = self.calls.get(&quoted.tuple).copied() {
                let allowed = self.is_allowed(snapshot, found.0);
                return (quoted, allowed.then_some(found));
            }
            quoted = quoted.as_unread();
        }
        (quoted, self.find_allowed(snapshot, &quoted.tuple.reversed().into()))
    }
}

#[cfg(test)]
mod tests;
