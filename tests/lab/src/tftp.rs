//! Real TFTP servers, for anybody who reads and writes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::namespace::Namespace;
use crate::net::PATIENCE;
use crate::process::{Family, Process};
use crate::program::{installed, unpacked};

/// How long a starting server is waited for at a time.
const INTERVAL: Duration = Duration::from_millis(50);

/// Which server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TftpServer {
    /// `in.tftpd` of tftp-hpa.
    Hpa,
    /// `atftpd`, which knows windows (RFC 7440).
    Atftpd,
}

/// A running TFTP server.
#[derive(Debug)]
pub struct Tftpd {
    _process: Process,
}

impl Tftpd {
    /// Starts a server on a host, on port 69 of an address of IPv4, for the files of a directory; waits until it answers.
    ///
    /// # Errors
    /// When it is not installed, or does not answer.
    pub fn start(
        server: TftpServer,
        host: &Namespace,
        address: &str,
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let mut command = match server {
            TftpServer::Hpa => {
                let mut command = Command::new(installed("in.tftpd")?);
                command.args(["--foreground", "--secure", "--create", "--permissive", "--user", "root"]);
                command.args(["--address", &format!("{address}:69")]);
                command
            }
            TftpServer::Atftpd => {
                let mut command = Command::new(unpacked("atftpd", "usr/sbin/atftpd")?);
                command.args([
                    "--daemon",
                    "--no-fork",
                    "--user",
                    "root",
                    "--group",
                    "root",
                    "--logfile",
                    "-",
                ]);
                command.args(["--bind-address", address]);
                command
            }
        };
        command.arg(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // One process for each transfer, and they do not end with the first.
        let mut process = Process::start(Some(host), Family::Whole, command)?;
        let socket = host.udp(&format!("{address}:0"))?;
        socket.set_read_timeout(Some(INTERVAL))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            // It says that there is no such file.
            socket.send_to(b"\0\x01is-anybody-there\0octet\0", format!("{address}:69"))?;
            if socket.recv_from(&mut [0; 512]).is_ok() {
                return Ok(Self { _process: process });
            }
            if let Some(status) = process.ended()? {
                bail!("{server:?} has ended: {status}");
            }
            if Instant::now() > deadline {
                bail!("{server:?} does not answer");
            }
        }
    }
}

/// A TFTP client, as people use it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TftpClient {
    /// `tftp` of tftp-hpa.
    Hpa,
    /// `atftp`.
    Atftp,
    /// `curl`.
    Curl,
}

impl TftpClient {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hpa, Self::Atftp, Self::Curl];

    /// Returns the command that reads a server's file.
    ///
    /// # Errors
    /// When the client is not installed.
    pub fn read(self, address: &str, remote: &str, local: &Path) -> anyhow::Result<Command> {
        let (local, url) = (text(local)?, format!("tftp://{address}/{remote}"));
        self.command(match self {
            Self::Hpa => vec!["-m", "binary", address, "-c", "get", remote, local],
            Self::Atftp => vec!["--get", "--remote-file", remote, "--local-file", local, address],
            Self::Curl => vec!["--output", local, &url],
        })
    }

    /// Returns the command that writes a file to a server.
    ///
    /// # Errors
    /// When the client is not installed.
    pub fn write(self, address: &str, local: &Path, remote: &str) -> anyhow::Result<Command> {
        let (local, url) = (text(local)?, format!("tftp://{address}/{remote}"));
        self.command(match self {
            Self::Hpa => vec!["-m", "binary", address, "-c", "put", local, remote],
            Self::Atftp => vec!["--put", "--local-file", local, "--remote-file", remote, address],
            Self::Curl => vec!["--upload-file", local, &url],
        })
    }

    fn command(self, arguments: Vec<&str>) -> anyhow::Result<Command> {
        let (name, first): (_, &[_]) = match self {
            Self::Hpa => ("tftp", &[]),
            Self::Atftp => ("atftp", &[]),
            Self::Curl => {
                ("curl", &["--silent", "--show-error", "--connect-timeout", "2", "--max-time", "20"])
            }
        };
        let mut command = Command::new(installed(name)?);
        command.args(first).args(arguments).stdin(Stdio::null());
        Ok(command)
    }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the path is not text")
}
