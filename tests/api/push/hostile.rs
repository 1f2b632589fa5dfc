//! What breaks the contract ends the stream, and nothing else.

use std::collections::HashMap;

use pinhole_proto::v1;
use pinhole_proto::v1::gateway_message::Message as ToController;
use tonic::Code;

use super::peer::{Peer, hello};
use super::{Fixture, until};

#[tokio::test]
async fn a_first_message_that_is_no_hello_is_the_last() {
    let fixture = Fixture::new().await;
    let (address, identity) = (fixture.replica.address, &fixture.identity);
    let heartbeat = ToController::Heartbeat(v1::Heartbeat::default());
    let bad_running = v1::RunningConfig { revision_id: "x".to_owned(), hash: vec![0; 32] };
    for first in [
        v1::GatewayMessage { message: None },
        v1::GatewayMessage { message: Some(heartbeat) },
        hello("", None),
        hello(&"x".repeat(65), None),
        hello("i1", Some(bad_running)),
    ] {
        let mut peer = Peer::attach(address, identity, first).await.unwrap();
        assert_eq!(peer.end().await.code(), Code::InvalidArgument);
    }
    assert_eq!(fixture.state(|_| true).await["connected"], false);
}

#[tokio::test]
async fn a_message_that_makes_no_sense_ends_the_stream_and_leaves_the_state() {
    let fixture = Fixture::new().await;
    let bad = v1::RunningConfig { revision_id: "0".repeat(36), hash: vec![0; 31] };
    let Some(second_hello) = hello("i1", None).message else { unreachable!() };
    for message in [
        second_hello,
        ToController::Heartbeat(v1::Heartbeat { running: Some(bad.clone()), counters: None }),
        ToController::Ack(v1::Ack { nonce: String::new(), running: Some(bad.clone()) }),
        ToController::Nack(v1::Nack { running: Some(bad), ..v1::Nack::default() }),
    ] {
        let mut peer = fixture.gateway("i1").await;
        peer.send(message).await;
        assert_eq!(peer.end().await.code(), Code::InvalidArgument);
    }
    let state = fixture.state(|state| state["connected"] == false).await;
    assert!(state["running_revision"].is_null() && state["last_error"].is_null(), "{state}");
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_stream() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    let nack = v1::Nack { reason: "x".repeat(5 << 20), ..v1::Nack::default() };
    peer.send(ToController::Nack(nack)).await;
    assert_eq!(peer.end().await.code(), Code::OutOfRange);
    fixture.state(|state| state["connected"] == false).await;
}

#[tokio::test]
async fn floods_are_bounded_and_counted() {
    const BATCHES: u64 = 5;
    const EVENTS: u64 = 2_000;
    let fixture = Fixture::new().await;
    let peer = fixture.gateway("i1").await;
    let long = "\u{9b}\0\\".repeat(2_000);
    let closed = v1::PinholeClosed {
        protocol: v1::AlgProtocol::Ftp.into(),
        reason: long.chars().take(600).collect(),
        ..v1::PinholeClosed::default()
    };
    let event =
        v1::Event { at_ms: i64::MAX, sequence: 0, event: Some(v1::event::Event::PinholeClosed(closed)) };
    for _ in 0..BATCHES {
        let events = vec![event.clone(); usize::try_from(EVENTS).unwrap()];
        peer.send(ToController::Events(v1::Events { events, lost: 0 })).await;
    }
    let drops = (0..5_000).map(|index| (format!("{index}{long}"), index)).take(300);
    let counters = v1::Counters { drops_by_reason: HashMap::from_iter(drops), ..v1::Counters::default() };
    peer.heartbeat(None, Some(counters)).await;
    let path = format!("/v1/tenants/acme/appliances/{}", fixture.appliance);
    let counters = format!("{path}/counters");
    let read = until(&fixture.api, &counters, |read| !read["at"].is_null()).await;
    let reasons = read["counters"]["drops_by_reason"].as_object().unwrap();
    assert!(reasons.len() <= 256 && reasons.keys().all(|reason| reason.chars().count() <= 64));

    let page = fixture.api.get(&format!("{path}/events?limit=1000")).await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 1_000);
    let first = page["items"][0]["sequence"].as_u64().unwrap();
    // The rest of each batch is only counted.
    assert_eq!(page["next"].as_u64().unwrap() - first, 999 + EVENTS - 1_024);
    assert_eq!(page["lost"].as_u64().unwrap(), EVENTS - 1_024);
}
