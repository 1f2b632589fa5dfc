//! The first packet of a session of IPv6.

use super::Context;
use crate::addr::Realm;
use crate::config::ipv6::Ipv6Rules;
use crate::conntrack::ipv6::{Ipv6Key, NewIpv6Session};
use crate::conntrack::{InsertError, SessionId, State};
use crate::engine::open::first_state;
use crate::engine::process::Opening;
use crate::engine::{DropReason, Engine};
use crate::firewall;
use crate::tuple::Protocol;

impl Engine {
    /// Opens the session of a first packet.
    #[inline(never)]
    pub(super) fn open_ipv6(
        &mut self,
        context: &Context<'_>,
        packet: &[u8],
        key: &Ipv6Key,
        opening: Opening,
    ) -> Result<SessionId, DropReason> {
        let flow = &context.parsed.flow;
        firewall::ipv6::check_addresses(context.rules, context.realm, flow.source, flow.destination)?;
        match context.realm {
            Realm::Inside => {
                let state = first_state(opening).ok_or(DropReason::NoSession)?;
                let id = self.insert_ipv6(context, key, state, None)?;
                self.attach_control(context.snapshot, id);
                Ok(id)
            }
            Realm::Outside => {
                let state = first_state(opening).ok_or(DropReason::NotExpected)?;
                if let Some(pinhole) = self.find_pinhole(context.snapshot, &key.flow(Realm::Outside)) {
                    let id = self.insert_ipv6(context, key, state, Some(pinhole.master))?;
                    self.use_pinhole(&pinhole, id);
                    return Ok(id);
                }
                if self.admits_ipv6(context.rules, key) {
                    let id = self.insert_ipv6(context, key, state, None)?;
                    self.attach_control(context.snapshot, id);
                    return Ok(id);
                }
                self.refuse_later(context, packet, key);
                Err(DropReason::NotExpected)
            }
        }
    }

    /// Whether a packet from outside may come in that nobody announced.
    pub(super) fn admits_ipv6(&self, rules: &Ipv6Rules, key: &Ipv6Key) -> bool {
        firewall::ipv6::admits_unasked(rules, key)
            || self.ipv6.as_ref().is_some_and(|state| state.reach.admits(key))
    }

    fn insert_ipv6(
        &mut self,
        context: &Context<'_>,
        key: &Ipv6Key,
        state: State,
        master: Option<SessionId>,
    ) -> Result<SessionId, DropReason> {
        let originator = context.realm;
        let limits = &context.snapshot.translation().limits;
        let counts = self.ipv6.as_ref().ok_or(DropReason::Ipv6Off)?;
        counts.sites.check(key.inside, originator, limits, context.now)?;
        let new = NewIpv6Session { key: *key, originator, state, master };
        if key.transport() == Protocol::Tcp {
            self.make_room_half_open(self.owner_ipv6(key));
        }
        let idle = context.snapshot.idle();
        let mut inserted = self.table.insert_ipv6(&new, context.tick, idle);
        if inserted == Err(InsertError::Full) && self.make_room(context.tick, idle) {
            inserted = self.table.insert_ipv6(&new, context.tick, idle);
        }
        let id = inserted.map_err(|error| match error {
            InsertError::Full => DropReason::SessionsFull,
            InsertError::Taken => DropReason::TupleTaken,
        })?;
        if let Some(counts) = &mut self.ipv6 {
            counts.sites.count(key.inside, originator, limits, context.now);
            match originator {
                Realm::Inside => counts.reach.count(key),
                Realm::Outside => {}
            }
        }
        self.enter_sweep_ipv6(id);
        self.wait_for_answer(id, key.transport(), self.owner_ipv6(key));
        self.stats.sessions_created += 1;
        self.tell_opened(id);
        Ok(id)
    }

    /// Returns the subscriber that a session is of, by a number that none of IPv4 has.
    fn owner_ipv6(&self, key: &Ipv6Key) -> Option<u32> {
        let place = self.ipv6.as_ref()?.sites.place(key.inside)?;
        place.checked_add(self.limits.subscribers)
    }
}
