//! One Postgres for the whole test run: in a temporary directory, reachable over a Unix socket only, stopped and
//! removed when the test process ends, however it ends.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;

const START_DEADLINE: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits for the end of the test process (the parent-death signal) or of Postgres, and leaves nothing behind.
const KEEPER: &str = r#"
"$1"/postgres -D "$2"/data -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off \
    -c synchronous_commit=off -c max_connections=300 -c shared_buffers=64MB -c log_min_messages=fatal &
server=$!
trap 'kill -QUIT $server' TERM
wait $server
wait $server
rm -rf "$2"
"#;

/// A running Postgres.
#[derive(Debug)]
pub(crate) struct Cluster {
    directory: PathBuf,
}

impl Cluster {
    /// Makes and starts one.
    pub(crate) fn start() -> Self {
        let binaries = binaries();
        let directory = tempfile::Builder::new().prefix("pinhole-api-tests-").tempdir().unwrap().keep();
        let user = nix::unistd::geteuid().is_root().then(|| {
            nix::unistd::User::from_name("postgres").unwrap().expect("Postgres refuses to run as root")
        });
        if let Some(user) = &user {
            chown(&directory, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();

        let mut initdb = as_user(user.as_ref(), &binaries.join("initdb"));
        initdb.arg("-D").arg(directory.join("data"));
        initdb.args(["--no-sync", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

        let mut keeper = as_user(user.as_ref(), Path::new("sh"));
        keeper.args(["-c", KEEPER, "keeper"]).arg(&binaries).arg(&directory);
        // The signal comes when the thread that started the process ends, so that thread stays.
        thread::spawn(move || {
            let ended = keeper.stdin(Stdio::null()).stdout(Stdio::null()).status();
            panic!("Postgres ended before the tests: {ended:?}");
        });
        let cluster = Self { directory };
        let is_ready = || {
            let answer = Command::new(binaries.join("pg_isready"))
                .args(["-q", "-U", "postgres", "-h"])
                .arg(&cluster.directory)
                .status();
            answer.unwrap().success()
        };
        let deadline = Instant::now() + START_DEADLINE;
        while !is_ready() {
            assert!(Instant::now() < deadline, "Postgres did not start");
            thread::sleep(POLL_INTERVAL);
        }
        cluster
    }

    /// How to connect to a database of it, as its superuser.
    pub(crate) fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host(self.directory.to_str().unwrap())
            .username("postgres")
            .database(database)
    }
}

fn as_user(user: Option<&nix::unistd::User>, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM"]);
    if let Some(user) = user {
        command
            .arg(format!("--reuid={}", user.uid))
            .arg(format!("--regid={}", user.gid))
            .arg("--clear-groups");
    }
    command.arg(program).current_dir("/");
    command
}

fn binaries() -> PathBuf {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest =
        installed.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max();
    newest.expect("Postgres server binaries under /usr/lib/postgresql")
}
