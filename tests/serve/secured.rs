//! A database that is reached over TLS.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;

use pinhole::store;
use pinhole::store::postgres::{Cluster, ClusterSettings, DATABASE, Durability};
use pinhole_lab::Authority;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::PATIENCE;
use crate::controller::{DataDir, pinhole, run};

/// Lets in whoever comes over TLS, and nobody else.
const HBA: &str = "hostssl all all 127.0.0.1/32 trust\nhostnossl all all all reject\n";

/// A Postgres on a port, which ends with this value.
struct Postgres {
    _process: Child,
    port: u16,
}

impl Postgres {
    async fn start(data: &DataDir, authority: &Authority) -> Self {
        let settings = ClusterSettings {
            directory: data.path().join("postgres"),
            durability: Durability::Disposable,
            max_connections: 20,
        };
        // Makes the database.
        let cluster = Cluster::start(settings).await.unwrap();
        let binaries = cluster.binaries().to_owned();
        cluster.stop().await;
        let directory = data.path().join("postgres/data");
        let owner = std::fs::metadata(&directory).unwrap();
        let certified = authority.certify("127.0.0.1").unwrap();
        let files =
            [("tls.crt", certified.certificate.as_str()), ("tls.key", &certified.key), ("tls_hba", HBA)];
        for (name, text) in files {
            let path = directory.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if nix::unistd::geteuid().is_root() {
            command.args(["--reuid", &owner.uid().to_string(), "--regid", &owner.gid().to_string()]);
            command.arg("--clear-groups");
        }
        command
            .arg(binaries.join("postgres"))
            .arg("-D")
            .arg(&directory)
            .arg("-k")
            .arg(directory.parent().unwrap());
        for setting in [
            "listen_addresses=127.0.0.1",
            "ssl=on",
            "ssl_cert_file=tls.crt",
            "ssl_key_file=tls.key",
            "fsync=off",
        ] {
            command.args(["-c", setting]);
        }
        command.args(["-c", &format!("port={port}"), "-c"]);
        command.arg(format!("hba_file={}", directory.join("tls_hba").display()));
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.kill_on_drop(true).spawn().unwrap();
        Self { _process: process, port }
    }

    fn url(&self, host: &str, mode: &str, ca: Option<&Path>) -> String {
        let ca = ca.map(|ca| format!("&sslrootcert={}", ca.display())).unwrap_or_default();
        format!("postgres://pinhole@{host}:{}/{DATABASE}?sslmode={mode}{ca}", self.port)
    }
}

#[tokio::test]
async fn a_database_is_reached_over_tls_and_by_its_own_name() {
    let (data, authority) = (DataDir::new(), Authority::new().unwrap());
    let files = tempfile::tempdir().unwrap();
    let (ca, other) = (files.path().join("ca.pem"), files.path().join("other.pem"));
    std::fs::write(&ca, authority.pem()).unwrap();
    std::fs::write(&other, Authority::new().unwrap().pem()).unwrap();
    let postgres = Postgres::start(&data, &authority).await;
    // It waits until there is one.
    let url = postgres.url("127.0.0.1", "verify-full", Some(&ca));
    let (status, _, stderr) = run(pinhole(&["migrate", "--database-url", &url])).await;
    assert!(status.success(), "{stderr}");

    let attempt = async |host: &str, mode: &str, ca: Option<&Path>| {
        let options: PgConnectOptions = postgres.url(host, mode, ca).parse().unwrap();
        timeout(PATIENCE, store::migrate(&options)).await.expect("it does not end").map(|()| options)
    };
    for (mode, ca) in
        [("require", None), ("require", Some(&*ca)), ("verify-ca", Some(&*ca)), ("verify-full", Some(&*ca))]
    {
        let options = attempt("127.0.0.1", mode, ca).await.unwrap();
        let mut connection = options.connect().await.unwrap();
        let version: String =
            sqlx::query_scalar("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl")
                .fetch_one(&mut connection)
                .await
                .unwrap();
        assert!(version.starts_with("TLSv1."), "{version}");
    }
    for (host, mode, ca) in [
        ("127.0.0.1", "disable", None),
        // The system's roots do not vouch for it, nor does another authority, nor for another name.
        ("127.0.0.1", "verify-full", None),
        ("127.0.0.1", "verify-ca", Some(&*other)),
        ("127.0.0.1", "verify-full", Some(&*other)),
        ("localhost", "verify-full", Some(&*ca)),
    ] {
        assert!(attempt(host, mode, ca).await.is_err(), "{host} {mode} {ca:?}");
    }
    attempt("localhost", "verify-ca", Some(&ca)).await.unwrap();
}
