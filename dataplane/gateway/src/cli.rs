//! The daemon's command line.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use pinhole_gateway::config::file::{self, FileError};
use pinhole_gateway::{
    ConfigSource, ControllerOptions, DEFAULT_RUN_DIR, Gateway, GatewayOptions, NetworkNamespace,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::ask::{self, GatewayArguments, KillArguments, Kind, ListArguments};
use crate::lookup::{self, LookupArguments};
use crate::play::{self, ReplayArguments};
use crate::telemetry::{self, LogFormat};

/// NAT/CGNAT gateway with Application Layer Gateways.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How log lines are written to standard error; PINHOLE_LOG filters them.
    #[arg(long, value_enum, default_value_t, global = true)]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Carry traffic until SIGTERM or SIGINT; prints `ready` when traffic flows.
    Run(RunArguments),
    /// Check a configuration file and print every error with line and column.
    Check {
        /// The file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Tell whose an outside port is under deterministic mapping, and which outside ports are whose.
    Lookup(LookupArguments),
    /// Put a capture through the engine and write what would have left, with a summary.
    Replay(ReplayArguments),
    /// Tell how the gateway of this host is; fails when it carries no traffic.
    Status(GatewayArguments),
    /// List the sessions that go through the gateway of this host now.
    Sessions(ListArguments),
    /// List the inside endpoints and what stands for them outside now.
    Mappings(ListArguments),
    /// List the pinholes that are open now.
    Pinholes(ListArguments),
    /// List the inside hosts that have something, and how much.
    Subscribers(ListArguments),
    /// End a session or an explicit mapping, or close a pinhole.
    Kill(KillArguments),
    /// Undo what a killed gateway left on this host.
    Cleanup(HostArguments),
}

#[derive(Args, Debug)]
pub(crate) struct HostArguments {
    /// Where the gateway remembers what it changed on this host.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_RUN_DIR)]
    run_dir: PathBuf,
    /// The network namespace to work in, for example /run/netns/blue; this process's own if left out.
    #[arg(long, value_name = "FILE")]
    netns: Option<PathBuf>,
}

impl HostArguments {
    /// Returns the directory and the namespace.
    pub(crate) fn parts(self) -> (PathBuf, NetworkNamespace) {
        (self.run_dir, namespace(self.netns))
    }
}

#[derive(Args, Debug)]
#[group(id = "source", required = true, args = ["config", "controller"])]
struct RunArguments {
    /// Run alone, from this file.
    #[arg(long, value_name = "FILE", conflicts_with = "controller")]
    config: Option<PathBuf>,
    /// Run under the controller at this URL, for example https://192.0.2.1:7443.
    #[arg(long, value_name = "URL", requires = "state_dir")]
    controller: Option<String>,
    /// The file that holds a one-time join token, with which this gateway enrols; needed once. A new token in it makes
    /// the gateway enrol anew.
    #[arg(long, value_name = "FILE", requires = "controller")]
    join_token_file: Option<PathBuf>,
    /// Where key, certificate and the last good configuration are kept.
    #[arg(long, value_name = "DIR", requires = "controller")]
    state_dir: Option<PathBuf>,
    #[command(flatten)]
    host: HostArguments,
}

/// Runs the chosen command.
pub(crate) fn execute(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Check { config } => check(&config),
        Command::Run(run) => {
            telemetry::start(arguments.log_format);
            pinhole_gateway::raise_open_files_limit();
            block_on(self::run(run))
        }
        Command::Status(gateway) => block_on(ask::status(gateway)),
        Command::Sessions(list) => block_on(ask::list(Kind::Sessions, list)),
        Command::Mappings(list) => block_on(ask::list(Kind::Mappings, list)),
        Command::Pinholes(list) => block_on(ask::list(Kind::Pinholes, list)),
        Command::Subscribers(list) => block_on(ask::list(Kind::Subscribers, list)),
        Command::Kill(kill) => block_on(ask::kill(kill)),
        Command::Lookup(lookup) => lookup::execute(&lookup),
        Command::Replay(replay) => play::execute(&replay),
        Command::Cleanup(host) => {
            telemetry::start(arguments.log_format);
            let (run_dir, namespace) = host.parts();
            let undone = pinhole_gateway::cleanup(namespace, &run_dir)?;
            say(&format!("undone: {undone} changes"))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn block_on(act: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(act)
}

/// Prints a line on standard output, which other programs read.
pub(crate) fn say(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Prints an error that ends the program; there is nothing left to do when even that fails.
pub(crate) fn complain(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr().lock(), "pinhole-gateway: {error:#}");
}

fn check(path: &Path) -> anyhow::Result<ExitCode> {
    let name = path.display();
    match file::load(path) {
        Ok(config) => {
            say(&format!(
                "{name}: OK: {} inside and {} outside interfaces, {} inside prefixes, {} pool addresses",
                config.inside.len(),
                config.outside.len(),
                config.inside_prefixes.len(),
                config.pool.iter().map(|range| range.count()).sum::<u64>(),
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(FileError::Problems(problems)) => {
            for problem in problems {
                say(&format!("{name}:{problem}"))?;
            }
            Ok(ExitCode::FAILURE)
        }
        Err(error @ (FileError::Read(_) | FileError::TooLarge)) => {
            say(&format!("{name}: {error}"))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn namespace(path: Option<PathBuf>) -> NetworkNamespace {
    path.map_or(NetworkNamespace::Current, NetworkNamespace::Path)
}

async fn run(arguments: RunArguments) -> anyhow::Result<ExitCode> {
    let source = match (&arguments.config, arguments.controller) {
        (Some(path), _) => match file::load(path) {
            Ok(config) => ConfigSource::Fixed(Box::new(config)),
            Err(FileError::Problems(problems)) => {
                let name = path.display();
                let lines: Vec<String> = problems.iter().map(|problem| format!("{name}:{problem}")).collect();
                anyhow::bail!("the configuration has errors\n{}", lines.join("\n"));
            }
            Err(error @ (FileError::Read(_) | FileError::TooLarge)) => {
                anyhow::bail!("{} {error}", path.display())
            }
        },
        (None, Some(endpoint)) => ConfigSource::Controller(ControllerOptions {
            endpoint,
            join_token_file: arguments.join_token_file,
            state_dir: arguments.state_dir.context("--controller needs --state-dir")?,
        }),
        (None, None) => anyhow::bail!("one of --config and --controller is needed"),
    };
    // Before anything is changed, so that a signal that comes early is not lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (run_dir, namespace) = arguments.host.parts();
    let handle = Gateway::start(GatewayOptions { namespace, run_dir, source }).await?;
    let mut status = handle.watch();
    let mut announced = false;
    let fault = loop {
        if !announced && status.borrow_and_update().running() {
            say("ready")?;
            announced = true;
        }
        tokio::select! {
            changed = status.changed() => if changed.is_err() { break true },
            _ = terminate.recv() => break false,
            _ = interrupt.recv() => break false,
        }
    };
    handle.shutdown().await?;
    anyhow::ensure!(!fault, "the datapath stopped by itself; its last log lines say why");
    Ok(ExitCode::SUCCESS)
}
