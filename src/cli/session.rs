//! A sign-in that is kept between commands, in a file that only its owner can read.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use nix::fcntl::{Flock, FlockArg};
use pinhole::clock::{Clock as _, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::receive;
use crate::secret_file;

/// The file's place in the directory of states.
const PLACE: &str = "pinhole/session.json";
/// How long an access token has to be good for a command to begin with it, in seconds.
const MARGIN_S: i64 = 60;

/// A sign-in with one controller.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    server: String,
    access_token: String,
    /// Good once: whoever uses it keeps the next one.
    refresh_token: String,
    /// Seconds since 1970.
    expires_at: i64,
}

impl Session {
    /// The sign-in that the token endpoint answers.
    pub(super) fn of(server: &str, answer: &Value) -> anyhow::Result<Self> {
        let text = |field: &str| answer.get(field).and_then(Value::as_str).map(str::to_owned);
        let lifetime_s = answer.get("expires_in").and_then(Value::as_i64);
        let session = text("access_token").zip(text("refresh_token")).zip(lifetime_s);
        let ((access_token, refresh_token), lifetime_s) =
            session.with_context(|| format!("{server} is no Pinhole controller"))?;
        let expires_at = SystemClock.now().timestamp().saturating_add(lifetime_s);
        Ok(Self { server: server.to_owned(), access_token, refresh_token, expires_at })
    }
}

/// The place of the sign-in, which no other command uses meanwhile: two that refresh with the same token would end it.
pub(super) struct Place {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Place {
    /// Waits for its turn.
    pub(super) fn open() -> anyhow::Result<Self> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let directory = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
        let directory = directory.or_else(|| Some(variable("HOME")?.join(".local/state")));
        let path = directory.context("there is no home directory to keep a sign-in in")?.join(PLACE);
        let lock = lock(&path).with_context(|| format!("cannot use {}", path.display()))?;
        Ok(Self { path, _lock: lock })
    }

    /// Keeps a sign-in in place of the one before.
    pub(super) fn keep(&self, session: &Session) -> anyhow::Result<()> {
        let written = secret_file::write(&self.path, &serde_json::to_string(session)?);
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Forgets the sign-in.
    pub(super) fn forget(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// An access token of the sign-in with a controller, if there is one; refreshed when it is over soon.
    pub(super) async fn token(&self, http: &reqwest::Client, server: &str) -> anyhow::Result<Option<String>> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", self.path.display()))?,
        };
        let session: Session = serde_json::from_str(&text)
            .map_err(|_| anyhow::anyhow!("{} is not as it is to be; `pinhole login`", self.path.display()))?;
        ensure!(session.server == server, "you are signed in at {}, and not at {server}", session.server);
        if session.expires_at > SystemClock.now().timestamp() + MARGIN_S {
            return Ok(Some(session.access_token));
        }
        let form = [("grant_type", "refresh_token"), ("refresh_token", &session.refresh_token)];
        let request = http.post(format!("{server}/v1/auth/token")).form(&form);
        let answer = receive(request.send().await, server).await.context("sign in again: `pinhole login`")?;
        let session = Session::of(server, &answer)?;
        self.keep(&session)?;
        Ok(Some(session.access_token))
    }
}

/// Locks a file beside the one that is replaced.
fn lock(path: &Path) -> std::io::Result<Flock<File>> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let path = path.with_added_extension("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error.into())
}
