//! Changes of the configuration, and what they may look like while they reach the sessions.

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::Dependence;
use pinhole_dataplane::engine::{DropReason, Verdict};
use pinhole_dataplane::time::Timestamp;
use pinhole_dataplane::tuple::Protocol;

use crate::driver::{Driver, snapshot};
use crate::flow::{Flow, Kind};
use crate::packets::udp;
use crate::settings;

impl Driver<'_> {
    pub(crate) fn filter(&mut self, filtering: Dependence) {
        self.changing = true;
        self.model.config.nat.filtering = filtering;
        self.engine.apply(snapshot(&self.model.config), Timestamp::from_nanos(self.model.now));
    }

    pub(crate) fn change(&mut self, forwards: u8, exempt: bool) -> Result<(), String> {
        // A session that two changes in a row have not reached is held against the second alone.
        self.wait(0)?;
        let mut config = self.model.config.clone();
        if settings::may_forward(config.nat.allocation) {
            config.nat.forwards = settings::forwards(forwards);
        }
        config.nat.exempt = if exempt { settings::exempt(forwards.is_multiple_of(2)) } else { vec![] };
        self.engine.apply(snapshot(&config), Timestamp::from_nanos(self.model.now));
        self.changing = true;
        let gone = self.model.change(config);
        self.connections.retain(|key, _| self.model.sessions.contains_key(key));
        self.hear(self.model.now)?;
        // Nobody gets an answer any more, whether the change has reached its session yet or not.
        let datagrams = gone
            .iter()
            .filter(|((protocol, _, far), _)| *protocol == Protocol::Udp && !self.model.is_pool(far.0));
        for (key, outside) in datagrams.step_by(5).copied().collect::<Vec<_>>() {
            let flow = Flow { protocol: key.0, from: key.2, to: outside, kind: Kind::Datagram };
            self.send_in(flow, &udp(key.2, outside, b"too late"))?;
        }
        Ok(())
    }

    /// Sends a packet, and again after a change has reached all sessions if it is refused for this before.
    pub(crate) fn deliver(
        &mut self,
        realm: Realm,
        packet: &[u8],
        early: DropReason,
    ) -> Result<(Verdict, Vec<u8>), String> {
        let answer = self.process(realm, packet)?;
        if !self.changing || answer.0 != Verdict::Drop(early) {
            return Ok(answer);
        }
        self.wait(0)?;
        self.process(realm, packet)
    }
}
