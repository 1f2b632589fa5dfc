//! A private Postgres from its first start to its end.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{Connection as _, PgConnection};

use super::*;

/// Far above what anything here takes; reached only by a failure.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// A directory that the user `postgres` can get to.
fn place() -> (tempfile::TempDir, ClusterSettings) {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::Builder::new().prefix("pinhole-postgres-").tempdir().unwrap();
    std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = ClusterSettings {
        directory: root.path().join("postgres"),
        durability: Durability::Disposable,
        max_connections: 20,
    };
    (root, settings)
}

async fn count(cluster: &Cluster) -> Result<i64, sqlx::Error> {
    let mut connection = PgConnection::connect_with(&cluster.options(DATABASE)).await?;
    sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(&mut connection).await
}

fn server_pid(settings: &ClusterSettings) -> Pid {
    let text = std::fs::read_to_string(settings.directory.join("data/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn it_starts_keeps_its_data_comes_back_and_leaves_no_process() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_root, settings) = place();
    let cluster = Cluster::start(settings.clone()).await.unwrap();
    let mode = std::fs::metadata(&settings.directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "who reaches the socket is trusted");
    let mut connection = PgConnection::connect_with(&cluster.options(DATABASE)).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept (); INSERT INTO kept DEFAULT VALUES")
        .execute(&mut connection)
        .await
        .unwrap();
    let listens: String =
        sqlx::query_scalar("SHOW listen_addresses").fetch_one(&mut connection).await.unwrap();
    assert_eq!(listens, "");

    let second = Cluster::start(settings.clone()).await.unwrap_err();
    assert!(matches!(second, PostgresError::Locked { .. }), "{second}");

    // A connection is open, and does not keep it from ending.
    cluster.stop().await;
    assert!(!settings.directory.join("data/postmaster.pid").exists());

    let cluster = Cluster::start(settings.clone()).await.unwrap();
    assert_eq!(count(&cluster).await.unwrap(), 1);
    let first = server_pid(&settings);
    kill(first, Signal::SIGKILL).unwrap();
    let back = async {
        while !matches!(count(&cluster).await, Ok(1)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, back).await.expect("it is not started again");
    let last = server_pid(&settings);
    assert_ne!(first, last);
    cluster.stop().await;
    assert_eq!(kill(last, None), Err(nix::Error::ESRCH));
}

#[tokio::test]
async fn data_of_another_version_are_left_alone() {
    let (_root, settings) = place();
    let data = settings.directory.join("data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("PG_VERSION"), "7\n").unwrap();
    let error = Cluster::start(settings).await.unwrap_err();
    assert!(matches!(error, PostgresError::WrongVersion { wanted: 7, .. }), "{error}");
    assert_eq!(std::fs::read_to_string(data.join("PG_VERSION")).unwrap(), "7\n");
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_an_error_of_one_line() {
    let (root, settings) = place();
    let long = ClusterSettings { directory: root.path().join("x".repeat(100)), ..settings.clone() };
    let file = root.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = ClusterSettings { directory: file.join("postgres"), ..settings };
    for settings in [long, below] {
        let error = Cluster::start(settings).await.unwrap_err().to_string();
        assert!(!error.contains('\n') && error.contains(root.path().to_str().unwrap()), "{error}");
    }
}
