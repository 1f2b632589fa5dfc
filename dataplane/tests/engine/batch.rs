//! A batch does what its packets do one by one.

use pinhole_dataplane::addr::Realm;
use pinhole_dataplane::engine::{DropReason, Engine, Packet, Verdict};
use pinhole_dataplane::time::Timestamp;
use proptest::prelude::*;

use crate::network::{CLIENT, Network, SERVER};
use crate::packets::{ACK, Address, FIN, RST, SYN, checksum, echo, tcp, udp, with_ttl};

const NOW: Timestamp = Timestamp::from_nanos(1_000_000_000);

/// One packet to send, as far as it is not known before the engine has chosen a port.
#[derive(Clone, Debug)]
struct Step {
    inside: bool,
    kind: Kind,
    port: u16,
    /// Bytes of the packet that are changed, and into what.
    damage: Option<(prop::sample::Index, u8)>,
    /// Whether it comes from the other side than its addresses say.
    spoofed: bool,
}

/// What became of a packet, and its bytes then.
type Fate = (Verdict, Vec<u8>);

#[derive(Clone, Debug)]
enum Kind {
    Udp {
        unchecked: bool,
    },
    Tcp {
        flags: u8,
        seq: u32,
        ack: u32,
    },
    Echo,
    LastHop,
    Padded,
    /// A part of a datagram of 40 bytes.
    Part(u8),
}

fn kind() -> impl Strategy<Value = Kind> {
    let flags = prop::sample::select(vec![SYN, SYN | ACK, ACK, ACK, ACK, FIN | ACK, RST, RST | ACK]);
    prop_oneof![
        4 => any::<bool>().prop_map(|unchecked| Kind::Udp { unchecked }),
        6 => (flags, 0_u32..4, 0_u32..4).prop_map(|(flags, seq, ack)| Kind::Tcp { flags, seq, ack }),
        1 => Just(Kind::Echo),
        1 => Just(Kind::LastHop),
        1 => Just(Kind::Padded),
        2 => (0_u8..4).prop_map(Kind::Part),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let damage = prop::option::weighted(0.1, (any::<prop::sample::Index>(), any::<u8>()));
    (any::<bool>(), kind(), 2_000_u16..2_003, damage, prop::bool::weighted(0.1))
        .prop_map(|(inside, kind, port, damage, spoofed)| Step { inside, kind, port, damage, spoofed })
}

fn packet(step: &Step, from: Address, to: Address) -> Vec<u8> {
    let mut bytes = match step.kind {
        Kind::Udp { unchecked } => {
            let mut bytes = udp(from, to, b"data");
            if unchecked {
                bytes[26..28].fill(0);
            }
            bytes
        }
        Kind::Tcp { flags, seq, ack } => tcp(from, to, seq, ack, flags, b""),
        Kind::Echo => echo(from.0, to.0, from.1),
        Kind::LastHop => with_ttl(udp(from, to, b"far"), 1),
        Kind::Part(number) => part(&udp(from, to, &[number; 32]), usize::from(number)),
        Kind::Padded => [udp(from, to, b"short"), vec![0; 9]].concat(),
    };
    if let Some((at, value)) = &step.damage {
        let at = at.index(bytes.len());
        bytes[at] = *value;
    }
    bytes
}

/// Returns 16 bytes of a packet's payload, or the rest, as a fragment.
fn part(packet: &[u8], number: usize) -> Vec<u8> {
    let (start, more) = if number == 0 { (0, 0x20) } else { (number * 8 + 8, u8::from(number < 3) * 0x20) };
    let mut part = [&packet[..20], &packet[20 + start.min(36)..]].concat();
    part.truncate(20 + if more == 0 { 8 } else { 16 });
    part[3] = u8::try_from(part.len()).unwrap();
    part[6..8].copy_from_slice(&[more, u8::try_from(start / 8).unwrap()]);
    part[10..12].fill(0);
    let sum = checksum(&[&part[..20]]);
    part[10..12].copy_from_slice(&sum.to_be_bytes());
    part
}

/// Returns what became of a packet.
fn alone(engine: &mut Engine, bytes: &[u8], realm: Realm) -> Fate {
    let mut buffer = bytes.to_vec();
    let length = buffer.len();
    let mut packet = Packet::new(&mut buffer, length);
    let verdict = engine.process(&mut packet, realm, NOW);
    (verdict, packet.bytes().to_vec())
}

fn together(engine: &mut Engine, packets: &[Vec<u8>], realm: Realm) -> Vec<Fate> {
    let mut buffers = packets.to_vec();
    let mut packets: Vec<Packet<'_>> = buffers
        .iter_mut()
        .map(|buffer| {
            let length = buffer.len();
            Packet::new(buffer, length)
        })
        .collect();
    let mut verdicts = vec![Verdict::Hold; packets.len()];
    engine.process_batch(&mut packets, realm, NOW, &mut verdicts);
    verdicts.into_iter().zip(packets.iter().map(|packet| packet.bytes().to_vec())).collect()
}

/// Everything that can be seen of an engine.
fn state(engine: &Engine) -> (u64, Vec<u64>, Vec<String>) {
    let drops = DropReason::ALL.iter().map(|&reason| engine.stats().drops(reason)).collect();
    let sessions = engine.sessions().map(|session| format!("{session:?}")).collect();
    (engine.stats().forwarded, drops, sessions)
}

proptest! {
    #[test]
    fn a_batch_does_what_its_packets_do_one_by_one(steps in prop::collection::vec(step(), 1..200), size in 1_usize..70) {
        let (mut single, mut batched) = (Network::small().engine, Network::small().engine);
        let mut outside = [(crate::network::POOL, 1024); 3];
        let mut sent: Vec<(Realm, Vec<u8>, Fate)> = Vec::new();
        for step in &steps {
            let inside = (CLIENT, step.port);
            let server = (SERVER, 80);
            let index = usize::from(step.port - 2_000);
            let (realm, bytes) = if step.inside {
                (Realm::Inside, packet(step, inside, server))
            } else {
                (Realm::Outside, packet(step, server, outside[index]))
            };
            let realm = if step.spoofed { realm.opposite() } else { realm };
            let became = alone(&mut single, &bytes, realm);
            let has_ports = !matches!(step.kind, Kind::Echo | Kind::Part(_));
            if realm == Realm::Inside && step.inside && has_ports && step.damage.is_none() && became.0 == Verdict::Forward {
                outside[index].1 = u16::from_be_bytes([became.1[20], became.1[21]]);
            }
            sent.push((realm, bytes, became));
        }
        for run in sent.chunk_by(|a, b| a.0 == b.0) {
            for chunk in run.chunks(size) {
                let packets: Vec<_> = chunk.iter().map(|(_, bytes, _)| bytes.clone()).collect();
                let alone: Vec<_> = chunk.iter().map(|(_, _, became)| became.clone()).collect();
                prop_assert_eq!(together(&mut batched, &packets, chunk[0].0), alone);
            }
        }
        prop_assert_eq!(state(&single), state(&batched));
    }
}
