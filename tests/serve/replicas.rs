//! Three controllers on one Postgres, a thousand gateways, and the death of one controller in the middle of a publication.

use nix::sys::signal::Signal;
use pinhole::access::seal::SecretKey;
use pinhole::app::bootstrap;
use pinhole::clock::SystemClock;
use pinhole::store::Store;
use pinhole::store::postgres::{Cluster, DATABASE};
use pinhole_lab::Fleet;
use serde_json::json;
use sqlx::ConnectOptions as _;
use tokio::time::timeout;

use crate::controller::{Controller, DataDir};
use crate::database::{settings, url};
use crate::{PATIENCE, bulk};

const GATEWAYS: usize = 1_000;
const REPLICAS: usize = 3;
/// Answers that are sent before one of the controllers dies: some of each controller's gateways have answered by
/// then, and some have not.
const ANSWERS: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_dies_in_the_middle_of_a_publication_to_a_thousand_gateways() {
    let server = DataDir::new();
    let cluster = Cluster::start(settings(&server)).await.unwrap();
    let secret_key = SecretKey::generate().unwrap();
    let (url, secret) = (url(&server, DATABASE), secret_key.reveal());
    let arguments = ["--database-url", &url, "--secret-key", &secret];
    let (mut data, mut controllers) = (Vec::new(), Vec::new());
    for _ in 0..REPLICAS {
        let directory = DataDir::new();
        controllers.push(Controller::start(&directory, &arguments).await);
        data.push(directory);
    }
    let login = controllers[0].login.clone().unwrap();
    let client = controllers[0].sign_in(&login).await;
    let nat = json!({ "inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/24"],
                      "pool": ["203.0.113.1"] });
    client.post("appliances", &json!({ "name": "template", "nat": nat })).await;
    let options = cluster.options(DATABASE);
    let store = Store::connect_lazily(options.clone());
    let started = bootstrap::start(&store, &SystemClock, &secret_key, |_| Ok(())).await;
    let mut owner = options.connect().await.unwrap();
    let (appliances, credentials) = bulk::enrol(&mut owner, &started.unwrap().authority, GATEWAYS).await;

    let seed = rand::random();
    println!("seed {seed}");
    let addresses = controllers.iter().map(|controller| controller.grpc).collect();
    let fleet = Fleet::start(addresses, credentials, seed, Some(ANSWERS));
    let all = timeout(PATIENCE, fleet.until(|tally| tally.connected == GATEWAYS)).await;
    assert_eq!(all.expect("not all gateways were let in").welcomes, GATEWAYS);

    let order = json!({ "appliances": { "labels": { "fleet": "yes" } } });
    let made = client.post("publications", &order).await;
    assert_eq!(made["appliances"].as_array().unwrap().len(), GATEWAYS);
    let publication = format!("publications/{}", made["id"].as_str().unwrap());
    timeout(PATIENCE, fleet.until(|tally| tally.answers == ANSWERS)).await.expect("nobody answers");
    let dead = controllers.pop().unwrap();
    dead.end(Signal::SIGKILL).await;
    fleet.release();

    let done = client.until(&publication, |publication| publication["state"] != "running").await;
    assert_eq!(done["state"], "succeeded", "seed {seed}");
    assert_eq!(done["counts"]["applied"], json!(GATEWAYS), "seed {seed}");
    let wanted: Vec<(uuid::Uuid, uuid::Uuid, Option<uuid::Uuid>, bool)> = sqlx::query_as(
        "SELECT appliance_id, desired_revision_id, running_revision_id, connected FROM appliance_states
         WHERE appliance_id = ANY($1) ORDER BY array_position($1, appliance_id)",
    )
    .bind(&appliances)
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(wanted.len(), GATEWAYS);
    for ((appliance, desired, stored, connected), running) in wanted.iter().zip(fleet.running()) {
        assert_eq!(running, Some(desired.to_string()), "appliance {appliance}, seed {seed}");
        assert!(*stored == Some(*desired) && *connected, "appliance {appliance}, seed {seed}");
    }
    for controller in controllers {
        assert!(controller.end(Signal::SIGTERM).await.success());
    }
    drop(fleet);
    store.pool().close().await;
    drop(owner);
    cluster.stop().await;
}
