//! Stands between the controller and Postgres, knows statements from each other, and cuts the connection at one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::support::World;

/// Where a connection is cut, counted over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Before that statement gets to Postgres.
    Before(usize),
    /// When that commit is done, before the controller hears of it.
    AfterCommit(usize),
}

/// What was sent since the relay was armed.
#[derive(Debug, Default)]
struct Traffic {
    cut: Option<Cut>,
    statements: usize,
    commits: usize,
    reached: bool,
}

/// What to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Cut,
    PassAndCut,
}

impl Traffic {
    /// Counts a message of the controller: the end of an extended query, or a simple one.
    fn judge(&mut self, message: &[u8]) -> Verdict {
        let Some(cut) = self.cut.filter(|_| !self.reached && matches!(message[0], b'Q' | b'S')) else {
            return Verdict::Pass;
        };
        self.statements += 1;
        self.commits += usize::from(message[5..].starts_with(b"COMMIT"));
        let verdict = match cut {
            Cut::Before(place) if place == self.statements => Verdict::Cut,
            Cut::AfterCommit(place) if place == self.commits => Verdict::PassAndCut,
            Cut::Before(_) | Cut::AfterCommit(_) => Verdict::Pass,
        };
        self.reached = verdict != Verdict::Pass;
        verdict
    }
}

/// The relay.
pub(super) struct Relay {
    directory: tempfile::TempDir,
    server: PathBuf,
    traffic: Arc<Mutex<Traffic>>,
}

impl Relay {
    /// One that leads to the database of a world.
    pub(super) fn to(world: &World) -> Self {
        let server = PathBuf::from(world.owner.get_host()).join(".s.PGSQL.5432");
        Self { directory: tempfile::tempdir().unwrap(), server, traffic: Arc::default() }
    }

    /// How to connect through it.
    pub(super) fn options(&self, world: &World) -> PgConnectOptions {
        world.owner.clone().host(self.directory.path().to_str().unwrap())
    }

    /// Cuts from now on.
    pub(super) fn arm(&self, cut: Cut) {
        *self.traffic.lock().unwrap() = Traffic { cut: Some(cut), ..Traffic::default() };
    }

    /// Cuts no longer; says whether it did.
    pub(super) fn disarm(&self) -> bool {
        std::mem::take(&mut *self.traffic.lock().unwrap()).reached
    }

    /// Connects until the future that it returns is dropped.
    pub(super) fn run(&self) -> impl Future<Output = ()> + use<> {
        let listener = UnixListener::bind(self.directory.path().join(".s.PGSQL.5432")).unwrap();
        let (server, traffic) = (self.server.clone(), Arc::clone(&self.traffic));
        async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let far = UnixStream::connect(&server).await.unwrap();
                connections.spawn(relay(near, far, Arc::clone(&traffic)));
            }
        }
    }
}

/// Passes messages on until one end closes or the connection is cut.
async fn relay(mut near: UnixStream, mut far: UnixStream, traffic: Arc<Mutex<Traffic>>) {
    let (mut sent, mut chunk, mut answer) = (Vec::new(), vec![0; 65_536], vec![0; 65_536]);
    // The first message has no type.
    let mut started = false;
    loop {
        tokio::select! {
            read = near.read(&mut chunk) => {
                let Ok(length @ 1..) = read else { return };
                sent.extend_from_slice(&chunk[..length]);
                while let Some(length) = message_length(&sent, started) {
                    let message: Vec<u8> = sent.drain(..length).collect();
                    let verdict =
                        if started { traffic.lock().unwrap().judge(&message) } else { Verdict::Pass };
                    started = true;
                    if verdict == Verdict::Cut || far.write_all(&message).await.is_err() {
                        return;
                    }
                    if verdict == Verdict::PassAndCut {
                        // It answers when it has done it.
                        let _ = far.read(&mut answer).await;
                        return;
                    }
                }
            }
            read = far.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                if near.write_all(&answer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The length of the first message, if all of it is there.
fn message_length(bytes: &[u8], typed: bool) -> Option<usize> {
    let before = usize::from(typed);
    let length: [u8; 4] = bytes.get(before..before + 4)?.try_into().unwrap();
    let length = before + usize::try_from(u32::from_be_bytes(length)).unwrap();
    (bytes.len() >= length).then_some(length)
}
