//! Sessions that control messages announced: expectations, to users pinholes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Bound;

use crate::addr::{Endpoint, subscriber_of};
use crate::alg::{AlgProtocol, PinholeId};
use crate::conntrack::SessionId;
use crate::nat::MappingId;
use crate::time::Timestamp;
use crate::tuple::{Flow, Protocol, Tuple};

/// A pinhole: one session from `peer` to `outside` will be let in, once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pinhole {
    /// Its name.
    pub id: PinholeId,
    /// The ALG that opened it.
    pub alg: AlgProtocol,
    /// The transport.
    pub protocol: Protocol,
    /// Who is admitted; port 0 for any.
    pub peer: Endpoint,
    /// GRE: the call id that packets to the peer carry, once it is known.
    pub call: Option<u16>,
    /// The address and port that the peer was told.
    pub outside: Endpoint,
    /// The inside endpoint behind it.
    pub inside: Endpoint,
    /// The mapping between the two, held for the pinhole; none where nothing is translated between them.
    pub mapping: MappingId,
    /// The control session.
    pub master: SessionId,
    /// The control message's name.
    pub message: &'static str,
    /// Bytes of the control stream before that message.
    pub offset: u64,
    /// When it closes unused.
    pub deadline: Timestamp,
}

/// Where a pinhole is looked for when a packet fits no session.
type Key = (Protocol, Endpoint, IpAddr);

/// The pinholes that wait for their session. Their number is bounded and small, so ordered maps serve well.
#[derive(Debug, Default)]
pub struct Expectations {
    by_id: BTreeMap<PinholeId, Pinhole>,
    /// Several may be between the same two, each for a session of its own.
    by_key: BTreeSet<(Key, PinholeId)>,
    /// Of GRE, by inside address, peer and the peer's call id: the inside host may send first.
    by_call: BTreeMap<(IpAddr, IpAddr, u16), PinholeId>,
    by_deadline: BTreeSet<(Timestamp, PinholeId)>,
    by_master: BTreeSet<(SessionId, PinholeId)>,
    by_subscriber: BTreeMap<IpAddr, u32>,
    next_id: u64,
}

impl Expectations {
    /// Returns the number of pinholes.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Returns a pinhole.
    pub fn get(&self, id: PinholeId) -> Option<&Pinhole> {
        self.by_id.get(&id)
    }

    /// Whether a pinhole is open.
    pub fn contains(&self, id: PinholeId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// Returns the name of the next pinhole; each is given out once.
    pub fn next_id(&mut self) -> PinholeId {
        self.next_id += 1;
        PinholeId(self.next_id)
    }

    /// Returns the pinholes that a control session has open.
    pub fn of_master(&self, master: SessionId) -> impl Iterator<Item = PinholeId> {
        let range = (master, PinholeId(0))..=(master, PinholeId(u64::MAX));
        self.by_master.range(range).map(|&(_, id)| id)
    }

    /// Returns how many pinholes lead to the subscriber of an inside address.
    pub fn of_subscriber(&self, address: IpAddr) -> u32 {
        self.by_subscriber.get(&subscriber_of(address)).copied().unwrap_or(0)
    }

    /// Returns the pinhole that a new packet from outside fits.
    pub fn lookup(&self, flow: &Flow) -> Option<&Pinhole> {
        let mut open = self.at((flow.protocol, flow.destination, flow.source.address));
        open.find(|pinhole| pinhole.peer.port == 0 || pinhole.peer.port == flow.source.port)
    }

    /// Returns the pinhole that a new packet of a call from inside fits.
    pub fn lookup_call(&self, tuple: &Tuple) -> Option<&Pinhole> {
        let key = (tuple.source.into(), tuple.destination.into(), tuple.destination_port);
        self.by_id.get(self.by_call.get(&key)?)
    }

    /// Visits the pinholes between the same two, oldest first.
    fn at(&self, key: Key) -> impl Iterator<Item = &Pinhole> {
        let range = self.by_key.range((key, PinholeId(0))..=(key, PinholeId(u64::MAX)));
        range.filter_map(|(_, id)| self.by_id.get(id))
    }

    /// Opens a pinhole. That of a call which is announced anew is returned and no longer there.
    pub fn insert(&mut self, pinhole: Pinhole) -> Option<Pinhole> {
        let again = pinhole.protocol == Protocol::Gre;
        let known = again.then(|| self.at(key(&pinhole)).next().map(|known| known.id)).flatten();
        let replaced = known.and_then(|id| self.remove(id));
        self.by_key.insert((key(&pinhole), pinhole.id));
        if let Some(call) = pinhole.call {
            self.by_call.insert((pinhole.inside.address, pinhole.peer.address, call), pinhole.id);
        }
        self.by_deadline.insert((pinhole.deadline, pinhole.id));
        self.by_master.insert((pinhole.master, pinhole.id));
        *self.by_subscriber.entry(subscriber_of(pinhole.inside.address)).or_default() += 1;
        self.by_id.insert(pinhole.id, pinhole);
        replaced
    }

    /// Has a pinhole close at another time unless it is used; `false` when it is gone.
    pub fn renew(&mut self, id: PinholeId, deadline: Timestamp) -> bool {
        let Some(pinhole) = self.by_id.get_mut(&id) else { return false };
        self.by_deadline.remove(&(pinhole.deadline, id));
        pinhole.deadline = deadline;
        self.by_deadline.insert((deadline, id));
        true
    }

    /// Closes a pinhole; the caller releases its mapping.
    pub fn remove(&mut self, id: PinholeId) -> Option<Pinhole> {
        let pinhole = self.by_id.remove(&id)?;
        self.by_key.remove(&(key(&pinhole), id));
        if let Some(call) = pinhole.call {
            let called = (pinhole.inside.address, pinhole.peer.address, call);
            // Another one may have taken its place.
            if self.by_call.get(&called) == Some(&id) {
                self.by_call.remove(&called);
            }
        }
        self.by_deadline.remove(&(pinhole.deadline, id));
        self.by_master.remove(&(pinhole.master, id));
        let subscriber = subscriber_of(pinhole.inside.address);
        if let Some(count) = self.by_subscriber.get_mut(&subscriber) {
            *count -= 1;
            if *count == 0 {
                self.by_subscriber.remove(&subscriber);
            }
        }
        Some(pinhole)
    }

    /// Returns a pinhole whose time is over.
    pub fn expired(&self, now: Timestamp) -> Option<PinholeId> {
        self.by_deadline.first().filter(|(deadline, _)| *deadline <= now).map(|&(_, id)| id)
    }

    /// Returns when the next pinhole closes.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.by_deadline.first().map(|&(deadline, _)| deadline)
    }

    /// Visits the pinholes that opened after another, oldest first.
    pub fn after(&self, id: PinholeId) -> impl Iterator<Item = &Pinhole> {
        self.by_id.range((Bound::Excluded(id), Bound::Unbounded)).map(|(_, pinhole)| pinhole)
    }

    /// Visits every pinhole, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Pinhole> {
        self.by_id.values()
    }
}

fn key(pinhole: &Pinhole) -> Key {
    (pinhole.protocol, pinhole.outside, pinhole.peer.address)
}
