//! Runs a script through the engine and the model, and compares them after each step.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::{Config, Snapshot};
use pinhole_dataplane::engine::{DropReason, Engine, Packet, Verdict};
use pinhole_dataplane::limits::Limits;
use pinhole_dataplane::time::Timestamp;
use pinhole_dataplane::tuple::Protocol;

use crate::connection::Connection;
use crate::flow::{End, Flow, Kind};
use crate::packets::{ACK, SYN, echo, echo_reply, read, tcp, udp};
use crate::reference::{MappingKey, Model, Outcome, SessionKey, Stage};
use crate::script::{Script, Step};
use crate::settings::{host, pool_address, remote};

/// After its time a session may stay for so long, in nanoseconds: times are rounded and looked at by the second.
const BLUR: u64 = 2_200_000_000;
const SECOND: u64 = 1_000_000_000;

/// What the scripts have come to.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    passed: u64,
    turned: u64,
    dropped: BTreeMap<DropReason, u64>,
    /// Most sessions at a time.
    pub(crate) sessions: usize,
}

impl Reached {
    pub(crate) fn check(&self) {
        assert!(self.passed > 0 && self.turned > 0, "{self:?}");
        for reason in [
            DropReason::NotExpected,
            DropReason::NoSession,
            DropReason::SpoofedSource,
            DropReason::BadDestination,
            DropReason::NoPort,
            DropReason::SubscriberPorts,
            DropReason::SubscriberSessions,
            DropReason::SubscriberRate,
            DropReason::TupleTaken,
        ] {
            assert!(self.dropped.contains_key(&reason), "no script is refused for {reason:?}");
        }
    }
}

pub(crate) struct Driver<'a> {
    pub(crate) engine: Engine,
    pub(crate) model: Model,
    /// The numbers of each connection.
    pub(crate) connections: BTreeMap<SessionKey, Connection>,
    /// Whether the last change may not have reached all sessions.
    pub(crate) changing: bool,
    reached: &'a mut Reached,
}

/// Runs a script; `Err` says what the engine has done otherwise than the model, or that it has panicked.
pub(crate) fn run(script: &Script, reached: &mut Reached) -> Result<(), String> {
    let driver = AssertUnwindSafe(Driver::new(script, reached));
    catch_unwind(|| { driver }.0.all(&script.steps)).unwrap_or_else(|_| Err("it panics".to_owned()))
}

pub(crate) fn snapshot(config: &Config) -> Arc<Snapshot> {
    Arc::new(Snapshot::new(config.clone()).unwrap())
}

impl<'a> Driver<'a> {
    fn new(script: &Script, reached: &'a mut Reached) -> Self {
        let now = SECOND;
        let limits = Limits { sessions: 4_096, subscribers: 64, ..Limits::default() };
        let mut engine = Engine::new(limits, &[script.seed; 32], Timestamp::from_nanos(now));
        engine.apply(snapshot(&script.config), Timestamp::from_nanos(now));
        let model = Model::new(script.config.clone(), now);
        Self { engine, model, connections: BTreeMap::new(), changing: false, reached }
    }

    fn all(mut self, steps: &[Step]) -> Result<(), String> {
        for (at, step) in steps.iter().enumerate() {
            // What follows a change at once may meet what the change has not reached yet.
            let changes = matches!(step, Step::Change { .. } | Step::Filter(_));
            self.step(*step)
                .and_then(|()| if changes { Ok(()) } else { self.compare() })
                .map_err(|wrong| format!("step {at}, {step:?}: {wrong}"))?;
        }
        // Whatever there was, nothing of it is kept for ever.
        self.wait(8_000 * SECOND)?;
        self.compare()?;
        let left =
            (self.engine.session_count(), self.engine.mappings().count(), self.engine.subscriber_count());
        if left == (0, 0, 0) { Ok(()) } else { Err(format!("at the end are left {left:?}")) }
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Out { protocol, host: from, port, remote: to, to_port } => {
                self.out(protocol, (host(from), port), (remote(to), to_port))
            }
            Step::Hairpin { protocol, host: from, port, known } => match self.known(protocol, known) {
                Some(to) => self.out(protocol, (host(from), port), to),
                None => Ok(()),
            },
            Step::In { protocol, known, remote: from, from_port } => match self.known(protocol, known) {
                Some(to) => self.come_in(protocol, (remote(from), from_port), to),
                None => Ok(()),
            },
            Step::Stray { protocol, pool, port, remote: from, from_port } => {
                let addresses = u8::try_from(self.model.config.pool.len()).unwrap();
                let to = pool.checked_rem(addresses).map_or(host(pool), pool_address);
                self.come_in(protocol, (remote(from), from_port), (to, port))
            }
            Step::Segment { from_inside, host: at, port, remote: far, far_port } => {
                self.lone_segment(from_inside, (host(at), port), (remote(far), far_port))
            }
            Step::Answer { session, from_inside } => self.answer(session, from_inside),
            Step::Close { session } => self.close(session),
            Step::Reset { session, from_inside } => self.reset(session, from_inside),
            Step::Report { session, from_inside } => self.report(session, from_inside),
            Step::Spoof { from_inside, remote: number } => {
                let (from, realm) = if from_inside {
                    (remote(number), Realm::Inside)
                } else {
                    (host(number), Realm::Outside)
                };
                let (verdict, _) =
                    self.process(realm, &udp((from, 7), (remote(number.wrapping_add(1)), 9), b""))?;
                self.expect_drop(verdict, DropReason::SpoofedSource)
            }
            Step::Wait(millis) => self.wait(u64::from(millis) * 1_000_000),
            Step::Filter(filtering) => {
                self.filter(filtering);
                Ok(())
            }
            Step::Change { forwards, exempt } => self.change(forwards, exempt),
        }
    }

    /// Returns one of the outside endpoints that stand for somebody.
    fn known(&self, protocol: Protocol, number: u8) -> Option<End> {
        let mapped =
            self.model.mappings.iter().filter(|(key, _)| key.0 == protocol).map(|(_, outside)| *outside);
        let forwards = self.model.config.nat.forwards.iter();
        let all: Vec<End> = mapped.chain(forwards.map(|f| (f.outside, f.outside_ports.first()))).collect();
        usize::from(number).checked_rem(all.len()).map(|at| all[at])
    }

    /// An inside host sends what may open a session.
    fn out(&mut self, protocol: Protocol, from: End, to: End) -> Result<(), String> {
        // An echo has one identifier, which is its sender's.
        let to = if protocol == Protocol::IcmpEcho { (to.0, from.1) } else { to };
        let key = (protocol, from, Flow::remote(protocol, to));
        if let (Protocol::Tcp, Some(session)) = (protocol, self.model.sessions.get(&key)) {
            let again = session.stage == Stage::Opening && session.opened_by == Realm::Inside;
            if !again {
                return Ok(());
            }
        }
        let (kind, packet) = match protocol {
            Protocol::Tcp => (Kind::Syn, tcp(from, to, 999, 0, SYN, b"")),
            Protocol::IcmpEcho => (Kind::Ask, echo(from.0, to.0, from.1)),
            Protocol::Udp | Protocol::UdpLite | Protocol::Gre | Protocol::Other => {
                (Kind::Datagram, udp(from, to, b"out"))
            }
        };
        self.send_out(Flow { protocol, from, to, kind }, &packet)?;
        if protocol == Protocol::Tcp && self.model.sessions.contains_key(&key) {
            self.connections.insert(key, Connection::opened(Realm::Inside));
        }
        Ok(())
    }

    /// An outside host sends what may open a session.
    fn come_in(&mut self, protocol: Protocol, from: End, to: End) -> Result<(), String> {
        let known = self.session_at(protocol, to, from);
        if let (Protocol::Tcp, Some(key)) = (protocol, known) {
            let session = self.model.sessions[&key];
            let again = session.stage == Stage::Opening && session.opened_by == Realm::Outside;
            if !again {
                return Ok(());
            }
        }
        let (kind, packet) = match protocol {
            Protocol::Tcp => (Kind::Syn, tcp(from, to, 4_999, 0, SYN, b"")),
            Protocol::IcmpEcho => (Kind::Ask, echo(from.0, to.0, to.1)),
            Protocol::Udp | Protocol::UdpLite | Protocol::Gre | Protocol::Other => {
                (Kind::Datagram, udp(from, to, b"in"))
            }
        };
        let from = if protocol == Protocol::IcmpEcho { (from.0, to.1) } else { from };
        // Whom the filter lets in is told by the sessions that the change has reached.
        let answer = self.deliver(Realm::Outside, &packet, DropReason::NotExpected)?;
        self.came_in(Flow { protocol, from, to, kind }, answer)?;
        if let (Protocol::Tcp, Some(key)) = (protocol, self.session_at(protocol, to, from)) {
            self.connections.insert(key, Connection::opened(Realm::Outside));
        }
        Ok(())
    }

    fn lone_segment(&mut self, from_inside: bool, inside: End, far: End) -> Result<(), String> {
        let protocol = Protocol::Tcp;
        let to = if from_inside { far } else { (pool_address(0), inside.1) };
        let from = if from_inside { inside } else { far };
        let flow = Flow { protocol, from, to, kind: Kind::Segment };
        let packet = tcp(from, to, 5, 5, ACK, b"");
        match from_inside {
            true if self.model.sessions.contains_key(&(protocol, from, to)) => Ok(()),
            true => self.send_out(flow, &packet),
            false if self.session_at(protocol, to, from).is_some() => Ok(()),
            false => self.send_in(flow, &packet),
        }
    }

    /// Returns the session of an outside endpoint and somebody outside.
    pub(crate) fn session_at(&self, protocol: Protocol, outside: End, from: End) -> Option<SessionKey> {
        let far = Flow::remote(protocol, from);
        let found = self.model.sessions.iter().find(|(key, session)| {
            key.0 == protocol && key.2 == far && self.model.mappings[&session.mapping] == outside
        });
        found.map(|(key, _)| *key)
    }

    /// Sends from inside, and compares what comes of it: the packet crosses once, or twice when it turns back.
    pub(crate) fn send_out(&mut self, flow: Flow, packet: &[u8]) -> Result<(), String> {
        // The ports of sessions that go come free as the change reaches them.
        let (verdict, packet) = self.deliver(Realm::Inside, packet, DropReason::NoPort)?;
        let Self { engine, model, .. } = self;
        let outcome = model.outwards(flow, &|key| chosen(engine, key));
        let Outcome::Pass { from, to } = outcome else {
            return self.expect(verdict, &packet, outcome, false);
        };
        if !self.model.is_pool(to.0) {
            return self.expect(verdict, &packet, outcome, false);
        }
        let outcome = match self.model.inwards(Flow { from, to, ..flow }, false) {
            // Its sender is shown by its outside endpoint (RFC 4787, REQ-9a).
            Outcome::Pass { from, to } => Outcome::Pass { from, to },
            refused @ (Outcome::Drop(_) | Outcome::Wrong(_)) => refused,
        };
        self.expect(verdict, &packet, outcome, true)
    }

    pub(crate) fn send_in(&mut self, flow: Flow, packet: &[u8]) -> Result<(), String> {
        let answer = self.process(Realm::Outside, packet)?;
        self.came_in(flow, answer)
    }

    fn came_in(&mut self, flow: Flow, (verdict, packet): (Verdict, Vec<u8>)) -> Result<(), String> {
        let outcome = self.model.inwards(flow, true);
        self.expect(verdict, &packet, outcome, false)
    }

    fn expect(
        &mut self,
        verdict: Verdict,
        packet: &[u8],
        outcome: Outcome,
        turns: bool,
    ) -> Result<(), String> {
        let (from, to) = match outcome {
            Outcome::Wrong(wrong) => return Err(wrong),
            Outcome::Drop(reason) => return self.expect_drop(verdict, reason),
            Outcome::Pass { from, to } => (from, to),
        };
        let expected = if turns { Verdict::Hairpin } else { Verdict::Forward };
        if verdict != expected {
            return Err(format!("{verdict:?} instead of {expected:?} from {from:?} to {to:?}"));
        }
        let seen = read(packet);
        if (seen.from, seen.to, seen.ttl) != (from, to, 63) {
            return Err(format!("{seen:?} instead of {from:?} to {to:?}"));
        }
        *(if turns { &mut self.reached.turned } else { &mut self.reached.passed }) += 1;
        Ok(())
    }

    fn expect_drop(&mut self, verdict: Verdict, reason: DropReason) -> Result<(), String> {
        if verdict != Verdict::Drop(reason) {
            return Err(format!("{verdict:?} instead of a drop for {reason:?}"));
        }
        *self.reached.dropped.entry(reason).or_default() += 1;
        Ok(())
    }

    pub(crate) fn process(&mut self, realm: Realm, packet: &[u8]) -> Result<(Verdict, Vec<u8>), String> {
        let mut buffer = packet.to_vec();
        let length = buffer.len();
        let mut packet = Packet::new(&mut buffer, length);
        let verdict = self.engine.process(&mut packet, realm, Timestamp::from_nanos(self.model.now));
        let packet = packet.bytes().to_vec();
        self.hear(self.model.now)?;
        Ok((verdict, packet))
    }

    /// Lets time pass, and then so much more that nobody is on the brink of being forgotten.
    pub(crate) fn wait(&mut self, nanos: u64) -> Result<(), String> {
        let mut until = self.model.now + nanos;
        loop {
            while let Some(due) = self.engine.poll_timeout().filter(|due| due.as_nanos() <= until) {
                let due = due.as_nanos().max(self.model.now);
                self.engine.handle_timeout(Timestamp::from_nanos(due));
                self.hear(due)?;
            }
            let blurred = |expires: u64| expires <= until && expires + BLUR > until;
            if !self.model.sessions.values().any(|session| blurred(session.expires)) {
                break;
            }
            until += SECOND;
        }
        self.changing = false;
        self.model.pass_time(until);
        self.connections.retain(|key, _| self.model.sessions.contains_key(key));
        Ok(())
    }

    /// Compares the tables.
    fn compare(&mut self) -> Result<(), String> {
        self.reached.sessions = self.reached.sessions.max(self.model.sessions.len());
        self.wait(0)?;
        let sessions = (self.engine.session_count(), self.model.sessions.len());
        if sessions.0 != sessions.1 {
            return Err(format!("{} sessions instead of {}", sessions.0, sessions.1));
        }
        for (key, outside) in &self.model.mappings {
            if chosen(&self.engine, *key) != Some(*outside) {
                return Err(format!("no mapping of {key:?} to {outside:?}"));
            }
        }
        let mappings = (self.engine.mappings().count(), self.model.mappings.len());
        if mappings.0 != mappings.1 {
            return Err(format!("{} mappings instead of {}", mappings.0, mappings.1));
        }
        self.compare_blocks()
    }

    /// Returns the session that a step means.
    pub(crate) fn nth_session(&self, number: u8) -> Option<SessionKey> {
        let at = usize::from(number).checked_rem(self.model.sessions.len())?;
        self.model.sessions.keys().nth(at).copied()
    }

    /// Sends an answer of a protocol without connections, or the next question.
    pub(crate) fn datagram(&mut self, key: SessionKey, from_inside: bool) -> Result<(), String> {
        let (protocol, inside, far) = key;
        let session = self.model.sessions[&key];
        let outside = self.model.mappings[&session.mapping];
        let asks = (session.opened_by == Realm::Inside) == from_inside;
        let near = if from_inside { inside } else { outside };
        let far = if protocol == Protocol::IcmpEcho { (far.0, near.1) } else { far };
        let (from, to) = if from_inside { (near, far) } else { (far, near) };
        let (kind, packet) = match (protocol, asks) {
            (Protocol::IcmpEcho, true) => (Kind::Ask, echo(from.0, to.0, near.1)),
            (Protocol::IcmpEcho, false) => (Kind::Answer, echo_reply(from.0, to.0, near.1)),
            _ => (Kind::Datagram, udp(from, to, b"more")),
        };
        let flow = Flow { protocol, from, to, kind };
        if from_inside { self.send_out(flow, &packet) } else { self.send_in(flow, &packet) }
    }
}

/// Returns what stands outside for an inside endpoint in the engine.
fn chosen(engine: &Engine, key: MappingKey) -> Option<End> {
    let found = engine.mappings().find(|mapping| (mapping.protocol, mapping.inside, mapping.remote) == key);
    found.map(|mapping| mapping.outside)
}
