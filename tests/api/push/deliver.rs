//! What is published reaches gateways, and what they answer reaches administrators.

use std::time::Duration;

use pinhole_proto::v1;
use pinhole_proto::v1::gateway_message::Message as ToController;
use serde_json::json;
use sqlx::ConnectOptions as _;

use super::peer::{Peer, running};
use super::{Fixture, NEVER};

#[tokio::test]
async fn a_publication_is_sent_acknowledged_and_done() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let publication = fixture.publish().await;
    let config = peer.config().await;
    let delivery = fixture.delivery(&publication, "pending").await;
    assert_eq!((config.version, &json!(config.revision_id)), (1, &delivery["revision"]));
    peer.ack(&config).await;
    let done = fixture.ended(&publication, "succeeded").await;
    assert_eq!(done["appliances"][0]["status"], "applied");
    assert_ne!(done["finished_at"], json!(null));
    let state = fixture.state(|_| true).await;
    assert_eq!(state["running_revision"], json!(config.revision_id));
    assert_eq!(state["published_revision"], json!(config.revision_id));

    // The same revision again is a delivery of its own.
    let again = fixture.publish().await;
    let repeated = peer.config().await;
    assert_eq!((repeated.version, &repeated.revision_id), (2, &config.revision_id));
    assert_ne!(repeated.nonce, config.nonce);
    peer.ack(&repeated).await;
    fixture.ended(&again, "succeeded").await;
}

#[tokio::test]
async fn what_a_gateway_refuses_is_rejected_and_not_sent_to_it_again() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let good = fixture.publish().await;
    let last_good = peer.config().await;
    peer.ack(&last_good).await;
    fixture.ended(&good, "succeeded").await;

    fixture.change("203.0.113.2").await;
    let bad = fixture.publish().await;
    let refused = peer.config().await;
    let reason = format!("there is no\0interface out0{}", "!".repeat(5_000));
    let nack = v1::Nack { nonce: refused.nonce.clone(), reason, running: Some(running(&last_good)) };
    peer.send(ToController::Nack(nack)).await;
    let ended = fixture.ended(&bad, "failed").await;
    let delivery = &ended["appliances"][0];
    assert_eq!(delivery["status"], "rejected");
    let shown = delivery["reason"].as_str().unwrap();
    assert!(shown.starts_with("there is no interface out0!") && shown.len() == 1_000, "{shown}");
    let state = fixture.state(|_| true).await;
    assert_eq!(state["last_error"], delivery["reason"]);
    assert_eq!(state["running_revision"], json!(last_good.revision_id));
    assert_eq!(state["published_revision"], json!(refused.revision_id));

    // The same process comes back: the next thing that it is sent is the next publication.
    peer.leave();
    let mut peer =
        Peer::welcomed(fixture.replica.address, &fixture.identity, "i1", Some(running(&last_good))).await;
    fixture.change("203.0.113.3").await;
    let next = fixture.publish().await;
    let config = peer.config().await;
    assert_eq!(config.version, 3);
    peer.nack(&config, "still not").await;
    fixture.ended(&next, "failed").await;

    // A new process may be a better one, and gets what it should run. What was decided stays decided.
    peer.leave();
    let mut peer =
        Peer::welcomed(fixture.replica.address, &fixture.identity, "i2", Some(running(&last_good))).await;
    let config = peer.config().await;
    assert_eq!(config.version, 3);
    peer.ack(&config).await;
    let state = fixture.state(|state| state["running_revision"] == json!(config.revision_id)).await;
    assert_eq!(state["last_error"], json!(null));
    assert_eq!(fixture.ended(&next, "failed").await["appliances"][0]["reason"], "still not");
}

#[tokio::test]
async fn a_gateway_that_is_away_is_given_it_when_it_comes_back() {
    let fixture = Fixture::new().await;
    let publication = fixture.publish().await;
    let delivery = fixture.delivery(&publication, "unreachable").await;
    assert!(delivery["reason"].as_str().unwrap().contains("when it comes back"), "{delivery}");
    let mut peer = fixture.gateway("i1").await;
    let config = peer.config().await;
    let delivery = fixture.delivery(&publication, "pending").await;
    assert_eq!(delivery["reason"], json!(null));
    peer.ack(&config).await;
    fixture.ended(&publication, "succeeded").await;
}

#[tokio::test]
async fn a_superseded_configuration_and_its_answer_do_not_count() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let first = fixture.publish().await;
    let old = peer.config().await;
    fixture.change("203.0.113.2").await;
    let second = fixture.publish().await;
    let new = peer.config().await;
    assert_eq!((old.version, new.version), (1, 2));
    peer.ack(&old).await;
    peer.ack(&new).await;
    fixture.ended(&second, "succeeded").await;
    let superseded = fixture.ended(&first, "failed").await;
    let reason = superseded["appliances"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("superseded"), "{reason}");
    assert_eq!(fixture.state(|_| true).await["running_revision"], json!(new.revision_id));
}

#[tokio::test]
async fn answers_to_what_was_not_asked_are_ignored() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let publication = fixture.publish().await;
    let config = peer.config().await;
    for nonce in ["", "0123456789abcdef0123456789abcdef"] {
        let forged = v1::Config { nonce: nonce.to_owned(), ..config.clone() };
        peer.nack(&forged, "not this").await;
        peer.ack(&forged).await;
    }
    peer.ack(&config).await;
    fixture.ended(&publication, "succeeded").await;
    // Twice is once.
    peer.nack(&config, "changed its mind").await;
    let again = fixture.publish().await;
    let config = peer.config().await;
    peer.ack(&config).await;
    fixture.ended(&again, "succeeded").await;
    assert_eq!(fixture.state(|_| true).await["last_error"], json!(null));
}

#[tokio::test]
async fn an_acknowledgement_of_something_else_is_a_rejection() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let publication = fixture.publish().await;
    let config = peer.config().await;
    let other = v1::RunningConfig { hash: vec![9; 32], ..running(&config) };
    peer.send(ToController::Ack(v1::Ack { nonce: config.nonce.clone(), running: Some(other) })).await;
    let ended = fixture.ended(&publication, "failed").await;
    assert!(ended["appliances"][0]["reason"].as_str().unwrap().contains("runs another one"));
}

#[tokio::test]
async fn an_answer_that_got_lost_is_asked_for_again() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let publication = fixture.publish().await;
    let config = peer.config().await;
    peer.leave();
    fixture.delivery(&publication, "unreachable").await;
    // It did apply it, as its hello says.
    let mut peer =
        Peer::welcomed(fixture.replica.address, &fixture.identity, "i1", Some(running(&config))).await;
    let repeated = peer.config().await;
    assert_eq!((repeated.version, &repeated.revision_id), (1, &config.revision_id));
    peer.ack(&repeated).await;
    fixture.ended(&publication, "succeeded").await;
}

#[tokio::test]
async fn a_gateway_that_comes_back_with_what_it_should_run_is_left_alone() {
    let fixture = Fixture::with(NEVER, Duration::from_millis(20)).await;
    let mut peer = fixture.gateway("i1").await;
    let publication = fixture.publish().await;
    let config = peer.config().await;
    peer.ack(&config).await;
    fixture.ended(&publication, "succeeded").await;
    // Killed, and back from its disk.
    peer.leave();
    fixture.state(|state| state["connected"] == false).await;
    let mut peer =
        Peer::welcomed(fixture.replica.address, &fixture.identity, "i2", Some(running(&config))).await;
    let state = fixture.state(|state| state["connected"] == true).await;
    assert_eq!(state["running_revision"], json!(config.revision_id));

    // What a heartbeat says is shown, too, and put right.
    peer.heartbeat(None, None).await;
    let repeated = peer.config().await;
    assert_eq!((repeated.version, &repeated.revision_id), (1, &config.revision_id));
    assert_eq!(fixture.state(|state| state["running_revision"].is_null()).await["connected"], true);
    peer.ack(&repeated).await;
    fixture.state(|state| state["running_revision"] == json!(config.revision_id)).await;
}

#[tokio::test]
async fn a_lost_notice_is_found_by_polling() {
    let fixture = Fixture::with(NEVER, Duration::from_millis(20)).await;
    let mut peer = fixture.gateway("i1").await;
    let publication = fixture.publish().await;
    let config = peer.config().await;
    peer.ack(&config).await;
    fixture.ended(&publication, "succeeded").await;
    // As another replica does, but without a word.
    let mut owner = fixture.world.owner.connect().await.unwrap();
    sqlx::raw_sql(
        "BEGIN;
         UPDATE appliance_states SET desired_version = 7;
         UPDATE publications SET state = 'running';
         UPDATE publication_appliances SET status = 'pending', version = 7;
         COMMIT",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let config = peer.config().await;
    assert_eq!(config.version, 7);
    peer.ack(&config).await;
    fixture.ended(&publication, "succeeded").await;
}

#[tokio::test]
async fn a_cancelled_publication_takes_its_configuration_back() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let first = fixture.publish().await;
    let good = peer.config().await;
    peer.ack(&good).await;
    fixture.ended(&first, "succeeded").await;
    fixture.change("203.0.113.2").await;
    let second = fixture.publish().await;
    let withdrawn = peer.config().await;
    fixture.api.post(&format!("{second}/cancel"), &json!({})).await.expect(200);
    fixture.world.state.signals.everything();
    // It has answered before it heard of that.
    peer.ack(&withdrawn).await;
    let config = peer.config().await;
    assert_eq!((config.version, &config.revision_id), (3, &good.revision_id));
    peer.ack(&config).await;
    fixture.state(|state| state["running_revision"] == json!(good.revision_id)).await;
    assert_eq!(fixture.ended(&second, "cancelled").await["appliances"][0]["status"], "rejected");
}
