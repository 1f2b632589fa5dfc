//! Several controllers on one database.

use std::time::Duration;

use pinhole::app::AppState;
use pinhole::store::Store;
use sqlx::ConnectOptions as _;
use tonic::Code;

use super::peer::{Peer, running};
use super::replica::Replica;
use super::{Fixture, NEVER, publish};

/// Another controller on the world's database.
fn another(fixture: &Fixture) -> AppState {
    let world = &fixture.world;
    let store = Store::connect_lazily(world.owner.clone());
    AppState::new(store, world.state.clock.clone(), world.state.keys.clone()).unwrap()
}

#[tokio::test]
async fn what_one_publishes_reaches_the_gateways_of_another() {
    let fixture = Fixture::new().await;
    let second = Replica::of(&another(&fixture), NEVER, NEVER).await;
    let mut peer = fixture.gateway("i1").await;
    let publication = publish(&fixture.api.on(second.router.clone()), &fixture.appliance).await;
    let config = peer.config().await;
    peer.ack(&config).await;
    fixture.ended(&publication, "succeeded").await;
    second.stop().await;
    assert_eq!(fixture.state(|_| true).await["connected"], true);
}

#[tokio::test]
async fn a_gateway_that_went_to_another_is_let_go() {
    let fixture = Fixture::with(NEVER, Duration::from_millis(20)).await;
    let second = Replica::of(&another(&fixture), NEVER, NEVER).await;
    let mut older = fixture.gateway("i1").await;
    let mut newer = Peer::welcomed(second.address, &fixture.token, "i1", None).await;
    // The first one still writes that it was there, and then finds that it is not any more.
    assert_eq!(older.end().await.code(), Code::Aborted);
    let publication = fixture.publish().await;
    let config = newer.config().await;
    newer.ack(&config).await;
    fixture.ended(&publication, "succeeded").await;
    assert_eq!(fixture.state(|_| true).await["connected"], true);
}

#[tokio::test]
async fn an_answer_on_a_stream_that_was_replaced_is_not_written() {
    let fixture = Fixture::new().await;
    let second = Replica::of(&another(&fixture), NEVER, NEVER).await;
    let mut older = fixture.gateway("i1").await;
    let publication = fixture.publish().await;
    let config = older.config().await;
    let mut newer = Peer::welcomed(second.address, &fixture.token, "i1", None).await;
    older.nack(&config, "from another time").await;
    assert_eq!(older.end().await.code(), Code::Aborted);
    let config = newer.config().await;
    newer.ack(&config).await;
    fixture.ended(&publication, "succeeded").await;
}

#[tokio::test]
async fn the_gateways_of_a_controller_that_is_gone_are_unreachable_until_they_come_back() {
    let fixture = Fixture::new().await;
    let doomed = Replica::of(&another(&fixture), NEVER, Duration::from_millis(20)).await;
    let mut peer = Peer::welcomed(doomed.address, &fixture.token, "i1", None).await;
    let publication = fixture.publish().await;
    let config = peer.config().await;
    doomed.crash();
    drop(peer);
    // Nobody has said that the gateway is gone. The promise of the controller that held it runs out.
    let mut owner = fixture.world.owner.connect().await.unwrap();
    sqlx::query("UPDATE appliance_states SET connected = true, lease_until = now() - interval '1 ms'")
        .execute(&mut owner)
        .await
        .unwrap();
    fixture.world.state.push_wake.notify_one();
    fixture.delivery(&publication, "unreachable").await;
    fixture.state(|state| state["connected"] == false).await;

    let address = fixture.replica.address;
    let mut peer = Peer::welcomed(address, &fixture.token, "i1", Some(running(&config))).await;
    let repeated = peer.config().await;
    peer.ack(&repeated).await;
    fixture.ended(&publication, "succeeded").await;
}
