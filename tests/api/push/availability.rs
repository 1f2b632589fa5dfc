//! A database that goes away and comes back under streams that are open.

use std::time::Duration;

use pinhole::app::AppState;
use pinhole::push::Registry;
use pinhole::store::Store;
use tonic::Code;

use super::peer::{Peer, hello};
use super::replica::Replica;
use super::{Fixture, NEVER};
use crate::availability::Relay;

#[tokio::test]
async fn streams_outlive_the_database_and_what_was_published_meanwhile_is_found() {
    let fixture = Fixture::new().await;
    let world = &fixture.world;
    let relay = Relay::to(world);
    let running = tokio::spawn(relay.run());
    let store = Store::connect_lazily(relay.options(world));
    let state = AppState { store, gateways: Registry::default(), ..world.state.clone() };
    // Short enough to find what is published as soon as the database is back; the notice may get lost.
    let cut_off = Replica::of(&state, NEVER, Duration::from_millis(50)).await;
    let mut peer = Peer::welcomed(cut_off.address, &fixture.identity, "i1", None).await;
    fixture.state(|state| state["connected"] == true).await;

    running.abort();
    let _ = running.await;
    let refused = Peer::attach(cut_off.address, &fixture.identity, hello("i2", None)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(!refused.message().contains("PGSQL"), "{refused}");
    let publication = fixture.publish().await;

    let _running = tokio::spawn(relay.run());
    let config = peer.config().await;
    peer.ack(&config).await;
    fixture.ended(&publication, "succeeded").await;
    fixture.state(|state| state["connected"] == true).await;
}
