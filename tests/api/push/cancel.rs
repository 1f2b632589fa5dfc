//! A publication that is cancelled while it is on its way.

use axum::http::Method;
use serde_json::{Value, json};

use super::Fixture;
use super::peer::{Peer, running};

impl Fixture {
    async fn cancel(&self, publication: &str) -> Value {
        let path = format!("{publication}/cancel");
        self.api.send(Method::POST, &path, &[], None).await.expect(200)
    }
}

#[tokio::test]
async fn what_was_taken_before_the_cancelling_was_known_is_taken_back() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let first = fixture.publish().await;
    let good = peer.config().await;
    peer.ack(&good).await;
    fixture.ended(&first, "succeeded").await;

    fixture.change("203.0.113.2").await;
    let second = fixture.publish().await;
    let unwanted = peer.config().await;
    assert_eq!(fixture.cancel(&second).await["state"], "cancelled");
    // The gateway was faster than the news.
    peer.ack(&unwanted).await;
    let back = peer.config().await;
    assert_eq!((back.version, &back.revision_id), (3, &good.revision_id));
    peer.ack(&back).await;
    let state = fixture.state(|state| state["running_revision"] == json!(good.revision_id)).await;
    assert_eq!(state["published_revision"], json!(good.revision_id));
    let delivery = fixture.delivery(&second, "rejected").await;
    assert_eq!(delivery["reason"], "cancelled by acme-admin");
    fixture.ended(&second, "cancelled").await;
}

#[tokio::test]
async fn what_is_cancelled_before_a_gateway_comes_is_never_sent() {
    let fixture = Fixture::new().await;
    let cancelled = fixture.publish().await;
    fixture.cancel(&cancelled).await;
    let mut peer = fixture.gateway("i1").await;
    let wanted = fixture.publish().await;
    let config = peer.config().await;
    // The first that it is sent: one publication, its cancelling, one more.
    assert_eq!(config.version, 3);
    peer.ack(&config).await;
    fixture.ended(&wanted, "succeeded").await;

    // What runs already when a cancelled publication is forgotten stays.
    peer.leave();
    fixture.state(|state| state["connected"] == false).await;
    fixture.change("203.0.113.2").await;
    let other = fixture.publish().await;
    fixture.delivery(&other, "unreachable").await;
    fixture.cancel(&other).await;
    let mut peer =
        Peer::welcomed(fixture.replica.address, &fixture.identity, "i1", Some(running(&config))).await;
    let last = fixture.publish().await;
    let sent = peer.config().await;
    assert_eq!(sent.version, 6);
    peer.ack(&sent).await;
    fixture.ended(&last, "succeeded").await;
}

#[tokio::test]
async fn a_deleted_appliance_ends_its_stream_and_what_waited_for_it() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let waiting = fixture.publish().await;
    let _unanswered = peer.config().await;
    let path = format!("/v1/tenants/acme/appliances/{}", fixture.appliance);
    fixture.api.delete(&path).await.expect(204);
    assert_eq!(peer.end().await.code(), tonic::Code::Unauthenticated);
    assert_eq!(fixture.ended(&waiting, "cancelled").await["appliances"], json!([]));
}
