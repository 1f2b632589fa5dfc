//! How a gateway gets its certificates, keeps them, and does without.

use std::time::Duration;

use tokio::time::timeout;

use super::authority::{Authority, any_address};
use super::{Controller, Fixture, Link, PATIENCE};
use crate::trust::Keeper;

fn kept(fixture: &Fixture) -> [u8; 32] {
    Keeper::new(fixture.directory.path()).load().unwrap().unwrap().fingerprint()
}

#[tokio::test]
async fn it_enrols_once_and_comes_back_with_what_it_got() {
    let mut controller = Controller::start(any_address(), 0).await;
    let fixture = Fixture::start(&controller, "");
    let first = controller.accept().await;
    drop(first);
    let second = controller.accept().await;
    assert_eq!(controller.authority.given(), std::slice::from_ref(&second.certificate));
    // It needs no token any more, and a new one makes it enrol anew.
    let token_file = fixture.directory.path().join("token");
    std::fs::remove_file(&token_file).unwrap();
    drop(second);
    let stream = controller.accept().await;
    assert_eq!(controller.authority.given().len(), 1);
    std::fs::write(&token_file, controller.authority.token("another")).unwrap();
    drop(stream);
    let stream = controller.accept().await;
    assert_eq!(controller.authority.given().get(1), Some(&stream.certificate));
    // One that is no good does not keep it out.
    std::fs::write(&token_file, controller.authority.token("used")).unwrap();
    drop(stream);
    let stream = controller.accept().await;
    assert_eq!(controller.authority.given().get(1), Some(&stream.certificate));
    fixture.end().await;
}

#[tokio::test]
async fn it_renews_before_its_certificate_expires_and_attaches_with_the_new_one() {
    let authority = Authority::new(Duration::from_millis(900));
    let mut controller = Controller::of(authority, any_address(), 0).await;
    let fixture = Fixture::start(&controller, "");
    let mut certificates = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..3 {
        let stream = controller.accept().await;
        stream.welcome().await;
        certificates.push(stream.certificate.clone());
        streams.push(stream);
    }
    assert_eq!(controller.authority.given().get(..3), Some(certificates.as_slice()));
    fixture.end().await;
}

#[tokio::test]
async fn without_a_good_token_it_says_so_and_goes_on_trying() {
    let controller = Controller::start(any_address(), 0).await;
    let (token, foreign) = (controller.authority.token("used"), Authority::new(PATIENCE).token("secret"));
    for wrong in [token.as_str(), &foreign, "nonsense", ""] {
        let fixture = Fixture::at(controller.address, wrong, "");
        let mut status = fixture.status.subscribe();
        let connected = status.wait_for(|status| status.link == Link::Connected);
        assert!(timeout(Duration::from_millis(300), connected).await.is_err(), "{wrong}");
        assert_eq!(Keeper::new(fixture.directory.path()).load().unwrap(), None);
        fixture.end().await;
    }
    assert!(controller.authority.given().is_empty());
}

#[tokio::test]
async fn a_join_token_that_comes_late_is_found() {
    let mut controller = Controller::start(any_address(), 0).await;
    let fixture = Fixture::at(controller.address, "", "");
    let token = controller.authority.token("secret");
    std::fs::write(fixture.directory.path().join("token"), token).unwrap();
    let stream = controller.accept().await;
    assert_eq!(controller.authority.given(), [stream.certificate]);
    assert_ne!(kept(&fixture), [0; 32]);
    fixture.end().await;
}
