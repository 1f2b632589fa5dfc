//! IPv6: the firewall without translation (RFC 6092). Sessions, control streams, pinholes, timers and events are those
//! of IPv4.

use crate::addr::Realm;
use crate::alg::CloseReason;
use crate::config::Snapshot;
use crate::config::ipv6::Ipv6Rules;
use crate::config::nat::Mss;
use crate::conntrack::ipv6::Ipv6Key;
use crate::conntrack::{Progress, Session, SessionId, TupleHasher};
use crate::emit;
use crate::engine::context::{Arrival, Segmented};
use crate::engine::process::{Opening, count, note_tcp, payload, window_shift};
use crate::engine::{DropReason, Engine, Packet, Verdict};
use crate::firewall::{self, Reach, Sites};
use crate::limits::Limits;
use crate::parse::TcpInfo;
use crate::parse::ipv6::{Ipv6Body, Ipv6Quoted, Parsed, is_fragment, parse};
use crate::time::Timestamp;
use crate::tuple::Direction;
use crate::wire::{self, tcp};

mod admit;
mod fragments;
mod refusal;

use fragments::Gatherings;
use refusal::Refusals;

/// What the engine remembers beside sessions; nothing before a configuration has IPv6.
#[derive(Debug)]
pub(super) struct Ipv6State {
    sites: Sites,
    reach: Reach,
    /// Whether `reach` holds only the sessions that the configuration in force has been held against.
    recounts: bool,
    refusals: Refusals,
    fragments_from_inside: Gatherings,
    fragments_from_outside: Gatherings,
}

/// What the stages of the pipeline share about one packet.
struct Context<'a> {
    arrival: &'a Arrival<'a>,
    rules: &'a Ipv6Rules,
    parsed: &'a Parsed,
}

impl Context<'_> {
    const fn key(&self) -> Ipv6Key {
        self.parsed.flow.key(self.arrival.realm)
    }
}

impl<'a> std::ops::Deref for Context<'a> {
    type Target = Arrival<'a>;

    fn deref(&self) -> &Arrival<'a> {
        self.arrival
    }
}

/// Returns the direction of packets from a side.
fn direction_of(session: &Session, from: Realm) -> Direction {
    if session.originator() == from { Direction::Original } else { Direction::Reply }
}

impl Engine {
    /// Takes a packet of IPv6 from one side to the other.
    #[inline(never)]
    pub(super) fn cross_ipv6(
        &mut self,
        packet: &mut Packet<'_>,
        arrival: &Arrival<'_>,
    ) -> Result<Verdict, DropReason> {
        let rules = arrival.snapshot.ipv6().ok_or(DropReason::Ipv6Off)?;
        if is_fragment(packet.bytes()) {
            if firewall::ipv6::stays(rules, arrival.realm, wire::ipv6::destination(packet.bytes())) {
                return Ok(Verdict::DeliverIfListening);
            }
            return self.fragment_ipv6(packet, arrival);
        }
        let parsed = parse(packet.bytes())?;
        // Link padding is no part of the packet.
        let shrunk = packet.set_length(parsed.span.end());
        debug_assert!(shrunk, "the parser has seen this many bytes");
        let context = Context { arrival, rules, parsed: &parsed };
        let verdict = self.cross_whole_ipv6(&context, packet);
        if let Err(reason) = verdict {
            self.report_ipv6(&context, packet.bytes(), reason);
        }
        verdict
    }

    /// Takes a packet that is no fragment from one side to the other.
    fn cross_whole_ipv6(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
    ) -> Result<Verdict, DropReason> {
        let flow = &context.parsed.flow;
        if flow.source.is_multicast() {
            return Err(DropReason::SpoofedSource);
        }
        if firewall::ipv6::stays(context.rules, context.realm, flow.destination) {
            return Ok(Verdict::DeliverIfListening);
        }
        if context.counts_hop() && context.parsed.hop_limit <= 1 {
            return Err(DropReason::TtlExceeded);
        }
        match context.parsed.body {
            Ipv6Body::Tcp(info) => self.tcp_ipv6(context, packet, info),
            Ipv6Body::Datagram | Ipv6Body::Echo | Ipv6Body::EchoReply => self.datagram_ipv6(context, packet),
            Ipv6Body::Error(quoted) => self.icmp_error_ipv6(context, packet, &quoted),
            Ipv6Body::LinkLocal => Err(DropReason::IcmpTypeUnsupported),
        }
    }

    fn tcp_ipv6(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
        info: TcpInfo,
    ) -> Result<Verdict, DropReason> {
        let shift = info.has(tcp::SYN).then(|| window_shift(packet, &context.parsed.span)).flatten();
        let opens = info.has(tcp::SYN) && !info.has(tcp::ACK_FLAG);
        let key = context.key();
        let mut found = self.find_allowed_ipv6(context.snapshot, &key);
        if let Some(id) = found
            && opens
            && self.may_reopen_ipv6(context, id)
        {
            // A new connection on the ports of one that is over (RFC 9293, 3.10.7.4).
            self.end_session(id, CloseReason::ControlEnded);
            found = None;
        }
        let id = match found {
            Some(id) => id,
            None => {
                let opening = if opens { Opening::Tcp(info, shift) } else { Opening::Never };
                self.open_ipv6(context, packet.bytes(), &key, opening)?
            }
        };
        let session = self.table.session_mut(id).ok_or(DropReason::NoSession)?;
        let direction = direction_of(session, context.realm);
        if info.has(tcp::SYN)
            && let Some(most) = context.snapshot.translation().tcp_mss.and_then(Mss::ipv6)
        {
            emit::clamp_mss(packet, context.parsed.span.transport_at(), most);
        }
        if let Some(slot) = session.control() {
            let segment = Segmented { arrival: context.arrival, span: context.parsed.span, info };
            return self.control_packet(&segment, packet, id, direction, slot);
        }
        let decided = note_tcp(session, context, direction, info, shift)?;
        let (closed, master) = (session.is_closed(), session.master());
        pass(context, packet);
        self.settle_handshake(id, decided);
        self.table.hasten(id);
        self.refresh_master(context, master);
        if closed {
            self.close_announced_by(id, CloseReason::ControlEnded);
        }
        Ok(Verdict::Forward)
    }

    fn datagram_ipv6(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
    ) -> Result<Verdict, DropReason> {
        let (asks, answers) =
            (context.parsed.body == Ipv6Body::Echo, context.parsed.body == Ipv6Body::EchoReply);
        let key = context.key();
        let id = match self.find_allowed_ipv6(context.snapshot, &key) {
            Some(id) => id,
            None => {
                let opening = if answers { Opening::Never } else { Opening::Query };
                self.open_ipv6(context, packet.bytes(), &key, opening)?
            }
        };
        let session = self.table.session_mut(id).ok_or(DropReason::NoSession)?;
        let direction = direction_of(session, context.realm);
        // The far side answers an echo session, it does not ask in it.
        if asks && direction == Direction::Reply || answers && direction == Direction::Original {
            return Err(DropReason::NotExpected);
        }
        let answered = direction == Direction::Reply && session.set_replied();
        count(session, context, direction);
        let replied = session.progress() == Progress::Replied;
        if let Some(time) = key.connection_time(replied, context.snapshot.idle()) {
            session.prolong(context.tick.plus(time));
        }
        let (master, control) = (session.master(), session.control());
        pass(context, packet);
        if answered {
            self.table.waiting_mut().leave(id.slot);
        }
        self.refresh_master(context, master);
        if let Some(slot) = control {
            self.control_datagram(context, payload(packet, &context.parsed.span), direction, slot);
        }
        Ok(Verdict::Forward)
    }

    /// Whether a SYN may begin a new connection in the place of this one: only of an end that may open one here.
    fn may_reopen_ipv6(&self, context: &Context<'_>, id: SessionId) -> bool {
        self.table.session(id).is_some_and(|session| {
            let may_open = session.originator() == context.realm || context.realm == Realm::Inside;
            may_open && session.is_closed()
        })
    }

    /// An error must quote a packet that a session sent, and go to who sent it; it changes no session (RFC 6092, REC-10,
    /// REC-19 and REC-37; RFC 4890, section 4.3.1).
    fn icmp_error_ipv6(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
        quoted: &Ipv6Quoted,
    ) -> Result<Verdict, DropReason> {
        let flow = &context.parsed.flow;
        firewall::ipv6::check_addresses(context.rules, context.realm, flow.source, flow.destination)?;
        if flow.destination != quoted.flow.source {
            return Err(DropReason::BadQuotedPacket);
        }
        let key = quoted.flow.key(context.realm.opposite());
        let found = self.find_allowed_ipv6(context.snapshot, &key);
        let session = found.and_then(|id| self.table.session(id));
        let session = session.ok_or(DropReason::IcmpNoSession)?;
        let sent = direction_of(session, context.realm.opposite());
        if let (Some(tcp), Some(seq)) = (session.tcp(), quoted.seq) {
            let stream = session.control().and_then(|slot| self.controls.stream(slot));
            let seq = stream.map_or(seq, |stream| stream.unmap_seq(sent, seq));
            if !tcp.is_in_flight(sent, seq) {
                return Err(DropReason::IcmpSequence);
            }
        }
        pass(context, packet);
        Ok(Verdict::Forward)
    }

    /// Takes over what a configuration says, before it is in force.
    pub(super) fn configure_ipv6(&mut self, snapshot: &Snapshot) {
        let Some(rules) = snapshot.ipv6() else { return };
        self.table.enable_ipv6();
        let (limits, hasher) = (self.limits, self.hasher);
        let state = self.ipv6.get_or_insert_with(|| Box::new(Ipv6State::new(&limits, hasher)));
        let unfinished = state.recounts && self.sweep.since().is_some();
        state.recounts = unfinished || state.reach.by() != rules.filtering();
        if state.recounts {
            state.reach = Reach::new(rules.filtering(), limits.sessions, hasher);
        }
    }

    /// Counts a session anew that the configuration in force allows, if whom the inside ends have sent to is counted
    /// otherwise now.
    pub(super) fn recount_ipv6(&mut self, id: SessionId, originator: Realm) {
        if let (Some(state), Some(key)) = (&mut self.ipv6, self.table.ipv6_key(id))
            && state.recounts
            && originator == Realm::Inside
        {
            state.reach.count(key);
        }
    }

    /// Whether a configuration would let a session be.
    pub(super) fn allows_ipv6(&self, snapshot: &Snapshot, id: SessionId, session: &Session) -> bool {
        let (Some(rules), Some(key)) = (snapshot.ipv6(), self.table.ipv6_key(id)) else { return false };
        let from = session.originator();
        let flow = key.flow(from);
        let (std::net::IpAddr::V6(source), std::net::IpAddr::V6(destination)) =
            (flow.source.address, flow.destination.address)
        else {
            return false;
        };
        firewall::ipv6::check_addresses(rules, from, source, destination).is_ok()
            && (from == Realm::Inside || session.master().is_some() || self.admits_ipv6(rules, key))
    }

    /// Forgets what was counted of a session that has ended.
    pub(super) fn leave_ipv6(&mut self, id: SessionId, key: &Ipv6Key, originator: Realm) {
        let unjudged = self.leave_sweep_ipv6(id);
        let Some(state) = &mut self.ipv6 else { return };
        state.sites.uncount(key.inside);
        let counted = !state.recounts || !unjudged;
        if originator == Realm::Inside && counted {
            state.reach.uncount(key);
        }
    }
}

impl Ipv6State {
    fn new(limits: &Limits, hasher: TupleHasher) -> Self {
        Self {
            sites: Sites::new(limits.subscribers, hasher),
            recounts: false,
            reach: Reach::new(crate::config::ipv6::Ipv6Filtering::AddressAndPort, limits.sessions, hasher),
            refusals: Refusals::default(),
            fragments_from_inside: Gatherings::new(limits, hasher),
            fragments_from_outside: Gatherings::new(limits, hasher),
        }
    }

    const fn gatherings(&mut self, from: Realm) -> &mut Gatherings {
        match from {
            Realm::Inside => &mut self.fragments_from_inside,
            Realm::Outside => &mut self.fragments_from_outside,
        }
    }

    /// Returns when something of it is to be done next.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let deadlines = [
            self.refusals.next_deadline(),
            self.fragments_from_inside.next_deadline(),
            self.fragments_from_outside.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Returns the number of datagrams of which not every fragment has come.
    pub(super) fn fragmented_count(&self) -> usize {
        self.fragments_from_inside.len() + self.fragments_from_outside.len()
    }

    /// Returns how many subscribers have sessions.
    pub(super) fn site_count(&self) -> usize {
        self.sites.len()
    }
}

/// Lets a packet go on as it is, but for the hop.
fn pass(arrival: &Arrival<'_>, packet: &mut Packet<'_>) {
    if arrival.counts_hop() {
        emit::ipv6::count_hop(packet.bytes_mut());
    }
}
