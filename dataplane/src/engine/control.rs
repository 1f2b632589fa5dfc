//! Control sessions: where the engine and the ALGs meet.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::addr::{Endpoint, Realm};
use crate::alg::control::{ControlStream, CraftedSegment, Segment, SegmentVerdict, TcpTimestamps};
use crate::alg::{
    AlgProtocol, Arbiter, CloseReason, Decision, End, Ends, PinholeId, PinholeRequest, Refusal, Report,
    Transport,
};
use crate::config::Snapshot;
use crate::conntrack::expectation::{Expectations, Pinhole};
use crate::conntrack::tcp::TcpState;
use crate::conntrack::{Session, SessionId, State};
use crate::emit;
use crate::engine::event::{Event, Events};
use crate::engine::process::{Context, window_shift};
use crate::engine::{DropReason, Engine, Packet, Stats, Verdict, closed_event};
use crate::firewall;
use crate::limits::{Limits, MAX_PACKET};
use crate::nat::Nat;
use crate::parse::{Parsed, TcpInfo};
use crate::rng::Rng;
use crate::time::Timestamp;
use crate::tuple::{Direction, Protocol, Tuple};
use crate::wire::{self, set_u8, set_u16, set_u32, tcp, u8_at, u16_at, u32_at};

/// One followed control session.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) stream: ControlStream,
    protocol: AlgProtocol,
    session: SessionId,
    tuple: Tuple,
    deadline: Option<Timestamp>,
}

/// The followed control sessions, by slot; few beside the sessions, so their memory is taken as they come.
#[derive(Debug, Default)]
pub(super) struct Controls {
    slots: Vec<Option<Box<Control>>>,
    free: Vec<u32>,
    deadlines: BTreeSet<(Timestamp, u32)>,
}

impl Controls {
    /// Follows a new session; `None` when as many as `limit` are followed, which is then translated unread.
    pub(super) fn insert(
        &mut self,
        protocol: AlgProtocol,
        id: SessionId,
        session: &Session,
        limit: u32,
    ) -> Option<u32> {
        let control = Box::new(Control {
            stream: ControlStream::new(protocol, ends_of(session)),
            protocol,
            session: id,
            tuple: session.original,
            deadline: None,
        });
        if let Some(slot) = self.free.pop() {
            *self.slot_mut(slot)? = Some(control);
            return Some(slot);
        }
        let slot = u32::try_from(self.slots.len()).ok().filter(|&slot| slot < limit)?;
        self.slots.push(Some(control));
        Some(slot)
    }

    pub(super) fn at(&self, slot: u32) -> Option<&Control> {
        self.slots.get(usize::try_from(slot).ok()?)?.as_deref()
    }

    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(control) = self.take(slot) {
            if let Some(deadline) = control.deadline {
                self.deadlines.remove(&(deadline, slot));
            }
            self.free.push(slot);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    fn take(&mut self, slot: u32) -> Option<Box<Control>> {
        self.slot_mut(slot)?.take()
    }

    /// Puts a control back in its slot and sets its timer anew.
    fn put(&mut self, slot: u32, mut control: Box<Control>) {
        let deadline = control.stream.poll_timeout();
        if control.deadline != deadline {
            if let Some(old) = control.deadline {
                self.deadlines.remove(&(old, slot));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, slot));
            }
            control.deadline = deadline;
        }
        if let Some(place) = self.slot_mut(slot) {
            *place = Some(control);
        }
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Option<Box<Control>>> {
        self.slots.get_mut(usize::try_from(slot).ok()?)
    }
}

fn ends_of(session: &Session) -> Ends {
    let end = |direction: Direction| End {
        realm: session.realm(direction),
        local: session.tuple(direction).source_endpoint(),
        visible: session.translated(direction).source_endpoint(),
    };
    Ends { originator: end(Direction::Original), responder: end(Direction::Reply) }
}

/// Decides for one control session.
struct Decider<'a> {
    snapshot: &'a Snapshot,
    limits: &'a Limits,
    nat: &'a mut Nat,
    expectations: &'a mut Expectations,
    rng: &'a mut Rng,
    events: &'a mut Events,
    stats: &'a mut Stats,
    ends: Ends,
    protocol: AlgProtocol,
    master: SessionId,
    control: Tuple,
    now: Timestamp,
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
        };
        let mapping = self.nat.obtain(protocol, inside, self.rng).map_err(|_| Refusal::NoPort)?;
        let outside = self.nat.mapping(mapping).map(|mapping| mapping.outside).ok_or(Refusal::NoPort)?;
        let pinhole = Pinhole {
            id: self.expectations.next_id(),
            alg: self.protocol,
            protocol,
            peer,
            peer_port: request.peer.port,
            outside,
            inside,
            mapping,
            master: self.master,
            message: request.message,
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
            peer: (peer, request.peer.port),
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

impl Engine {
    /// Hands a segment of a control session to its stream and sends what that makes of it.
    pub(super) fn control_packet(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
        id: SessionId,
        direction: Direction,
        slot: u32,
        info: TcpInfo,
    ) -> Result<Verdict, DropReason> {
        if !emit::tcp_checksum_is_right(packet, &context.parsed) {
            // Rewriting would give corrupt bytes a right checksum.
            return Err(DropReason::BadTcpChecksum);
        }
        let shift = window_shift(packet, &context.parsed);
        if info.has(tcp::RST) {
            // Judged before the stream sees it: one that nobody would obey must not end the stream.
            self.note_tcp(context, id, direction, info, shift)?;
        } else if !info.has(tcp::SYN) && self.is_syn_sent(id) {
            return Err(DropReason::TcpState);
        }
        let segment = segment_of(packet, &context.parsed, info, shift);
        let verdict = self
            .with_stream(context.snapshot, slot, context.now, |stream, decider, now| {
                stream.handle_segment(direction, &segment, decider, now)
            })
            .ok_or(DropReason::NoSession)?;
        // Crafted segments follow the packet itself, so they are fetched now and queued after it.
        let forwarded = match verdict {
            SegmentVerdict::Dropped => Err(DropReason::AlgBacklog),
            SegmentVerdict::Held => {
                // The acknowledgement is not known in its receiver's numbers: only the rest is noted.
                let unacknowledged = TcpInfo { flags: info.flags & !tcp::ACK_FLAG, ..info };
                self.note_unless_rst(context, id, direction, unacknowledged, shift)?;
                Ok(Verdict::Hold)
            }
            SegmentVerdict::Forward { seq, ack, urgent, fin, push, payload } => {
                // Each side's numbers are kept as it knows them itself: seq as sent, ack as received.
                self.note_unless_rst(context, id, direction, TcpInfo { ack, ..info }, shift)?;
                let sack = self.map_sack(slot, direction, packet, &context.parsed);
                let change = Change { seq, ack, urgent, fin, push, payload, sack, rest_fin: false };
                Ok(self.forward_changed(context, packet, id, direction, info, change))
            }
        };
        self.send_crafted(id, slot);
        self.forget_inert(id, slot);
        forwarded
    }

    fn note_unless_rst(
        &mut self,
        context: &Context<'_>,
        id: SessionId,
        direction: Direction,
        info: TcpInfo,
        shift: Option<u8>,
    ) -> Result<(), DropReason> {
        if info.has(tcp::RST) { Ok(()) } else { self.note_tcp(context, id, direction, info, shift) }
    }

    fn is_syn_sent(&self, id: SessionId) -> bool {
        let state = self.table.session(id).map(|session| &session.state);
        matches!(state, Some(State::Tcp(tcp)) if tcp.state() == TcpState::SynSent)
    }

    /// Lends a stream and the decider for it to `act`.
    fn with_stream<R>(
        &mut self,
        snapshot: &Snapshot,
        slot: u32,
        now: Timestamp,
        act: impl FnOnce(&mut ControlStream, &mut Decider<'_>, Timestamp) -> R,
    ) -> Option<R> {
        let mut control = self.controls.take(slot)?;
        let mut decider = Decider {
            snapshot,
            limits: &self.limits,
            nat: &mut self.nat,
            expectations: &mut self.expectations,
            rng: &mut self.rng,
            events: &mut self.events,
            stats: &mut self.stats,
            ends: *control.stream.ends(),
            protocol: control.protocol,
            master: control.session,
            control: control.tuple,
            now,
        };
        let result = act(&mut control.stream, &mut decider, now);
        self.controls.put(slot, control);
        Some(result)
    }

    /// Translates the SACK blocks: the option's bytes as they shall be, or `None` where there is no option.
    fn map_sack(
        &self,
        slot: u32,
        direction: Direction,
        packet: &Packet<'_>,
        parsed: &Parsed,
    ) -> Option<(usize, Vec<(u32, u32)>)> {
        let segment = packet.bytes().get(parsed.transport_at..parsed.end)?;
        let (at, blocks) = tcp::options(segment).sack?;
        let stream = &self.controls.at(slot)?.stream;
        let mapped = (0..blocks)
            .filter_map(|block| {
                let edge = at + block * 8;
                stream.map_sack(direction, u32_at(segment, edge), u32_at(segment, edge + 4))
            })
            .collect();
        Some((at, mapped))
    }

    fn forward_changed(
        &mut self,
        context: &Context<'_>,
        packet: &mut Packet<'_>,
        id: SessionId,
        direction: Direction,
        info: TcpInfo,
        mut change: Change,
    ) -> Verdict {
        let verdict = self.forward(context, packet, id, direction);
        let rest = change.split_off(packet, &context.parsed, info, context.snapshot.config().mtu);
        if change.write(packet, &context.parsed) {
            emit::finish_tcp(packet, context.parsed.transport_at);
        }
        if let Some(payload) = rest {
            self.send(id, &change.rest_segment(direction, packet, &context.parsed, payload));
        }
        verdict
    }

    fn send_crafted(&mut self, id: SessionId, slot: u32) {
        loop {
            let at = self.controls.slot_mut(slot).and_then(Option::as_deref_mut);
            let Some(segment) = at.and_then(|control| control.stream.poll_crafted()) else { return };
            self.send(id, &segment);
        }
    }

    fn send(&mut self, id: SessionId, segment: &CraftedSegment) {
        let Some(session) = self.table.session(id) else { return };
        let tuple = session.translated(segment.direction);
        let realm = session.realm(segment.direction).opposite();
        self.transmit(realm, emit::craft_tcp(&tuple, segment));
    }

    fn forget_inert(&mut self, id: SessionId, slot: u32) {
        if self.controls.at(slot).is_some_and(|control| control.stream.is_inert()) {
            self.controls.remove(slot);
            if let Some(session) = self.table.session_mut(id) {
                session.control = None;
            }
        }
    }

    pub(super) fn handle_control_timeouts(&mut self, now: Timestamp, budget: &mut usize) {
        let Some(snapshot) = self.snapshot.take() else { return };
        while *budget > 0 {
            let Some(&(deadline, slot)) = self.controls.deadlines.first() else { break };
            if deadline > now {
                break;
            }
            *budget -= 1;
            self.with_stream(&snapshot, slot, now, |stream, decider, now| {
                stream.handle_timeout(decider, now)
            });
            let Some(id) = self.controls.at(slot).map(|control| control.session) else { continue };
            self.send_crafted(id, slot);
            self.forget_inert(id, slot);
        }
        self.snapshot = Some(snapshot);
    }

    /// Stops the streams whose ALG is off under a new configuration; their unused pinholes close.
    pub(super) fn disable_controls(&mut self, snapshot: &Snapshot, now: Timestamp) {
        let off: Vec<(u32, SessionId)> = (0_u32..)
            .zip(&self.controls.slots)
            .filter_map(|(slot, control)| Some((slot, control.as_ref()?)))
            .filter(|(_, control)| {
                let listening = snapshot.alg_for(
                    Transport::Tcp,
                    control.tuple.source_port,
                    control.tuple.destination_port,
                );
                listening != Some(control.protocol)
            })
            .map(|(slot, control)| (slot, control.session))
            .collect();
        for (slot, id) in off {
            self.with_stream(snapshot, slot, now, |stream, decider, _| stream.disable(decider));
            self.send_crafted(id, slot);
            self.forget_inert(id, slot);
            self.close_pinholes_of(id, CloseReason::Policy);
        }
    }
}

fn segment_of<'a>(
    packet: &'a Packet<'_>,
    parsed: &Parsed,
    info: TcpInfo,
    window_scale: Option<u8>,
) -> Segment<'a> {
    let bytes = packet.bytes();
    let segment = bytes.get(parsed.transport_at..parsed.end).unwrap_or_default();
    Segment {
        seq: info.seq,
        ack: info.ack,
        window: info.window,
        window_scale,
        syn: info.has(tcp::SYN),
        fin: info.has(tcp::FIN),
        rst: info.has(tcp::RST),
        ack_flag: info.has(tcp::ACK_FLAG),
        push: info.has(tcp::PSH),
        urgent: info.has(tcp::URG).then(|| u16_at(segment, tcp::URGENT)),
        timestamps: tcp::options(segment).timestamps.map(|(value, echo)| TcpTimestamps { value, echo }),
        payload: bytes.get(parsed.payload_at..parsed.end).unwrap_or_default(),
    }
}

/// What a control stream wants of a segment.
struct Change {
    seq: u32,
    ack: u32,
    urgent: Option<u16>,
    fin: bool,
    push: bool,
    payload: Option<Vec<u8>>,
    sack: Option<(usize, Vec<(u32, u32)>)>,
    /// Whether the FIN belongs to what [`Self::split_off`] has cut off.
    rest_fin: bool,
}

impl Change {
    /// Cuts off what would make the packet too long for the path; the FIN goes with the rest.
    fn split_off(
        &mut self,
        packet: &Packet<'_>,
        parsed: &Parsed,
        info: TcpInfo,
        mtu: u16,
    ) -> Option<Vec<u8>> {
        let payload = self.payload.as_mut()?;
        let length = parsed.payload_at + payload.len();
        let grown = payload.len() > info.payload;
        let longest = if packet.segment_size > 0 { MAX_PACKET } else { usize::from(mtu) };
        if !grown || length <= longest || info.payload == 0 {
            return None;
        }
        self.rest_fin = std::mem::take(&mut self.fin);
        Some(payload.split_off(info.payload))
    }

    /// Writes everything but checksums and lengths; `false` when nothing differs.
    fn write(&self, packet: &mut Packet<'_>, parsed: &Parsed) -> bool {
        let at = parsed.transport_at;
        let before = header_fields(packet.bytes(), at);
        if let Some(payload) = &self.payload {
            // A buffer too short for it leaves the packet as long as it is: the caller's buffers hold any packet.
            if packet.set_length(parsed.payload_at + payload.len())
                && let Some(target) = packet.bytes_mut().get_mut(parsed.payload_at..)
            {
                target.copy_from_slice(payload);
            }
            if usize::from(packet.segment_size) >= payload.len() {
                packet.segment_size = 0;
            }
        }
        let bytes = packet.bytes_mut();
        set_u32(bytes, at + tcp::SEQ, self.seq);
        if u8_at(bytes, at + tcp::FLAGS) & tcp::ACK_FLAG != 0 {
            set_u32(bytes, at + tcp::ACK, self.ack);
        }
        let mut flags = u8_at(bytes, at + tcp::FLAGS) & !(tcp::FIN | tcp::PSH | tcp::URG);
        flags |= if self.fin { tcp::FIN } else { 0 };
        flags |= if self.push { tcp::PSH } else { 0 };
        if let Some(urgent) = self.urgent {
            flags |= tcp::URG;
            set_u16(bytes, at + tcp::URGENT, urgent);
        }
        set_u8(bytes, at + tcp::FLAGS, flags);
        if let Some((sack_at, blocks)) = &self.sack {
            write_sack(bytes, at + sack_at, blocks);
        }
        self.payload.is_some() || self.sack.is_some() || header_fields(bytes, at) != before
    }

    fn rest_segment(
        &self,
        direction: Direction,
        packet: &Packet<'_>,
        parsed: &Parsed,
        payload: Vec<u8>,
    ) -> CraftedSegment {
        let segment = packet.bytes().get(parsed.transport_at..).unwrap_or_default();
        let sent = self.payload.as_ref().map_or(0, Vec::len);
        CraftedSegment {
            direction,
            seq: self.seq.wrapping_add(u32::try_from(sent).unwrap_or(0)),
            ack: self.ack,
            window: tcp::window(segment),
            fin: self.rest_fin,
            timestamps: tcp::options(segment).timestamps.map(|(value, echo)| TcpTimestamps { value, echo }),
            payload,
        }
    }
}

/// The fields that [`Change::write`] may set, to tell whether it did.
fn header_fields(bytes: &[u8], at: usize) -> (u32, u32, u8, u16) {
    (
        u32_at(bytes, at + tcp::SEQ),
        u32_at(bytes, at + tcp::ACK),
        u8_at(bytes, at + tcp::FLAGS),
        u16_at(bytes, at + tcp::URGENT),
    )
}

/// Writes the SACK blocks that are left; an option that gets shorter is filled up with NOPs.
fn write_sack(bytes: &mut [u8], first_block: usize, blocks: &[(u32, u32)]) {
    const NOP: u8 = 1;
    let length_at = first_block - 1;
    let old_length = usize::from(u8_at(bytes, length_at));
    let new_length = if blocks.is_empty() { 0 } else { 2 + blocks.len() * 8 };
    for at in (first_block - 2 + new_length)..(first_block - 2 + old_length) {
        set_u8(bytes, at, NOP);
    }
    if new_length > 0 {
        set_u8(bytes, length_at, u8::try_from(new_length).unwrap_or(0));
    }
    for (index, &(left, right)) in blocks.iter().enumerate() {
        wire::set_u32(bytes, first_block + index * 8, left);
        wire::set_u32(bytes, first_block + index * 8 + 4, right);
    }
}
