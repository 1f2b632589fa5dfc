//! Control sessions: where the engine and the ALGs meet.

use crate::alg::CloseReason;
use crate::alg::control::{ControlStream, CraftedSegment, Segment, SegmentVerdict, TcpTimestamps};
use crate::config::Snapshot;
use crate::conntrack::tcp::TcpState;
use crate::conntrack::{Family, Session, SessionId};
use crate::emit;
use crate::engine::context::{Arrival, Segmented};
use crate::engine::controls::Follower;
use crate::engine::decider::Decider;
use crate::engine::process::window_shift;
use crate::engine::rewrite::Change;
use crate::engine::{DropReason, Engine, Packet, Verdict};
use crate::limits::MAX_UNACKNOWLEDGED;
use crate::nat::MappingId;
use crate::parse::{Span, TcpInfo};
use crate::time::Timestamp;
use crate::tuple::Direction;
use crate::wire::{tcp, u16_at, u32_at};

/// How far a host's own acknowledgements may be behind those that were sent in its name.
const ACKNOWLEDGED_AHEAD: u32 = MAX_UNACKNOWLEDGED as u32;

impl Engine {
    /// Hands a segment of a control session to its stream and sends what that makes of it.
    #[inline(never)]
    pub(super) fn control_packet(
        &mut self,
        arriving: &Segmented<'_>,
        packet: &mut Packet<'_>,
        id: SessionId,
        direction: Direction,
        slot: u32,
    ) -> Result<Verdict, DropReason> {
        let Segmented { arrival, span, info } = *arriving;
        if !emit::tcp_checksum_is_right(packet, &span) {
            // Rewriting would give corrupt bytes a right checksum.
            return Err(DropReason::BadTcpChecksum);
        }
        let shift = window_shift(packet, &span);
        // Judged before the stream sees it: what nobody would obey must not change the stream.
        if info.has(tcp::RST) {
            self.note_control(arrival, id, direction, info, shift)?;
        } else if info.has(tcp::SYN) {
            let mut tcp = self.table.session(id).and_then(Session::tcp).ok_or(DropReason::NoSession)?;
            tcp.handle(direction, info, shift)?;
        } else {
            self.check_control(id, direction, slot, info)?;
        }
        let segment = segment_of(packet, &span, info, shift);
        let verdict = self
            .with_stream(arrival.snapshot, slot, arrival.now, |stream, decider, now| {
                stream.handle_segment(direction, &segment, decider, now)
            })
            .ok_or(DropReason::NoSession)?;
        // Crafted segments follow the packet itself, so they are fetched now and queued after it.
        let forwarded = match verdict {
            SegmentVerdict::Dropped => Err(DropReason::AlgBacklog),
            SegmentVerdict::Held => {
                // The acknowledgement is not known in its receiver's numbers: only the rest is noted.
                let unacknowledged = TcpInfo { flags: info.flags & !tcp::ACK_FLAG, ..info };
                self.note_unless_rst(arrival, id, direction, unacknowledged, shift)?;
                Ok(Verdict::Hold)
            }
            SegmentVerdict::Forward(rewritten) => {
                // Each side's numbers are kept as it knows them itself: seq as sent, ack as received.
                let noted = TcpInfo { ack: rewritten.ack, ..info };
                self.note_unless_rst(arrival, id, direction, noted, shift)?;
                let sack = self.map_sack(slot, direction, packet, &span);
                let change = Change { rewritten, sack };
                Ok(self.forward_changed(arriving, packet, id, direction, change))
            }
        };
        self.send_crafted(id, slot);
        self.forget_inert(id, slot);
        forwarded
    }

    fn note_unless_rst(
        &mut self,
        arrival: &Arrival<'_>,
        id: SessionId,
        direction: Direction,
        info: TcpInfo,
        shift: Option<u8>,
    ) -> Result<(), DropReason> {
        if info.has(tcp::RST) { Ok(()) } else { self.note_control(arrival, id, direction, info, shift) }
    }

    /// Whether a segment that is neither SYN nor RST can be of a control session.
    fn check_control(
        &self,
        id: SessionId,
        direction: Direction,
        slot: u32,
        info: TcpInfo,
    ) -> Result<(), DropReason> {
        let tcp = self.table.session(id).and_then(Session::tcp).ok_or(DropReason::NoSession)?;
        if tcp.state() == TcpState::SynSent {
            return Err(DropReason::TcpState);
        }
        let stream = self.controls.stream(slot).ok_or(DropReason::NoSession)?;
        let known = TcpInfo { ack: stream.unmap_seq(direction.opposite(), info.ack), ..info };
        tcp.check_behind(direction, known, ACKNOWLEDGED_AHEAD)
    }

    /// Hands a datagram of a control session to its ALG.
    #[inline(never)]
    pub(super) fn control_datagram(
        &mut self,
        arrival: &Arrival<'_>,
        payload: &[u8],
        direction: Direction,
        slot: u32,
    ) {
        self.with_follower(arrival.snapshot, slot, arrival.now, |follower, decider| match follower {
            Follower::Datagrams(datagrams) => datagrams.handle_datagram(direction, payload, decider),
            Follower::Stream(_) => {}
        });
    }

    /// Lends a stream and the decider for it to `act`.
    fn with_stream<R>(
        &mut self,
        snapshot: &Snapshot,
        slot: u32,
        now: Timestamp,
        act: impl FnOnce(&mut ControlStream, &mut Decider<'_>, Timestamp) -> R,
    ) -> Option<R> {
        let lent = self.with_follower(snapshot, slot, now, |follower, decider| {
            follower.stream_mut().map(|stream| act(stream, decider, now))
        });
        lent.flatten()
    }

    /// Lends what reads a control session, and the decider for it, to `act`.
    fn with_follower<R>(
        &mut self,
        snapshot: &Snapshot,
        slot: u32,
        now: Timestamp,
        act: impl FnOnce(&mut Follower, &mut Decider<'_>) -> R,
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
            ends: *control.follower.ends(),
            protocol: control.protocol,
            master: control.session,
            mapping: self.table.session(control.session).map_or(MappingId::NONE, Session::mapping),
            control: control.flow,
            now,
            ended: Vec::new(),
        };
        let result = act(&mut control.follower, &mut decider);
        let (master, ended) = (control.session, decider.ended);
        self.controls.put(slot, control);
        for id in ended {
            if let Some(session) = self.announcements.session_of(master, id) {
                self.end_session(session, CloseReason::ControlEnded);
            }
        }
        Some(result)
    }

    /// Translates the SACK blocks: the option's bytes as they shall be, or `None` where there is no option.
    fn map_sack(
        &self,
        slot: u32,
        direction: Direction,
        packet: &Packet<'_>,
        span: &Span,
    ) -> Option<(usize, Vec<(u32, u32)>)> {
        let segment = packet.bytes().get(span.transport_at()..span.end())?;
        let (at, blocks) = tcp::options(segment).sack?;
        let stream = self.controls.stream(slot)?;
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
        arriving: &Segmented<'_>,
        packet: &mut Packet<'_>,
        id: SessionId,
        direction: Direction,
        mut change: Change,
    ) -> Verdict {
        let Segmented { arrival, span, info } = *arriving;
        let Some(session) = self.table.session(id) else { return Verdict::Drop(DropReason::NoSession) };
        match session.family() {
            Family::V4 => {
                let (old, new) = (session.key(direction), session.leaving(direction));
                emit::translate(packet, &old, &new, span.transport_at(), arrival.counts_hop());
            }
            Family::V6 if arrival.counts_hop() => emit::ipv6::count_hop(packet.bytes_mut()),
            Family::V6 => {}
        }
        let rest = change.split_off(packet, &span, info, arrival.snapshot.config().mtu);
        if change.write(packet, &span) {
            emit::finish_tcp(packet, span.transport_at());
        }
        for segment in rest.segments(direction, packet, &span) {
            self.send(id, &segment);
        }
        Verdict::Forward
    }

    fn send_crafted(&mut self, id: SessionId, slot: u32) {
        while let Some(segment) = self.controls.poll_crafted(slot) {
            self.send(id, &segment);
        }
    }

    fn send(&mut self, id: SessionId, segment: &CraftedSegment) {
        let Some(session) = self.table.session_mut(id) else { return };
        if let Some(mut tcp) = session.tcp() {
            tcp.allow(segment.direction, segment.ack, segment.window);
            session.set_tcp(&tcp);
        }
        let realm = session.realm(segment.direction).opposite();
        let Some(flow) = self.table.leaving(id, segment.direction) else { return };
        self.transmit(realm, emit::craft_tcp(&flow, segment));
    }

    fn forget_inert(&mut self, id: SessionId, slot: u32) {
        if self.controls.at(slot).is_some_and(|control| control.follower.is_inert()) {
            self.controls.remove(slot);
            if let Some(session) = self.table.session_mut(id) {
                session.set_control(None);
            }
        }
    }

    pub(super) fn handle_control_timeouts(&mut self, now: Timestamp, budget: &mut usize) {
        let Some(snapshot) = self.snapshot.take() else { return };
        while *budget > 0 {
            let Some(slot) = self.controls.due(now) else { break };
            *budget -= 1;
            let Some(id) = self.controls.at(slot).map(|control| control.session) else { continue };
            if self.sweep.is_unjudged(id.slot) && !self.judge(&snapshot, id) {
                continue;
            }
            self.with_stream(&snapshot, slot, now, |stream, decider, now| {
                stream.handle_timeout(decider, now)
            });
            self.send_crafted(id, slot);
            self.forget_inert(id, slot);
        }
        self.snapshot = Some(snapshot);
    }

    /// Stops reading a control session; its unused pinholes close.
    pub(super) fn disable_control(&mut self, snapshot: &Snapshot, id: SessionId, slot: u32) {
        let now = self.nat.time();
        self.with_follower(snapshot, slot, now, |follower, decider| match follower {
            Follower::Stream(stream) => stream.disable(decider),
            Follower::Datagrams(datagrams) => datagrams.disable(decider),
        });
        self.send_crafted(id, slot);
        self.forget_inert(id, slot);
        self.close_pinholes_of(id, CloseReason::Policy);
    }
}

fn segment_of<'a>(
    packet: &'a Packet<'_>,
    span: &Span,
    info: TcpInfo,
    window_scale: Option<u8>,
) -> Segment<'a> {
    let bytes = packet.bytes();
    let segment = bytes.get(span.transport_at()..span.end()).unwrap_or_default();
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
        payload: bytes.get(span.payload_at()..span.end()).unwrap_or_default(),
    }
}
