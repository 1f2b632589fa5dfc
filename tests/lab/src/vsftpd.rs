//! vsftpd, a real FTP server, for anonymous visitors who may upload.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context as _, bail};

use crate::namespace::Namespace;
use crate::net::PATIENCE;
use crate::process::{Family, Process};
use crate::program::installed;

/// How often a starting server is tried.
const INTERVAL: Duration = Duration::from_millis(10);

/// A running vsftpd.
///
/// It runs as whoever started it, since neither PAM nor the users that it would change to exist in a user
/// namespace; everything that it says on the wire is the same.
#[derive(Debug)]
pub struct Vsftpd {
    _process: Process,
    directory: PathBuf,
}

impl Vsftpd {
    /// Starts a server on a host, below an empty directory that lives longer than it, and waits until it answers.
    /// Its data connections in active mode come from port 20.
    ///
    /// # Errors
    /// When it is not installed, or does not answer.
    pub fn start(host: &Namespace, address: SocketAddr, directory: &Path) -> anyhow::Result<Self> {
        let binary = installed("vsftpd")?;
        let directory = directory.canonicalize().context("there is no directory for the FTP server")?;
        for part in ["files/pub", "files/upload"] {
            fs::create_dir_all(directory.join(part))?;
        }
        let config = directory.join("vsftpd.conf");
        fs::write(&config, self::config(address, &directory)?)?;
        let mut command = Command::new(binary);
        command.arg(&config).stdin(Stdio::null()).stdout(Stdio::piped());
        // One process for each visitor, and they do not end with the first.
        let mut process = Process::start(Some(host), Family::Whole, command)?;
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = host.connect(address, PATIENCE) {
            if process.ended()?.is_some() {
                bail!("vsftpd: {}", process.line().unwrap_or_default());
            }
            if Instant::now() > deadline {
                return Err(error).context("vsftpd does not answer");
            }
            thread::sleep(INTERVAL);
        }
        Ok(Self { _process: process, directory })
    }

    /// Returns the directory that visitors see; they read below `pub` and write below `upload`.
    pub fn files(&self) -> PathBuf {
        self.directory.join("files")
    }

    /// Returns the commands that it has received, in order, without the password.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn commands(&self) -> anyhow::Result<Vec<String>> {
        let log = fs::read(self.directory.join("log")).context("the FTP server's log")?;
        let log = String::from_utf8_lossy(&log);
        // `... FTP command: Client "203.0.113.1", "PORT 203,0,113,1,64,0"`
        let commands = log.lines().filter_map(|line| {
            let (_, said) = line.split_once("FTP command: Client ")?;
            let (_, command) = said.split_once(", \"")?;
            command.strip_suffix('"').map(str::to_owned)
        });
        Ok(commands.collect())
    }
}

fn config(address: SocketAddr, directory: &Path) -> anyhow::Result<String> {
    let (ip, port) = (address.ip(), address.port());
    let (v4, v6, key) = match address {
        SocketAddr::V4(_) => ("YES", "NO", "listen_address"),
        SocketAddr::V6(_) => ("NO", "YES", "listen_address6"),
    };
    let directory = directory.to_str().context("the FTP server's directory is not text")?;
    Ok(format!(
        "listen={v4}
listen_ipv6={v6}
{key}={ip}
listen_port={port}
background=NO
run_as_launching_user=YES
seccomp_sandbox=NO
anonymous_enable=YES
local_enable=NO
no_anon_password=NO
anon_root={directory}/files
anon_world_readable_only=NO
anon_umask=022
write_enable=YES
anon_upload_enable=YES
port_enable=YES
connect_from_port_20=YES
ftp_data_port=20
pasv_enable=YES
log_ftp_protocol=YES
xferlog_enable=YES
vsftpd_log_file={directory}/log
"
    ))
}
