//! Connections and errors: what is sent in a session that is there.

use std::net::Ipv4Addr;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::Verdict;
use pinhole_dataplane::tuple::Protocol;

use crate::driver::Driver;
use crate::flow::{End, Flow, Kind};
use crate::packets::{ACK, FIN, RST, SYN, echo, echo_reply, read, tcp, udp, unreachable};
use crate::reference::{SessionKey, Stage};

/// Somebody on the way.
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);

/// The next sequence numbers of a connection's ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connection {
    inside: u32,
    outside: u32,
    opener: Realm,
}

impl Connection {
    pub(crate) const fn opened(opener: Realm) -> Self {
        Self { inside: 1_000, outside: 5_000, opener }
    }
}

impl Driver<'_> {
    /// The next thing in a session: an answer, a repetition, data.
    pub(crate) fn answer(&mut self, number: u8, from_inside: bool) -> Result<(), String> {
        let Some(key) = self.nth_session(number) else { return Ok(()) };
        if key.0 != Protocol::Tcp {
            return self.datagram(key, from_inside);
        }
        let Some(connection) = self.followed(key) else { return Ok(()) };
        let sender = if from_inside { Realm::Inside } else { Realm::Outside };
        let opener = connection.opener == sender;
        let stage = self.model.sessions[&key].stage;
        match (stage, opener) {
            (Stage::Closed, _) => Ok(()),
            (Stage::Opening, true) => self.segment(key, sender, SYN, b"", stage),
            (Stage::Opening | Stage::Answered, false) => {
                self.segment(key, sender, SYN | ACK, b"", Stage::Answered)
            }
            (Stage::Answered, true) => self.segment(key, sender, ACK, b"", Stage::Open),
            (Stage::Open, _) => self.segment(key, sender, ACK, b"data", stage),
        }
    }

    /// Both ends close, one after the other.
    pub(crate) fn close(&mut self, number: u8) -> Result<(), String> {
        let Some(key) = self.nth_session(number).filter(|key| self.is_open(*key)) else { return Ok(()) };
        self.segment(key, Realm::Inside, FIN | ACK, b"", Stage::Closed)?;
        self.segment(key, Realm::Outside, FIN | ACK, b"", Stage::Closed)?;
        self.segment(key, Realm::Inside, ACK, b"", Stage::Closed)
    }

    /// One end resets what the other one has acknowledged all of.
    pub(crate) fn reset(&mut self, number: u8, from_inside: bool) -> Result<(), String> {
        let Some(key) = self.nth_session(number).filter(|key| self.is_open(*key)) else { return Ok(()) };
        let sender = if from_inside { Realm::Inside } else { Realm::Outside };
        self.segment(key, sender.opposite(), ACK, b"", Stage::Open)?;
        self.segment(key, sender, RST | ACK, b"", Stage::Closed)
    }

    fn is_open(&self, key: SessionKey) -> bool {
        key.0 == Protocol::Tcp
            && self.model.sessions[&key].stage == Stage::Open
            && self.followed(key).is_some()
    }

    /// Returns a connection's numbers; those between inside hosts would have two sets, and are left alone.
    fn followed(&self, key: SessionKey) -> Option<Connection> {
        self.connections.get(&key).copied().filter(|_| !self.model.is_pool(key.2.0))
    }

    /// Sends a segment that fits its connection, which is then at a stage.
    fn segment(
        &mut self,
        key: SessionKey,
        sender: Realm,
        flags: u8,
        data: &[u8],
        stage: Stage,
    ) -> Result<(), String> {
        let (protocol, inside, far) = key;
        let connection = self.connections[&key];
        let outside = self.model.mappings[&self.model.sessions[&key].mapping];
        let (from, to, seq, ack) = match sender {
            Realm::Inside => (inside, far, connection.inside, connection.outside),
            Realm::Outside => (far, outside, connection.outside, connection.inside),
        };
        // A SYN stands before the numbers that count from it.
        let seq = if flags & SYN != 0 { seq - 1 } else { seq };
        let ack = if flags & ACK != 0 { ack } else { 0 };
        let packet = tcp(from, to, seq, ack, flags, data);
        let kind = if flags & (SYN | ACK) == SYN { Kind::Syn } else { Kind::Segment };
        let flow = Flow { protocol, from, to, kind };
        match sender {
            Realm::Inside => self.send_out(flow, &packet)?,
            Realm::Outside => self.send_in(flow, &packet)?,
        }
        self.model.set_stage(key, stage);
        let sent = u32::try_from(data.len()).unwrap() + u32::from(flags & FIN != 0);
        if let Some(connection) = self.connections.get_mut(&key) {
            match sender {
                Realm::Inside => connection.inside += sent,
                Realm::Outside => connection.outside += sent,
            }
        }
        Ok(())
    }

    /// Somebody reports an error about a packet of a session, which changes nothing.
    pub(crate) fn report(&mut self, number: u8, from_inside: bool) -> Result<(), String> {
        let Some(key) = self.nth_session(number).filter(|key| !self.model.is_pool(key.2.0)) else {
            return Ok(());
        };
        let (protocol, inside, far) = key;
        let session = self.model.sessions[&key];
        let outside = self.model.mappings[&session.mapping];
        // An error about a connection quotes what is on its way: of these only a first SYN surely is.
        let opening = session.stage == Stage::Opening && session.opened_by == Realm::Inside && !from_inside;
        if protocol == Protocol::Tcp && !opening {
            return Ok(());
        }
        let asked = (session.opened_by == Realm::Inside) != from_inside;
        let quoted = |near: End| {
            let (from, to) = if from_inside { (far, near) } else { (near, far) };
            match (protocol, asked) {
                (Protocol::Tcp, _) => tcp(from, to, 999, 0, SYN, b""),
                (Protocol::IcmpEcho, true) => echo(from.0, to.0, near.1),
                (Protocol::IcmpEcho, false) => echo_reply(from.0, to.0, near.1),
                _ => udp(from, to, b"lost"),
            }
        };
        let (realm, reporter, to, before, after) = if from_inside {
            (Realm::Inside, inside.0, far.0, quoted(inside), quoted(outside))
        } else {
            (Realm::Outside, ROUTER, outside.0, quoted(outside), quoted(inside))
        };
        let (verdict, packet) = self.process(realm, &unreachable(1, reporter, to, &before))?;
        if verdict != Verdict::Forward {
            return Err(format!("{verdict:?} of an error about {key:?}"));
        }
        let seen = read(&packet);
        let expected = if from_inside { (outside.0, far.0) } else { (ROUTER, inside.0) };
        if (seen.from.0, seen.to.0) != expected || read(&seen.payload) != read(&after) {
            return Err(format!("an error about {key:?} arrives as {seen:?}"));
        }
        Ok(())
    }
}
