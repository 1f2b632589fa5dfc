//! `pinhole serve` with a private Postgres of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::Signal;

use crate::process::{Family, Process};
use crate::program::program;

/// How long a controller may take to end when asked to.
const END_DEADLINE: Duration = Duration::from_secs(15);
/// How often it is looked at meanwhile.
const END_INTERVAL: Duration = Duration::from_millis(20);

/// A running controller.
#[derive(Debug)]
pub struct Controller {
    process: Process,
    http: String,
    grpc: String,
    data: PathBuf,
}

/// The login that a controller generates on its first start.
#[derive(Debug)]
pub struct Login {
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: String,
}

impl Controller {
    /// Starts one that keeps its data in a directory, with further arguments of `pinhole serve`, and waits until it
    /// is ready. Its log and the first login lie beside the directory.
    ///
    /// # Errors
    /// With its last words, when it ends instead.
    pub fn start(data: &Path, arguments: impl FnOnce(&mut Command)) -> anyhow::Result<Self> {
        let mut command = Command::new(program("pinhole")?);
        command.arg("serve").arg("--data-dir").arg(data).arg("--first-login-file").arg(login_file(data));
        arguments(&mut command);
        // The user's own database is no place for this.
        command.env_remove("DATABASE_URL");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log_file(data))?);
        // Its Postgres knows by itself that it has to end.
        let mut process = Process::start(None, Family::Alone, command)?;
        let Ok(line) = process.line() else { bail!("the controller did not start: {}", last_words(data)) };
        // `ready http=http://127.0.0.1:8080 grpc=https://127.0.0.1:7443`
        let url = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name)).map(str::to_owned);
        let (Some(http), Some(grpc)) = (url("http="), url("grpc=")) else {
            bail!("the controller said `{line}`");
        };
        Ok(Self { process, http, grpc, data: data.to_owned() })
    }

    /// Returns the URL of its REST API.
    pub fn http(&self) -> &str {
        &self.http
    }

    /// Returns the URL that gateways connect to.
    pub fn grpc(&self) -> &str {
        &self.grpc
    }

    /// Returns where its log is.
    pub fn log(&self) -> PathBuf {
        log_file(&self.data)
    }

    /// Reads the first login, which was generated when the data directory was new.
    ///
    /// # Errors
    /// When the file is gone or holds something else.
    pub fn first_login(&self) -> anyhow::Result<Login> {
        let path = login_file(&self.data);
        let text =
            fs::read_to_string(&path).with_context(|| format!("the first login, {}", path.display()))?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        match (field("username="), field("password=")) {
            (Some(username), Some(password)) => Ok(Login { username, password }),
            (_, _) => bail!("{} holds no login", path.display()),
        }
    }

    /// Returns how it ended, or `None` while it runs.
    ///
    /// # Errors
    /// None that are known.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.process.ended()?)
    }

    /// Kills it, as a failing host would.
    ///
    /// # Errors
    /// When it has ended before.
    pub fn kill(self) -> anyhow::Result<()> {
        self.process.signal(Signal::SIGKILL)?;
        self.process.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Errors
    /// When it had ended before, ends with a failure, or does not end and is killed.
    pub fn end(mut self) -> anyhow::Result<()> {
        if self.process.ended()?.is_none() {
            self.process.signal(Signal::SIGTERM)?;
        }
        let deadline = Instant::now() + END_DEADLINE;
        let status = loop {
            if let Some(status) = self.process.ended()? {
                break status;
            }
            ensure!(Instant::now() < deadline, "the controller did not end when asked to, and was killed");
            thread::sleep(END_INTERVAL);
        };
        ensure!(status.success(), "the controller ended with {status}: {}", last_words(&self.data));
        Ok(())
    }
}

fn login_file(data: &Path) -> PathBuf {
    data.with_extension("login")
}

fn log_file(data: &Path) -> PathBuf {
    data.with_extension("log")
}

/// Returns the last line of a controller's log.
fn last_words(data: &Path) -> String {
    let log = fs::read_to_string(log_file(data)).unwrap_or_default();
    log.lines().last().unwrap_or("it said nothing").to_owned()
}
