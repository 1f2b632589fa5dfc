//! Gateways that come and go.

use serde_json::json;
use tonic::Code;

use super::peer::{Peer, hello};
use super::{Fixture, NEVER};

#[tokio::test]
async fn a_gateway_is_welcomed_by_name_and_shown_as_connected() {
    let fixture = Fixture::with(std::time::Duration::from_secs(7), NEVER).await;
    assert_eq!(fixture.state(|_| true).await["last_seen"], json!(null));
    let mut peer = Peer::attach(fixture.replica.address, &fixture.identity, hello("i1", None)).await.unwrap();
    let welcome = peer.welcome().await;
    assert_eq!(welcome.appliance_id, fixture.appliance);
    assert_eq!((welcome.appliance_name.as_str(), welcome.heartbeat_interval_ms), ("edge", 7_000));
    let state = fixture.state(|state| state["connected"] == true).await;
    assert_ne!(state["last_seen"], json!(null));
    assert_eq!((&state["running_revision"], &state["last_error"]), (&json!(null), &json!(null)));
    peer.leave();
    let state = fixture.state(|state| state["connected"] == false).await;
    assert_ne!(state["last_seen"], json!(null));
}

#[tokio::test]
async fn a_newer_stream_takes_the_place_of_an_older_one() {
    let fixture = Fixture::new().await;
    let mut older = fixture.gateway("i1").await;
    let mut newer = fixture.gateway("i1").await;
    assert_eq!(older.end().await.code(), Code::Aborted);
    // The end of the older one says nothing about the newer.
    let publication = fixture.publish().await;
    let config = newer.config().await;
    newer.ack(&config).await;
    fixture.ended(&publication, "succeeded").await;
    assert_eq!(fixture.state(|_| true).await["connected"], true);
}

#[tokio::test]
async fn a_silent_gateway_counts_as_unreachable() {
    let fixture = Fixture::with(std::time::Duration::from_millis(50), NEVER).await;
    let mut peer = fixture.gateway("i1").await;
    // Three heartbeats that do not come.
    assert_eq!(peer.end().await.code(), Code::DeadlineExceeded);
    fixture.state(|state| state["connected"] == false).await;
    let publication = fixture.publish().await;
    let delivery = fixture.delivery(&publication, "unreachable").await;
    assert!(delivery["reason"].as_str().unwrap().contains("not connected"), "{delivery}");
}

#[tokio::test]
async fn a_controller_that_ends_says_so_to_everybody() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    fixture.state(|state| state["connected"] == true).await;
    fixture.replica.stop().await;
    assert_eq!(peer.end().await.code(), Code::Unavailable);
    let path = format!("/v1/tenants/acme/appliances/{}", fixture.appliance);
    let state = fixture.api.get(&path).await.expect(200)["state"].clone();
    assert_eq!(state["connected"], false, "what is said last is written before the end");
}
