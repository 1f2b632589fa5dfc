//! A publication over the death of the controller.

use nix::sys::signal::Signal;
use pinhole_gateway::trust::{Identity, JoinToken, enrol};
use serde_json::json;

use crate::controller::{Client, Controller, DataDir};
use crate::peer::{Peer, running};

/// An appliance, and what its gateway gets in with.
pub(crate) async fn appliance(client: &Client, controller: &Controller) -> (String, Identity) {
    let nat = json!({ "inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/24"],
                      "pool": ["203.0.113.1"] });
    let made = client.post("appliances", &json!({ "name": "edge", "nat": nat })).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let joined = client.post(&format!("appliances/{id}/join-token"), &json!({})).await;
    let token = JoinToken::parse(joined["token"].as_str().unwrap()).unwrap();
    let identity = enrol(&format!("https://{}", controller.grpc), &token).await.unwrap();
    (id, identity)
}

/// Publishes to an appliance and answers the publication's path.
pub(crate) async fn publish(client: &Client, appliance: &str) -> String {
    let made = client.post("publications", &json!({ "appliances": [appliance] })).await;
    format!("publications/{}", made["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_publication_survives_the_controller_that_is_killed_in_it() {
    let data = DataDir::new();
    let controller = Controller::start(&data, &[]).await;
    let client = controller.sign_in(&controller.login.clone().unwrap()).await;
    let (edge, identity) = appliance(&client, &controller).await;
    let mut peer = Peer::welcomed(controller.grpc, &identity, "i1", None).await;
    let publication = publish(&client, &edge).await;
    let config = peer.config().await;
    // The gateway enforces it, and nobody is left to hear that.
    controller.end(Signal::SIGKILL).await;
    peer.ack(&config).await;
    peer.leave();

    let controller = Controller::start(&data, &[]).await;
    let client = client.on(&controller);
    let mut peer = Peer::welcomed(controller.grpc, &identity, "i1", Some(running(&config))).await;
    let repeated = peer.config().await;
    assert_eq!((repeated.version, &repeated.revision_id), (config.version, &config.revision_id));
    peer.ack(&repeated).await;
    client.until(&publication, |publication| publication["state"] == "succeeded").await;
    let state = client.get(&format!("appliances/{edge}")).await["state"].clone();
    assert_eq!(state["running_revision"], json!(config.revision_id));
}

#[tokio::test]
async fn two_controllers_on_one_database_are_one_installation() {
    let (data, other) = (DataDir::new(), DataDir::new());
    let first = Controller::start(&data, &[]).await;
    let client = first.sign_in(&first.login.clone().unwrap()).await;
    let url = format!("postgres://pinhole@localhost/pinhole?host={}", data.path().join("postgres").display());
    let secret_key = std::fs::read_to_string(data.path().join("secret-key")).unwrap();
    let second =
        Controller::start(&other, &["--database-url", &url, "--secret-key", secret_key.trim()]).await;
    assert_eq!(second.login, None);
    let (edge, identity) = appliance(&client, &first).await;
    let mut peer = Peer::welcomed(second.grpc, &identity, "i1", None).await;
    let publication = publish(&client, &edge).await;
    let config = peer.config().await;
    peer.ack(&config).await;
    client.until(&publication, |publication| publication["state"] == "succeeded").await;
    client.on(&second).until(&publication, |publication| publication["state"] == "succeeded").await;
    assert!(second.end(Signal::SIGTERM).await.success());
}
