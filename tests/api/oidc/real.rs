//! An issuer that other people have made, over TLS.

use pinhole::oidc::CALLBACK_PATH;
use pinhole_lab::issuer::{ClaimsIn, Issuer};
use serde_json::json;

use super::{ORIGIN, VERIFIER, code, come, exchange, party, start};
use crate::support::{Answer, World};

const SCOPES: &str = "scopes = ['openid', 'profile', 'email', 'groups']\ntitle = 'Example Corp'\n";

async fn world(issuer: &Issuer, more: &str) -> World {
    let mut world = World::new().await;
    world.state.oidc = Some(party(&world, issuer.url(), &format!("{SCOPES}{more}")));
    world.router = pinhole::http::router(world.state.clone());
    world
}

fn trusting(issuer: &Issuer) -> String {
    format!("ca_file = '{}'\n", issuer.ca_file().display())
}

fn running(claims_in: ClaimsIn) -> Issuer {
    Issuer::start(&format!("{ORIGIN}{CALLBACK_PATH}"), claims_in).unwrap()
}

/// Walks a browser to the issuer and back.
async fn walk(world: &World, issuer: &Issuer, account: &str) -> Answer {
    let api = world.anonymous();
    let begun = api.get(&start()).await;
    assert_eq!(begun.status.as_u16(), 303, "{}", String::from_utf8_lossy(&begun.bytes));
    let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
    let back = issuer.sign_in(begun.header("location"), account).await.unwrap();
    let query = back.strip_prefix(&format!("{ORIGIN}{CALLBACK_PATH}?")).expect(&back);
    // RFC 9207, which this issuer announces.
    assert!(query.contains("&iss="), "{query}");
    let without = query.split('&').filter(|pair| !pair.starts_with("iss=")).collect::<Vec<_>>().join("&");
    let answer = come(&api, &cookie, query).await;
    if answer.status.as_u16() == 303 {
        come(&api, &cookie, query).await.problem(400, "sign-in-failed");
    }
    assert_ne!(without, query);
    answer
}

async fn each_role(claims_in: ClaimsIn) {
    let issuer = running(claims_in);
    let world = world(&issuer, &trusting(&issuer)).await;
    let api = world.anonymous();
    for (account, tenant, role) in [
        ("root", "provider", "service_provider_administrator"),
        ("noc", "provider", "service_provider_operator"),
        ("admin", "acme", "enterprise_administrator"),
        ("watch", "acme", "enterprise_operator"),
    ] {
        let back = walk(&world, &issuer, account).await;
        let tokens = exchange(&api, &code(&back), VERIFIER).await.expect(200);
        let me =
            api.with_token(tokens["access_token"].as_str().unwrap()).get("/v1/auth/me").await.expect(200);
        assert_eq!((&me["tenant"]["name"], &me["role"]), (&json!(tenant), &json!(role)), "{account}");
    }
    walk(&world, &issuer, "nobody").await.problem(403, "sign-in-refused");
}

#[tokio::test]
async fn a_real_issuer_signs_each_role_in_by_its_id_tokens() {
    each_role(ClaimsIn::IdToken).await;
}

#[tokio::test]
async fn a_real_issuer_signs_each_role_in_by_its_user_info() {
    each_role(ClaimsIn::UserInfo).await;
}

#[tokio::test]
async fn an_issuer_whose_certificate_nobody_vouches_for_is_unavailable() {
    let issuer = running(ClaimsIn::IdToken);
    let world = world(&issuer, "").await;
    world.anonymous().get(&start()).await.problem(503, "issuer-unavailable");
}

#[tokio::test]
async fn a_code_of_the_issuer_is_good_once() {
    let issuer = running(ClaimsIn::IdToken);
    let world = world(&issuer, &trusting(&issuer)).await;
    let api = world.anonymous();
    let begun = api.get(&start()).await;
    let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
    let back = issuer.sign_in(begun.header("location"), "root").await.unwrap();
    let used = super::parameter(&back, "code");
    come(&api, &cookie, back.split_once('?').unwrap().1).await.expect(303);
    // In another sign-in of another browser, whose verifier is another one besides.
    let begun = api.get(&start()).await;
    let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
    let back = issuer.sign_in(begun.header("location"), "root").await.unwrap();
    let query = back.split_once('?').unwrap().1;
    let own = super::parameter(&back, "code");
    come(&api, &cookie, &query.replace(&own, &used)).await.problem(400, "sign-in-failed");
}
