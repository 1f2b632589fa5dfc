//! What the demonstration runs: the hosts, the FTP server and the controller.

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};
use nix::unistd::{User, geteuid};
use pinhole_lab::controller::Login;
use pinhole_lab::net::{CLIENT, GATEWAY_INSIDE, GATEWAY_OUTSIDE, SERVER};
use pinhole_lab::{Controller, Net, Scratch, Vsftpd};

use crate::say;

/// Where the controller listens when it stays up, as far as nobody else does.
const HTTP_ADDRESS: &str = "127.0.0.1:8080";
const GRPC_ADDRESS: &str = "127.0.0.1:7443";
/// Where it listens otherwise.
const ANY_ADDRESS: &str = "127.0.0.1:0";

/// Where root's data go when Postgres's user may not enter the chosen directory.
const ROOT_DIRECTORY: &str = "/var/lib/pinhole/demonstration";

/// The FTP server.
const FTP_PORT: u16 = 21;
/// The file to download, as the URL names it.
pub(crate) const FILE: &str = "pub/greeting.bin";
/// Its size.
const FILE_BYTES: u32 = 1 << 20;

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Site {
    controller: Option<Controller>,
    ftp: Vsftpd,
    net: Net,
    /// What ends with the demonstration.
    scratch: Scratch,
    /// What the controller keeps.
    data: PathBuf,
    once: bool,
}

impl Site {
    /// Makes the network and starts the FTP server; the controller comes with [`Self::start_controller`].
    pub(crate) fn make(directory: &Path, once: bool) -> anyhow::Result<Self> {
        make_directory(directory)?;
        let directory = directory.canonicalize()?;
        let data = data_directory(&directory)?.join(if once { "once" } else { "data" });
        let scratch = Scratch::below(&directory)?;
        let net = Net::new()?;
        let ftp = Vsftpd::start(&net.server, SocketAddr::new(SERVER.parse()?, FTP_PORT), scratch.path())?;
        fs::write(ftp.files().join(FILE), content())?;
        say(&format!(
            "network     client {CLIENT} -- {GATEWAY_INSIDE} gateway {GATEWAY_OUTSIDE} -- {SERVER} server (vsftpd)"
        ));
        Ok(Self { controller: None, ftp, net, scratch, data, once })
    }

    /// Starts the controller with its embedded gateway and waits until it is ready.
    pub(crate) fn start_controller(&mut self) -> anyhow::Result<()> {
        if self.once {
            remove(&self.data)?;
        }
        make_directory(&self.data)?;
        let listen = |address: &'static str| {
            let free = !self.once && TcpListener::bind(address).is_ok();
            if free { address } else { ANY_ADDRESS }
        };
        let controller = Controller::start(&self.data, |command| {
            command
                .args(["--listen", listen(HTTP_ADDRESS), "--grpc-listen", listen(GRPC_ADDRESS)])
                .arg("--gateway-netns")
                .arg(self.net.gateway.path())
                .arg("--gateway-run-dir")
                .arg(self.scratch.path().join("gateway"));
        })?;
        say(&format!("controller  {}, its data in {}", controller.http(), self.data.display()));
        self.controller = Some(controller);
        Ok(())
    }

    /// Returns the controller.
    pub(crate) fn controller(&mut self) -> anyhow::Result<&mut Controller> {
        self.controller.as_mut().context("the controller does not run")
    }

    /// Reads the file as the server has it.
    pub(crate) fn served(&self) -> anyhow::Result<Vec<u8>> {
        fs::read(self.ftp.files().join(FILE)).context("the file to download")
    }

    /// Downloads the file on the client's host with curl in active mode.
    pub(crate) fn download(&self) -> anyhow::Result<Output> {
        let mut command = Command::new(pinhole_lab::program::installed("curl")?);
        command
            .args(["--disable", "--silent", "--show-error", "--ftp-port", "-", "--max-time", "20"])
            .arg(format!("ftp://{SERVER}/{FILE}"))
            .stdin(Stdio::null());
        self.net.client.run(|| command.output()).context("cannot start curl")
    }

    /// Says where everything is, for those who stay.
    pub(crate) fn addresses(&mut self) -> anyhow::Result<String> {
        let client = self.net.client.path();
        // Only who made a user namespace may enter it, and keeps its user there.
        let user = if geteuid().is_root() {
            String::new()
        } else {
            format!("--target {} --user --preserve-credentials ", std::process::id())
        };
        let controller = self.controller()?;
        let Login { username, password } = controller.first_login()?;
        Ok(format!(
            "
REST API    {}/v1, described at {0}/docs
first login {username} / {password}   (generated on the first start)
log         {}
try         nsenter {user}--net={} curl --ftp-port - ftp://{SERVER}/{FILE} --output /dev/null
Everything stays up until Ctrl-C.",
            controller.http(),
            controller.log().display(),
            client.display(),
        ))
    }

    /// Ends the controller the way that gives it time, then everything else.
    pub(crate) fn close(mut self) -> anyhow::Result<()> {
        if let Some(controller) = self.controller.take() {
            controller.end()?;
        }
        if self.once { remove(&self.data) } else { Ok(()) }
    }
}

/// Returns the content of the file to download.
fn content() -> Vec<u8> {
    (0..FILE_BYTES / 4).flat_map(u32::to_be_bytes).collect()
}

/// Makes a directory that Postgres's user may enter, as the controller's secrets in it are protected one by one.
fn make_directory(path: &Path) -> anyhow::Result<()> {
    let make = || {
        fs::create_dir_all(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o755))
    };
    make().with_context(|| format!("cannot make {}", path.display()))
}

/// Removes what an earlier run has left, and what this one would.
fn remove(data: &Path) -> anyhow::Result<()> {
    for path in [data.with_extension("login"), data.with_extension("log")] {
        if path.exists() {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    if data.exists() {
        fs::remove_dir_all(data).with_context(|| format!("cannot remove {}", data.display()))?;
    }
    Ok(())
}

/// Returns where data go: as root Postgres runs as its own user, who may not enter, say, root's home.
fn data_directory(wanted: &Path) -> anyhow::Result<PathBuf> {
    if !geteuid().is_root() {
        return Ok(wanted.to_owned());
    }
    let Some(user) = User::from_name("postgres")? else {
        bail!("there is no user postgres: `scripts/install run`")
    };
    for directory in wanted.ancestors() {
        let metadata = fs::metadata(directory)?;
        let (owner, mode) = (metadata.uid() == user.uid.as_raw(), metadata.mode());
        if mode & if owner { 0o100 } else { 0o001 } == 0 {
            say(&format!(
                "data        {ROOT_DIRECTORY}, as user postgres may not enter {}",
                directory.display()
            ));
            make_directory(Path::new(ROOT_DIRECTORY))?;
            return Ok(PathBuf::from(ROOT_DIRECTORY));
        }
    }
    Ok(wanted.to_owned())
}
