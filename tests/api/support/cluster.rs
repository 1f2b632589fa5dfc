//! One Postgres for the whole test run: in a temporary directory, stopped and removed when the test process ends,
//! however it ends.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use pinhole::store::postgres::{self, ClusterSettings, Durability};
use sqlx::postgres::PgConnectOptions;

const MAX_CONNECTIONS: u16 = 300;

/// Its input ends with the test process. Postgres ends at that, too, and then its directory may go.
const CARETAKER: &str = r#"
read -r _
for _ in $(seq 300); do
    [ -e "$1/postgres/data/postmaster.pid" ] || break
    sleep 0.1
done
rm -rf "$1"
"#;

/// A running Postgres.
#[derive(Debug)]
pub(crate) struct Cluster {
    postgres: postgres::Cluster,
    _caretaker: Child,
}

impl Cluster {
    /// Makes and starts one.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("pinhole-tests-").tempdir().unwrap().keep();
        // Postgres may run as another user, who has to get through.
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        let caretaker = caretaker(&directory);
        let postgres = postgres::Cluster::start(ClusterSettings {
            directory: directory.join("postgres"),
            durability: Durability::Disposable,
            max_connections: MAX_CONNECTIONS,
        });
        Self { postgres: postgres.await.unwrap(), _caretaker: caretaker }
    }

    /// How to connect to a database of it, as its superuser.
    pub(crate) fn options(&self, database: &str) -> PgConnectOptions {
        self.postgres.options(database)
    }
}

fn caretaker(directory: &Path) -> Child {
    Command::new("sh")
        .args(["-c", CARETAKER, "caretaker"])
        .arg(directory)
        .current_dir("/")
        // Not for the terminal's signals.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}
