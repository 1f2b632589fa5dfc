//! PPTP (RFC 2637): the dialogue of one control connection.
//!
//! Each end names a call by an id of its own, which the packets of the call that are for it carry. The inside end's is
//! translated, so that several hosts may use the same towards one peer; the outside end's stays. Where a message names
//! the call of its sender, or of its receiver, and that one is inside, the id is given in the other form.

use super::helper::{Step, View};
use super::stream::Replacement;
use crate::addr::{Endpoint, Realm};
use crate::alg::{
    Arbiter, Decision, Ends, OpaqueReason, PeerCall, PinholeId, PinholeRequest, Refusal, Report, Transport,
};
use crate::limits::{MAX_PPTP_CALLS, PPTP_CALL_LIFETIME};
use crate::tuple::Direction;

mod message;

use message::{Body, CallId, Message, Unread, parse};

/// A call of the inside end.
#[derive(Clone, Copy, Debug)]
struct Call {
    /// The inside end's id.
    own: u16,
    /// What the outside end knows it as.
    visible: u16,
    /// The outside end's id, once it has told it.
    peers: Option<u16>,
    /// What admits its packets, or did.
    pinhole: PinholeId,
}

/// The helper of one control connection.
#[derive(Debug, Default)]
pub(super) struct Pptp {
    /// Whether the responder has agreed to talk; no calls come before.
    started: bool,
    calls: Vec<Call>,
    /// Ids of calls that the outside end asks for.
    asked: Vec<u16>,
}

/// One message on its way.
#[derive(Clone, Copy)]
struct Passing<'a> {
    message: Message,
    offset: u64,
    ends: &'a Ends,
}

impl Pptp {
    /// Looks at the bytes that follow what was taken before.
    pub(super) fn inspect(&mut self, view: &View<'_>, ends: &Ends, arbiter: &mut impl Arbiter) -> Step {
        let message = match parse(view.bytes) {
            Ok(message) => message,
            Err(Unread::Short) => return Step::Wait,
            Err(Unread::NotTheProtocol) => return Step::Opaque(OpaqueReason::NotTheProtocol),
        };
        let bytes = view.bytes.get(..message.length).unwrap_or_default();
        let outwards = ends.sender(view.direction).realm == Realm::Inside;
        let passing = Passing { message, offset: view.offset, ends };
        let other = match message.body {
            Body::Started { well } => {
                self.started |= well && view.direction == Direction::Reply;
                None
            }
            Body::Stopped => {
                for call in self.calls.drain(..) {
                    arbiter.end(call.pinhole);
                }
                None
            }
            Body::CallRequest { own } if outwards => self.ask(&passing, own, arbiter),
            Body::CallRequest { own } => {
                self.note(own.id);
                None
            }
            Body::CallReply { own, peer, well } if outwards => {
                self.answer(&passing, [own, peer], well, arbiter)
            }
            Body::CallReply { own, peer, well } => self.hear(&passing, [own, peer], well, arbiter),
            Body::CallClear { own } => self.translated(own, outwards),
            Body::CallOver { own } => {
                let other = self.translated(own, outwards);
                self.finish(own.id, outwards, arbiter);
                other
            }
            Body::OfPeersCall { peer } if !outwards => self.restored(peer),
            Body::OfPeersCall { .. } | Body::Other => None,
        };
        let replacement = other.filter(|(call, other)| call.id != *other).map(|(call, other)| {
            let with = other.to_be_bytes();
            let mut after = bytes.to_vec();
            if let Some(place) = after.get_mut(call.at..).and_then(|rest| rest.first_chunk_mut::<2>()) {
                *place = with;
            }
            arbiter.report(Report::Rewritten { message: message.name, before: bytes, after: &after });
            Replacement { at: call.at, length: with.len(), with: with.to_vec() }
        });
        Step::Take { length: message.length, replacement }
    }

    /// The inside end wants a call: its id is translated, and nothing passes before the other end has told its own.
    fn ask(
        &mut self,
        passing: &Passing<'_>,
        own: CallId,
        arbiter: &mut impl Arbiter,
    ) -> Option<(CallId, u16)> {
        if let Some(again) = self.calls.iter().find(|call| call.own == own.id) {
            return Some((own, again.visible));
        }
        let (pinhole, visible) = self.admit(passing, own.id, PeerCall::Unknown, arbiter)?;
        self.calls.push(Call { own: own.id, visible, peers: None, pinhole });
        Some((own, visible))
    }

    /// The outside end wants a call.
    fn note(&mut self, id: u16) {
        if self.asked.len() < MAX_PPTP_CALLS && !self.asked.contains(&id) {
            self.asked.push(id);
        }
    }

    /// The inside end answers.
    fn answer(
        &mut self,
        passing: &Passing<'_>,
        [own, peer]: [CallId; 2],
        well: bool,
        arbiter: &mut impl Arbiter,
    ) -> Option<(CallId, u16)> {
        if let Some(again) = self.calls.iter().find(|call| call.own == own.id && call.peers == Some(peer.id))
        {
            return Some((own, again.visible));
        }
        let asked = self.asked.iter().position(|id| *id == peer.id);
        let Some(asked) = asked else { return refuse(passing, Refusal::OutOfTurn, arbiter) };
        self.asked.swap_remove(asked);
        if !well {
            return None;
        }
        let (pinhole, visible) = self.admit(passing, own.id, PeerCall::Known(peer.id), arbiter)?;
        self.calls.push(Call { own: own.id, visible, peers: Some(peer.id), pinhole });
        Some((own, visible))
    }

    /// The outside end answers: from now on both ends' packets pass.
    fn hear(
        &mut self,
        passing: &Passing<'_>,
        [own, peer]: [CallId; 2],
        well: bool,
        arbiter: &mut impl Arbiter,
    ) -> Option<(CallId, u16)> {
        let waits = |call: &Call| call.visible == peer.id && call.peers.is_none_or(|known| known == own.id);
        let Some(at) = self.calls.iter().position(waits) else {
            return refuse(passing, Refusal::OutOfTurn, arbiter);
        };
        let call = *self.calls.get(at)?;
        if call.peers.is_some() {
            return Some((peer, call.own));
        }
        if !well {
            self.calls.swap_remove(at);
            arbiter.end(call.pinhole);
            return Some((peer, call.own));
        }
        match self.admit(passing, call.own, PeerCall::Known(own.id), arbiter) {
            Some((pinhole, visible)) if visible == call.visible => {
                if let Some(call) = self.calls.get_mut(at) {
                    (call.peers, call.pinhole) = (Some(own.id), pinhole);
                }
            }
            // So late that the outside end knows it by an id that is nobody's any more.
            Some((pinhole, _)) => {
                self.calls.swap_remove(at);
                arbiter.end(pinhole);
                refuse(passing, Refusal::OutOfTurn, arbiter)?;
            }
            None => {
                self.calls.swap_remove(at);
                arbiter.end(call.pinhole);
            }
        }
        Some((peer, call.own))
    }

    /// Has the packets of an inside end's call admitted; returns what its id is outside.
    fn admit(
        &self,
        passing: &Passing<'_>,
        own: u16,
        peers: PeerCall,
        arbiter: &mut impl Arbiter,
    ) -> Option<(PinholeId, u16)> {
        if !self.started {
            return refuse(passing, Refusal::OutOfTurn, arbiter);
        }
        if self.calls.len() >= MAX_PPTP_CALLS {
            return refuse(passing, Refusal::Limit, arbiter);
        }
        let ends = passing.ends;
        let direction = match ends.originator.realm {
            Realm::Inside => Direction::Original,
            Realm::Outside => Direction::Reply,
        };
        let request = PinholeRequest {
            transport: Transport::Gre(peers),
            direction,
            named: Endpoint::new(ends.sender(direction).local.address, own),
            peer: Endpoint::new(ends.receiver(direction).visible.address, 0),
            lifetime: PPTP_CALL_LIFETIME,
            message: passing.message.name,
            offset: passing.offset,
        };
        match arbiter.admit(&request) {
            Decision::Admitted { id, visible } => Some((id, visible.port)),
            Decision::Unneeded => None,
            Decision::Refused(reason) => refuse(passing, reason, arbiter),
        }
    }

    /// Returns what the sender's call is called on the other side.
    fn translated(&self, own: CallId, outwards: bool) -> Option<(CallId, u16)> {
        let call = self.calls.iter().find(|call| outwards && call.own == own.id)?;
        Some((own, call.visible))
    }

    /// Returns what the receiver, the inside end, calls its call.
    fn restored(&self, peer: CallId) -> Option<(CallId, u16)> {
        let call = self.calls.iter().find(|call| call.visible == peer.id)?;
        Some((peer, call.own))
    }

    /// The sender's call is over.
    fn finish(&mut self, id: u16, outwards: bool, arbiter: &mut impl Arbiter) {
        let is_it = |call: &Call| if outwards { call.own == id } else { call.peers == Some(id) };
        if let Some(at) = self.calls.iter().position(is_it) {
            arbiter.end(self.calls.swap_remove(at).pinhole);
        }
    }
}

/// Nothing is opened, and the message stays as it is.
fn refuse<T>(passing: &Passing<'_>, reason: Refusal, arbiter: &mut impl Arbiter) -> Option<T> {
    // What an outside end says out of turn is the inside end's to judge.
    arbiter.report(Report::Refused { message: passing.message.name, reason });
    None
}
