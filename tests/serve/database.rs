//! A database of somebody else's, which is not there when it should be.

use nix::sys::signal::Signal;
use pinhole::store::postgres::{Cluster, ClusterSettings, DATABASE, Durability};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;

use crate::controller::{Controller, DataDir, pinhole, run};
use crate::peer::Peer;
use crate::publish::{appliance, publish};

pub(crate) fn settings(data: &DataDir) -> ClusterSettings {
    ClusterSettings {
        directory: data.path().join("postgres"),
        durability: Durability::Disposable,
        max_connections: 60,
    }
}

/// The URL of a database of it.
pub(crate) fn url(data: &DataDir, database: &str) -> String {
    format!("postgres://pinhole@localhost/{database}?host={}", data.path().join("postgres").display())
}

/// A port that is free now and will hardly be another's in a moment.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn expect_503(response: reqwest::Response) {
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Value = response.json().await.unwrap();
    assert!(!problem.to_string().contains("PGSQL"), "{problem}");
}

#[tokio::test]
async fn it_waits_for_a_database_and_outlives_its_absence() {
    let (server, data) = (DataDir::new(), DataDir::new());
    let listen = format!("127.0.0.1:{}", free_port());
    let arguments = ["--database-url", &url(&server, DATABASE), "--no-embedded-gateway"];
    let mut controller = Controller::launch(&data, &listen, &arguments);
    // It listens before it has a database, as soon as it has begun.
    let address: std::net::SocketAddr = listen.parse().unwrap();
    while tokio::net::TcpStream::connect(address).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(controller.status("/healthz").await.status(), 200);
    expect_503(controller.status("/readyz").await).await;
    expect_503(controller.status("/v1/auth/me").await).await;

    let cluster = Cluster::start(settings(&server)).await.unwrap();
    controller.ready().await;
    let client = controller.sign_in(&controller.login.clone().unwrap()).await;
    let (edge, identity) = appliance(&client, &controller).await;
    let mut peer = Peer::welcomed(controller.grpc, &identity, "i1", None).await;
    client.until(&format!("appliances/{edge}"), |edge| edge["state"]["connected"] == true).await;

    cluster.stop().await;
    expect_503(controller.status("/readyz").await).await;
    assert_eq!(controller.status("/healthz").await.status(), 200);
    expect_503(client.send(Method::GET, "appliances", None).await).await;
    expect_503(client.send(Method::POST, "publications", Some(&json!({"appliances": [edge]}))).await).await;

    let cluster = Cluster::start(settings(&server)).await.unwrap();
    client.until("appliances", |list| list["total"] == 1).await;
    assert_eq!(controller.status("/readyz").await.status(), 200);
    let publication = publish(&client, &edge).await;
    let config = peer.config().await;
    peer.ack(&config).await;
    client.until(&publication, |publication| publication["state"] == "succeeded").await;
    assert!(controller.end(Signal::SIGTERM).await.success());
    cluster.stop().await;
}

#[tokio::test]
async fn a_database_is_migrated_once_and_by_itself() {
    let server = DataDir::new();
    let cluster = Cluster::start(settings(&server)).await.unwrap();
    for _ in 0..2 {
        let (status, stdout, stderr) =
            run(pinhole(&["migrate", "--database-url", &url(&server, DATABASE)])).await;
        assert!(status.success(), "{stderr}");
        assert_eq!(stdout, "");
    }
    cluster.stop().await;
}

#[tokio::test]
async fn a_database_that_is_not_made_yet_is_waited_for() {
    let (server, data) = (DataDir::new(), DataDir::new());
    let cluster = Cluster::start(settings(&server)).await.unwrap();
    let arguments =
        ["--database-url", &url(&server, "later"), "--no-embedded-gateway", "--log-format", "json"];
    let mut controller = Controller::launch(&data, "127.0.0.1:0", &arguments);
    let told = || {
        let log = std::fs::read_to_string(data.path().join("log")).unwrap();
        log.lines().filter(|line| line.contains("the database does not answer")).count()
    };
    while told() == 0 {
        tokio::task::yield_now().await;
    }
    let mut maintenance = cluster.options("postgres").connect().await.unwrap();
    sqlx::raw_sql("CREATE DATABASE later").execute(&mut maintenance).await.unwrap();
    controller.ready().await;
    assert_eq!(told(), 1, "an outage is one line");
    assert!(controller.end(Signal::SIGTERM).await.success());
    drop(maintenance);
    cluster.stop().await;
}
