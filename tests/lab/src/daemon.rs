//! `pinhole-gateway` as a daemon, from a file or under a controller.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;

use crate::namespace::Namespace;
use crate::process::{Family, Process};

/// The configuration that the documentation shows, to the letter; it fits [`crate::Net`].
pub const STANDALONE: &str = r#"inside = ["in0"]
outside = ["out0"]
[nat]
inside_prefixes = ["10.0.0.0/24"]
pool = ["203.0.113.1"]        # may be the outside interface's own address; the host's own sockets there keep working
[[alg]]
protocol = "ftp"
enabled = true
services = [{ name = "ftp-alt", protocol = "tcp", destination_port = "2121" }]
"#;

/// The name of its configuration below its directory.
const CONFIG_FILE: &str = "gateway.toml";
/// The name of the file with its join token.
const TOKEN_FILE: &str = "join-token";
/// The name of its log.
const LOG_FILE: &str = "gateway.log";
/// What it logs: among it the events that a controller would be told of.
const LOG_FILTER: &str = "info,pinhole_gateway=debug";

/// A running gateway.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    directory: PathBuf,
}

impl Daemon {
    /// Starts one on a host from a configuration, and waits until it says that traffic flows. What it leaves in
    /// the directory is for the next one there.
    ///
    /// # Errors
    /// With its log, when it ends instead.
    pub fn start(host: &Namespace, program: &Path, directory: &Path, config: &str) -> anyhow::Result<Self> {
        fs::write(directory.join(CONFIG_FILE), config)?;
        let mut command = Command::new(program);
        command.args(["run", "--config", CONFIG_FILE, "--run-dir", "run"]);
        let mut daemon = Self::spawn(Some(host), directory, command)?;
        daemon.wait_until_ready()?;
        Ok(daemon)
    }

    /// Starts one under a controller, which it talks to from this process's namespace, for the traffic of a host.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn join(
        host: &Namespace,
        program: &Path,
        directory: &Path,
        controller: &str,
        token: &str,
    ) -> anyhow::Result<Self> {
        fs::write(directory.join(TOKEN_FILE), token)?;
        let mut command = Command::new(program);
        command
            .args(["run", "--controller", controller, "--join-token-file", TOKEN_FILE])
            .args(["--state-dir", "state", "--run-dir", "run", "--netns"])
            .arg(host.path());
        Self::spawn(None, directory, command)
    }

    fn spawn(host: Option<&Namespace>, directory: &Path, mut command: Command) -> anyhow::Result<Self> {
        command
            .env("PINHOLE_LOG", LOG_FILTER)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(directory.join(LOG_FILE))?);
        // It starts nothing that outlives a command.
        let process = Process::start(host, Family::Alone, command)?;
        Ok(Self { process, directory: directory.to_owned() })
    }

    /// Waits until it says that traffic flows, which it does once.
    ///
    /// # Errors
    /// With its log, when it ends instead.
    pub fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        match self.process.line() {
            Ok(line) if line == "ready" => Ok(()),
            Ok(line) => bail!("the gateway said `{line}`, not `ready`"),
            Err(_) => bail!("the gateway did not start: {}", self.log()?.trim_end()),
        }
    }

    /// Returns its log so far.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        fs::read_to_string(self.directory.join(LOG_FILE)).context("the gateway's log")
    }

    /// Sends it a signal that ends it, and returns how it ended.
    ///
    /// # Errors
    /// When it has ended before.
    pub fn end(self, signal: Signal) -> anyhow::Result<ExitStatus> {
        self.process.signal(signal)?;
        Ok(self.process.wait()?)
    }
}
