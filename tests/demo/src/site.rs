//! What the demonstration runs: the hosts, the FTP server and the controller.

use std::fs::{self, File, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};
use pinhole_lab::net::{CLIENT, GATEWAY_INSIDE, GATEWAY_OUTSIDE, SERVER};
use pinhole_lab::process::Family;
use pinhole_lab::{Net, Process, Vsftpd, program};
use tempfile::TempDir;

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

/// How long the controller may take to end when asked to.
const CLOSE_DEADLINE: Duration = Duration::from_secs(15);
/// How often it is looked at meanwhile.
const CLOSE_INTERVAL: Duration = Duration::from_millis(20);

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Site {
    net: Net,
    _ftp: Vsftpd,
    /// What ends with the demonstration.
    scratch: TempDir,
    /// What the controller keeps.
    data: PathBuf,
    once: bool,
    controller: Option<Controller>,
}

#[derive(Debug)]
struct Controller {
    process: Process,
    /// The URL of its REST API.
    http: String,
}

impl Site {
    /// Makes the network and starts the FTP server; the controller comes with [`Self::start_controller`].
    pub(crate) fn make(directory: &Path, once: bool) -> anyhow::Result<Self> {
        make_directory(directory)?;
        let directory = directory.canonicalize()?;
        let data = data_directory(&directory)?.join(if once { "once" } else { "data" });
        let scratch = TempDir::new()?;
        let net = Net::new()?;
        let ftp = Vsftpd::start(&net.server, SocketAddr::new(SERVER.parse()?, FTP_PORT), scratch.path())?;
        fs::write(ftp.files().join(FILE), content())?;
        say(&format!(
            "network     client {CLIENT} -- {GATEWAY_INSIDE} gateway {GATEWAY_OUTSIDE} -- {SERVER} server (vsftpd)"
        ));
        Ok(Self { net, _ftp: ftp, scratch, data, once, controller: None })
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
        let mut command = Command::new(program("pinhole")?);
        command
            .args(["serve", "--listen", listen(HTTP_ADDRESS), "--grpc-listen", listen(GRPC_ADDRESS)])
            .arg("--data-dir")
            .arg(&self.data)
            .arg("--gateway-netns")
            .arg(self.net.gateway.path())
            .arg("--gateway-run-dir")
            .arg(self.scratch.path().join("gateway"))
            .arg("--first-login-file")
            .arg(self.login_file())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(self.log())?);
        // The user's database would not be the demonstration's.
        command.env_remove("DATABASE_URL");
        let mut process = Process::start(None, Family::Alone, command)?;
        let Ok(line) = process.line() else { bail!("the controller did not start: {}", self.last_words()) };
        // `ready http=http://127.0.0.1:8080 grpc=http://127.0.0.1:7443`
        let http = line.split(' ').find_map(|word| word.strip_prefix("http="));
        let http = http.with_context(|| format!("the controller said `{line}`"))?.to_owned();
        say(&format!("controller  {http}, its data in {}", self.data.display()));
        self.controller = Some(Controller { process, http });
        Ok(())
    }

    /// Returns the URL of the REST API.
    pub(crate) fn http(&self) -> anyhow::Result<&str> {
        Ok(&self.controller.as_ref().context("the controller does not run")?.http)
    }

    /// Reads the login that the controller generated on its first start: a user name and a password.
    pub(crate) fn first_login(&self) -> anyhow::Result<(String, String)> {
        let path = self.login_file();
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read the first login from {}", path.display()))?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let (Some(username), Some(password)) = (field("username="), field("password=")) else {
            bail!("{} holds no login", path.display());
        };
        Ok((username, password))
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
    pub(crate) fn addresses(&self) -> anyhow::Result<String> {
        let http = self.http()?;
        let (username, password) = self.first_login()?;
        let log = self.log();
        let client = self.net.client.path();
        Ok(format!(
            "
REST API    {http}/v1, described at {http}/docs
first login {username} / {password}   (generated on the first start)
log         {}
try         sudo nsenter --net={} curl --ftp-port - ftp://{SERVER}/{FILE} --output /dev/null
Everything stays up until Ctrl-C.",
            log.display(),
            client.display(),
        ))
    }

    /// Returns how the controller ended, or `None` while it runs.
    pub(crate) fn controller_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let controller = self.controller.as_mut().context("the controller does not run")?;
        Ok(controller.process.ended()?)
    }

    /// Ends the controller the way that gives it time, then everything else.
    pub(crate) fn close(mut self) -> anyhow::Result<()> {
        if let Some(mut controller) = self.controller.take()
            && controller.process.ended()?.is_none()
        {
            controller.process.signal(Signal::SIGTERM)?;
            let deadline = Instant::now() + CLOSE_DEADLINE;
            let status = loop {
                if let Some(status) = controller.process.ended()? {
                    break status;
                }
                ensure!(
                    Instant::now() < deadline,
                    "the controller did not end when asked to, and was killed"
                );
                std::thread::sleep(CLOSE_INTERVAL);
            };
            ensure!(status.success(), "the controller ended with {status}: {}", self.last_words());
        }
        if self.once { remove(&self.data) } else { Ok(()) }
    }

    /// Returns where the controller's log is.
    pub(crate) fn log(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    fn login_file(&self) -> PathBuf {
        self.data.with_extension("login")
    }

    /// Returns the last line of the controller's log.
    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().last().unwrap_or("it said nothing").to_owned()
    }
}

/// Returns the content of the file to download.
pub(crate) fn content() -> Vec<u8> {
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
