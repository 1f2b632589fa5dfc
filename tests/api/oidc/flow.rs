//! The way of a browser: to the issuer and back, once, in one browser, with one verifier.

use axum::http::Method;
use chrono::Duration;
use pinhole::access::seal::SecretKey;
use serde_json::{Value, json};

use super::{ORIGIN, START, Scene, VERIFIER, code, exchange, person, start};
use crate::support::World;

#[tokio::test]
async fn a_browser_goes_to_the_issuer_and_comes_back_with_a_code() {
    let scene = Scene::new().await;
    let listed = scene.api.get("/v1/auth/oidc").await.expect(200);
    let way = json!({ "issuer": scene.issuer.url, "title": "127.0.0.1", "start": START });
    assert_eq!(listed, json!({ "items": [way] }));
    let answer = scene.api.get(&start()).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let cookie = answer.header("set-cookie");
    for part in [
        "__Host-pinhole-sign-in=",
        "; Path=/;",
        "; Secure;",
        "; HttpOnly;",
        "; SameSite=Lax",
        "; Max-Age=600;",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let location = answer.header("location");
    for part in [
        "response_type=code",
        "client_id=pinhole",
        "code_challenge_method=S256",
        "scope=openid",
        "redirect_uri=https%3A%2F%2Fpinhole.example.com%2Fv1%2Fauth%2Foidc%2Fcallback",
    ] {
        assert!(location.contains(part), "{location}");
    }
    assert!(!location.contains(VERIFIER));

    scene.issuer.says(person("ann", json!(["root"])));
    let browser = scene.begin().await;
    let back = scene.back(&browser).await;
    back.expect(303);
    assert!(back.header("set-cookie").starts_with("__Host-pinhole-sign-in=; Path=/; Secure; Max-Age=0;"));
    assert_eq!(back.header("referrer-policy"), "no-referrer");
    let tokens = exchange(&scene.api, &code(&back), VERIFIER).await;
    assert_eq!(tokens.header("cache-control"), "no-store");
    let tokens = tokens.expect(200);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    scene.api.form("/v1/auth/token", &fields).await.expect(200);
}

#[tokio::test]
async fn a_program_on_the_browsers_host_is_given_the_code_and_nobody_elsewhere_is() {
    let scene = Scene::new().await;
    scene.issuer.says(person("ann", json!(["root"])));
    let browser = scene.begin_with("&loopback_port=4711").await;
    let back = scene.back(&browser).await;
    back.expect(303);
    assert!(
        back.header("location").starts_with("http://127.0.0.1:4711/?code="),
        "{}",
        back.header("location")
    );
    let other = format!("{}&loopback_port=0", start());
    for path in [
        START.to_owned(),
        other,
        format!("{}&redirect_uri=https://evil.example.com", start()),
        format!("{}&code_challenge=x", start()),
        start().replace("S256", "plain"),
        start().replace("code_challenge=", "code_challenge=x"),
        format!("{}&loopback_port=65536", start()),
        format!("{}&loopback_port=1@evil.example.com", start()),
    ] {
        scene.api.get(&path).await.problem(400, "bad-parameter");
    }
    assert!(ORIGIN.starts_with("https"));
}

#[tokio::test]
async fn a_sign_in_is_finished_once_and_in_the_browser_that_began_it() {
    let scene = Scene::new().await;
    scene.issuer.says(person("ann", json!(["root"])));
    let (browser, other) = (scene.begin().await, scene.begin().await);
    let state = |state: &str| format!("code=c&state={state}");
    let stranger = scene.api.from("192.0.2.1");
    for (cookie, query) in [
        // No cookie, another browser's, one that was made up, one that is not the last one's.
        ("", state(&browser.state)),
        (&other.cookie, state(&browser.state)),
        ("__Host-pinhole-sign-in=AAAA", state(&browser.state)),
        (&browser.cookie.replace("__Host-", ""), state(&browser.state)),
        (&format!("{}; {}", browser.cookie, other.cookie), state(&browser.state)),
        (&browser.cookie, state("x")),
        (&browser.cookie, state(&browser.nonce)),
    ] {
        super::come(&stranger, cookie, &query).await.problem(400, "sign-in-failed");
    }
    for query in
        ["", "code=c", "state=s", "code=c&state=s&state=s", &format!("code={}&state=s", "x".repeat(5000))]
    {
        scene.come(&browser.cookie, query).await.problem(400, "bad-parameter");
    }
    assert_eq!(scene.issuer.exchanges(), 0, "the issuer was asked about what nobody had begun");

    scene.back(&browser).await.expect(303);
    let again = scene.back(&browser).await.problem(400, "sign-in-failed");
    assert!(again["detail"].as_str().unwrap().contains("begin again"));
    assert_eq!(scene.issuer.exchanges(), 1);

    // Also what failed is over.
    let refused = scene.begin().await;
    let query = format!("error=access_denied&state={}", refused.state);
    scene.come(&refused.cookie, &query).await.problem(400, "sign-in-failed");
    scene.back(&refused).await.problem(400, "sign-in-failed");
    assert_eq!(scene.issuer.exchanges(), 1);
}

#[tokio::test]
async fn of_two_callbacks_at_once_one_counts() {
    let scene = Scene::new().await;
    scene.issuer.says(person("ann", json!(["root"])));
    let browser = scene.begin().await;
    let (one, two) = tokio::join!(scene.back(&browser), scene.back(&browser));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 400]);
}

#[tokio::test]
async fn a_sign_in_takes_ten_minutes_at_most() {
    let scene = Scene::new().await;
    scene.issuer.says(person("ann", json!(["root"])));
    let browser = scene.begin().await;
    scene.world.clock.advance(Duration::minutes(10));
    scene.back(&browser).await.problem(400, "sign-in-failed");
    assert_eq!(scene.issuer.exchanges(), 0);
}

#[tokio::test]
async fn a_code_is_good_once_for_a_minute_and_with_its_verifier() {
    let scene = Scene::new().await;
    scene.issuer.says(person("ann", json!(["root"])));
    let fresh = async || code(&scene.back(&scene.begin().await).await);
    let refused = async |code: &str, verifier: &str| {
        let answer = exchange(&scene.api, code, verifier).await;
        assert_eq!(answer.problem(400, "grant-refused")["error"], "invalid_grant");
    };
    let good = fresh().await;
    exchange(&scene.api, &good, VERIFIER).await.expect(200);
    refused(&good, VERIFIER).await;

    let tried = fresh().await;
    refused(&tried, &VERIFIER.replace('a', "b")).await;
    refused(&tried, VERIFIER).await;

    let late = fresh().await;
    scene.world.clock.advance(Duration::seconds(60));
    refused(&late, VERIFIER).await;
    refused("x", VERIFIER).await;
    let missing =
        scene.api.form("/v1/auth/token", &[("grant_type", "authorization_code"), ("code", "x")]).await;
    assert_eq!(missing.problem(400, "grant-refused")["error"], "invalid_request");

    // A code is of no use to a user who was disabled, or a tenant that was suspended, meanwhile.
    let root = scene.world.api("root");
    let ready = fresh().await;
    root.patch("/v1/tenants/provider/users/name:ann", &json!({"enabled": false})).await.expect(200);
    refused(&ready, VERIFIER).await;
}

#[tokio::test]
async fn another_replica_goes_on_and_one_with_another_key_does_not() {
    let scene = Scene::new().await;
    scene.issuer.says(person("ann", json!(["root"])));
    let browser = scene.begin().await;
    let mut replica = scene.world.state.clone();
    replica.oidc = Some(super::party(&scene.world, &scene.issuer.url, ""));
    let router = pinhole::http::router(replica);
    let query = format!("code=c&state={}", browser.state);
    super::come(&scene.api.on(router), &browser.cookie, &query).await.expect(303);

    let other = SecretKey::generate().unwrap();
    let mut stranger = scene.world.state.clone();
    stranger.oidc = Some(super::party_with(&other, &scene.issuer.url, ""));
    let router = pinhole::http::router(stranger);
    let browser = scene.begin().await;
    let query = format!("code=c&state={}", browser.state);
    super::come(&scene.api.on(router), &browser.cookie, &query).await.problem(400, "sign-in-failed");
    scene.back(&browser).await.expect(303);
}

#[tokio::test]
async fn failures_are_counted_by_address() {
    let scene = Scene::new().await;
    let guesser = scene.api.from("192.0.2.1");
    let mut failed = 0;
    let wait: i64 = loop {
        let answer = super::come(&guesser, "", &format!("code=c&state=s{failed}")).await;
        if answer.status.as_u16() == 429 {
            answer.problem(429, "sign-in-throttled");
            break answer.header("retry-after").parse().unwrap();
        }
        answer.problem(400, "sign-in-failed");
        failed += 1;
        assert!(failed < 100, "nobody counts");
    };
    assert!(failed >= 50 && wait >= 1, "{failed} {wait}");
    // Others go on.
    scene.issuer.says(person("ann", json!(["root"])));
    scene.back(&scene.begin().await).await.expect(303);
}

#[tokio::test]
async fn without_an_issuer_there_is_nothing_to_sign_in_with() {
    let world = World::new().await;
    let api = world.anonymous();
    assert_eq!(api.get("/v1/auth/oidc").await.expect(200), json!({ "items": [] }));
    api.get(&start()).await.problem(404, "not-found");
    super::come(&api, "", "code=c&state=s").await.problem(404, "not-found");
    let answer = exchange(&api, "code", VERIFIER).await;
    assert_eq!(answer.problem(400, "grant-refused")["error"], "invalid_grant");
    assert_eq!(answer.json()["used_by"], Value::Null);
}

#[tokio::test]
async fn a_person_reads_what_went_wrong_and_a_program_parses_it() {
    let scene = Scene::new().await;
    let path = format!("{}?code=c&state=s", pinhole::oidc::CALLBACK_PATH);
    let browser = [("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")];
    let page = scene.api.send(Method::GET, &path, &browser, None).await;
    assert_eq!(page.status.as_u16(), 400);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let text = String::from_utf8(page.bytes.clone()).unwrap();
    assert!(text.contains("begin again") && text.contains(page.header("x-request-id")), "{text}");
    scene.api.send(Method::GET, &path, &[("accept", "*/*")], None).await.problem(400, "sign-in-failed");
    let hostile =
        format!("{}?code=c&state=s&%3Cscript%3E=1&iss=a&iss=%3Cscript%3E", pinhole::oidc::CALLBACK_PATH);
    let page = scene.api.send(Method::GET, &hostile, &browser, None).await;
    assert!(!String::from_utf8(page.bytes).unwrap().contains("<script>"));
    // Elsewhere a program is asking, whatever it accepts.
    scene.api.send(Method::GET, "/v1/auth/me", &browser, None).await.problem(401, "unauthenticated");
}
