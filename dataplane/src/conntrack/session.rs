//! One tracked session: two cache lines of plain data, of which most packets need one.

use crate::addr::Realm;
use crate::conntrack::Progress;
use crate::conntrack::ipv6::Family;
use crate::conntrack::tcp::{Senders, Tcp, TcpState};
use crate::conntrack::timer::{Links, Timed};
use crate::limits::IdleTicks;
use crate::nat::MappingId;
use crate::parse::TcpInfo;
use crate::time::Tick;
use crate::tuple::{Direction, Key, Protocol, Tuple};

/// A session's place in the table, with the count of its uses so that a stale name finds nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl SessionId {
    /// Returns the place, and how often it was used before.
    pub const fn parts(self) -> (u32, u32) {
        (self.slot, self.generation)
    }

    /// Names the session that [`Self::parts`] were of; when it is gone, the name finds nothing.
    pub const fn from_parts(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }
}

/// What a session starts as.
#[derive(Clone, Copy, Debug)]
pub struct NewSession {
    /// The originator's packets as they arrive.
    pub original: Tuple,
    /// The responder's packets as they arrive.
    pub reply: Tuple,
    /// The side of the originator.
    pub originator: Realm,
    /// What is known beyond the tuples.
    pub state: State,
    /// The mapping that the inside endpoint holds.
    pub mapping: MappingId,
    /// The control session that announced this one.
    pub master: Option<SessionId>,
}

/// What is known of a session beyond its tuples.
#[derive(Clone, Copy, Debug)]
pub enum State {
    /// TCP.
    Tcp(Tcp),
    /// What has no state machine, as UDP.
    Query {
        /// Whether the responder has answered.
        replied: bool,
    },
}

/// How far a session has come, in a byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// The place is free.
    Free,
    Unreplied,
    Replied,
    Tcp(TcpState),
}

/// No control stream follows the session.
const NO_CONTROL: u32 = u32::MAX;
/// What stands in the place of the master where there is none: no table has so many places.
const NO_MASTER: SessionId = SessionId { slot: u32::MAX, generation: 0 };

/// A session, or a free place for one. The first cache line is what a packet of any established session needs; the
/// second is for TCP, and for what happens less often.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Session {
    /// The keys' words of the originator's and of the responder's packets as they arrive.
    keys: [[u32; 3]; 2],
    protocol: Protocol,
    originator: Realm,
    phase: Phase,
    /// Whether there is a master, which stands in the second line.
    has_master: bool,
    pub(super) generation: u32,
    deadline: Tick,
    packets: [u64; 2],
    control: u32,
    mapping: MappingId,
    senders: Senders,
    master: SessionId,
    links: Links,
    timer_slot: u16,
    family: Family,
}

const _: () = assert!(
    std::mem::offset_of!(Session, senders) == 64,
    "what packets without a state machine need is one cache line"
);
const _: () = assert!(size_of::<Session>() == 128, "two cache lines");

impl Session {
    /// A place without a session.
    pub(super) const FREE: Self = Self {
        keys: [[0; 3]; 2],
        protocol: Protocol::Udp,
        originator: Realm::Inside,
        phase: Phase::Free,
        has_master: false,
        generation: 0,
        deadline: Tick::ZERO,
        packets: [0; 2],
        control: NO_CONTROL,
        mapping: MappingId::NONE,
        senders: Senders::NONE,
        master: NO_MASTER,
        links: Links::NONE,
        timer_slot: 0,
        family: Family::V4,
    };

    /// Takes the place for a session; its deadline is still to be set.
    pub(super) fn occupy(&mut self, new: &NewSession, family: Family) {
        let (phase, senders) = match new.state {
            State::Tcp(tcp) => (Phase::Tcp(tcp.state()), tcp.senders()),
            State::Query { replied: false } => (Phase::Unreplied, Senders::NONE),
            State::Query { replied: true } => (Phase::Replied, Senders::NONE),
        };
        *self = Self {
            keys: [Key::from(new.original).words, Key::from(new.reply).words],
            protocol: new.original.protocol,
            originator: new.originator,
            phase,
            generation: self.generation,
            mapping: new.mapping,
            has_master: new.master.is_some(),
            master: new.master.unwrap_or(NO_MASTER),
            senders,
            links: self.links,
            family,
            ..Self::FREE
        };
    }

    /// Gives the place back; names of the session find nothing from now on.
    pub(super) fn vacate(&mut self) {
        self.phase = Phase::Free;
        self.generation = self.generation.wrapping_add(1);
    }

    /// Whether the place holds no session.
    #[inline]
    pub(super) fn is_free(&self) -> bool {
        self.phase == Phase::Free
    }

    /// Whether packets of `direction` arrive with this key.
    #[inline(always)]
    pub(super) fn has(&self, direction: Direction, key: &Key) -> bool {
        // Word by word and without a branch between: the words come from registers.
        let [a, b, c] = self.words(direction);
        let [d, e, f] = key.words;
        ((a ^ d) | (b ^ e) | (c ^ f)) == 0 && self.protocol == key.protocol && !self.is_free()
    }

    /// Whether packets of `direction` pass without anything being decided: the session is established, and no control
    /// stream follows it or lives by it.
    #[inline(always)]
    pub(crate) fn is_flowing(&self, direction: Direction) -> bool {
        let established = match self.phase {
            Phase::Tcp(state) => state == TcpState::Established,
            Phase::Replied => true,
            Phase::Unreplied => direction == Direction::Original,
            Phase::Free => false,
        };
        established && self.control == NO_CONTROL && !self.has_master
    }

    #[inline(always)]
    const fn words(&self, direction: Direction) -> [u32; 3] {
        let [original, reply] = self.keys;
        match direction {
            Direction::Original => original,
            Direction::Reply => reply,
        }
    }

    /// Returns the key of packets of `direction` as they arrive.
    #[inline(always)]
    pub(crate) const fn key(&self, direction: Direction) -> Key {
        Key { protocol: self.protocol, words: self.words(direction) }
    }

    /// Returns the key of packets of `direction` as they leave.
    #[inline(always)]
    pub const fn leaving(&self, direction: Direction) -> Key {
        self.key(direction.opposite()).reversed()
    }

    /// Returns something of each cache line that a packet of this protocol needs.
    #[inline(always)]
    pub(super) const fn touch(&self, protocol: Protocol) -> u32 {
        match protocol {
            Protocol::Tcp => self.generation ^ self.senders.touch(),
            Protocol::Udp | Protocol::IcmpEcho | Protocol::UdpLite | Protocol::Gre | Protocol::Other => {
                self.generation
            }
        }
    }

    /// Returns the version of IP.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// Returns the transport.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Returns the side of the originator.
    pub const fn originator(&self) -> Realm {
        self.originator
    }

    /// Returns the mapping that the inside endpoint holds.
    pub const fn mapping(&self) -> MappingId {
        self.mapping
    }

    /// Returns the control session that announced this one.
    #[inline]
    pub fn master(&self) -> Option<SessionId> {
        self.has_master.then_some(self.master)
    }

    /// Returns the slot of the control stream that follows this session.
    #[inline]
    pub fn control(&self) -> Option<u32> {
        (self.control != NO_CONTROL).then_some(self.control)
    }

    /// Has a control stream follow the session, or none any more.
    pub(crate) fn set_control(&mut self, slot: Option<u32>) {
        self.control = slot.unwrap_or(NO_CONTROL);
    }

    /// Returns the packets of the originator and of the responder.
    pub const fn packets(&self) -> [u64; 2] {
        self.packets
    }

    /// Returns when the session is forgotten unless a packet comes.
    pub const fn deadline(&self) -> Tick {
        self.deadline
    }

    /// Has the session live for its idle time from `now` on.
    #[inline]
    pub(crate) fn refresh(&mut self, now: Tick, idle: &IdleTicks) {
        self.deadline = now.plus(self.idle_time(idle));
    }

    /// Returns when the last packet came that set the timer.
    pub(crate) const fn quiet_since(&self, idle: &IdleTicks) -> Tick {
        self.deadline.minus(self.idle_time(idle))
    }

    /// Has the session live until a time that is not its idle time's.
    pub(crate) fn prolong(&mut self, until: Tick) {
        self.deadline = until;
    }

    /// Returns the side that packets of `direction` come from.
    #[inline]
    pub const fn realm(&self, direction: Direction) -> Realm {
        match direction {
            Direction::Original => self.originator,
            Direction::Reply => self.originator.opposite(),
        }
    }

    /// Returns the addresses and ports of packets of `direction` as they arrive; those of IPv6 are with the table.
    pub const fn tuple(&self, direction: Direction) -> Tuple {
        self.key(direction).tuple()
    }

    /// Returns the addresses and ports of packets of `direction` as they leave.
    pub const fn translated(&self, direction: Direction) -> Tuple {
        self.leaving(direction).tuple()
    }

    /// Returns how far a TCP session has come; `None` for other protocols.
    pub(crate) fn tcp(&self) -> Option<Tcp> {
        match self.phase {
            Phase::Tcp(state) => Some(Tcp::from_parts(state, self.senders)),
            Phase::Free | Phase::Unreplied | Phase::Replied => None,
        }
    }

    /// Takes note of a plain segment of a TCP session that [`Self::is_flowing`]; `false` where it does not fit.
    #[inline(always)]
    pub(crate) fn flow(&mut self, direction: Direction, segment: TcpInfo) -> bool {
        self.senders.flow(direction, segment)
    }

    /// Keeps what [`Self::tcp`] returned, after a segment.
    pub(crate) fn set_tcp(&mut self, tcp: &Tcp) {
        self.phase = Phase::Tcp(tcp.state());
        self.senders = tcp.senders();
    }

    /// Takes note that the responder of a session without a state machine has answered; whether it is the first time.
    #[inline]
    pub(crate) fn set_replied(&mut self) -> bool {
        let first = self.phase == Phase::Unreplied;
        if first {
            self.phase = Phase::Replied;
        }
        first
    }

    /// Returns how far the session has come.
    pub const fn progress(&self) -> Progress {
        match self.phase {
            Phase::Free | Phase::Unreplied => Progress::Unreplied,
            Phase::Replied => Progress::Replied,
            Phase::Tcp(TcpState::SynSent) => Progress::SynSent,
            Phase::Tcp(TcpState::SynReceived) => Progress::SynReceived,
            Phase::Tcp(TcpState::Established) => Progress::Established,
            Phase::Tcp(TcpState::Closing) => Progress::Closing,
            Phase::Tcp(TcpState::Closed) => Progress::Closed,
        }
    }

    /// Whether it is a TCP connection whose handshake is under way.
    pub(crate) fn is_half_open(&self) -> bool {
        matches!(self.phase, Phase::Tcp(TcpState::SynSent | TcpState::SynReceived))
    }

    /// Whether the connection is over.
    pub(crate) fn is_closed(&self) -> bool {
        self.phase == Phase::Tcp(TcpState::Closed)
    }

    /// Returns how long the session lives without a packet.
    #[inline]
    const fn idle_time(&self, idle: &IdleTicks) -> Tick {
        match (self.phase, self.protocol) {
            (Phase::Tcp(TcpState::Established), _) => idle.tcp_established,
            (Phase::Tcp(_), _) => idle.tcp_transitory,
            (_, Protocol::IcmpEcho) => idle.icmp,
            (Phase::Free | Phase::Unreplied, _) => idle.udp_one_way,
            (Phase::Replied, Protocol::Gre | Protocol::Other) => idle.other,
            (Phase::Replied, Protocol::Udp | Protocol::UdpLite | Protocol::Tcp) => idle.udp,
        }
    }

    /// Counts a packet; returns how many there were of this direction with it.
    #[inline]
    pub(crate) fn count(&mut self, direction: Direction) -> u64 {
        let [original, reply] = &mut self.packets;
        let counter = match direction {
            Direction::Original => original,
            Direction::Reply => reply,
        };
        *counter = counter.wrapping_add(1);
        *counter
    }
}

impl Timed for Session {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }

    fn slot(&mut self) -> &mut u16 {
        &mut self.timer_slot
    }
}
