//! `pinhole-gateway replay`: a capture through the engine, into a capture of what leaves.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use pinhole_capture::{Records, pcap};
use pinhole_dataplane::addr::{Ipv4Prefix, Realm};
use pinhole_dataplane::rng::Seed;
use pinhole_gateway::config::file;
use pinhole_gateway::replay::{Replay, Sink};

use crate::cli::say;

/// The largest capture that is read, which is kept in memory whole.
const MAX_CAPTURE_BYTES: u64 = 4 << 30;

/// What is replayed, and where the outcome goes.
#[derive(Args, Debug)]
pub(crate) struct ReplayArguments {
    /// The capture: pcap or pcapng, of Ethernet, Linux cooked, loopback or raw IP.
    #[arg(value_name = "IN.pcap")]
    capture: PathBuf,
    /// The gateway's configuration; its interfaces need not exist.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the packets go that leave to the outside, as pcap of raw IP.
    #[arg(long, value_name = "OUT.pcap")]
    out: PathBuf,
    /// Where the packets go that leave to the inside.
    #[arg(long, value_name = "IN-SIDE.pcap")]
    out_inside: Option<PathBuf>,
    /// An inside prefix, instead of the configuration's; may be given more than once.
    #[arg(long, value_name = "PREFIX")]
    inside: Vec<Ipv4Prefix>,
    /// Which ports are chosen: equal numbers give equal outcomes.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
}

/// The captures that are written.
struct Captures {
    outside: BufWriter<File>,
    inside: Option<BufWriter<File>>,
}

impl Sink for Captures {
    fn take(&mut self, to: Realm, time: Duration, packet: &[u8]) -> io::Result<()> {
        let file = match to {
            Realm::Outside => Some(&mut self.outside),
            Realm::Inside => self.inside.as_mut(),
        };
        let Some(file) = file else { return Ok(()) };
        file.write_all(&pcap::record_header(time, packet.len()))?;
        file.write_all(packet)
    }
}

/// Replays, and prints what became of the frames. Fails when a file cannot be read or written, or when the capture is
/// damaged: what came before the damage is replayed all the same.
pub(crate) fn execute(arguments: &ReplayArguments) -> anyhow::Result<ExitCode> {
    let config = file::load(&arguments.config).with_context(|| arguments.config.display().to_string())?;
    let mut replay = Replay::new(config, arguments.inside.clone(), &seed(arguments.seed))?;
    let name = arguments.capture.display();
    let bytes = read(&arguments.capture).with_context(|| name.to_string())?;
    let records = Records::new(&bytes).with_context(|| name.to_string())?;
    let mut captures = Captures {
        outside: create(&arguments.out)?,
        inside: arguments.out_inside.as_deref().map(create).transpose()?,
    };
    let mut damage = None;
    for record in records {
        match record {
            Ok(record) => replay.feed(&record, &mut captures).context("cannot write what leaves")?,
            Err(error) => damage = Some(error),
        }
    }
    captures.outside.flush().and_then(|()| captures.inside.iter_mut().try_for_each(BufWriter::flush))?;
    say(&replay.finish().to_string())?;
    damage.map_or(Ok(ExitCode::SUCCESS), |error| Err(error).with_context(|| name.to_string()))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(MAX_CAPTURE_BYTES + 1).read_to_end(&mut bytes)?;
    let fits = u64::try_from(read).is_ok_and(|read| read <= MAX_CAPTURE_BYTES);
    anyhow::ensure!(fits, "is larger than {MAX_CAPTURE_BYTES} bytes");
    Ok(bytes)
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let name = || path.display().to_string();
    let mut file = BufWriter::new(File::create(path).with_context(name)?);
    file.write_all(&pcap::header()).with_context(name)?;
    Ok(file)
}

/// Spreads a number over both halves of a seed, of ports and of tables.
fn seed(number: u64) -> Seed {
    let mut seed = [0; 32];
    for (place, byte) in seed.iter_mut().zip(number.to_le_bytes().iter().cycle()) {
        *place = *byte;
    }
    seed
}
