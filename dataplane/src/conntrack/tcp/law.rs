//! Whatever the network does to a connection, no segment is dropped that its receiver would take.

use proptest::prelude::*;

use super::sender::before;
use super::{Effect, Tcp, TcpState};
use crate::parse::TcpInfo;
use crate::tuple::Direction;
use crate::wire::tcp::{ACK_FLAG, FIN, SYN};

/// One end, written from RFC 9293 and without the firewall's eyes. It keeps nothing that comes early.
struct End {
    /// Oldest number that is not acknowledged, the next one to send, and the end of the window for it.
    una: u32,
    next: u32,
    edge: u32,
    largest: u32,
    /// The next number that it takes, and the end of the window that it offered.
    expected: u32,
    offered: u32,
    shift: u8,
    finished: bool,
}

impl End {
    fn segment(&mut self, seq: u32, payload: u16, flags: u8, window: u16) -> TcpInfo {
        // A window never shrinks (RFC 9293, section 3.8.6).
        let room = self.offered.wrapping_sub(self.expected);
        let unit = 1_u32 << self.shift;
        let window = u32::from(window).max(room.div_ceil(unit)).min(0xffff);
        let offered = self.expected.wrapping_add(window << self.shift);
        if before(self.offered, offered) {
            self.offered = offered;
        }
        TcpInfo { seq, ack: self.expected, flags, window: u16::try_from(window).unwrap(), payload }
    }

    /// RFC 9293, section 3.10.7.4, first check, and RFC 5961, section 5.
    fn takes(&self, segment: TcpInfo) -> bool {
        let ends = segment.end();
        let in_window = if segment.seq == ends {
            segment.seq == self.expected
                || !before(segment.seq, self.expected) && before(segment.seq, self.offered)
        } else {
            before(self.expected, ends) && before(segment.seq, self.offered)
        };
        let oldest = self.una.wrapping_sub(self.largest);
        in_window && !before(segment.ack, oldest) && !before(self.next, segment.ack)
    }

    fn take(&mut self, segment: TcpInfo, peer_shift: u8) {
        if before(self.una, segment.ack) {
            self.una = segment.ack;
        }
        let window = u32::from(segment.window) << peer_shift;
        self.largest = self.largest.max(window);
        let edge = segment.ack.wrapping_add(window);
        if before(self.edge, edge) {
            self.edge = edge;
        }
        if !before(self.expected, segment.seq) && before(self.expected, segment.end()) {
            // At most what it has room for.
            self.expected = if before(self.offered, segment.end()) { self.offered } else { segment.end() };
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    /// Sends so much new data, if the window allows it, with this window.
    Send(bool, u16, u16),
    /// Sends everything again that is not acknowledged.
    Repeat(bool, u16),
    Acknowledge(bool, u16),
    Finish(bool),
    /// A segment on its way to this end arrives, out of order or not.
    Arrive(bool, usize),
    /// One is lost before it meets the firewall, or after.
    LoseBefore(bool, usize),
    LoseAfter(bool, usize),
    Twice(bool, usize),
}

fn act() -> impl Strategy<Value = Act> {
    let end = any::<bool>();
    let place = 0_usize..6;
    prop_oneof![
        4 => (end, 1_u16..3_000, any::<u16>()).prop_map(|(a, b, c)| Act::Send(a, b, c)),
        2 => (end, any::<u16>()).prop_map(|(a, b)| Act::Repeat(a, b)),
        3 => (end, any::<u16>()).prop_map(|(a, b)| Act::Acknowledge(a, b)),
        1 => end.prop_map(Act::Finish),
        8 => (end, place.clone()).prop_map(|(a, b)| Act::Arrive(a, b)),
        1 => (end, place.clone()).prop_map(|(a, b)| Act::LoseBefore(a, b)),
        1 => (end, place.clone()).prop_map(|(a, b)| Act::LoseAfter(a, b)),
        1 => (end, place).prop_map(|(a, b)| Act::Twice(a, b)),
    ]
}

struct World {
    tcp: Tcp,
    ends: [End; 2],
    /// On their way to the client, and to the server.
    under_way: [Vec<TcpInfo>; 2],
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

impl World {
    fn open(isns: [u32; 2], shifts: [Option<u8>; 2], windows: [u16; 2]) -> Self {
        let [client_isn, server_isn] = isns;
        let both = shifts.iter().all(Option::is_some);
        let end = |own: u32, peer: u32, shift: Option<u8>, offers: u16, may: u16| End {
            una: own.wrapping_add(1),
            next: own.wrapping_add(1),
            edge: own.wrapping_add(1).wrapping_add(u32::from(may)),
            largest: u32::from(may),
            expected: peer.wrapping_add(1),
            offered: peer.wrapping_add(1).wrapping_add(u32::from(offers)),
            shift: if both { shift.unwrap() } else { 0 },
            finished: false,
        };
        let syn = TcpInfo { seq: client_isn, ack: 0, flags: SYN, window: windows[0], payload: 0 };
        let answer = TcpInfo {
            seq: server_isn,
            ack: client_isn.wrapping_add(1),
            flags: SYN | ACK_FLAG,
            window: windows[1],
            payload: 0,
        };
        let mut tcp = Tcp::new(syn, shifts[0]);
        assert_eq!(tcp.handle(Direction::Reply, answer, shifts[1]), Ok(Effect::Counts));
        let client = end(client_isn, server_isn, shifts[0], windows[0], windows[1]);
        let server = end(server_isn, client_isn, shifts[1], windows[1], windows[0]);
        Self { tcp, ends: [client, server], under_way: [vec![], vec![]] }
    }

    fn emit(&mut self, from: usize, seq: u32, payload: u16, flags: u8, window: u16) {
        let segment = self.ends[from].segment(seq, payload, ACK_FLAG | flags, window);
        self.under_way[1 - from].push(segment);
    }

    /// A segment meets the firewall, and then its receiver or not.
    fn meet(&mut self, to: usize, place: usize, arrives: bool, again: bool) {
        if self.under_way[to].is_empty() {
            return;
        }
        let place = place % self.under_way[to].len();
        let segment = if again { self.under_way[to][place] } else { self.under_way[to].remove(place) };
        let direction = if to == SERVER { Direction::Original } else { Direction::Reply };
        let takes = self.ends[to].takes(segment);
        let before = self.tcp.state();
        let fate = self.tcp.handle(direction, segment, None);
        assert!(!takes || fate == Ok(Effect::Counts), "{segment:?} is {fate:?} in {before:?}");
        if arrives && takes && fate.is_ok() {
            let shift = self.ends[1 - to].shift;
            self.ends[to].take(segment, shift);
        }
    }

    fn act(&mut self, act: &Act) {
        let index = |client: bool| if client { CLIENT } else { SERVER };
        match *act {
            Act::Send(client, payload, window) => {
                let end = &mut self.ends[index(client)];
                let room = end.edge.wrapping_sub(end.next);
                let payload = u32::from(payload).min(if room > u32::MAX / 2 { 0 } else { room });
                if end.finished || payload == 0 {
                    return;
                }
                let seq = end.next;
                end.next = end.next.wrapping_add(payload);
                self.emit(index(client), seq, u16::try_from(payload).unwrap(), 0, window);
            }
            Act::Repeat(client, window) => {
                let end = &self.ends[index(client)];
                let fin = u32::from(end.finished);
                let missing = end.next.wrapping_sub(end.una);
                if missing == 0 {
                    return;
                }
                let payload = u16::try_from(missing.saturating_sub(fin).min(1_460)).unwrap();
                let all = u32::from(payload) + fin == missing;
                let flags = if all && end.finished { FIN } else { 0 };
                self.emit(index(client), end.una, payload, flags, window);
            }
            Act::Acknowledge(client, window) => {
                let seq = self.ends[index(client)].next;
                self.emit(index(client), seq, 0, 0, window);
            }
            Act::Finish(client) => {
                let end = &mut self.ends[index(client)];
                if end.finished || end.next == end.edge {
                    return;
                }
                let seq = end.next;
                end.next = end.next.wrapping_add(1);
                end.finished = true;
                self.emit(index(client), seq, 0, FIN, 1_000);
            }
            Act::Arrive(client, place) => self.meet(index(client), place, true, false),
            Act::LoseAfter(client, place) => self.meet(index(client), place, false, false),
            Act::Twice(client, place) => self.meet(index(client), place, true, true),
            Act::LoseBefore(client, place) => {
                let under_way = &mut self.under_way[index(client)];
                if !under_way.is_empty() {
                    under_way.remove(place % under_way.len());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn what_a_receiver_takes_is_not_dropped(
        isns in any::<[u32; 2]>(),
        shifts in any::<[Option<u8>; 2]>(),
        windows in any::<[u16; 2]>(),
        acts in prop::collection::vec(act(), 0..400),
    ) {
        let shifts = shifts.map(|shift| shift.map(|shift| shift % 15));
        let mut world = World::open(isns, shifts, windows);
        for act in &acts {
            world.act(act);
        }
        prop_assert_ne!(world.tcp.state(), TcpState::SynSent);
    }
}
