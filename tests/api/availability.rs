//! A database that goes away and comes back.

use std::path::PathBuf;
use std::time::Duration;

use pinhole::app::AppState;
use pinhole::store::Store;
use sqlx::postgres::PgConnectOptions;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::support::World;

/// Stands between the controller and Postgres, so that the connection can be cut.
pub(crate) struct Relay {
    directory: tempfile::TempDir,
    server: PathBuf,
}

impl Relay {
    /// One that leads to the database of a world.
    pub(crate) fn to(world: &World) -> Self {
        let server = PathBuf::from(world.owner.get_host()).join(".s.PGSQL.5432");
        Self { directory: tempfile::tempdir().unwrap(), server }
    }

    /// How to connect through it.
    pub(crate) fn options(&self, world: &World) -> PgConnectOptions {
        world.owner.clone().host(self.directory.path().to_str().unwrap())
    }

    /// Connects until the future that it returns is dropped.
    pub(crate) fn run(&self) -> impl Future<Output = ()> + use<> {
        let socket = self.directory.path().join(".s.PGSQL.5432");
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(socket).unwrap();
        let server = self.server.clone();
        async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let server = server.clone();
                connections.spawn(async move {
                    let mut far = UnixStream::connect(server).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_503_and_comes_back_by_itself() {
    let world = World::new().await;
    let relay = Relay::to(&world);
    let running = tokio::spawn(relay.run());
    let store = Store::connect_lazily(relay.options(&world));
    let state = AppState { store, ..world.state.clone() };
    let api = world.api("acme-admin").on(pinhole::http::router(state));
    let path = "/v1/tenants/acme/master-profiles";
    api.get(path).await.expect(200);

    running.abort();
    let _ = running.await;
    for _ in 0..2 {
        let answer = tokio::time::timeout(Duration::from_secs(10), api.get(path)).await.unwrap();
        let problem = answer.problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "2");
        assert!(!problem.to_string().contains("PGSQL"), "{problem}");
    }

    let _running = tokio::spawn(relay.run());
    api.get(path).await.expect(200);
}
