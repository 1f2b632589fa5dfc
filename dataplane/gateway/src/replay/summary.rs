//! What a replay has come to.

use std::collections::BTreeMap;
use std::fmt;

use pinhole_capture::link::NoPacket;
use pinhole_dataplane::engine::{DropReason, Event, Stats};

use crate::config::alg_name;

/// Lines about ALGs that are kept; of more there is only the number.
const MAX_LINES: usize = 10_000;

/// What became of a capture's frames, and what ALGs made of its control messages; its text is what people read.
#[derive(Debug, Default)]
pub struct Summary {
    /// Frames read.
    pub frames: u64,
    /// Packets that left to the outside.
    pub outside: u64,
    /// Packets that left to the inside.
    pub inside: u64,
    /// Packets whose checksums were completed before the engine saw them.
    pub completed: u64,
    /// Packets whose bytes an ALG kept for later.
    pub held: u64,
    /// Packets dropped, by reason.
    pub drops: Vec<(DropReason, u64)>,
    /// Frames without a packet, by why.
    pub no_packet: BTreeMap<NoPacket, u64>,
    /// A line for each pinhole and each refusal.
    pub alg: Vec<String>,
    /// Lines that were too many.
    pub more: u64,
}

impl Summary {
    pub(super) fn count_no_packet(&mut self, reason: NoPacket) {
        *self.no_packet.entry(reason).or_default() += 1;
    }

    pub(super) fn note(&mut self, event: Event) {
        let line = match event {
            Event::PinholeOpened { protocol, message, peer, outside, inside, .. } => format!(
                "pinhole: {} {message}: {} may reach {outside}, which is {inside}",
                alg_name(protocol),
                if peer.port == 0 { format!("{}:any", peer.address) } else { peer.to_string() },
            ),
            Event::AlgRefusal { protocol, control, message, reason } => {
                format!("refused: {} {message} in {control}: {reason:?}", alg_name(protocol))
            }
            Event::AlgOpaque { protocol, control, reason } => {
                format!("not read further: {} in {control}: {reason:?}", alg_name(protocol))
            }
            Event::AlgRewrite { .. }
            | Event::PinholeClosed { .. }
            | Event::PortBlockAllocated(_)
            | Event::PortBlockReleased(_)
            | Event::SessionOpened(_)
            | Event::SessionEnded { .. }
            | Event::LeaseGiven(_)
            | Event::LeaseEnded { .. }
            | Event::LimitReached(_) => return,
        };
        if self.alg.len() < MAX_LINES {
            self.alg.push(line);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn finished(mut self, stats: &Stats) -> Self {
        self.held = stats.held;
        let counted = DropReason::ALL.iter().map(|&reason| (reason, stats.drops(reason)));
        self.drops = counted.filter(|(_, count)| *count > 0).collect();
        self
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "frames: {}", self.frames)?;
        let list = |named: Vec<(&str, u64)>| {
            named.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
        };
        if !self.no_packet.is_empty() {
            let named = self.no_packet.iter().map(|(reason, count)| (name(*reason), *count)).collect();
            write!(formatter, "\nwithout an IP packet: {}", list(named))?;
        }
        write!(formatter, "\nleft: outside {}, inside {}", self.outside, self.inside)?;
        let dropped: u64 = self.drops.iter().map(|(_, count)| count).sum();
        write!(formatter, "\ndropped: {dropped}")?;
        if dropped > 0 {
            let named = self.drops.iter().map(|(reason, count)| (reason.label(), *count)).collect();
            write!(formatter, " ({})", list(named))?;
        }
        write!(formatter, "\nheld: {}\nchecksums completed: {}", self.held, self.completed)?;
        for line in &self.alg {
            write!(formatter, "\n{line}")?;
        }
        if self.more > 0 {
            write!(formatter, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

const fn name(reason: NoPacket) -> &'static str {
    match reason {
        NoPacket::LinkType => "link_type_unknown",
        NoPacket::Short => "frame_too_short",
        NoPacket::OtherProtocol => "other_protocol",
    }
}
