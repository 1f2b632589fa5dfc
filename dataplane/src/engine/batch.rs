//! Packets in, in batches: what waits for memory waits for all of them at once.

use std::hint::black_box;

use crate::addr::Realm;
use crate::conntrack::Guess;
use crate::emit;
use crate::engine::context::{Arrival, Way};
use crate::engine::process::count;
use crate::engine::{DropReason, Engine, Packet, Verdict};
use crate::parse::{Plain, peek};
use crate::time::{Tick, Timestamp};
use crate::tuple::Protocol;

/// Packets that are looked up together: as many as a core has memory accesses under way, and a few more.
pub const BATCH: usize = 32;

impl Engine {
    /// Decides on packets that came from `realm`, in their order, and rewrites them in place; the verdict on each
    /// goes to its place in `verdicts`, which is as long. Faster than one call for each, and otherwise the same.
    pub fn process_batch(
        &mut self,
        packets: &mut [Packet<'_>],
        realm: Realm,
        now: Timestamp,
        verdicts: &mut [Verdict],
    ) {
        let decided = self.receive(realm, now, |engine, arrival| {
            for (packets, verdicts) in packets.chunks_mut(BATCH).zip(verdicts.chunks_mut(BATCH)) {
                engine.chunk(packets, arrival, verdicts);
            }
        });
        if decided.is_none() {
            verdicts.fill_with(|| self.drop(DropReason::NotConfigured));
        }
    }

    /// Decides on a packet that came from `realm` and rewrites it in place.
    pub fn process(&mut self, packet: &mut Packet<'_>, realm: Realm, now: Timestamp) -> Verdict {
        self.receive(realm, now, |engine, arrival| engine.settle(packet, arrival))
            .unwrap_or_else(|| self.drop(DropReason::NotConfigured))
    }

    /// Has `decide` work under the snapshot in force; `None` where there is none.
    fn receive<R>(
        &mut self,
        realm: Realm,
        now: Timestamp,
        decide: impl FnOnce(&mut Self, &Arrival<'_>) -> R,
    ) -> Option<R> {
        // Taken out for the call, so that the pipeline can read it while it changes the tables.
        let snapshot = self.snapshot.take()?;
        self.nat.set_time(now);
        let arrival = Arrival { snapshot: &snapshot, realm, now, tick: Tick::at(now), way: Way::First };
        let decided = decide(self, &arrival);
        self.snapshot = Some(snapshot);
        self.tell();
        Some(decided)
    }

    /// Looks the packets up together and decides on one after the other: by the short way for those that most
    /// packets are like, by the whole pipeline for the others.
    ///
    /// First all lines of the index are read, then all sessions. The accesses do not depend on each other, so the
    /// core has many of them under way at a time. Plain reads do this as well as prefetch instructions, which only
    /// unsafe code could use.
    fn chunk(&mut self, packets: &mut [Packet<'_>], arrival: &Arrival<'_>, verdicts: &mut [Verdict]) {
        let mut plain = [Plain::NONE; BATCH];
        let mut guesses = [Guess::NONE; BATCH];
        for (packet, plain) in packets.iter().zip(&mut plain) {
            *plain = peek(packet.bytes());
        }
        for ((plain, guess), _) in plain.iter().zip(&mut guesses).zip(&*packets) {
            *guess = self.table.guess(self.table.hash(&plain.key));
        }
        let looked_up = guesses.iter().zip(&plain);
        black_box(
            looked_up.fold(0, |all, (guess, plain)| all ^ self.table.touch(*guess, plain.key.protocol)),
        );
        for (((packet, plain), guess), verdict) in packets.iter_mut().zip(plain).zip(guesses).zip(verdicts) {
            *verdict = if plain.is_some() && self.pass(packet, &plain, guess, arrival) {
                Verdict::Forward
            } else {
                self.settle(packet, arrival)
            };
        }
    }

    /// Forwards a packet of an established session that nothing has to be decided about; `false` leaves it, and
    /// everything else, as it was.
    #[inline(always)]
    fn pass(&mut self, packet: &mut Packet<'_>, plain: &Plain, guess: Guess, arrival: &Arrival<'_>) -> bool {
        if self.sweep.is_unjudged(guess.slot()) {
            return false;
        }
        let hop = arrival.snapshot.config().decrement_ttl;
        let Some(session) = self.table.at_guess(&plain.key, guess) else { return false };
        let direction = guess.direction();
        // What is between inside hosts crosses twice, and comes from nowhere else.
        let remote = match arrival.realm {
            Realm::Inside => plain.key.destination(),
            Realm::Outside => plain.key.reversed().destination(),
        };
        if !session.is_flowing(direction)
            || session.realm(direction) != arrival.realm
            || hop && plain.ttl <= 1
            || arrival.snapshot.is_pool(remote)
        {
            return false;
        }
        if session.protocol() == Protocol::Tcp {
            let Some(info) = Plain::segment(packet.bytes()) else { return false };
            if !session.flow(direction, info) {
                return false;
            }
        }
        count(session, arrival, direction);
        emit::translate(packet, &plain.key, &session.leaving(direction), Plain::TRANSPORT_AT, hop);
        self.stats.forwarded += 1;
        true
    }

    fn settle(&mut self, packet: &mut Packet<'_>, arrival: &Arrival<'_>) -> Verdict {
        match self.decide(packet, arrival) {
            Ok(verdict) => {
                let goes_on = matches!(verdict, Verdict::Forward | Verdict::Hairpin);
                self.stats.forwarded += u64::from(goes_on);
                self.stats.held += u64::from(verdict == Verdict::Hold);
                verdict
            }
            Err(reason) => self.drop(reason),
        }
    }

    fn drop(&mut self, reason: DropReason) -> Verdict {
        self.stats.count_drop(reason);
        Verdict::Drop(reason)
    }
}
