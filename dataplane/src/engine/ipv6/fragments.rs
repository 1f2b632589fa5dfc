//! Fragments of IPv6: a datagram is judged when all of it is there, and its fragments then go on as they came.
//!
//! Nothing is translated, so no fragment changes; but only the whole has a transport header whose lengths and checksums
//! can be believed. What waits is bounded in number, bytes and time, in all and for each subscriber or /64 outside.

use std::collections::{BTreeMap, VecDeque};

use super::pass;
use crate::addr::{Realm, site_of};
use crate::conntrack::TupleHasher;
use crate::conntrack::ipv6::Ipv6Key;
use crate::emit;
use crate::engine::context::Arrival;
use crate::engine::{DropReason, Engine, Packet, Verdict};
use crate::firewall::Book;
use crate::fragment::{Misfit, Pieces};
use crate::limits::{FRAGMENT_BYTES, FRAGMENT_LIFETIME, FRAGMENT_SHARE_OF_SOURCE, Limits, MAX_PACKET};
use crate::parse::ipv6::{Ipv6Fragment, is_whole_chain, parse_fragment};
use crate::time::Timestamp;
use crate::wire::ipv6;

/// A datagram of which not every fragment has come.
#[derive(Debug)]
struct Gathering {
    /// Its turn among all that ever were: one that is begun anew is another one.
    turn: u64,
    pieces: Pieces,
    held: Vec<Vec<u8>>,
    bytes: usize,
    refused: Option<DropReason>,
}

/// What waits of one source.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    datagrams: u32,
    bytes: usize,
}

/// The datagrams from one side of which not every fragment has come.
#[derive(Debug)]
pub(in crate::engine) struct Gatherings {
    /// By addresses and identification, in the places of a session's key.
    by_key: Book<Ipv6Key, Gathering>,
    /// When each ends, in order, as all last equally long.
    ends: VecDeque<(Timestamp, u64, Ipv6Key)>,
    /// What each source has.
    by_source: BTreeMap<u64, Share>,
    bytes: usize,
    turn: u64,
    most: u32,
}

impl Gatherings {
    pub(super) fn new(limits: &Limits, hasher: TupleHasher) -> Self {
        // One side must not take the other's share.
        let most = limits.fragmented_datagrams / 2;
        Self {
            by_key: Book::new(most, hasher),
            ends: VecDeque::new(),
            by_source: BTreeMap::new(),
            bytes: 0,
            turn: 0,
            most,
        }
    }

    /// Returns the number of datagrams.
    pub(in crate::engine) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Returns when the oldest one ends.
    pub(in crate::engine) fn next_deadline(&self) -> Option<Timestamp> {
        self.ends.front().map(|(at, _, _)| *at)
    }

    fn begin(&mut self, key: Ipv6Key, now: Timestamp) -> Result<(), DropReason> {
        let source = site_of(key.inside);
        let share = self.by_source.get(&source).copied().unwrap_or_default();
        if share.datagrams >= self.most / FRAGMENT_SHARE_OF_SOURCE {
            return Err(DropReason::FragmentsFull);
        }
        self.turn += 1;
        let turn = self.turn;
        let new = Gathering { turn, pieces: Pieces::NONE, held: Vec::new(), bytes: 0, refused: None };
        if !self.by_key.insert(key, new) {
            return Err(DropReason::FragmentsFull);
        }
        self.by_source.entry(source).or_default().datagrams += 1;
        self.ends.push_back((now.saturating_add(FRAGMENT_LIFETIME), turn, key));
        Ok(())
    }

    /// Takes a datagram out with what waited of it.
    fn remove(&mut self, key: &Ipv6Key) -> Option<Gathering> {
        let source = site_of(key.inside);
        let gathering = self.by_key.remove(key)?;
        self.give_back(source, gathering.bytes);
        if let Some(share) = self.by_source.get_mut(&source) {
            share.datagrams -= 1;
            if share.datagrams == 0 {
                self.by_source.remove(&source);
            }
        }
        Some(gathering)
    }

    /// Drops what waits of a datagram, and all that will come of it; returns how many fragments waited.
    fn refuse(&mut self, key: &Ipv6Key, reason: DropReason) -> usize {
        let Some(gathering) = self.by_key.find_mut(key) else { return 0 };
        gathering.refused = Some(reason);
        let bytes = std::mem::take(&mut gathering.bytes);
        let waited = std::mem::take(&mut gathering.held).len();
        self.give_back(site_of(key.inside), bytes);
        waited
    }

    /// Has a fragment wait, if there is room for it.
    fn hold(&mut self, key: &Ipv6Key, packet: &[u8]) -> Result<(), DropReason> {
        let share = self.by_source.entry(site_of(key.inside)).or_default();
        let most = FRAGMENT_BYTES / usize::try_from(FRAGMENT_SHARE_OF_SOURCE).unwrap_or(1);
        let full = self.bytes + packet.len() > FRAGMENT_BYTES || share.bytes + packet.len() > most;
        let gathering = self.by_key.find_mut(key).filter(|_| !full).ok_or(DropReason::FragmentsFull)?;
        gathering.bytes += packet.len();
        gathering.held.push(packet.to_vec());
        share.bytes += packet.len();
        self.bytes += packet.len();
        Ok(())
    }

    fn give_back(&mut self, source: u64, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(share) = self.by_source.get_mut(&source) {
            share.bytes = share.bytes.saturating_sub(bytes);
        }
    }
}

/// Returns by what a fragment's datagram is found.
const fn key_of(fragment: &Ipv6Fragment) -> Ipv6Key {
    let [a, b, c, d] = fragment.identification.to_be_bytes();
    Ipv6Key {
        inside: fragment.source,
        outside: fragment.destination,
        inside_port: u16::from_be_bytes([a, b]),
        outside_port: u16::from_be_bytes([c, d]),
        protocol: ipv6::FRAGMENT,
    }
}

impl Engine {
    /// Takes a fragment: it waits for the others, or completes them.
    #[inline(never)]
    pub(super) fn fragment_ipv6(
        &mut self,
        packet: &mut Packet<'_>,
        arrival: &Arrival<'_>,
    ) -> Result<Verdict, DropReason> {
        let fragment = parse_fragment(packet.bytes())?;
        let shrunk = packet.set_length(fragment.end);
        debug_assert!(shrunk, "the parser has seen this many bytes");
        if arrival.counts_hop() && fragment.hop_limit <= 1 {
            return Err(DropReason::TtlExceeded);
        }
        let key = key_of(&fragment);
        let state = self.ipv6.as_mut().ok_or(DropReason::Ipv6Off)?;
        let gatherings = state.gatherings(arrival.realm);
        if gatherings.by_key.find(&key).is_none() {
            gatherings.begin(key, arrival.now)?;
        }
        let gathering = gatherings.by_key.find_mut(&key).ok_or(DropReason::FragmentsFull)?;
        if let Some(reason) = gathering.refused {
            return Err(reason);
        }
        // The whole chain of headers is in the first one (RFC 7112, section 5).
        let fits = if fragment.start == 0 && !is_whole_chain(packet.bytes(), &fragment) {
            Err(DropReason::FragmentTiny)
        } else {
            note(gathering, &fragment, packet.bytes())
        };
        match fits {
            Ok(()) => {}
            Err(reason @ DropReason::FragmentRepeated) => return Err(reason),
            Err(reason) => {
                let waited = gatherings.refuse(&key, reason);
                self.count_drops(reason, waited);
                return Err(reason);
            }
        }
        if gathering.pieces.are_complete() {
            let Some(gathering) = gatherings.remove(&key) else {
                return Err(DropReason::FragmentsFull);
            };
            return self.gathered_ipv6(gathering.held, packet, arrival);
        }
        if let Err(reason) = gatherings.hold(&key, packet.bytes()) {
            let waited = gatherings.refuse(&key, reason);
            self.count_drops(reason, waited);
            return Err(reason);
        }
        Ok(Verdict::Hold)
    }

    /// Judges a whole datagram, and lets its fragments go on if it may.
    fn gathered_ipv6(
        &mut self,
        held: Vec<Vec<u8>>,
        packet: &mut Packet<'_>,
        arrival: &Arrival<'_>,
    ) -> Result<Verdict, DropReason> {
        let waited = held.len();
        let verdict = self.judge_gathered(&held, packet, arrival);
        match verdict {
            Ok(Verdict::Forward) => {
                pass(arrival, packet);
                for mut fragment in held {
                    if arrival.counts_hop() {
                        emit::ipv6::count_hop(&mut fragment);
                    }
                    self.transmit(arrival.realm.opposite(), fragment);
                }
            }
            Ok(_) => {}
            Err(reason) => self.count_drops(reason, waited),
        }
        verdict
    }

    fn judge_gathered(
        &mut self,
        held: &[Vec<u8>],
        packet: &Packet<'_>,
        arrival: &Arrival<'_>,
    ) -> Result<Verdict, DropReason> {
        let mut whole = assemble(held, packet.bytes()).ok_or(DropReason::FragmentTooLong)?;
        let length = whole.len();
        let mut judged = Packet::new(&mut whole, length);
        match self.cross_ipv6(&mut judged, arrival)? {
            // Not in fragments: the host puts together what is for it, and this was for it at the first one.
            Verdict::DeliverIfListening => Err(DropReason::NotExpected),
            Verdict::Forward if judged.bytes().len() == length => Ok(Verdict::Forward),
            // A control stream wants it otherwise than it came. Nobody sends those in fragments; it comes again.
            Verdict::Forward | Verdict::Hold => Err(DropReason::AlgBacklog),
            verdict @ (Verdict::Hairpin | Verdict::Drop(_)) => Ok(verdict),
        }
    }

    /// Forgets datagrams that have not become complete in time.
    pub(in crate::engine) fn expire_gatherings(&mut self, now: Timestamp, budget: &mut usize) {
        for realm in [Realm::Inside, Realm::Outside] {
            while *budget > 0 && self.expire_gathering(realm, now) {
                *budget -= 1;
            }
        }
    }

    /// Forgets the oldest datagram of a side, if it is still incomplete; `false` when none is due.
    fn expire_gathering(&mut self, realm: Realm, now: Timestamp) -> bool {
        let Some(state) = &mut self.ipv6 else { return false };
        let gatherings = state.gatherings(realm);
        let due = gatherings.ends.pop_front_if(|(at, _, _)| *at <= now);
        let Some((_, turn, key)) = due else { return false };
        if gatherings.by_key.find(&key).is_some_and(|gathering| gathering.turn == turn)
            && let Some(gathering) = gatherings.remove(&key)
        {
            self.count_drops(DropReason::FragmentTimeout, gathering.held.len());
        }
        true
    }
}

/// Adds a fragment to those of its datagram.
fn note(gathering: &mut Gathering, fragment: &Ipv6Fragment, packet: &[u8]) -> Result<(), DropReason> {
    // What came before, byte for byte, is only repeated; anything else that overlaps is not (RFC 5722, section 4).
    if gathering.held.iter().any(|held| held == packet) {
        return Err(DropReason::FragmentRepeated);
    }
    let length = u16::try_from(packet.len().saturating_sub(fragment.payload_at));
    let length = length.map_err(|_| DropReason::FragmentTooLong)?;
    gathering.pieces.add(fragment.start, length, fragment.more, 0).map_err(|misfit| match misfit {
        Misfit::Repeated | Misfit::Overlap => DropReason::FragmentOverlap,
        Misfit::TooMany => DropReason::FragmentsTooMany,
    })
}

/// Puts all fragments of a datagram together (RFC 8200, section 4.5): the headers are those of the first one. `None` when
/// that is missing or the whole is longer than a packet can be.
fn assemble(held: &[Vec<u8>], last: &[u8]) -> Option<Vec<u8>> {
    let read = |packet| Some((parse_fragment(packet).ok()?, packet));
    let mut parts = Vec::with_capacity(held.len() + 1);
    for packet in held.iter().map(Vec::as_slice).chain([last]) {
        parts.push(read(packet)?);
    }
    parts.sort_unstable_by_key(|(fragment, _)| fragment.start);
    let (first, packet) = *parts.first().filter(|(fragment, _)| fragment.start == 0)?;
    let mut whole = packet.get(..first.fragment_at)?.to_vec();
    *whole.get_mut(first.next_at)? = first.next;
    for (fragment, packet) in &parts {
        whole.extend_from_slice(packet.get(fragment.payload_at..)?);
    }
    if whole.len() > MAX_PACKET {
        return None;
    }
    ipv6::set_payload_length(&mut whole);
    Some(whole)
}
