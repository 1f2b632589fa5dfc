//! Fragments: each leaves as the first one of its datagram did, by itself and as long as it came. Only where more than
//! the first one decides, all are put together, and what comes of that leaves in fragments no longer than they were.

use crate::addr::Realm;
use crate::alg::Transport;
use crate::config::nat::Mode;
use crate::emit;
use crate::engine::context::{Arrival, Context, Way};
use crate::engine::open::alg_ports;
use crate::engine::process::refuse_own_source;
use crate::engine::{DropReason, Engine, Packet, Verdict};
use crate::firewall;
use crate::fragment::{self, Fragment, Lane, Leaving, Misfit, Slot, State};
use crate::parse::{Body, First, Parsed, check_header, parse_first};
use crate::time::Timestamp;
use crate::tuple::Protocol;
use crate::wire::ipv4;

impl Engine {
    /// Takes a fragment from one side to the other, or has it wait.
    #[inline(never)]
    pub(super) fn fragment(
        &mut self,
        packet: &mut Packet<'_>,
        arrival: &Arrival<'_>,
    ) -> Result<Verdict, DropReason> {
        check_header(packet.bytes())?;
        let fragment = fragment::parse(packet.bytes(), lane(arrival))?;
        // Link padding is no part of the packet.
        let shrunk = packet.set_length(ipv4::total_length(packet.bytes()));
        debug_assert!(shrunk, "the parser has seen this many bytes");
        if arrival.counts_hop() && fragment.ttl <= 1 {
            return Err(DropReason::TtlExceeded);
        }
        let known = self.fragments.lookup(&fragment.datagram);
        if fragment.start == 0 {
            self.first_fragment(packet, arrival, &fragment, known)
        } else {
            self.later_fragment(packet, arrival, &fragment, known)
        }
    }

    /// A fragment without a transport header.
    fn later_fragment(
        &mut self,
        packet: &mut Packet<'_>,
        arrival: &Arrival<'_>,
        fragment: &Fragment,
        known: Option<Slot>,
    ) -> Result<Verdict, DropReason> {
        let slot = match known {
            Some(slot) => slot,
            None => {
                check_stranger(arrival, fragment)?;
                self.fragments.begin(&fragment.datagram, arrival.now)?
            }
        };
        let state = self.fragments.state(slot).ok_or(DropReason::FragmentsFull)?;
        if let State::Refused(reason) = state {
            return Err(reason);
        }
        let complete = self.note_fragment(slot, fragment, packet)?;
        match state {
            State::Waiting => self.hold_fragment(slot, packet),
            State::Passing(leaving) => {
                if !self.is_allowed(arrival.snapshot, leaving.session) {
                    return Err(self.refuse_datagram(slot, DropReason::NoSession));
                }
                emit::readdress(packet.bytes_mut(), &leaving, arrival.counts_hop());
                if complete {
                    self.fragments.remove(slot);
                }
                Ok(Verdict::Forward)
            }
            State::Gathering if complete => self.gathered(slot, packet, arrival),
            State::Gathering => self.hold_fragment(slot, packet),
            State::Refused(reason) => Err(reason),
        }
    }

    /// The fragment with the transport header: it decides about the others.
    fn first_fragment(
        &mut self,
        packet: &mut Packet<'_>,
        arrival: &Arrival<'_>,
        fragment: &Fragment,
        known: Option<Slot>,
    ) -> Result<Verdict, DropReason> {
        let slot = match known {
            Some(slot) => {
                if let Some(State::Refused(reason)) = self.fragments.state(slot) {
                    return Err(reason);
                }
                if let Err(reason) = self.fragments.promote(slot) {
                    return Err(self.refuse_datagram(slot, reason));
                }
                slot
            }
            None => self.fragments.begin_known(&fragment.datagram, arrival.now)?,
        };
        let complete = self.note_fragment(slot, fragment, packet)?;
        let first = match parse_first(packet.bytes()) {
            Ok(First::Telling(parsed)) if !self.is_read_whole(arrival, &parsed) => {
                self.tracked(parsed, arrival)
            }
            Ok(First::Telling(_) | First::Silent) => {
                self.fragments.set_state(slot, State::Gathering);
                return if complete {
                    self.gathered(slot, packet, arrival)
                } else {
                    self.hold_fragment(slot, packet)
                };
            }
            Err(reason) => return Err(self.refuse_datagram(slot, reason)),
        };
        let verdict = self.pass_first(packet, arrival, &first, slot);
        match verdict {
            Ok(Verdict::Forward) if complete => {
                self.fragments.remove(slot);
            }
            Ok(_) => {}
            Err(reason) => return Err(self.refuse_datagram(slot, reason)),
        }
        verdict
    }

    /// Has a first fragment go its way, and after it those that waited for it.
    fn pass_first(
        &mut self,
        packet: &mut Packet<'_>,
        arrival: &Arrival<'_>,
        first: &Parsed,
        slot: Slot,
    ) -> Result<Verdict, DropReason> {
        let context = Context { arrival, parsed: first };
        refuse_own_source(&context)?;
        let verdict = match first.body {
            Body::Call => self.call_packet(&context, packet)?,
            Body::Tcp(_) | Body::Udp | Body::Echo | Body::EchoReply | Body::IcmpError(_) | Body::Other => {
                self.query_packet(&context, packet)?
            }
        };
        let Some((session, _)) = self.table.find(&first.key) else { return Ok(verdict) };
        let (source, destination) = (ipv4::source(packet.bytes()), ipv4::destination(packet.bytes()));
        let identification = self.identification_for(packet, arrival, first.tuple().source);
        emit::set_identification(packet.bytes_mut(), identification);
        let leaving = Leaving { session, source, destination, identification };
        self.fragments.set_state(slot, State::Passing(leaving));
        for mut waiting in self.fragments.take_held(slot) {
            emit::readdress(&mut waiting, &leaving, arrival.counts_hop());
            self.transmit(arrival.realm.opposite(), waiting);
        }
        Ok(verdict)
    }

    /// Returns the identification that the fragments of a translated packet leave with.
    fn identification_for(
        &mut self,
        packet: &Packet<'_>,
        arrival: &Arrival<'_>,
        source: std::net::Ipv4Addr,
    ) -> u16 {
        let bytes = packet.bytes();
        let between = (ipv4::source(bytes), ipv4::destination(bytes));
        let shared = arrival.snapshot.translation().allocation.mode() == Mode::PortTranslation;
        if arrival.realm == Realm::Inside && shared && between.0 != source {
            self.fragments.identification(between, crate::wire::u8_at(bytes, ipv4::PROTOCOL), &mut self.rng)
        } else {
            crate::wire::u16_at(bytes, ipv4::IDENTIFICATION)
        }
    }

    /// Whether what a first fragment begins has to be seen whole: an ALG reads it, or it may be for the host itself.
    fn is_read_whole(&self, arrival: &Arrival<'_>, first: &Parsed) -> bool {
        let tuple = first.tuple();
        let session = self.table.find(&first.key).map(|(id, _)| id);
        if session.is_none() && arrival.snapshot.is_host(tuple.destination) {
            return true;
        }
        if tuple.protocol != Protocol::Udp {
            return false;
        }
        let ports = match session {
            Some(id) => alg_ports(&self.table, id),
            None => {
                let outside = (tuple.destination, tuple.destination_port);
                let forwarded = arrival.snapshot.forward_to(tuple.protocol, outside);
                Some((tuple.source_port, forwarded.map_or(tuple.destination_port, |(_, port)| port)))
            }
        };
        ports.is_some_and(|(source, destination)| {
            arrival.snapshot.alg_for(Transport::Udp, source, destination).is_some()
        })
    }

    /// Puts a datagram together and takes it from one side to the other.
    fn gathered(
        &mut self,
        slot: Slot,
        packet: &mut Packet<'_>,
        arrival: &Arrival<'_>,
    ) -> Result<Verdict, DropReason> {
        let mut fragments = self.fragments.remove(slot);
        let waited = fragments.len();
        fragments.push(packet.bytes().to_vec());
        let verdict = self.cross_gathered(packet, arrival, &fragments);
        if let Err(reason) = verdict {
            self.count_drops(reason, waited);
        }
        verdict
    }

    fn cross_gathered(
        &mut self,
        packet: &mut Packet<'_>,
        arrival: &Arrival<'_>,
        fragments: &[Vec<u8>],
    ) -> Result<Verdict, DropReason> {
        let longest = fragments.iter().map(Vec::len).max().unwrap_or(0);
        let whole = fragment::assemble(fragments).ok_or(DropReason::FragmentTooLong)?;
        if !packet.set_length(whole.len()) {
            return Err(DropReason::FragmentTooLong);
        }
        packet.bytes_mut().copy_from_slice(&whole);
        let source = ipv4::source(&whole);
        let verdict = self.cross_whole(packet, arrival)?;
        if verdict == Verdict::Forward && packet.bytes().len() > longest {
            let identification = self.identification_for(packet, arrival, source);
            emit::set_identification(packet.bytes_mut(), identification);
            self.leave_in_fragments(packet, longest, arrival);
        }
        Ok(verdict)
    }

    /// Leaves the first part of a packet in its place, and sends the others after it.
    fn leave_in_fragments(&mut self, packet: &mut Packet<'_>, longest: usize, arrival: &Arrival<'_>) {
        let mut fragments = fragment::cut(packet.bytes(), longest).into_iter();
        let Some(first) = fragments.next() else { return };
        if packet.set_length(first.len()) {
            packet.bytes_mut().copy_from_slice(&first);
        }
        for fragment in fragments {
            self.transmit(arrival.realm.opposite(), fragment);
        }
    }

    /// Takes note of a fragment; whether it was the last that was missing.
    fn note_fragment(
        &mut self,
        slot: Slot,
        fragment: &Fragment,
        packet: &Packet<'_>,
    ) -> Result<bool, DropReason> {
        let payload = packet.bytes().get(usize::from(fragment.header)..).unwrap_or_default();
        self.fragments.note(slot, fragment, payload).map_err(|misfit| match misfit {
            Misfit::Repeated => DropReason::FragmentRepeated,
            Misfit::Overlap => self.refuse_datagram(slot, DropReason::FragmentOverlap),
            Misfit::TooMany => self.refuse_datagram(slot, DropReason::FragmentsTooMany),
        })
    }

    fn hold_fragment(&mut self, slot: Slot, packet: &Packet<'_>) -> Result<Verdict, DropReason> {
        match self.fragments.hold(slot, packet.bytes()) {
            Ok(()) => Ok(Verdict::Hold),
            Err(reason) => Err(self.refuse_datagram(slot, reason)),
        }
    }

    /// Drops what of a datagram waits, and has dropped what else comes of it; returns the reason.
    fn refuse_datagram(&mut self, slot: Slot, reason: DropReason) -> DropReason {
        let dropped = self.fragments.refuse(slot, reason);
        self.count_drops(reason, dropped);
        reason
    }

    pub(super) fn count_drops(&mut self, reason: DropReason, packets: usize) {
        for _ in 0..packets {
            self.stats.count_drop(reason);
        }
    }

    /// Forgets datagrams that were not completed in time.
    pub(super) fn expire_fragments(&mut self, now: Timestamp, budget: &mut usize) {
        while *budget > 0
            && let Some(slot) = self.fragments.expired(now)
        {
            let dropped = self.fragments.remove(slot).len();
            self.count_drops(DropReason::FragmentTimeout, dropped);
            *budget -= 1;
        }
    }
}

const fn lane(arrival: &Arrival<'_>) -> Lane {
    match (arrival.way, arrival.realm) {
        (Way::Back, _) => Lane::Back,
        (Way::First, Realm::Inside) => Lane::Inside,
        (Way::First, Realm::Outside) => Lane::Outside,
    }
}

/// Checks what can be checked of a fragment before the first one has come, so that it may wait for that.
fn check_stranger(arrival: &Arrival<'_>, fragment: &Fragment) -> Result<(), DropReason> {
    let (source, destination) = (fragment.datagram.source, fragment.datagram.destination);
    match arrival.way {
        // Its sender is an inside host, and its source address one of the pool.
        Way::Back => Ok(()),
        Way::First => {
            let snapshot = arrival.snapshot;
            firewall::check_addresses(snapshot, arrival.realm, source, destination)?;
            let leads_in = || {
                snapshot.is_pool(destination)
                    || snapshot.is_inside(destination)
                    || snapshot.is_host(destination)
            };
            if arrival.realm == Realm::Outside && !leads_in() {
                return Err(DropReason::NotExpected);
            }
            Ok(())
        }
    }
}
