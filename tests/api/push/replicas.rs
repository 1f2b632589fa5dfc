//! Several controllers on one database.

use std::time::Duration;

use pinhole::app::AppState;
use pinhole::store::Store;
use serde_json::json;
use sqlx::ConnectOptions as _;
use tonic::Code;

use super::peer::{Peer, running};
use super::replica::Replica;
use super::{Fixture, NEVER, enrolled, publish};
use crate::support::appliance;

/// Another controller on the world's database.
pub(super) fn another(fixture: &Fixture) -> AppState {
    let world = &fixture.world;
    let store = Store::connect_lazily(world.owner.clone());
    let (keys, authority) = (world.state.keys.clone(), world.state.authority.clone());
    AppState::new(store, world.state.clock.clone(), keys, authority).unwrap()
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
    let mut newer = Peer::welcomed(second.address, &fixture.identity, "i1", None).await;
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
    let mut newer = Peer::welcomed(second.address, &fixture.identity, "i1", None).await;
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
    let mut peer = Peer::welcomed(doomed.address, &fixture.identity, "i1", None).await;
    let publication = fixture.publish().await;
    let config = peer.config().await;
    doomed.crash();
    drop(peer);
    // Nobody has said that the gateway is gone. The promise of the controller that held it runs out.
    let mut owner = fixture.world.owner.connect().await.unwrap();
    sqlx::query("UPDATE appliance_states SET connected = true, replica_id = gen_random_uuid()")
        .execute(&mut owner)
        .await
        .unwrap();
    fixture.world.state.signals.everything();
    fixture.delivery(&publication, "unreachable").await;
    fixture.state(|state| state["connected"] == false).await;

    let address = fixture.replica.address;
    let mut peer = Peer::welcomed(address, &fixture.identity, "i1", Some(running(&config))).await;
    let repeated = peer.config().await;
    peer.ack(&repeated).await;
    fixture.ended(&publication, "succeeded").await;
}

#[tokio::test]
async fn a_publication_to_many_gateways_of_two_controllers_ends() {
    const GATEWAYS: usize = 60;
    // Short, so that what all streams have in common is written while each of them writes its own.
    let fixture = Fixture::with(NEVER, Duration::from_millis(10)).await;
    let second = Replica::of(&another(&fixture), NEVER, Duration::from_millis(10)).await;
    let mut gateways = tokio::task::JoinSet::new();
    let mut appliances = Vec::new();
    for number in 0..GATEWAYS {
        let id = appliance(&fixture.api, "acme", &format!("edge-{number}")).await;
        let credential = enrolled(&fixture.replica, &fixture.api, &id).await;
        appliances.push(id);
        let address = if number % 2 == 0 { fixture.replica.address } else { second.address };
        gateways.spawn(async move {
            let mut peer = Peer::welcomed(address, &credential, "i1", None).await;
            for version in 1..=3 {
                let config = peer.config().await;
                assert_eq!(config.version, version);
                peer.ack(&config).await;
            }
            peer
        });
    }
    for _ in 0..3 {
        let body = json!({ "appliances": appliances });
        let publication = fixture.api.post("/v1/tenants/acme/publications", &body).await;
        publication.expect(202);
        fixture.ended(publication.header("location"), "succeeded").await;
    }
    assert_eq!(gateways.join_all().await.len(), GATEWAYS);
}
