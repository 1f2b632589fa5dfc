//! What a gateway may not take its time for, and what it may not send or leave lying.

use std::time::Duration;

use bytes::Bytes;
use pinhole::push::PushSettings;
use pinhole_gateway::trust::{Identity, connect};
use pinhole_lab::fleet::{Credentials, Wire};
use pinhole_proto::v1::gateway_control_client::GatewayControlClient;
use tonic::Code;

use super::peer::{Peer, hello};
use super::replica::Replica;
use super::{Fixture, NEVER};

/// A limit that is soon over.
const SOON: Duration = Duration::from_millis(50);
/// More configurations than anything between controller and gateway holds.
const MANY: usize = 50;

/// A replica beside the fixture's.
async fn strict(fixture: &Fixture, strictness: impl FnOnce(&mut PushSettings)) -> Replica {
    let mut settings = PushSettings { poll_interval: NEVER, ..PushSettings::new(NEVER, NEVER) };
    strictness(&mut settings);
    Replica::with(&fixture.world.state, settings).await
}

/// An identity in the form in which the fleet has it.
fn credentials(identity: &Identity) -> Credentials {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let identity = serde_json::to_value(identity).unwrap();
    let bytes = |text: &serde_json::Value| STANDARD.decode(text.as_str().unwrap()).unwrap();
    Credentials {
        authority: bytes(&identity["authorities"][0]),
        key: bytes(&identity["key"]),
        certificates: vec![bytes(&identity["certificate"])],
    }
}

/// A stream with nothing between, which takes so many bytes before it reads.
async fn wire(replica: &Replica, identity: &Identity, window: u32) -> Wire {
    let config = credentials(identity).config(0).unwrap();
    let hello = hello("i1", None).message.unwrap();
    Wire::attach(replica.address, config, window, hello).await.unwrap()
}

#[tokio::test]
async fn a_gateway_that_says_no_hello_is_let_go() {
    let fixture = Fixture::new().await;
    let replica = strict(&fixture, |settings| settings.hello_timeout = SOON).await;
    let channel = connect(&replica.url(), &fixture.identity).await.unwrap();
    let silent = GatewayControlClient::new(channel).attach(tokio_stream::pending()).await;
    let status = silent.unwrap().into_inner().message().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(fixture.state(|_| true).await["connected"], false);
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_let_go_and_asked_again() {
    let fixture = Fixture::new().await;
    let replica = strict(&fixture, |settings| settings.answer_timeout = SOON).await;
    let mut peer = Peer::welcomed(replica.address, &fixture.identity, "i1", None).await;
    let publication = fixture.publish().await;
    let unanswered = peer.config().await;
    assert_eq!(peer.end().await.code(), Code::DeadlineExceeded);
    fixture.delivery(&publication, "unreachable").await;
    let mut peer = fixture.gateway("i1").await;
    let config = peer.config().await;
    assert_eq!(config.revision_id, unanswered.revision_id);
    peer.ack(&config).await;
    fixture.ended(&publication, "succeeded").await;
}

#[tokio::test]
async fn a_gateway_that_never_reads_is_let_go() {
    let fixture = Fixture::new().await;
    let replica = strict(&fixture, |settings| settings.send_timeout = SOON).await;
    let unread = wire(&replica, &fixture.identity, 0).await;
    fixture.state(|state| state["connected"] == true).await;
    let mut last = fixture.publish().await;
    for _ in 0..MANY {
        if fixture.state(|_| true).await["connected"] == false {
            break;
        }
        last = fixture.publish().await;
    }
    fixture.delivery(&last, "unreachable").await;
    drop(unread);
    let mut peer = fixture.gateway("i1").await;
    let config = peer.config().await;
    peer.ack(&config).await;
    fixture.ended(&last, "succeeded").await;
}

#[tokio::test]
async fn garbage_ends_its_stream_and_no_other() {
    let fixture = Fixture::new().await;
    let other = crate::support::appliance(&fixture.api, "acme", "other").await;
    let other_identity = super::enrolled(&fixture.replica, &fixture.api, &other).await;
    let mut bystander = Peer::welcomed(fixture.replica.address, &other_identity, "i1", None).await;
    for garbage in [
        // No protobuf; a length beyond everything; compressed without saying how; no flag that there is.
        &b"\0\0\0\0\x05\xff\xff\xff\xff\xff"[..],
        b"\0\xff\xff\xff\xff\0",
        b"\x01\0\0\0\x01\0",
        b"\x07\0\0\0\0",
    ] {
        let mut wire = wire(&fixture.replica, &fixture.identity, 65_535).await;
        wire.receive().await.unwrap();
        wire.send_bytes(Bytes::copy_from_slice(garbage)).unwrap();
        let end = wire.receive().await.unwrap_err().to_string();
        assert!(end.starts_with("the controller has ended the stream"), "{garbage:?}: {end}");
        fixture.state(|state| state["connected"] == false).await;
    }
    let publication = super::publish(&fixture.api, &other).await;
    let config = bystander.config().await;
    bystander.ack(&config).await;
    fixture.ended(&publication, "succeeded").await;
}
