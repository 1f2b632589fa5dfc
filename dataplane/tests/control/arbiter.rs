//! An arbiter that admits what names the inside host itself, and remembers everything.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use pinhole_dataplane::addr::{Endpoint, Realm};
use pinhole_dataplane::alg::{
    Arbiter, CloseReason, Decision, End, Ends, OpaqueReason, PinholeId, PinholeRequest, Refusal, Report,
    Transport,
};

pub(crate) const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub(crate) const POOL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 99);
pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 5);

pub(crate) fn endpoint(address: Ipv4Addr, port: u16) -> Endpoint {
    Endpoint::new(IpAddr::V4(address), port)
}

/// The ends of a session whose client or server is the inside host.
pub(crate) fn ends(inside: Side) -> Ends {
    let translated = |port: u16| End {
        realm: Realm::Inside,
        local: endpoint(INSIDE, port),
        visible: endpoint(POOL, port),
    };
    let plain = |port: u16| End {
        realm: Realm::Outside,
        local: endpoint(OUTSIDE, port),
        visible: endpoint(OUTSIDE, port),
    };
    match inside {
        Side::Client => Ends { originator: translated(40_000), responder: plain(21) },
        Side::Server => Ends { originator: plain(40_000), responder: translated(21) },
    }
}

/// Who is behind the translation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The port that stands for an inside port.
pub(crate) fn outside_port(port: u16) -> u16 {
    port / 7 + 1
}

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    inside_server: bool,
    pub(crate) opened: Vec<PinholeRequest>,
    pub(crate) closed: Vec<(PinholeId, CloseReason)>,
    pub(crate) ended: Vec<PinholeId>,
    pub(crate) refused: Vec<(&'static str, Refusal)>,
    pub(crate) rewritten: Vec<(String, String)>,
    pub(crate) opaque: Vec<OpaqueReason>,
}

impl Recorder {
    pub(crate) fn new(inside: Side) -> Self {
        Self { inside_server: inside == Side::Server, ..Self::default() }
    }
}

impl Arbiter for Recorder {
    fn admit(&mut self, request: &PinholeRequest) -> Decision {
        use pinhole_dataplane::tuple::Direction;
        if (request.direction == Direction::Reply) != self.inside_server {
            return Decision::Unneeded;
        }
        if request.named.address != IpAddr::V4(INSIDE) {
            return Decision::Refused(Refusal::ForeignAddress);
        }
        if request.named.port < 1024 && request.transport == Transport::Tcp {
            return Decision::Refused(Refusal::PrivilegedPort);
        }
        self.opened.push(*request);
        Decision::Admitted {
            id: PinholeId(self.opened.len() as u64),
            visible: endpoint(POOL, outside_port(request.named.port)),
        }
    }

    fn renew(&mut self, _: PinholeId, _: Duration) -> bool {
        unreachable!("no message of a stream asks for it")
    }

    fn close(&mut self, id: PinholeId, reason: CloseReason) {
        self.closed.push((id, reason));
    }

    fn end(&mut self, id: PinholeId) {
        self.ended.push(id);
    }

    fn report(&mut self, report: Report<'_>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match report {
            Report::Rewritten { before, after, .. } => self.rewritten.push((text(before), text(after))),
            Report::Refused { message, reason } => self.refused.push((message, reason)),
            Report::Opaque { reason } => self.opaque.push(reason),
        }
    }
}
