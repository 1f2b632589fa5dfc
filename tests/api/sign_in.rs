//! Signing in, staying signed in, and not being signed in.

use chrono::Duration;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, World};

async fn sign_in(world: &World) -> Value {
    let login = [("grant_type", "password"), ("username", "acme-admin"), ("password", PASSWORD)];
    world.anonymous().form("/v1/auth/token", &login).await.expect(200)
}

async fn refresh(world: &World, token: &Value) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())];
    world.anonymous().form("/v1/auth/token", &fields).await
}

async fn me(world: &World, tokens: &Value) -> Answer {
    world.anonymous().with_token(tokens["access_token"].as_str().unwrap()).get("/v1/auth/me").await
}

#[tokio::test]
async fn a_password_gives_tokens() {
    let world = World::new().await;
    let login = [("grant_type", "password"), ("username", "ACME-admin"), ("password", PASSWORD)];
    let answer = world.anonymous().form("/v1/auth/token", &login).await;
    let tokens = answer.expect(200);
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(answer.header("cache-control"), "no-store");
    let me = me(&world, &tokens).await.expect(200);
    assert_eq!(me["tenant"], json!({"id": world.tenant("acme"), "name": "acme"}));
    assert_eq!((&me["role"], &me["can_act_on"]), (&json!("enterprise_administrator"), &json!("own")));
    let root = world.api("root").get("/v1/auth/me").await.expect(200);
    assert_eq!(root["can_act_on"], "all_enterprises");
}

#[tokio::test]
async fn what_gives_no_tokens() {
    let world = World::new().await;
    let api = world.anonymous();
    let mut details = Vec::new();
    for (username, password) in
        [("acme-admin", "wrong password"), ("nobody", PASSWORD), ("", ""), ("a b\0'\"", PASSWORD)]
    {
        let login = [("grant_type", "password"), ("username", username), ("password", password)];
        let problem = api.form("/v1/auth/token", &login).await.problem(400, "grant-refused");
        assert_eq!(problem["error"], "invalid_grant");
        details.push(problem["detail"].clone());
    }
    details.dedup();
    assert_eq!(details.len(), 1, "who exists can be told from the answers: {details:?}");

    for (fields, error) in [
        (&[][..], "invalid_request"),
        (&[("grant_type", "password")], "invalid_request"),
        (&[("grant_type", "password"), ("grant_type", "password")], "invalid_request"),
        (&[("grant_type", "magic")], "unsupported_grant_type"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "x")], "invalid_grant"),
    ] {
        let answer = api.form("/v1/auth/token", fields).await;
        assert_eq!(answer.problem(400, "grant-refused")["error"], error);
    }
    api.post("/v1/auth/token", &json!({"grant_type": "password"}))
        .await
        .problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_second_use_ends_the_sign_in() {
    let world = World::new().await;
    let first = sign_in(&world).await;
    let second = refresh(&world, &first["refresh_token"]).await.expect(200);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    me(&world, &second).await.expect(200);
    let third = refresh(&world, &second["refresh_token"]).await.expect(200);

    let other_sign_in = sign_in(&world).await;
    refresh(&world, &first["refresh_token"]).await.problem(400, "grant-refused");
    refresh(&world, &third["refresh_token"]).await.problem(400, "grant-refused");
    for tokens in [&first, &second, &third] {
        me(&world, tokens).await.problem(401, "unauthenticated");
    }
    me(&world, &other_sign_in).await.expect(200);
}

#[tokio::test]
async fn of_two_at_once_one_refresh_wins() {
    let world = World::new().await;
    let tokens = sign_in(&world).await;
    let token = &tokens["refresh_token"];
    let (one, two) = tokio::join!(refresh(&world, token), refresh(&world, token));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn tokens_expire() {
    let world = World::new().await;
    let tokens = sign_in(&world).await;
    world.clock.advance(Duration::seconds(890));
    me(&world, &tokens).await.expect(200);
    world.clock.advance(Duration::seconds(11));
    let expired = me(&world, &tokens).await;
    expired.problem(401, "unauthenticated");
    assert!(expired.header("www-authenticate").contains("error=\"invalid_token\""));
    let refreshed = refresh(&world, &tokens["refresh_token"]).await.expect(200);
    me(&world, &refreshed).await.expect(200);
    world.clock.advance(Duration::hours(13));
    refresh(&world, &refreshed["refresh_token"]).await.problem(400, "grant-refused");
}

#[tokio::test]
async fn who_is_not_signed_in_is_told_how_to() {
    let world = World::new().await;
    let answer = world.anonymous().get("/v1/auth/me").await;
    answer.problem(401, "unauthenticated");
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"pinhole\"");

    let good = sign_in(&world).await["access_token"].as_str().unwrap().to_owned();
    let none = format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap());
    for bad in ["", "x", "a.b.c", &good[1..], &format!("{good}x"), &none, &"x".repeat(5000)] {
        let answer = world.anonymous().with_token(bad).get("/v1/tenants/acme/services").await;
        answer.problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").contains("invalid_token"), "{bad:.20}");
    }
    let basic = [("authorization", "Basic YTpi")];
    let answer = world.anonymous().send(axum::http::Method::GET, "/v1/auth/me", &basic, None).await;
    answer.problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_published_key_is_public_and_signs_the_tokens() {
    let world = World::new().await;
    let keys = world.anonymous().get("/.well-known/jwks.json").await.expect(200)["keys"].clone();
    assert_eq!(keys.as_array().unwrap().len(), 1);
    assert_eq!(
        (&keys[0]["kty"], &keys[0]["crv"], &keys[0]["alg"]),
        (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"))
    );
    assert!(keys[0].get("d").is_none());
    let tokens = sign_in(&world).await;
    let header = jsonwebtoken::decode_header(tokens["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(keys[0]["kid"], header.kid.unwrap());
}

#[tokio::test]
async fn secrets_are_stored_as_hashes() {
    let world = World::new().await;
    let tokens = sign_in(&world).await;
    use sqlx::{ConnectOptions as _, Row as _};
    let mut owner = world.owner.connect().await.unwrap();
    let rows = sqlx::query("SELECT to_jsonb(t)::text AS row FROM refresh_tokens t UNION ALL SELECT to_jsonb(u)::text FROM users u")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    let dump: String = rows.iter().map(|row| row.get::<String, _>("row")).collect();
    assert!(dump.contains("$argon2id$"));
    assert!(!dump.contains(PASSWORD) && !dump.contains(tokens["refresh_token"].as_str().unwrap()));
}
