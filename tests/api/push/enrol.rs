//! Who is let in, and who is put out: join tokens, certificates, and what is no good of both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{Duration as TimeDelta, Utc};
use pinhole::access::authority::{Authority, Request as CertificationRequest, StoredAuthority};
use pinhole::ids::ObjectId;
use pinhole_gateway::trust::{JoinToken, TrustError, connect, enrol};
use pinhole_proto::v1;
use pinhole_proto::v1::gateway_enrolment_client::GatewayEnrolmentClient;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::peer::{Peer, hello};
use super::replica::{CERTIFICATE_LIFETIME, Replica};
use super::{Fixture, enrolled, token};
use crate::support::{World, appliance};

const SERVER_NAME: &str = "controller.pinhole.internal";

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn request(key: &KeyPair) -> Vec<u8> {
    CertificateParams::default().serialize_request(key).unwrap().der().to_vec()
}

/// Connects to a replica that an authority certifies, with a client certificate or without.
async fn dial(replica: &Replica, authority: &Authority, identity: Option<Identity>) -> Channel {
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(pem("CERTIFICATE", authority.certificate())))
        .domain_name(SERVER_NAME);
    let tls = identity.map_or(tls.clone(), |identity| tls.identity(identity));
    Endpoint::from_shared(replica.url()).unwrap().tls_config(tls).unwrap().connect().await.unwrap()
}

/// A certificate for an appliance that an authority gives, and the database knows nothing of.
fn certificate(authority: &Authority, appliance: ObjectId) -> Identity {
    let key = KeyPair::generate().unwrap();
    let request = CertificationRequest::parse(&request(&key)).unwrap();
    let lifetime = TimeDelta::hours(1);
    let issued = authority.certify_gateway(&request, appliance, Utc::now(), lifetime).unwrap();
    Identity::from_pem(pem("CERTIFICATE", &issued.certificate), pem("PRIVATE KEY", key.serialized_der()))
}

#[tokio::test]
async fn only_a_certificate_that_the_controller_gave_lets_a_gateway_in() {
    let fixture = Fixture::new().await;
    let (replica, own) = (&fixture.replica, &fixture.world.state.authority);
    let appliance: ObjectId = fixture.appliance.parse().unwrap();
    // None, and one of the right authority that was never given.
    for identity in [None, Some(certificate(own, appliance))] {
        let channel = dial(replica, own, identity).await;
        let status = Peer::attach_on(channel.clone(), hello("i1", None)).await.unwrap_err();
        let refused = (Code::Unauthenticated, "the certificate is not valid");
        assert_eq!((status.code(), status.message()), refused);
        let key = KeyPair::generate().unwrap();
        let renew = v1::RenewRequest { certification_request: request(&key) };
        let status = GatewayEnrolmentClient::new(channel).renew(renew).await.unwrap_err();
        assert_eq!((status.code(), status.message()), refused);
    }
    // One of another authority does not even get to ask.
    let foreign = Authority::load(StoredAuthority::generate(Utc::now()).unwrap()).unwrap();
    let channel = dial(replica, own, Some(certificate(&foreign, appliance))).await;
    let status = Peer::attach_on(channel, hello("i1", None)).await.unwrap_err();
    assert_ne!(status.message(), "the certificate is not valid");
    assert_eq!(fixture.state(|_| true).await["last_seen"], json!(null));
    fixture.gateway("i1").await;
}

#[tokio::test]
async fn a_gateway_trusts_only_the_controller_that_its_token_names() {
    let (fixture, impostor) = (Fixture::new().await, World::new().await);
    let foreign = Authority::load(StoredAuthority::generate(Utc::now()).unwrap()).unwrap();
    let state = pinhole::app::AppState { authority: foreign, ..impostor.state.clone() };
    let replica = Replica::of(&state, super::NEVER, super::NEVER).await;
    let token = JoinToken::parse(&token(&fixture.api, &fixture.appliance).await).unwrap();
    let error = enrol(&replica.url(), &token).await.unwrap_err();
    assert!(matches!(error, TrustError::Connect(_)), "{error}");
    let error = connect(&replica.url(), &fixture.identity).await.unwrap_err();
    assert!(matches!(error, TrustError::Connect(_)), "{error}");
    // The token was not given away.
    enrol(&fixture.replica.url(), &token).await.unwrap();
}

#[tokio::test]
async fn a_join_token_is_good_once_and_for_a_while() {
    let fixture = Fixture::new().await;
    let url = fixture.replica.url();
    let refused = async |text: &str| {
        let error = enrol(&url, &JoinToken::parse(text).unwrap()).await.unwrap_err();
        let TrustError::Refused(reason) = error else { panic!("{error}") };
        assert_eq!(reason, "the join token is not valid");
    };
    let used = token(&fixture.api, &fixture.appliance).await;
    enrol(&url, &JoinToken::parse(&used).unwrap()).await.unwrap();
    refused(&used).await;
    let forged = used.replacen(&used[13..16], "xxx", 1);
    refused(&forged).await;

    let (replaced, newer) =
        (token(&fixture.api, &fixture.appliance).await, token(&fixture.api, &fixture.appliance).await);
    refused(&replaced).await;
    enrol(&url, &JoinToken::parse(&newer).unwrap()).await.unwrap();

    let late = token(&fixture.api, &fixture.appliance).await;
    fixture.world.clock.advance(TimeDelta::hours(24));
    refused(&late).await;
}

#[tokio::test]
async fn an_answer_that_was_missed_is_given_again_to_the_same_key_only() {
    let fixture = Fixture::new().await;
    let channel = dial(&fixture.replica, &fixture.world.state.authority, None).await;
    let mut client = GatewayEnrolmentClient::new(channel);
    let join_token = token(&fixture.api, &fixture.appliance).await;
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut enrol = async |certification_request: Vec<u8>| {
        let request = v1::EnrolRequest { join_token: join_token.clone(), certification_request };
        client.enrol(request).await
    };
    let first = enrol(request(&key)).await.unwrap().into_inner();
    let again = enrol(request(&key)).await.unwrap().into_inner();
    assert_ne!(first.certificate, again.certificate);
    assert_eq!(u128::from(first.lifetime_ms), CERTIFICATE_LIFETIME.as_millis());
    assert_eq!(enrol(request(&other)).await.unwrap_err().code(), Code::Unauthenticated);
    let mut forged = request(&key);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(enrol(forged).await.unwrap_err().code(), Code::InvalidArgument);
    assert!(enrol(vec![0x30; 64 << 10]).await.is_err());
}

#[tokio::test]
async fn a_certificate_is_its_appliances_and_no_other_ones() {
    let fixture = Fixture::new().await;
    let other = appliance(&fixture.api, "acme", "other").await;
    let identity = enrolled(&fixture.replica, &fixture.api, &other).await;
    let mut peer = Peer::attach(fixture.replica.address, &identity, hello("i1", None)).await.unwrap();
    assert_eq!(peer.welcome().await.appliance_id, other);
    assert_eq!(fixture.state(|_| true).await["connected"], false);
}

#[tokio::test]
async fn a_renewed_certificate_is_good_and_so_is_the_one_before() {
    let fixture = Fixture::new().await;
    let url = fixture.replica.url();
    let channel = connect(&url, &fixture.identity).await.unwrap();
    let mut client = GatewayEnrolmentClient::new(channel);
    let key = KeyPair::generate().unwrap();
    let renew = || v1::RenewRequest { certification_request: request(&key) };
    let renewed = client.renew(renew()).await.unwrap().into_inner();
    let identity = Identity::from_pem(
        pem("CERTIFICATE", &renewed.certificate),
        pem("PRIVATE KEY", key.serialized_der()),
    );
    let channel = dial(&fixture.replica, &fixture.world.state.authority, Some(identity)).await;
    let mut peer = Peer::attach_on(channel.clone(), hello("i1", None)).await.unwrap();
    assert_eq!(peer.welcome().await.appliance_id, fixture.appliance);
    fixture.gateway("i1").await;
    // But not any number of them, unless it is the one that asks.
    for _ in 0..5 {
        client.renew(renew()).await.unwrap();
    }
    let status = Peer::attach_on(channel, hello("i2", None)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    fixture.gateway("i3").await;
}

#[tokio::test]
async fn an_expired_certificate_is_over() {
    let fixture = Fixture::new().await;
    let mut peer = fixture.gateway("i1").await;
    fixture.world.clock.advance(TimeDelta::from_std(CERTIFICATE_LIFETIME).unwrap());
    fixture.world.state.signals.everything();
    assert_eq!(peer.end().await.code(), Code::Unauthenticated);
    let refused = Peer::attach(fixture.replica.address, &fixture.identity, hello("i2", None)).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn a_revoked_gateway_is_put_out_at_once_wherever_it_is() {
    let fixture = Fixture::new().await;
    let path = format!("/v1/tenants/acme/appliances/{}", fixture.appliance);
    let second = Replica::of(&super::replicas::another(&fixture), super::NEVER, super::NEVER).await;
    for replica in [&fixture.replica, &second] {
        let identity = enrolled(&fixture.replica, &fixture.api, &fixture.appliance).await;
        let mut peer = Peer::welcomed(replica.address, &identity, "i1", None).await;
        fixture.api.delete(&format!("{path}/certificates?dry_run=true")).await.expect(204);
        fixture.world.state.signals.everything();
        peer.heartbeat(None, None).await;
        fixture.api.delete(&format!("{path}/certificates")).await.expect(204);
        assert_eq!(peer.end().await.code(), Code::Unauthenticated);
        let refused = Peer::attach(replica.address, &identity, hello("i2", None)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    let unused = token(&fixture.api, &fixture.appliance).await;
    fixture.api.delete(&format!("{path}/certificates")).await.expect(204);
    let error = enrol(&fixture.replica.url(), &JoinToken::parse(&unused).unwrap()).await.unwrap_err();
    assert!(matches!(error, TrustError::Refused(_)), "{error}");
}

#[tokio::test]
async fn the_gateway_of_a_deleted_appliance_is_put_out_at_once() {
    let fixture = Fixture::new().await;
    let second = Replica::of(&super::replicas::another(&fixture), super::NEVER, super::NEVER).await;
    let mut peer = Peer::welcomed(second.address, &fixture.identity, "i1", None).await;
    fixture.api.delete(&format!("/v1/tenants/acme/appliances/{}", fixture.appliance)).await.expect(204);
    assert_eq!(peer.end().await.code(), Code::Unauthenticated);
    let refused = Peer::attach(second.address, &fixture.identity, hello("i2", None)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
