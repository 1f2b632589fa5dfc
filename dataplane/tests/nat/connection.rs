//! One TCP connection from inside, told segment by segment.

use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::nat::{Forward, Translation};
use pinhole_dataplane::config::{ServiceTransport, Snapshot};
use pinhole_dataplane::conntrack::Progress;
use pinhole_dataplane::engine::{DropReason, Verdict};
use pinhole_dataplane::limits::Limits;

use crate::network::{Network, POOL, SERVER, config};
use crate::packets::{ACK, Address, FIN, SYN, flags, read, tcp};
use crate::world::{host, ports};

pub(crate) const WEB: Address = (SERVER, 80);

/// A client inside, which has sent up to 1000, and a server outside, which has sent up to 5000.
pub(crate) struct Connection {
    pub(crate) network: Network,
    pub(crate) client: Address,
    pub(crate) outside: Address,
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Forwarded,
    Dropped(DropReason),
}

impl Connection {
    /// The client has sent its SYN.
    pub(crate) fn begun() -> Self {
        let mut network = Network::small();
        let client = (host(2), 40_000);
        let outside = network.outbound(&tcp(client, WEB, 999, 0, SYN, b"")).from;
        Self { network, client, outside }
    }

    /// Both have sent SYNs, and acknowledged them.
    pub(crate) fn open() -> Self {
        let mut connection = Self::begun();
        assert_eq!(connection.answer(4_999, 1_000, SYN | ACK, b""), Fate::Forwarded);
        assert_eq!(connection.send(1_000, 5_000, ACK, b""), Fate::Forwarded);
        assert_eq!(connection.progress(), Some(Progress::Established));
        connection
    }

    /// Both have sent their FINs, and acknowledged them.
    pub(crate) fn over() -> Self {
        let mut connection = Self::open();
        connection.send(1_000, 5_000, FIN | ACK, b"");
        connection.answer(5_000, 1_001, FIN | ACK, b"");
        connection.send(1_001, 5_001, ACK, b"");
        assert_eq!(connection.progress(), Some(Progress::Closed));
        connection
    }

    fn pass(&mut self, realm: Realm, packet: &[u8]) -> Fate {
        match self.network.process(realm, packet) {
            (Verdict::Forward, forwarded) => {
                assert_eq!(flags(packet), flags(&forwarded));
                assert_eq!(read(packet).payload, read(&forwarded).payload);
                Fate::Forwarded
            }
            (Verdict::Drop(reason), _) => Fate::Dropped(reason),
            (verdict @ (Verdict::Hairpin | Verdict::Hold | Verdict::DeliverIfListening), _) => {
                panic!("expected a drop or a packet, got {verdict:?}")
            }
        }
    }

    /// The client sends.
    pub(crate) fn send(&mut self, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Fate {
        self.pass(Realm::Inside, &tcp(self.client, WEB, seq, ack, flags, payload))
    }

    /// The server sends, or somebody in its name.
    pub(crate) fn answer(&mut self, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Fate {
        self.pass(Realm::Outside, &tcp(WEB, self.outside, seq, ack, flags, payload))
    }

    /// An ICMP error comes from outside.
    pub(crate) fn error_arrives(&mut self, packet: &[u8]) -> Fate {
        match self.network.process(Realm::Outside, packet).0 {
            Verdict::Forward => Fate::Forwarded,
            Verdict::Drop(reason) => Fate::Dropped(reason),
            verdict @ (Verdict::Hairpin | Verdict::Hold | Verdict::DeliverIfListening) => {
                panic!("expected a drop or a packet, got {verdict:?}")
            }
        }
    }

    /// How far the only session has come; `None` when there is none any more.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let mut sessions = self.network.engine.sessions();
        let progress = sessions.next().map(|(_, session)| session.progress());
        assert!(sessions.next().is_none(), "more sessions than the one");
        progress
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.network.advance(Duration::from_secs(seconds));
    }

    /// Checks that the client and the server can still talk.
    pub(crate) fn goes_on(&mut self) {
        assert_eq!(self.send(1_000, 5_000, ACK, b"question"), Fate::Forwarded);
        assert_eq!(self.answer(5_000, 1_008, ACK, b"answer"), Fate::Forwarded);
        assert_eq!(self.send(1_008, 5_006, ACK, b""), Fate::Forwarded);
        assert_eq!(self.progress(), Some(Progress::Established));
    }
}

/// A network in which everybody reaches the server inside at port 8080 of the pool.
pub(crate) fn forwarding(limits: Limits) -> (Network, Address, Address) {
    let (inside, outside) = ((host(3), 80), (POOL, 8_080));
    let forward = Forward {
        transport: ServiceTransport::Tcp,
        outside: outside.0,
        outside_ports: ports(outside.1, outside.1),
        inside: inside.0,
        inside_ports: ports(inside.1, inside.1),
    };
    let nat = Translation { forwards: vec![forward], ..Translation::default() };
    let config = pinhole_dataplane::config::Config { nat, ..config() };
    assert!(Snapshot::new(config.clone()).is_ok());
    (Network::new(limits, config), inside, outside)
}
