//! How many datagrams, and bytes that wait, each lane and each source has.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::fragment::Lane;
use crate::limits::{FRAGMENT_BYTES, FRAGMENT_SHARE_OF_SOURCE, FRAGMENT_SHARE_OF_UNKNOWN};

/// What is known of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// Its first fragment was let pass.
    Known,
    /// It was refused, or has not come.
    Unknown,
}

/// What there is of something.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    known: u32,
    unknown: u32,
    bytes: usize,
}

impl Usage {
    const fn of(&mut self, class: Class) -> &mut u32 {
        match class {
            Class::Known => &mut self.known,
            Class::Unknown => &mut self.unknown,
        }
    }

    const fn is_nothing(&self) -> bool {
        self.known == 0 && self.unknown == 0 && self.bytes == 0
    }
}

/// The counts and their limits. Lanes do not share, so that nobody outside takes from those inside.
#[derive(Debug)]
pub(super) struct Quota {
    /// Most datagrams of a lane.
    datagrams: u32,
    lanes: [Usage; Lane::COUNT],
    /// Who has something; at most one for each datagram.
    sources: BTreeMap<(Lane, Ipv4Addr), Usage>,
}

impl Lane {
    /// How many there are.
    pub const COUNT: usize = 3;

    const fn of<T>(self, [inside, outside, back]: &mut [T; Self::COUNT]) -> &mut T {
        match self {
            Self::Inside => inside,
            Self::Outside => outside,
            Self::Back => back,
        }
    }
}

impl Quota {
    /// Starts with nothing; `datagrams` is what there is room for in each lane.
    pub(super) fn new(datagrams: u32) -> Self {
        Self { datagrams, lanes: [Usage::default(); Lane::COUNT], sources: BTreeMap::new() }
    }

    /// Takes a place for a datagram; `false` when its lane or its source has as many as it may have.
    pub(super) fn take(&mut self, lane: Lane, source: Ipv4Addr, class: Class) -> bool {
        let unknown = self.datagrams / FRAGMENT_SHARE_OF_UNKNOWN;
        let most = match class {
            Class::Known => self.datagrams - unknown,
            Class::Unknown => unknown,
        };
        let of_lane = lane.of(&mut self.lanes).of(class);
        let mut usage = self.sources.get(&(lane, source)).copied().unwrap_or_default();
        let of_source = usage.of(class);
        if *of_lane >= most || *of_source >= most.div_ceil(FRAGMENT_SHARE_OF_SOURCE) {
            return false;
        }
        *of_lane += 1;
        *of_source += 1;
        self.sources.insert((lane, source), usage);
        true
    }

    /// Gives a place back.
    pub(super) fn give_back(&mut self, lane: Lane, source: Ipv4Addr, class: Class) {
        *lane.of(&mut self.lanes).of(class) -= 1;
        self.change_source(lane, source, |usage| *usage.of(class) -= 1);
    }

    /// Takes room for bytes that wait; `false` when there is none.
    pub(super) fn take_bytes(&mut self, lane: Lane, source: Ipv4Addr, bytes: usize) -> bool {
        let of_lane = &mut lane.of(&mut self.lanes).bytes;
        let mut usage = self.sources.get(&(lane, source)).copied().unwrap_or_default();
        let share = FRAGMENT_BYTES / usize::try_from(FRAGMENT_SHARE_OF_SOURCE).unwrap_or(1);
        if *of_lane + bytes > FRAGMENT_BYTES || usage.bytes + bytes > share {
            return false;
        }
        *of_lane += bytes;
        usage.bytes += bytes;
        self.sources.insert((lane, source), usage);
        true
    }

    /// Gives the room of bytes back.
    pub(super) fn give_back_bytes(&mut self, lane: Lane, source: Ipv4Addr, bytes: usize) {
        lane.of(&mut self.lanes).bytes -= bytes;
        self.change_source(lane, source, |usage| usage.bytes -= bytes);
    }

    /// Whether nothing is taken.
    #[cfg(test)]
    pub(super) fn is_untouched(&self) -> bool {
        self.sources.is_empty() && self.lanes.iter().all(Usage::is_nothing)
    }

    fn change_source(&mut self, lane: Lane, source: Ipv4Addr, change: impl FnOnce(&mut Usage)) {
        let Some(usage) = self.sources.get_mut(&(lane, source)) else { return };
        change(usage);
        if usage.is_nothing() {
            self.sources.remove(&(lane, source));
        }
    }
}
