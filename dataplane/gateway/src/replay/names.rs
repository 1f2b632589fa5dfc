//! What the outside calls the inside hosts of a capture.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

use pinhole_dataplane::config::{Rule, Snapshot};
use pinhole_dataplane::engine::Verdict;
use pinhole_dataplane::tuple::{Protocol, Tuple};
use pinhole_dataplane::wire::{self, ipv4, tcp, u8_at, u32_at};

use super::checksums::{change, transport_checksum, transport_checksum_at};
use super::fields::{End, Fields, is_error, transport_at};

/// Places of one stream that are remembered; acknowledgements are of late ones.
const MAX_PLACES: usize = 64;

/// An inside endpoint and an outside one.
type Ends = (Protocol, End, End);

/// What has gone out so far, and as what.
#[derive(Debug, Default)]
pub(super) struct Names {
    sessions: BTreeMap<Ends, Session>,
    /// The same sessions by their outside ends.
    by_outside: BTreeMap<Ends, Ends>,
    /// For whom no session says it: the last mapping or pinhole of an inside endpoint.
    endpoints: BTreeMap<(Protocol, End), End>,
    /// For fragments, which have no port.
    hosts: BTreeMap<Ipv4Addr, Ipv4Addr>,
}

#[derive(Debug)]
struct Session {
    outside: End,
    /// The place in the inside host's stream behind what it has sent last.
    sent: u32,
    /// Places in the inside host's stream and the same ones outside, where an ALG has changed lengths.
    places: VecDeque<(u32, u32)>,
}

impl Names {
    /// Takes note of a packet as it was inside and as it is outside.
    pub(super) fn learn(&mut self, inside: &Fields, outside: &Fields, verdict: Verdict) {
        let key = key(inside.protocol, inside.source, inside.destination);
        match verdict {
            Verdict::Forward | Verdict::Hairpin => {}
            Verdict::Hold => {
                if let Some(session) = self.sessions.get_mut(&key) {
                    session.sent = inside.end;
                }
                return;
            }
            Verdict::DeliverIfListening | Verdict::Drop(_) => return,
        }
        self.endpoints.insert((inside.protocol, inside.source), outside.source);
        self.hosts.insert(inside.source.0, outside.source.0);
        let (protocol, outside_end, remote) = (key.0, outside.source, key.2);
        self.by_outside.insert((protocol, outside_end, remote), key);
        let session = self.sessions.entry(key).or_insert_with(|| Session {
            outside: outside_end,
            sent: inside.end,
            places: VecDeque::new(),
        });
        session.outside = outside_end;
        if inside.moves {
            session.sent = inside.end;
            if inside.end != outside.end || !session.places.is_empty() {
                session.note_place(inside.end, outside.end);
            }
        }
    }

    /// Takes note of a packet that the engine sends outside on an inside host's behalf.
    pub(super) fn learn_own(&mut self, outside: &Fields) {
        let ends = key(outside.protocol, outside.source, outside.destination);
        let session = self.by_outside.get(&ends).and_then(|key| self.sessions.get_mut(key));
        if let Some(session) = session.filter(|_| outside.moves) {
            session.note_place(session.sent, outside.end);
        }
    }

    /// Takes note of what a control message announced.
    pub(super) fn learn_pinhole(&mut self, inside: End, outside: End) {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            self.endpoints.insert((protocol, inside), outside);
        }
    }

    /// Gives a packet from outside that is for an inside host's own address the outside one instead. What has none
    /// stays, and the engine refuses it.
    pub(super) fn readdress(&self, snapshot: &Snapshot, packet: &mut [u8]) {
        let inside = ipv4::destination(packet);
        if ipv4::version(packet) != 4 || packet.len() < ipv4::MIN_HEADER || !snapshot.is_inside(inside) {
            return;
        }
        let Some(at) = transport_at(packet) else {
            if let Some(outside) = self.hosts.get(&inside) {
                set_address(packet, ipv4::DESTINATION, *outside, &[ipv4::CHECKSUM], None);
            }
            return;
        };
        if u8_at(packet, ipv4::PROTOCOL) == wire::PROTOCOL_ICMP && is_error(u8_at(packet, at)) {
            self.readdress_error(snapshot, packet, at);
        } else if let Some(fields) = Fields::read(packet) {
            let ends = key(fields.protocol, fields.destination, fields.source);
            if let Some(outside) = self.outside_of(snapshot, ends) {
                set_destination(packet, at, fields.protocol, outside);
                self.set_acknowledgement(packet, at, ends);
            }
        }
    }

    /// The packet that an error quotes was the inside host's when it was outside.
    fn readdress_error(&self, snapshot: &Snapshot, packet: &mut [u8], at: usize) {
        let (outer, quoted_at) = (at + wire::ICMP_CHECKSUM, at + wire::ICMP_HEADER);
        let quoted = packet.get(quoted_at..).unwrap_or_default();
        let (Some(fields), Some(transport)) = (Fields::read(quoted), transport_at(quoted)) else { return };
        let Some(outside) =
            self.outside_of(snapshot, key(fields.protocol, fields.source, fields.destination))
        else {
            return;
        };
        let (protocol, transport) = (u8_at(quoted, ipv4::PROTOCOL), quoted_at + transport);
        set_address(packet, ipv4::DESTINATION, outside.0, &[ipv4::CHECKSUM], None);
        let mut sums = Vec::from([quoted_at + ipv4::CHECKSUM]);
        let whole = |sum: &usize| sum.saturating_add(2) <= packet.len();
        let own = transport_checksum(packet, protocol, transport).filter(whole);
        sums.extend(own);
        set_address(packet, quoted_at + ipv4::SOURCE, outside.0, &sums, Some(outer));
        let (port_at, own) = if fields.protocol == Protocol::IcmpEcho {
            (transport + wire::ICMP_IDENTIFIER, Some(transport + wire::ICMP_CHECKSUM))
        } else {
            (transport, own)
        };
        change(packet, port_at, outside.1, own.as_slice(), Some(outer));
    }

    fn outside_of(&self, snapshot: &Snapshot, ends: Ends) -> Option<End> {
        let (protocol, inside, remote) = ends;
        let session = self.sessions.get(&ends).map(|session| session.outside);
        session.or_else(|| self.endpoints.get(&(protocol, inside)).copied()).or_else(|| {
            let tuple = Tuple {
                protocol,
                source: inside.0,
                source_port: inside.1,
                destination: remote.0,
                destination_port: remote.1,
            };
            match snapshot.rule(&tuple) {
                Rule::Fixed(address, port) => Some((address, port)),
                Rule::Untranslated | Rule::Pooled | Rule::Shared | Rule::Refused(_) => None,
            }
        })
    }

    /// Has a segment acknowledge what its sender would have got outside.
    fn set_acknowledgement(&self, packet: &mut [u8], at: usize, ends: Ends) {
        let Some(session) = self.sessions.get(&ends).filter(|session| !session.places.is_empty()) else {
            return;
        };
        if u8_at(packet, at + tcp::FLAGS) & tcp::ACK_FLAG == 0 {
            return;
        }
        let acknowledged = session.outside_place(u32_at(packet, at + tcp::ACK));
        let [a, b, c, d] = acknowledged.to_be_bytes();
        let sums: Vec<usize> = transport_checksum_at(packet, at).into_iter().collect();
        change(packet, at + tcp::ACK, u16::from_be_bytes([a, b]), &sums, None);
        change(packet, at + tcp::ACK + 2, u16::from_be_bytes([c, d]), &sums, None);
    }
}

impl Session {
    fn note_place(&mut self, inside: u32, outside: u32) {
        if let Some(last) = self.places.back_mut().filter(|last| last.0 == inside) {
            last.1 = if is_before(last.1, outside) { outside } else { last.1 };
            return;
        }
        if self.places.len() == MAX_PLACES {
            self.places.pop_front();
        }
        self.places.push_back((inside, outside));
    }

    /// Returns where a place in the inside host's stream is outside.
    fn outside_place(&self, inside: u32) -> u32 {
        let known = self.places.iter().rev().find(|place| !is_before(inside, place.0));
        known.map_or(inside, |place| place.1.wrapping_add(inside.wrapping_sub(place.0)))
    }
}

/// Whether a sequence number is before another one (RFC 1982).
const fn is_before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) > u32::MAX / 2
}

fn key(protocol: Protocol, inside: End, remote: End) -> Ends {
    // An echo's identifier is the inside host's, and no part of the other end.
    let port = if protocol == Protocol::IcmpEcho { 0 } else { remote.1 };
    (protocol, inside, (remote.0, port))
}

fn set_destination(packet: &mut [u8], at: usize, protocol: Protocol, to: End) {
    let sum = transport_checksum_at(packet, at);
    let (port_at, over_port) = if protocol == Protocol::IcmpEcho {
        (at + wire::ICMP_IDENTIFIER, Some(at + wire::ICMP_CHECKSUM))
    } else {
        (at + 2, sum)
    };
    let sums: Vec<usize> = [ipv4::CHECKSUM].into_iter().chain(sum).collect();
    set_address(packet, ipv4::DESTINATION, to.0, &sums, None);
    change(packet, port_at, to.1, over_port.as_slice(), None);
}

fn set_address(packet: &mut [u8], at: usize, address: Ipv4Addr, sums: &[usize], outer: Option<usize>) {
    let [a, b, c, d] = address.octets();
    change(packet, at, u16::from_be_bytes([a, b]), sums, outer);
    change(packet, at + 2, u16::from_be_bytes([c, d]), sums, outer);
}
