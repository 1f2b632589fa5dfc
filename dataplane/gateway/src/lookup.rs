//! `pinhole-gateway lookup`: whose an outside port is under deterministic mapping, and which ports are whose (RFC 7422).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Context as _;
use clap::Args;
use pinhole_dataplane::config::order::Deterministic;
use pinhole_gateway::config::file;
use pinhole_gateway::config::{Config, message};
use pinhole_gateway::store::{Store, Stored};
use pinhole_proto::v1;
use prost::Message as _;

use crate::cli::say;

/// What is looked up, and in which configuration.
#[derive(Args, Debug)]
#[group(id = "configuration", required = true, args = ["config", "state_dir"])]
pub(crate) struct LookupArguments {
    /// The configuration file of that time.
    #[arg(long, value_name = "FILE", conflicts_with = "state_dir")]
    config: Option<PathBuf>,
    /// The directory where a gateway under a controller keeps its last good configuration.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Outside addresses with ports, for example 203.0.113.1:2031, or inside addresses, for example 10.0.0.9.
    #[arg(required = true, value_name = "ADDRESS[:PORT]")]
    queries: Vec<Query>,
}

/// One question.
#[derive(Clone, Copy, Debug)]
enum Query {
    /// Whose is this outside port?
    Outside(SocketAddrV4),
    /// Which outside ports are this inside host's?
    Inside(Ipv4Addr),
}

impl FromStr for Query {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let outside = text.parse().map(Self::Outside);
        outside
            .or_else(|_| text.parse().map(Self::Inside))
            .map_err(|_| "is no IPv4 address, with or without a port")
    }
}

/// Prints a line for each question: the inside address, its outside address and its ports of that. Fails when one has
/// no answer.
pub(crate) fn execute(arguments: &LookupArguments) -> anyhow::Result<ExitCode> {
    let config = match (&arguments.config, &arguments.state_dir) {
        (Some(path), _) => file::load(path).with_context(|| path.display().to_string())?,
        (None, Some(directory)) => stored(directory)?,
        (None, None) => anyhow::bail!("one of --config and --state-dir is needed"),
    };
    let relation = config.deterministic().context(
        "the configuration has no deterministic mapping: only the gateway's events say whose ports are whose",
    )?;
    let mut code = ExitCode::SUCCESS;
    for query in &arguments.queries {
        if let Some(line) = answer(&config, &relation, *query) {
            say(&line)?;
        } else {
            let asked = match query {
                Query::Outside(outside) => outside.to_string(),
                Query::Inside(inside) => inside.to_string(),
            };
            say(&format!("{asked} is nobody's"))?;
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn answer(config: &Config, relation: &Deterministic, query: Query) -> Option<String> {
    let subscriber = match query {
        Query::Inside(inside) => inside,
        Query::Outside(outside) => {
            let mut forwards = config.translation.forwards.iter();
            let forward =
                forwards.find(|f| f.outside == *outside.ip() && f.outside_ports.contains(outside.port()));
            if let Some(forward) = forward {
                return Some(format!(
                    "{} {} {} forward",
                    forward.inside, forward.outside, forward.outside_ports
                ));
            }
            relation.subscriber_of(*outside.ip(), outside.port())?
        }
    };
    let (outside, ports) = relation.outside_of(subscriber)?;
    Some(format!("{subscriber} {outside} {ports}"))
}

fn stored(directory: &Path) -> anyhow::Result<Config> {
    anyhow::ensure!(directory.is_dir(), "there is no directory {}", directory.display());
    match Store::open(directory)?.load()? {
        Stored::Config(stored) => Ok(message::parse(&v1::GatewayConfig::decode(stored.config.as_slice())?)?),
        Stored::Absent => anyhow::bail!("{} holds no configuration", directory.display()),
        Stored::Damaged { damage, .. } => anyhow::bail!("the stored configuration is damaged: {damage}"),
    }
}
