//! One network namespace, which nothing but a descriptor holds.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::sched::{CloneFlags, setns, unshare};

use crate::datagrams::Datagrams;
use crate::net::PATIENCE;

/// A network namespace.
#[derive(Debug)]
pub struct Namespace(File);

impl Namespace {
    /// Makes one, with nothing in it but a loopback interface that is up.
    ///
    /// # Errors
    /// Where this process may not, or `ip` is not installed.
    pub fn new() -> anyhow::Result<Self> {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).context(
                "cannot make a network namespace: this needs root, or `unshare -U --map-current-user --keep-caps`",
            )?;
            File::open("/proc/thread-self/ns/net").context("cannot hold a network namespace")
        });
        let namespace = Self(made.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        namespace.command("ip link set lo up")?;
        Ok(namespace)
    }

    /// Does something in the namespace; sockets that it makes stay there.
    ///
    /// # Panics
    /// With `act`, and if this process has lost the right to enter the namespace that it made.
    pub fn run<R: Send>(&self, act: impl FnOnce() -> R + Send) -> R {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).expect("whoever made a namespace may enter it");
                act()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a command without quotes to its end and returns what it printed.
    ///
    /// # Errors
    /// With the command and its own words, when it cannot be started or fails.
    pub fn command(&self, line: &str) -> anyhow::Result<String> {
        let output = self.run(|| split(line).output()).with_context(|| format!("cannot start `{line}`"))?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{line}` failed: {}", complaint.trim_end());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Listens on an address, for example `203.0.113.2:0`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn listen(&self, address: &str) -> io::Result<TcpListener> {
        self.run(|| TcpListener::bind(address))
    }

    /// Connects, and gives reads and writes of the stream [`PATIENCE`].
    ///
    /// # Errors
    /// What the kernel says, or a time-out after `patience`.
    pub fn connect(&self, address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
        let stream = self.run(|| TcpStream::connect_timeout(&address, patience))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// Binds a datagram socket, and gives its reads [`PATIENCE`].
    ///
    /// # Errors
    /// What the kernel says.
    pub fn udp(&self, address: &str) -> io::Result<Datagrams> {
        let socket = self.run(|| UdpSocket::bind(address))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket.into())
    }

    /// Returns another descriptor of the namespace.
    ///
    /// # Errors
    /// When this process has no more descriptors.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.0.try_clone()?.into())
    }

    /// Returns a path of the namespace, good as long as this value lives.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()))
    }

    /// Reads a setting below `/proc/sys/net`.
    ///
    /// # Errors
    /// When there is none such.
    pub fn sysctl(&self, path: &str) -> io::Result<String> {
        self.run(|| std::fs::read_to_string(format!("/proc/sys/net/{path}")))
    }

    /// Changes a setting below `/proc/sys/net`.
    ///
    /// # Errors
    /// When there is none such, or not such a value.
    pub fn set_sysctl(&self, path: &str, value: &str) -> io::Result<()> {
        self.run(|| std::fs::write(format!("/proc/sys/net/{path}"), value))
    }
}

/// Reads a command line without quotes.
pub(crate) fn split(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}
