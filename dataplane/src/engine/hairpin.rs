//! Inside hosts that reach each other by their outside endpoints (RFC 4787, REQ-9; RFC 5382, REQ-8).
//!
//! Such a packet crosses twice: out as its sender's, and in as anybody's from outside. So both hosts have a session of
//! their own with the other's outside endpoint, the receiver sees the sender's one (REQ-9a), and filtering, pinholes,
//! forwards, ALGs and ICMP errors are what they are for hosts outside.

use crate::addr::Realm;
use crate::config::Snapshot;
use crate::engine::context::{Arrival, Way};
use crate::engine::{DropReason, Engine, Packet, Transmit, Verdict};
use crate::limits::MAX_PACKET;
use crate::time::Tick;
use crate::wire::{ipv4, ipv6};

/// What a packet may grow by on its second way.
const ROOM: usize = 2_048;
/// What a fragment may grow by, when it completes a datagram.
const ROOM_OF_FRAGMENT: usize = MAX_PACKET;

impl Engine {
    /// Decides on a packet. It crosses once, or twice when it comes from inside and is for a pool address; never more.
    #[inline]
    pub(super) fn decide(
        &mut self,
        packet: &mut Packet<'_>,
        arrival: &Arrival<'_>,
    ) -> Result<Verdict, DropReason> {
        if ipv6::version(packet.bytes()) == 6 {
            return self.cross_ipv6(packet, arrival);
        }
        let verdict = self.cross(packet, arrival)?;
        if verdict == Verdict::Forward && turns_back(arrival.snapshot, arrival.realm, packet.bytes()) {
            return self.enter(packet, arrival);
        }
        Ok(verdict)
    }

    /// Takes a packet that has left inside back in.
    #[inline(never)]
    fn enter(&mut self, packet: &mut Packet<'_>, arrival: &Arrival<'_>) -> Result<Verdict, DropReason> {
        let Arrival { snapshot, now, tick, .. } = *arrival;
        match self.cross(packet, &Arrival { snapshot, realm: Realm::Outside, now, tick, way: Way::Back })? {
            Verdict::Forward => Ok(Verdict::Hairpin),
            // It was for somebody inside who is gone, and is not as it came any more.
            Verdict::DeliverIfListening => Err(DropReason::NotExpected),
            verdict @ (Verdict::Hairpin | Verdict::Hold | Verdict::Drop(_)) => Ok(verdict),
        }
    }

    /// Takes a packet of the engine's own back in, if it is for a pool address; `None` when nothing is left of it.
    pub(super) fn turn_back(&mut self, transmit: Transmit) -> Option<Transmit> {
        let Some(snapshot) = self.snapshot.take() else { return Some(transmit) };
        let came_from = transmit.realm.opposite();
        if !turns_back(&snapshot, came_from, &transmit.bytes) {
            self.snapshot = Some(snapshot);
            return Some(transmit);
        }
        let mut bytes = transmit.bytes;
        let length = bytes.len();
        let room = if ipv4::is_fragment(&bytes) { ROOM_OF_FRAGMENT } else { ROOM };
        bytes.resize(length.saturating_add(room), 0);
        let mut packet = Packet::new(&mut bytes, length);
        let now = self.nat.time();
        let (realm, tick, way) = (Realm::Inside, Tick::at(now), Way::First);
        let verdict = self.enter(&mut packet, &Arrival { snapshot: &snapshot, realm, now, tick, way });
        let length = packet.bytes().len();
        self.snapshot = Some(snapshot);
        self.tell();
        match verdict {
            Ok(Verdict::Hairpin) => {
                bytes.truncate(length);
                Some(Transmit { realm: Realm::Inside, bytes })
            }
            Ok(Verdict::Hold | Verdict::Forward | Verdict::DeliverIfListening | Verdict::Drop(_)) => None,
            Err(reason) => {
                self.stats.count_drop(reason);
                None
            }
        }
    }
}

/// Whether a packet that came from a side is for one of the pool's addresses.
fn turns_back(snapshot: &Snapshot, from: Realm, packet: &[u8]) -> bool {
    from == Realm::Inside && ipv4::version(packet) == 4 && snapshot.is_pool(ipv4::destination(packet))
}
