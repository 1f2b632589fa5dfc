//! The table of followed control sessions.

use std::collections::BTreeSet;

use crate::alg::control::{ControlStream, CraftedSegment};
use crate::alg::datagram::DatagramControl;
use crate::alg::{AlgProtocol, End, Ends, Transport};
use crate::config::Snapshot;
use crate::conntrack::{SessionId, Table};
use crate::engine::open::alg_ports;
use crate::time::Timestamp;
use crate::tuple::{Direction, Flow};

/// One followed control session.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) follower: Follower,
    pub(super) protocol: AlgProtocol,
    pub(super) session: SessionId,
    /// As the originator sees it.
    pub(super) flow: Flow,
    /// What decides about the ALG, see [`alg_ports`].
    ports: (u16, u16),
    deadline: Option<Timestamp>,
}

/// What reads a control session.
#[derive(Debug)]
pub(super) enum Follower {
    Stream(Box<ControlStream>),
    Datagrams(DatagramControl),
}

impl Follower {
    fn new(protocol: AlgProtocol, transport: Transport, ends: Ends) -> Option<Self> {
        match transport {
            Transport::Tcp => Some(Self::Stream(Box::new(ControlStream::new(protocol, ends)))),
            Transport::Udp => DatagramControl::new(protocol, ends).map(Self::Datagrams),
            Transport::Gre(_) => None,
        }
    }

    pub(super) fn ends(&self) -> &Ends {
        match self {
            Self::Stream(stream) => stream.ends(),
            Self::Datagrams(datagrams) => datagrams.ends(),
        }
    }

    pub(super) fn is_inert(&self) -> bool {
        match self {
            Self::Stream(stream) => stream.is_inert(),
            Self::Datagrams(datagrams) => datagrams.is_inert(),
        }
    }

    fn stream(&self) -> Option<&ControlStream> {
        match self {
            Self::Stream(stream) => Some(stream),
            Self::Datagrams(_) => None,
        }
    }

    pub(super) fn stream_mut(&mut self) -> Option<&mut ControlStream> {
        match self {
            Self::Stream(stream) => Some(stream),
            Self::Datagrams(_) => None,
        }
    }

    const fn transport(&self) -> Transport {
        match self {
            Self::Stream(_) => Transport::Tcp,
            Self::Datagrams(_) => Transport::Udp,
        }
    }
}

/// The followed control sessions, by slot; few beside the sessions, so their memory is taken as they come.
#[derive(Debug, Default)]
pub(super) struct Controls {
    slots: Vec<Option<Box<Control>>>,
    free: Vec<u32>,
    deadlines: BTreeSet<(Timestamp, u32)>,
}

impl Controls {
    /// Follows a new session; `None` when as many as `limit` are followed, or its messages are not read: it is then
    /// translated unread.
    pub(super) fn insert(
        &mut self,
        protocol: AlgProtocol,
        transport: Transport,
        id: SessionId,
        table: &Table,
        limit: u32,
    ) -> Option<u32> {
        let control = Box::new(Control {
            follower: Follower::new(protocol, transport, ends_of(table, id)?)?,
            protocol,
            session: id,
            flow: table.arriving(id, Direction::Original)?,
            ports: alg_ports(table, id)?,
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

    /// Returns the stream by this slot, if it is one.
    pub(super) fn stream(&self, slot: u32) -> Option<&ControlStream> {
        self.at(slot)?.follower.stream()
    }

    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(control) = self.take(slot) {
            if let Some(deadline) = control.deadline {
                self.deadlines.remove(&(deadline, slot));
            }
            self.free.push(slot);
        }
    }

    /// Returns the ALG that follows a session by this slot.
    pub(super) fn protocol(&self, slot: u32) -> Option<AlgProtocol> {
        self.at(slot).map(|control| control.protocol)
    }

    /// Returns the ALG that listens to a session by this slot under a configuration.
    pub(super) fn listening(&self, slot: u32, snapshot: &Snapshot) -> Option<AlgProtocol> {
        let control = self.at(slot)?;
        let (source, destination) = control.ports;
        snapshot.alg_for(control.follower.transport(), source, destination)
    }

    /// Returns the next segment that the stream by this slot has to send itself.
    pub(super) fn poll_crafted(&mut self, slot: u32) -> Option<CraftedSegment> {
        let control = self.slot_mut(slot)?.as_deref_mut()?;
        control.follower.stream_mut()?.poll_crafted()
    }

    /// Returns a slot whose time has come.
    pub(super) fn due(&self, now: Timestamp) -> Option<u32> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|&(_, slot)| slot)
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    pub(super) fn take(&mut self, slot: u32) -> Option<Box<Control>> {
        self.slot_mut(slot)?.take()
    }

    /// Puts a control back in its slot and sets its timer anew.
    pub(super) fn put(&mut self, slot: u32, mut control: Box<Control>) {
        let deadline = control.follower.stream().and_then(ControlStream::poll_timeout);
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

fn ends_of(table: &Table, id: SessionId) -> Option<Ends> {
    let end = |direction: Direction| {
        Some(End {
            realm: table.session(id)?.realm(direction),
            local: table.arriving(id, direction)?.source,
            visible: table.leaving(id, direction)?.source,
        })
    };
    Some(Ends { originator: end(Direction::Original)?, responder: end(Direction::Reply)? })
}
