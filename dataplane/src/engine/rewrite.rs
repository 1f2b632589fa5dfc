//! A control segment as its stream wants it, written into its packet.

use crate::alg::control::{CraftedSegment, Rewritten, TcpTimestamps};
use crate::engine::Packet;
use crate::limits::{MAX_PACKET, SAFE_SEGMENT};
use crate::parse::{Span, TcpInfo};
use crate::tuple::Direction;
use crate::wire::{self, set_u8, set_u16, set_u32, tcp, u8_at, u16_at, u32_at};

/// What a control stream wants of a segment.
pub(super) struct Change {
    /// The header fields and the payload.
    pub(super) rewritten: Rewritten,
    /// The place of the SACK option's first block, and the blocks that it shall have.
    pub(super) sack: Option<(usize, Vec<(u32, u32)>)>,
}

/// What of a packet's payload leaves in segments of its own.
pub(super) struct Rest {
    payload: Vec<u8>,
    /// Sequence number of its first byte.
    seq: u32,
    ack: u32,
    fin: bool,
    /// Most bytes of one segment.
    piece: usize,
}

impl Rest {
    /// Returns the segments in order; `packet` is the one that they follow.
    pub(super) fn segments(
        self,
        direction: Direction,
        packet: &Packet<'_>,
        span: &Span,
    ) -> Vec<CraftedSegment> {
        let header = packet.bytes().get(span.transport_at()..).unwrap_or_default();
        let whole = CraftedSegment {
            direction,
            seq: self.seq,
            ack: self.ack,
            window: tcp::window(header),
            fin: self.fin,
            timestamps: tcp::options(header).timestamps.map(|(value, echo)| TcpTimestamps { value, echo }),
            payload: self.payload,
        };
        whole.cut(self.piece)
    }
}

impl Change {
    /// Cuts off what would make the packet too long for the path; the FIN goes with the rest.
    pub(super) fn split_off(&mut self, packet: &Packet<'_>, span: &Span, info: TcpInfo, mtu: u16) -> Rest {
        let longest = if packet.segment_size > 0 { MAX_PACKET } else { usize::from(mtu) };
        let Rewritten { seq, ack, fin, payload, .. } = &mut self.rewritten;
        let mut rest = Rest { payload: Vec::new(), seq: *seq, ack: *ack, fin: false, piece: 0 };
        if let Some(payload) = payload
            && payload.len() > usize::from(info.payload)
            && span.payload_at() + payload.len() > longest
        {
            // Its sender knows that segments as long as its own pass.
            let room = longest.saturating_sub(span.payload_at()).max(1);
            rest.piece = usize::from(info.payload).max(SAFE_SEGMENT).min(room);
            rest.payload = payload.split_off(rest.piece.min(payload.len()));
            rest.seq = seq.wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
            rest.fin = !rest.payload.is_empty() && std::mem::take(fin);
        }
        rest
    }

    /// Writes everything but checksums and lengths; `false` when nothing differs.
    pub(super) fn write(&self, packet: &mut Packet<'_>, span: &Span) -> bool {
        let (at, rewritten) = (span.transport_at(), &self.rewritten);
        let before = header_fields(packet.bytes(), at);
        if let Some(payload) = &rewritten.payload {
            // A buffer too short for it leaves the packet as long as it is: the caller's buffers hold any packet.
            if packet.set_length(span.payload_at() + payload.len())
                && let Some(target) = packet.bytes_mut().get_mut(span.payload_at()..)
            {
                target.copy_from_slice(payload);
            }
            if usize::from(packet.segment_size) >= payload.len() {
                packet.segment_size = 0;
            }
        }
        let bytes = packet.bytes_mut();
        set_u32(bytes, at + tcp::SEQ, rewritten.seq);
        if u8_at(bytes, at + tcp::FLAGS) & tcp::ACK_FLAG != 0 {
            set_u32(bytes, at + tcp::ACK, rewritten.ack);
        }
        let mut flags = u8_at(bytes, at + tcp::FLAGS) & !(tcp::FIN | tcp::PSH | tcp::URG);
        flags |= if rewritten.fin { tcp::FIN } else { 0 };
        flags |= if rewritten.push { tcp::PSH } else { 0 };
        if let Some(urgent) = rewritten.urgent {
            flags |= tcp::URG;
            set_u16(bytes, at + tcp::URGENT, urgent);
        }
        set_u8(bytes, at + tcp::FLAGS, flags);
        if let Some((sack_at, blocks)) = &self.sack {
            write_sack(bytes, at + sack_at, blocks);
        }
        rewritten.payload.is_some() || self.sack.is_some() || header_fields(bytes, at) != before
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
