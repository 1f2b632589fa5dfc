//! What happens, in an order that makes sense with any part of it left out.

use std::fmt;

use pinhole_dataplane::config::Config;
use pinhole_dataplane::config::nat::Dependence;
use pinhole_dataplane::tuple::Protocol;

use crate::random::Random;
use crate::settings;

/// Numbers are taken modulo what there is, so that each step means something whatever came before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// An inside host sends to an outside one, and opens a session if it has none.
    Out { protocol: Protocol, host: u8, port: u16, remote: u8, to_port: u16 },
    /// An outside host sends to an outside endpoint that has been seen.
    In { protocol: Protocol, known: u8, remote: u8, from_port: u16 },
    /// An outside host sends to some port of a pool address.
    Stray { protocol: Protocol, pool: u8, port: u16, remote: u8, from_port: u16 },
    /// An inside host sends to an outside endpoint that has been seen.
    Hairpin { protocol: Protocol, host: u8, port: u16, known: u8 },
    /// A segment of no connection.
    Segment { from_inside: bool, host: u8, port: u16, remote: u8, far_port: u16 },
    /// An answer comes for a session, or the next thing is sent in it.
    Answer { session: u8, from_inside: bool },
    /// A connection closes.
    Close { session: u8 },
    /// One end of a connection resets it.
    Reset { session: u8, from_inside: bool },
    /// Somebody on the way reports an error about a session.
    Report { session: u8, from_inside: bool },
    /// A packet with a source that cannot be where it comes from.
    Spoof { from_inside: bool, remote: u8 },
    /// Time passes, in milliseconds.
    Wait(u32),
    /// The configuration changes, by who may send in.
    Filter(Dependence),
    /// The configuration changes, by what is forwarded and by whom nothing is translated towards.
    Change { forwards: u8, exempt: bool },
}

/// A configuration and what happens under it.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) config: Config,
    /// For the engine's choices.
    pub(crate) seed: u8,
    pub(crate) steps: Vec<Step>,
}

const PROTOCOLS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::IcmpEcho];
const INSIDE_PORTS: [u16; 6] = [1_000, 2_000, 2_001, 2_002, 40_000, 40_001];
const REMOTE_PORTS: [u16; 4] = [53, 80, 1_024, 7_000];

impl Script {
    pub(crate) fn random(random: &mut Random, steps: usize) -> Self {
        let config = settings::random(random);
        let seed = random.next() as u8;
        Self { config, seed, steps: (0..steps).map(|_| step(random)).collect() }
    }
}

impl Script {
    /// Many sessions at a time, and changes of the configuration that reach some of them late.
    pub(crate) fn crowded(random: &mut Random, steps: usize) -> Self {
        let mut config = settings::random(random);
        settings::make_room(&mut config);
        let seed = random.next() as u8;
        Self { config, seed, steps: (0..steps).map(|_| crowded_step(random)).collect() }
    }
}

fn crowded_step(random: &mut Random) -> Step {
    let [host, remote, known, session] = [(); 4].map(|()| random.next() as u8);
    let protocol = *random.pick(&PROTOCOLS);
    let (port, far_port) = (random.between(1_990, 2_100) as u16, *random.pick(&REMOTE_PORTS));
    match random.between(0, 99) {
        0..=74 => Step::Out { protocol, host, port, remote, to_port: far_port },
        75..=84 => Step::Answer { session, from_inside: random.percent(50) },
        85..=93 => Step::In { protocol, known, remote, from_port: far_port },
        94..=96 => Step::Change { forwards: random.next() as u8, exempt: random.percent(40) },
        97 => Step::Filter(*random.pick(&Dependence::ALL)),
        _ => Step::Wait(10),
    }
}

fn step(random: &mut Random) -> Step {
    let protocol = *random.pick(&PROTOCOLS);
    let [mut host, remote, known, session] = [(); 4].map(|()| random.next() as u8);
    let (mut port, far_port) = (*random.pick(&INSIDE_PORTS), *random.pick(&REMOTE_PORTS));
    // One endpoint does so much that what it has meets itself.
    if random.percent(40) {
        (host, port) = (3, 2_002);
    }
    let from_inside = random.percent(50);
    match random.between(0, 99) {
        0..=29 => Step::Out { protocol, host, port, remote, to_port: far_port },
        30..=44 => Step::In { protocol, known, remote, from_port: far_port },
        45..=48 => {
            let port = *random.pick(&[80, 1_024, 1_025, 1_026, 1_030, 2_000]);
            Step::Stray { protocol, pool: known, port, remote, from_port: far_port }
        }
        49..=50 => Step::Segment { from_inside, host, port, remote, far_port },
        51..=58 => Step::Hairpin { protocol, host, port, known },
        59..=76 => Step::Answer { session, from_inside },
        77..=79 => Step::Close { session },
        80..=81 => Step::Reset { session, from_inside },
        82..=86 => Step::Report { session, from_inside },
        87 => Step::Spoof { from_inside, remote },
        88 => Step::Filter(*random.pick(&Dependence::ALL)),
        89 => Step::Change { forwards: random.next() as u8, exempt: random.percent(40) },
        _ => Step::Wait(*random.pick(&[10, 100, 990, 5_000, 14_000, 31_000, 61_000, 130_000, 301_000])),
    }
}

impl fmt::Display for Script {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { pool, nat, timeouts, .. } = &self.config;
        let ports = pool.first().map(|entry| entry.ports.to_string()).unwrap_or_default();
        writeln!(formatter, "{} pool addresses with ports {ports}, {nat:?}, {timeouts:?}", pool.len())?;
        self.steps.iter().enumerate().try_for_each(|(at, step)| writeln!(formatter, "{at:>4} {step:?}"))
    }
}
