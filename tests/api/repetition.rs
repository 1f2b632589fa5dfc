//! Idempotency keys, rate limits and the catalogue of problems.

use std::num::NonZeroU32;

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Api, World, appliance};

const SERVICES: &str = "/v1/tenants/acme/services";

fn body(name: &str) -> Value {
    json!({"name": name, "protocol": "tcp", "destination_port": "21"})
}

async fn post(api: &Api, path: &str, key: &str, body: Option<&Value>) -> Answer {
    api.send(Method::POST, path, &[("idempotency-key", key)], body).await
}

#[tokio::test]
async fn a_request_that_is_repeated_is_answered_the_same_and_carried_out_once() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let first = post(&api, SERVICES, "k1", Some(&body("s"))).await;
    first.expect(201);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let second = post(&api, SERVICES, "\"k1\"", Some(&body("s"))).await;
    assert_eq!((second.status, &second.bytes), (first.status, &first.bytes));
    for name in ["etag", "location", "content-type"] {
        assert_eq!(second.headers[name], first.headers[name], "{name}");
    }
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(api.get(SERVICES).await.expect(200)["total"], 1);

    post(&api, SERVICES, "k1", Some(&body("other"))).await.problem(409, "key-reused");
    post(&api, &format!("{SERVICES}?dry_run=true"), "k1", Some(&body("s"))).await.problem(409, "key-reused");
    // A key is its user's own.
    post(&world.api("root"), SERVICES, "k1", Some(&body("s"))).await.problem(409, "name-taken");
    // What was refused is looked at again.
    post(&api, SERVICES, "k2", Some(&body("s"))).await.problem(409, "name-taken");
    api.delete(first.header("location")).await.expect(204);
    post(&api, SERVICES, "k2", Some(&body("s"))).await.expect(201);
    for key in ["", "a b", "ä", &"x".repeat(256)] {
        post(&api, SERVICES, key, Some(&body("x"))).await.problem(400, "bad-parameter");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    api.send(Method::POST, SERVICES, &twice, Some(&body("x"))).await.problem(400, "bad-parameter");
    post(&world.anonymous(), SERVICES, "k1", Some(&body("s"))).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let path = format!("{SERVICES}?dry_run=true");
    post(&api, &path, "k", Some(&body("s"))).await.expect(200);
    post(&api, &path, "k", Some(&body("t"))).await.problem(409, "key-reused");
    let mut owner = sqlx::ConnectOptions::connect(&world.owner).await.unwrap();
    let aged = "UPDATE idempotency_keys SET claimed_at = claimed_at - interval '25 hours'";
    sqlx::Executor::execute(&mut owner, aged).await.unwrap();
    post(&api, &path, "k", Some(&body("t"))).await.expect(200);
}

#[tokio::test]
async fn a_request_that_is_under_way_is_not_carried_out_beside_itself() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    // Somebody else writes, so the request waits with all that it has done so far.
    let mut owner = sqlx::ConnectOptions::connect(&world.owner).await.unwrap();
    let mut writer = sqlx::Connection::begin(&mut owner).await.unwrap();
    let lock = "SELECT pg_advisory_xact_lock(x'50480001'::int, hashtext($1))";
    sqlx::query(lock).bind(world.tenant("acme")).execute(&mut *writer).await.unwrap();
    let first = tokio::spawn({
        let api = api.clone();
        async move { post(&api, SERVICES, "k", Some(&body("s"))).await }
    });
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut *writer).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    let busy = post(&api, SERVICES, "k", Some(&body("s"))).await;
    busy.problem(409, "key-in-use");
    assert!(busy.headers.contains_key("retry-after"));
    writer.commit().await.unwrap();
    first.await.unwrap().expect(201);
    assert_eq!(post(&api, SERVICES, "k", Some(&body("s"))).await.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn a_key_that_an_earlier_release_left_behind_is_free() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    post(&api, SERVICES, "k", Some(&body("s"))).await.expect(201);
    let mut owner = sqlx::ConnectOptions::connect(&world.owner).await.unwrap();
    let unanswered = "UPDATE idempotency_keys SET status = NULL, body = NULL";
    sqlx::Executor::execute(&mut owner, unanswered).await.unwrap();
    post(&api, SERVICES, "k", Some(&body("other"))).await.expect(201);
    post(&api, SERVICES, "k", Some(&body("s"))).await.problem(409, "key-reused");
}

#[tokio::test]
async fn of_requests_at_once_one_is_carried_out() {
    let world = World::new().await;
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let api = world.api("acme-admin");
        requests.spawn(async move { post(&api, SERVICES, "k", Some(&body("s"))).await });
    }
    let mut created = 0;
    while let Some(answer) = requests.join_next().await {
        let answer = answer.unwrap();
        match answer.status.as_u16() {
            201 => created += u32::from(!answer.headers.contains_key("idempotency-replayed")),
            _ => drop(answer.problem(409, "key-in-use")),
        }
    }
    assert_eq!(created, 1);
}

#[tokio::test]
async fn a_secret_is_not_answered_twice() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let edge = appliance(&api, "acme", "edge").await;
    let path = format!("/v1/tenants/acme/appliances/{edge}/join-token");
    let token = post(&api, &path, "k", None).await.expect(201)["token"].as_str().unwrap().to_owned();
    let again = post(&api, &path, "k", None).await;
    again.problem(409, "answer-not-kept");
    let mut owner = sqlx::ConnectOptions::connect(&world.owner).await.unwrap();
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT k::text FROM idempotency_keys k").fetch_all(&mut owner).await.unwrap();
    assert!(kept.iter().all(|row| !row.contains(&token)) && kept.len() == 1);
}

#[tokio::test]
async fn who_asks_too_much_is_told_when_to_come_back() {
    let world = World::new().await;
    let mut state = world.state.clone();
    state.rate_limit = NonZeroU32::new(3);
    let router = pinhole::http::router(state);
    let api = world.api("acme-admin").on(router.clone());
    for left in [2, 1, 0] {
        let answer = api.get(SERVICES).await;
        answer.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=3;w=60");
        assert!(answer.header("ratelimit").starts_with(&format!("\"default\";r={left};t=")));
    }
    let refused = api.get(SERVICES).await;
    refused.problem(429, "too-many-requests");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    // Others are not kept waiting, and orchestrators never.
    world.api("acme-operator").on(router).get(SERVICES).await.expect(200);
    assert_eq!(api.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn every_type_of_problem_has_a_page() {
    let world = World::new().await;
    let anonymous = world.anonymous();
    let index = String::from_utf8(anonymous.get("/problems").await.bytes).unwrap();
    let slugs: Vec<&str> =
        index.split("href=\"/problems/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(slugs.len() > 20 && slugs.contains(&"stale"));
    for slug in slugs {
        let page = anonymous.get(&format!("/problems/{slug}")).await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").starts_with("text/html"));
    }
    anonymous.get("/problems/unheard-of").await.problem(404, "not-found");
}
