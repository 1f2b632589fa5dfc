//! The pipeline of one packet.

use crate::addr::Realm;
use crate::alg::CloseReason;
use crate::config::Snapshot;
use crate::conntrack::tcp::TcpState;
use crate::conntrack::{InsertError, Session, SessionId, State};
use crate::emit::{self, ErrorTranslation};
use crate::engine::{DropReason, Engine, Packet, Verdict};
use crate::nat::MappingId;
use crate::parse::{Body, Parsed, Quoted, TcpInfo, parse};
use crate::time::Timestamp;
use crate::tuple::{Direction, Protocol, Tuple};
use crate::wire::tcp;

/// What the stages of the pipeline share about one packet.
pub(super) struct Context<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) realm: Realm,
    pub(super) now: Timestamp,
    pub(super) parsed: Parsed,
}

/// How a packet may open a session.
#[derive(Clone, Copy)]
pub(super) enum Opening {
    Tcp(TcpInfo, Option<u8>),
    Query,
    /// An answer never opens one.
    Never,
}

impl Engine {
    pub(super) fn pipeline(
        &mut self,
        snapshot: &Snapshot,
        packet: &mut Packet<'_>,
        realm: Realm,
        now: Timestamp,
    ) -> Result<Verdict, DropReason> {
        let parsed = parse(packet.bytes())?;
        // Link padding is no part of the packet.
        let shrunk = packet.set_length(parsed.end);
        debug_assert!(shrunk, "the parser has seen this many bytes");
        if snapshot.config().decrement_ttl && parsed.ttl <= 1 {
            return Err(DropReason::TtlExceeded);
        }
        let context = Context { snapshot, realm, now, parsed };
        match parsed.body {
            Body::Tcp(tuple, info) => self.tcp_packet(&context, packet, &tuple, info),
            Body::Udp(tuple) => self.query_packet(&context, packet, &tuple, Opening::Query),
            Body::Echo(tuple) => self.query_packet(&context, packet, &tuple, Opening::Query),
            Body::EchoReply(tuple) => self.query_packet(&context, packet, &tuple, Opening::Never),
            Body::IcmpError(quoted) => self.icmp_error(&context, packet, &quoted),
        }
    }

    fn tcp_packet(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
        tuple: &Tuple,
        info: TcpInfo,
    ) -> Result<Verdict, DropReason> {
        let shift = info.has(tcp::SYN).then(|| window_shift(packet, &context.parsed)).flatten();
        let opens = info.has(tcp::SYN) && !info.has(tcp::ACK_FLAG);
        let mut found = self.table.lookup(tuple);
        if let Some((id, direction)) = found
            && opens
            && self.table.session(id).is_some_and(|s| s.realm(direction) == context.realm && is_closed(s))
        {
            // A new connection on the ports of one that is over (RFC 9293, 3.10.7.4).
            self.end_session(id, CloseReason::ControlEnded);
            found = None;
        }
        let (id, direction) = match found {
            Some(found) => found,
            None => {
                let opening = if opens { Opening::Tcp(info, shift) } else { Opening::Never };
                let Some(id) = self.open(context, tuple, opening)? else {
                    return Ok(Verdict::DeliverIfListening);
                };
                (id, Direction::Original)
            }
        };
        self.check_realm(context, id, direction)?;
        if let Some(slot) = self.table.session(id).and_then(|session| session.control) {
            return self.control_packet(context, packet, id, direction, slot, info);
        }
        self.note_tcp(context, id, direction, info, shift)?;
        Ok(self.forward(context, packet, id, direction))
    }

    /// Takes note of a segment in the state machine and sets the session's timer.
    pub(super) fn note_tcp(
        &mut self,
        context: &Context<'_>,
        id: SessionId,
        direction: Direction,
        info: TcpInfo,
        shift: Option<u8>,
    ) -> Result<(), DropReason> {
        let Some(session) = self.table.session_mut(id) else { return Err(DropReason::NoSession) };
        if let State::Tcp(state) = &mut session.state {
            state.handle(direction, info, shift)?;
        }
        let closed = is_closed(session);
        self.touch(context, id, direction);
        if closed {
            self.close_pinholes_of(id, CloseReason::ControlEnded);
        }
        Ok(())
    }

    fn query_packet(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
        tuple: &Tuple,
        opening: Opening,
    ) -> Result<Verdict, DropReason> {
        let (id, direction) = match self.table.lookup(tuple) {
            Some(found) => found,
            None => {
                let Some(id) = self.open(context, tuple, opening)? else {
                    return Ok(Verdict::DeliverIfListening);
                };
                (id, Direction::Original)
            }
        };
        self.check_realm(context, id, direction)?;
        // The far side answers an echo session, it does not ask in it.
        let asks = matches!(context.parsed.body, Body::Echo(_));
        let answers = matches!(context.parsed.body, Body::EchoReply(_));
        if asks && direction == Direction::Reply || answers && direction == Direction::Original {
            return Err(DropReason::NotExpected);
        }
        if let Some(State::Query { replied }) = self.table.session_mut(id).map(|session| &mut session.state) {
            *replied |= direction == Direction::Reply;
        }
        self.touch(context, id, direction);
        Ok(self.forward(context, packet, id, direction))
    }

    fn check_realm(
        &self,
        context: &Context<'_>,
        id: SessionId,
        direction: Direction,
    ) -> Result<(), DropReason> {
        match self.table.session(id) {
            Some(session) if session.realm(direction) == context.realm => Ok(()),
            Some(_) => Err(DropReason::SpoofedSource),
            None => Err(DropReason::NoSession),
        }
    }

    /// Sets the session's timer and its master's, and counts the packet. Traffic from outside alone does not keep a
    /// UDP session alive (RFC 4787, REQ-6).
    fn touch(&mut self, context: &Context<'_>, id: SessionId, direction: Direction) {
        let timeouts = &context.snapshot.config().timeouts;
        let Some(session) = self.table.session_mut(id) else { return };
        session.count(direction);
        let from_inside = context.realm == Realm::Inside;
        let first_answer = matches!(session.packets, [_, 1]) && direction == Direction::Reply;
        if from_inside || session.original.protocol != Protocol::Udp || first_answer {
            session.deadline = context.now.saturating_add(session.idle_timeout(timeouts));
        }
        let Some(master) = session.master else { return };
        if let Some(control) = self.table.session_mut(master) {
            control.deadline = context.now.saturating_add(control.idle_timeout(timeouts));
        }
    }

    pub(super) fn forward(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
        id: SessionId,
        direction: Direction,
    ) -> Verdict {
        let Some(session) = self.table.session(id) else { return Verdict::Drop(DropReason::NoSession) };
        emit::translate(packet, &context.parsed, &session.tuple(direction), &session.translated(direction));
        if context.snapshot.config().decrement_ttl {
            emit::decrement_ttl(packet.bytes_mut());
        }
        Verdict::Forward
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
        let mut session = Session {
            original: *original,
            reply,
            originator: context.realm,
            state,
            mapping,
            master,
            control: None,
            deadline: context.now,
            packets: [0; 2],
        };
        let idle = session.idle_timeout(&context.snapshot.config().timeouts);
        session.deadline = context.now.saturating_add(idle);
        match self.table.insert(session) {
            Ok(id) => {
                self.nat.count_session(mapping);
                self.stats.sessions_created += 1;
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
    fn icmp_error(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
        quoted: &Quoted,
    ) -> Result<Verdict, DropReason> {
        let Some((id, direction)) = self.table.lookup(&quoted.tuple.reversed()) else {
            if context.snapshot.is_host(context.parsed.destination) {
                return Ok(Verdict::DeliverIfListening);
            }
            return Err(DropReason::IcmpNoSession);
        };
        self.check_realm(context, id, direction)?;
        let Some(session) = self.table.session(id) else { return Err(DropReason::IcmpNoSession) };
        let sent = direction.opposite();
        let source = match context.realm {
            Realm::Inside => session.translated(direction).source,
            Realm::Outside => context.parsed.source,
        };
        let quoted_seq = session.control.and_then(|slot| {
            let stream = &self.controls.at(slot)?.stream;
            let seq = crate::wire::u32_at(packet.bytes(), quoted.transport_at + tcp::SEQ);
            Some(stream.unmap_seq(sent, seq))
        });
        let to = ErrorTranslation {
            source,
            destination: session.tuple(sent).source,
            quoted: session.tuple(sent),
            quoted_seq,
        };
        emit::translate_error(packet, &context.parsed, quoted, &to);
        if context.snapshot.config().decrement_ttl {
            emit::decrement_ttl(packet.bytes_mut());
        }
        Ok(Verdict::Forward)
    }
}

fn is_closed(session: &Session) -> bool {
    matches!(&session.state, State::Tcp(tcp) if tcp.state() == TcpState::Closed)
}

pub(super) fn window_shift(packet: &Packet<'_>, parsed: &Parsed) -> Option<u8> {
    let segment = packet.bytes().get(parsed.transport_at..parsed.end).unwrap_or_default();
    tcp::options(segment).window_shift
}
