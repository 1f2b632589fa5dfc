//! Who is let in, and who is put out.

use chrono::Duration as TimeDelta;
use serde_json::json;
use sqlx::ConnectOptions as _;
use tonic::Code;

use super::peer::{Peer, hello};
use super::{Fixture, NEVER, token};
use crate::support::appliance;

#[tokio::test]
async fn a_gateway_is_welcomed_by_name_and_shown_as_connected() {
    let fixture = Fixture::with(std::time::Duration::from_secs(7), NEVER).await;
    assert_eq!(fixture.state(|_| true).await["last_seen"], json!(null));
    let mut peer = Peer::attach(fixture.replica.address, &fixture.token, hello("i1", None)).await.unwrap();
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
async fn a_credential_that_is_not_good_is_refused_in_one_way() {
    let fixture = Fixture::new().await;
    let mut owner = fixture.world.owner.connect().await.unwrap();
    let (revoked, expired) =
        (token(&fixture.api, &fixture.appliance).await, token(&fixture.api, &fixture.appliance).await);
    sqlx::query(
        "UPDATE gateway_tokens SET revoked_at = CASE token_hash WHEN sha256($1::bytea) THEN now() END,
                                   expires_at = CASE token_hash WHEN sha256($2::bytea) THEN $3 END",
    )
    .bind(revoked.as_bytes())
    .bind(expired.as_bytes())
    .bind(fixture.world.state.clock.now() + TimeDelta::hours(1))
    .execute(&mut owner)
    .await
    .unwrap();
    let address = fixture.replica.address;
    Peer::welcomed(address, &expired, "i1", None).await;
    fixture.world.clock.advance(TimeDelta::hours(1));
    let long = "x".repeat(5_000);
    for bad in [revoked.as_str(), &expired, "", "nobody's", &fixture.token[1..], &long] {
        let status = Peer::attach(address, bad, hello("i2", None)).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unauthenticated, "the token is not valid"),
            "{bad}"
        );
    }
    Peer::welcomed(address, &fixture.token, "i3", None).await;
}

#[tokio::test]
async fn a_gateway_whose_credential_is_revoked_or_whose_appliance_is_deleted_is_put_out() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let mut owner = fixture.world.owner.connect().await.unwrap();
    sqlx::query("UPDATE gateway_tokens SET revoked_at = now()").execute(&mut owner).await.unwrap();
    fixture.world.state.push_wake.notify_one();
    assert_eq!(peer.end().await.code(), Code::Unauthenticated);
    fixture.state(|state| state["connected"] == false).await;

    let other = appliance(&fixture.api, "acme", "other").await;
    let credential = token(&fixture.api, &other).await;
    let mut peer = Peer::welcomed(fixture.replica.address, &credential, "i2", None).await;
    fixture.api.delete(&format!("/v1/tenants/acme/appliances/{other}")).await.expect(204);
    fixture.world.state.push_wake.notify_one();
    assert_eq!(peer.end().await.code(), Code::Unauthenticated);
    let refused = Peer::attach(fixture.replica.address, &credential, hello("i3", None)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
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
