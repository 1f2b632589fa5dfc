//! The pipeline of one packet.

use crate::addr::Realm;
use crate::alg::CloseReason;
use crate::conntrack::tcp::Effect;
use crate::conntrack::{InsertError, NewSession, Session, SessionId, State, Table};
use crate::emit::{self, ErrorTranslation};
use crate::engine::context::{Arrival, Context, Segmented, Way};
use crate::engine::{DropReason, Engine, Packet, Verdict};
use crate::nat::MappingId;
use crate::parse::{Body, Quoted, Span, TcpInfo, parse};
use crate::tuple::{Direction, Protocol, Tuple};
use crate::wire::{ipv4, tcp};

/// How a packet may open a session.
#[derive(Clone, Copy)]
pub(super) enum Opening {
    Tcp(TcpInfo, Option<u8>),
    Query,
    /// An answer never opens one.
    Never,
}

/// What a segment did to a handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Handshake {
    /// Nothing.
    AsBefore,
    /// It ended it well, or showed that it had not failed after all.
    Done,
    /// It ended it for good.
    Failed,
}

impl Engine {
    /// Takes a packet from one side to the other.
    #[inline]
    pub(super) fn cross(
        &mut self,
        packet: &mut Packet<'_>,
        arrival: &Arrival<'_>,
    ) -> Result<Verdict, DropReason> {
        if ipv4::is_fragment(packet.bytes()) {
            return self.fragment(packet, arrival);
        }
        self.cross_whole(packet, arrival)
    }

    /// Takes a packet that is no fragment from one side to the other.
    #[inline]
    pub(super) fn cross_whole(
        &mut self,
        packet: &mut Packet<'_>,
        arrival: &Arrival<'_>,
    ) -> Result<Verdict, DropReason> {
        let parsed = self.tracked(parse(packet.bytes())?, arrival);
        // Link padding is no part of the packet.
        let shrunk = packet.set_length(parsed.end());
        debug_assert!(shrunk, "the parser has seen this many bytes");
        if arrival.counts_hop() && parsed.ttl <= 1 {
            return Err(DropReason::TtlExceeded);
        }
        let context = Context { arrival, parsed: &parsed };
        refuse_own_source(&context)?;
        match &parsed.body {
            Body::Call => self.call_packet(&context, packet),
            Body::Tcp(info) => self.tcp_packet(&context, packet, *info),
            Body::Udp | Body::Echo | Body::EchoReply | Body::Other => self.query_packet(&context, packet),
            Body::IcmpError(quoted) => self.icmp_error(&context, packet, quoted),
        }
    }

    #[inline(never)]
    fn tcp_packet(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
        info: TcpInfo,
    ) -> Result<Verdict, DropReason> {
        let shift = info.has(tcp::SYN).then(|| window_shift(packet, &context.parsed.span)).flatten();
        let opens = info.has(tcp::SYN) && !info.has(tcp::ACK_FLAG);
        let mut found = self.find_allowed(context.snapshot, &context.parsed.key);
        let mut held = MappingId::NONE;
        if let Some((id, direction)) = found
            && opens
            && self.may_reopen(context, id, direction)
        {
            // A new connection on the ports of one that is over (RFC 9293, 3.10.7.4).
            held = self.end_for_another(id);
            found = None;
        }
        let (id, direction) = match found {
            Some(found) => found,
            None => {
                let opening = if opens { Opening::Tcp(info, shift) } else { Opening::Never };
                let opened = self.open(context, &context.parsed.tuple(), opening);
                self.nat.release(held);
                let Some(id) = opened? else {
                    return Ok(Verdict::DeliverIfListening);
                };
                (id, Direction::Original)
            }
        };
        let session = checked(&mut self.table, context, id, direction)?;
        if info.has(tcp::SYN)
            && let Some(most) = context.snapshot.translation().tcp_mss
        {
            emit::clamp_mss(packet, context.parsed.transport_at(), most);
        }
        if let Some(slot) = session.control() {
            let segment = Segmented { arrival: context.arrival, span: context.parsed.span, info };
            return self.control_packet(&segment, packet, id, direction, slot);
        }
        let decided = note_tcp(session, context, direction, info, shift)?;
        forward(session, context, packet, direction);
        let (closed, master) = (session.is_closed(), session.master());
        self.settle_handshake(id, decided);
        self.table.hasten(id);
        self.refresh_master(context, master);
        if closed {
            self.close_announced_by(id, CloseReason::ControlEnded);
        }
        Ok(Verdict::Forward)
    }

    /// Whether a SYN may begin a new connection in the place of this one: only of an end that may open one here. Whether
    /// its number is beyond those of the old one is for its receiver to judge (RFC 6191).
    fn may_reopen(&self, context: &Context<'_>, id: SessionId, direction: Direction) -> bool {
        let may_open = direction == Direction::Original || context.realm == Realm::Inside;
        may_open
            && self.table.session(id).is_some_and(|s| s.realm(direction) == context.realm && s.is_closed())
    }

    /// Ends a session whose ports another one takes over at once. Its mapping is returned, still held: nobody else gets
    /// the outside port while hosts outside may know its old connection.
    fn end_for_another(&mut self, id: SessionId) -> MappingId {
        let mapping = self.table.session(id).map_or(MappingId::NONE, Session::mapping);
        self.nat.hold(mapping);
        self.end_session(id, CloseReason::ControlEnded);
        mapping
    }

    /// A connection that was refused may go like one that nobody has answered.
    pub(super) fn settle_handshake(&mut self, id: SessionId, handshake: Handshake) {
        match handshake {
            Handshake::AsBefore => {}
            Handshake::Done => self.table.waiting_mut().leave(id.slot),
            Handshake::Failed => self.table.waiting_mut().enter_silent(id.slot),
        }
    }

    /// Takes note of a segment of a control session in the state machine and sets the session's timer.
    pub(super) fn note_control(
        &mut self,
        arrival: &Arrival<'_>,
        id: SessionId,
        direction: Direction,
        info: TcpInfo,
        shift: Option<u8>,
    ) -> Result<(), DropReason> {
        let Some(session) = self.table.session_mut(id) else { return Err(DropReason::NoSession) };
        let decided = note_tcp(session, arrival, direction, info, shift)?;
        let closed = session.is_closed();
        self.settle_handshake(id, decided);
        self.table.hasten(id);
        if closed {
            self.close_announced_by(id, CloseReason::ControlEnded);
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn query_packet(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
    ) -> Result<Verdict, DropReason> {
        let answers = context.parsed.body == Body::EchoReply;
        let (id, direction) = match self.find_allowed(context.snapshot, &context.parsed.key) {
            Some(found) => found,
            None => {
                let opening = if answers { Opening::Never } else { Opening::Query };
                let Some(id) = self.open(context, &context.parsed.tuple(), opening)? else {
                    return Ok(Verdict::DeliverIfListening);
                };
                (id, Direction::Original)
            }
        };
        let session = checked(&mut self.table, context, id, direction)?;
        // The far side answers an echo session, it does not ask in it.
        let asks = context.parsed.body == Body::Echo;
        if asks && direction == Direction::Reply || answers && direction == Direction::Original {
            return Err(DropReason::NotExpected);
        }
        let answered = direction == Direction::Reply && session.set_replied();
        count(session, context, direction);
        forward(session, context, packet, direction);
        let (master, control) = (session.master(), session.control());
        if answered {
            self.table.waiting_mut().leave(id.slot);
        }
        self.refresh_master(context, master);
        if let Some(slot) = control {
            self.control_datagram(context, payload(packet, &context.parsed.span), direction, slot);
        }
        Ok(Verdict::Forward)
    }

    /// A control session lives as long as one that it announced.
    pub(super) fn refresh_master(&mut self, arrival: &Arrival<'_>, master: Option<SessionId>) {
        if let Some(control) = master.and_then(|id| self.table.session_mut(id)) {
            control.refresh(arrival.tick, arrival.snapshot.idle());
        }
    }

    /// Puts a session in, or gives its mapping back.
    pub(super) fn insert(
        &mut self,
        context: &Context<'_>,
        original: &Tuple,
        reply: Tuple,
        state: State,
        mapping: MappingId,
        master: Option<SessionId>,
    ) -> Result<SessionId, DropReason> {
        let new =
            NewSession { original: *original, reply, originator: context.realm, state, mapping, master };
        let owner = self.nat.subscriber_of(mapping);
        if new.original.protocol == Protocol::Tcp {
            self.make_room_half_open(owner);
        }
        let idle = context.snapshot.idle();
        let mut inserted = self.table.insert(&new, context.tick, idle);
        let made_way = match inserted {
            Ok(_) => false,
            Err(InsertError::Full) => self.make_room(context.tick, idle),
            Err(InsertError::Taken) => self.judge_rivals(context.snapshot, [new.original, new.reply]),
        };
        if made_way {
            inserted = self.table.insert(&new, context.tick, idle);
        }
        match inserted {
            Ok(id) => {
                self.enter_sweep(id);
                self.wait_for_answer(id, new.original.protocol, owner);
                let remote = match new.originator {
                    Realm::Inside => original.destination,
                    Realm::Outside => original.source,
                };
                self.nat.count_session(mapping, new.originator, remote);
                self.stats.sessions_created += 1;
                self.tell_opened(id);
                Ok(id)
            }
            Err(error) => {
                self.nat.release(mapping);
                Err(match error {
                    InsertError::Full => DropReason::SessionsFull,
                    InsertError::Taken => DropReason::TupleTaken,
                })
            }
        }
    }

    /// RFC 5508, REQ-4 to REQ-6: an error must quote a packet that a session sent; it changes no session.
    #[inline(never)]
    fn icmp_error(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
        quoted: &Quoted,
    ) -> Result<Verdict, DropReason> {
        let (quoted, found) = self.find_quoted(context.snapshot, *quoted);
        let Some((id, direction)) = found else {
            if context.snapshot.is_host(context.parsed.tuple().destination) {
                return Ok(Verdict::DeliverIfListening);
            }
            return Err(DropReason::IcmpNoSession);
        };
        let session = checked(&mut self.table, context, id, direction)?;
        let sent = direction.opposite();
        let source = match context.realm {
            Realm::Inside => session.translated(direction).source,
            Realm::Outside => context.parsed.tuple().source,
        };
        let seq = crate::wire::u32_at(packet.bytes(), quoted.transport_at() + tcp::SEQ);
        let quoted_seq = session.control().and_then(|slot| {
            let stream = self.controls.stream(slot)?;
            Some(stream.unmap_seq(sent, seq))
        });
        if session.tcp().is_some_and(|tcp| !tcp.is_in_flight(sent, quoted_seq.unwrap_or(seq))) {
            return Err(DropReason::IcmpSequence);
        }
        let to = ErrorTranslation {
            source,
            destination: session.tuple(sent).source,
            quoted: session.tuple(sent),
            quoted_seq,
        };
        emit::translate_error(packet, context.parsed, &quoted, &to);
        if context.counts_hop() {
            emit::decrement_ttl(packet.bytes_mut());
        }
        Ok(Verdict::Forward)
    }
}

/// Refuses what comes from outside in the name of an inside host: those between inside hosts turn back here. Only the
/// host's own kernel reports errors from an address that is in the pool, too.
#[inline]
pub(super) fn refuse_own_source(context: &Context<'_>) -> Result<(), DropReason> {
    let from_outside = context.realm == Realm::Outside && context.way == Way::First;
    let reports = matches!(context.parsed.body, Body::IcmpError(_));
    if from_outside && !reports && context.snapshot.is_pool(context.parsed.tuple().source) {
        return Err(DropReason::SpoofedSource);
    }
    Ok(())
}

/// Returns the session of a packet that may be believed to be of its sender.
#[inline(always)]
pub(super) fn checked<'a>(
    table: &'a mut Table,
    context: &Context<'_>,
    id: SessionId,
    direction: Direction,
) -> Result<&'a mut Session, DropReason> {
    let session = table.session_mut(id).ok_or(DropReason::NoSession)?;
    if session.realm(direction) == context.realm { Ok(session) } else { Err(DropReason::SpoofedSource) }
}

/// Takes note of a segment in the state machine and sets the session's timer.
pub(super) fn note_tcp(
    session: &mut Session,
    arrival: &Arrival<'_>,
    direction: Direction,
    info: TcpInfo,
    shift: Option<u8>,
) -> Result<Handshake, DropReason> {
    let Some(mut tcp) = session.tcp() else { return Ok(Handshake::AsBefore) };
    let (was_half_open, was_closed) = (session.is_half_open(), session.is_closed());
    let effect = tcp.handle(direction, info, shift)?;
    session.set_tcp(&tcp);
    match effect {
        Effect::Counts => count(session, arrival, direction),
        Effect::Passes => {
            session.count(direction);
        }
    }
    Ok(if was_half_open && session.is_closed() {
        Handshake::Failed
    } else if was_half_open && !session.is_half_open() || was_closed && !session.is_closed() {
        Handshake::Done
    } else {
        Handshake::AsBefore
    })
}

/// Counts a packet and sets the session's timer. Traffic from outside alone does not keep a session without
/// a state machine alive (RFC 4787, REQ-6).
#[inline(always)]
pub(super) fn count(session: &mut Session, arrival: &Arrival<'_>, direction: Direction) {
    let first_answer = session.count(direction) == 1 && direction == Direction::Reply;
    let from_inside = arrival.realm == Realm::Inside;
    if from_inside || first_answer || answers_count(session.protocol()) {
        session.refresh(arrival.tick, arrival.snapshot.idle());
    }
}

/// Whether packets from outside keep a session alive.
#[inline(always)]
const fn answers_count(protocol: Protocol) -> bool {
    match protocol {
        Protocol::Tcp | Protocol::IcmpEcho => true,
        Protocol::Udp | Protocol::UdpLite | Protocol::Gre | Protocol::Other => false,
    }
}

/// Gives a packet the addresses and ports that its session has on the other side.
#[inline(always)]
fn forward(session: &Session, context: &Context<'_>, packet: &mut Packet<'_>, direction: Direction) {
    let hop = context.counts_hop();
    let at = context.parsed.transport_at();
    emit::translate(packet, &context.parsed.key, &session.leaving(direction), at, hop);
}

/// Returns what a packet carries after its transport header.
pub(super) fn payload<'a>(packet: &'a Packet<'_>, span: &Span) -> &'a [u8] {
    packet.bytes().get(span.payload_at()..span.end()).unwrap_or_default()
}

pub(super) fn window_shift(packet: &Packet<'_>, span: &Span) -> Option<u8> {
    let segment = packet.bytes().get(span.transport_at()..span.end()).unwrap_or_default();
    tcp::options(segment).window_shift
}
