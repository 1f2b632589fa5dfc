//! A control dialogue cut in two ways: what arrives is the same.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::config::Snapshot;
use pinhole_dataplane::engine::{Engine, Packet, Verdict};
use pinhole_dataplane::limits::Limits;
use pinhole_dataplane::time::Timestamp;

use crate::input::Input;
use crate::packet::{self, End};
use crate::settings;

const CLIENT: End = (Ipv4Addr::new(10, 0, 0, 2), 40_000);
const SERVER: End = (Ipv4Addr::new(198, 51, 100, 5), 21);
const SYN: u8 = 2;
const ACK: u8 = 16;
/// What the client sends before the input: usual commands, so that an input need not find them.
const COMMANDS: [&[u8]; 6] = [
    b"PORT 10,0,0,2,195,80\r\n",
    b"EPRT |1|10.0.0.2|50001|\r\n",
    b"PASV\r\n",
    b"EPSV\r\n",
    b"PORT 10,0,0,3,1,1\r\n",
    b"STOR x\r\n",
];

pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut said = Vec::new();
    for _ in 0..input.byte() % 6 {
        said.extend(input.pick(&COMMANDS));
    }
    let cuts: Vec<usize> = (0..input.byte() % 24).map(|_| usize::from(input.byte() % 40) + 1).collect();
    said.extend(input.bytes(1_200));
    let whole = arrives(&said, &[]);
    let cut = arrives(&said, &cuts);
    assert_eq!(whole, cut, "{:?} cut by {cuts:?}", String::from_utf8_lossy(&said));
    // Nothing is lost: but for what was replaced it has what was sent.
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines(&whole), lines(&said));
}

/// Sends the client's stream in pieces of these lengths, the rest in long ones, and returns what leaves outside.
fn arrives(said: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut dialogue = Dialogue::begun();
    let mut at = 0;
    let mut cuts = cuts.iter().copied();
    while at < said.len() {
        let end = (at + cuts.next().unwrap_or(500)).min(said.len());
        dialogue.client_says(at, &said[at..end]);
        at = end;
    }
    // What waits for the end of its line goes on when that does not come.
    dialogue.wait(Duration::from_secs(31));
    dialogue.stream()
}

struct Dialogue {
    engine: Engine,
    now: Timestamp,
    outside: End,
    /// What has left, by its place.
    left: BTreeMap<u32, u8>,
}

impl Dialogue {
    /// The server has greeted.
    fn begun() -> Self {
        let now = Timestamp::from_nanos(5);
        let limits = Limits {
            sessions: 32,
            subscribers: 4,
            half_open: 8,
            pinholes: 64,
            pinholes_per_master: 64,
            pinholes_per_subscriber: 64,
            leases: 4,
            control_streams: 2,
            fragmented_datagrams: 3,
            transmits: 512,
            ..Limits::default()
        };
        let mut engine = Engine::new(limits, &[9; 32], now);
        let config = settings::good(&mut Input(&[3, 0]));
        engine.apply(Arc::new(Snapshot::new(config).unwrap()), now);
        let mut dialogue = Self { engine, now, outside: CLIENT, left: BTreeMap::new() };
        dialogue.send(Realm::Inside, packet::tcp(CLIENT, SERVER, (999, 0), SYN, b""));
        dialogue.send(Realm::Outside, packet::tcp(SERVER, dialogue.outside, (4_999, 1_000), SYN | ACK, b""));
        dialogue.send(Realm::Inside, packet::tcp(CLIENT, SERVER, (1_000, 5_000), ACK, b""));
        dialogue
            .send(Realm::Outside, packet::tcp(SERVER, dialogue.outside, (5_000, 1_000), ACK, b"220 hi\r\n"));
        dialogue
    }

    fn client_says(&mut self, at: usize, piece: &[u8]) {
        let seq = 1_000 + u32::try_from(at).unwrap();
        self.send(Realm::Inside, packet::tcp(CLIENT, SERVER, (seq, 5_008), ACK, piece));
    }

    fn send(&mut self, realm: Realm, bytes: Vec<u8>) {
        let length = bytes.len();
        let mut buffer = bytes;
        buffer.resize(length + 4_096, 0);
        let mut packet = Packet::new(&mut buffer, length);
        let verdict = self.engine.process(&mut packet, realm, self.now);
        if verdict == Verdict::Forward && realm == Realm::Inside {
            let bytes = packet.bytes().to_vec();
            self.leaves(&bytes);
        }
        self.drain();
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
        while self.engine.poll_timeout().is_some_and(|due| due <= self.now) {
            self.engine.handle_timeout(self.now);
            self.drain();
        }
    }

    fn drain(&mut self) {
        while self.engine.poll_event().is_some() {}
        while let Some(transmit) = self.engine.poll_transmit() {
            if transmit.realm == Realm::Outside {
                self.leaves(&transmit.bytes);
            }
        }
    }

    fn leaves(&mut self, bytes: &[u8]) {
        packet::check(bytes);
        assert!(packet::transport_is_right(bytes));
        self.outside = (packet::source(bytes), u16::from_be_bytes([bytes[20], bytes[21]]));
        let seq = u32::from_be_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]);
        for (place, byte) in (seq..).zip(&bytes[40..]) {
            let known = self.left.insert(place, *byte);
            assert!(known.is_none_or(|known| known == *byte), "a repetition says something else");
        }
    }

    /// Returns what the server has got, which has no gaps.
    fn stream(&self) -> Vec<u8> {
        let places: Vec<u32> = self.left.keys().copied().collect();
        assert!(places.windows(2).all(|pair| pair[1] == pair[0] + 1), "there are gaps");
        self.left.values().copied().collect()
    }
}
