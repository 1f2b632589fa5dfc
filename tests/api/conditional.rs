//! Conditional requests: no update is lost, and nothing is sent twice.

use axum::http::Method;
use serde_json::json;

use crate::support::{World, create, service};

#[tokio::test]
async fn a_change_takes_the_version_that_it_changes() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let id = service(&api, "acme", "s", "1").await;
    let path = format!("/v1/tenants/acme/services/{id}");
    let permissions = format!("{path}/permissions");
    let etag = api.get(&path).await.header("etag").to_owned();
    let body = json!({"name": "s", "protocol": "tcp", "destination_port": "2"});

    for (method, path, body) in [
        (Method::PUT, &path, Some(&body)),
        (Method::PATCH, &path, Some(&body)),
        (Method::DELETE, &path, None),
        (Method::PUT, &permissions, Some(&json!({}))),
    ] {
        api.send(method.clone(), path, &[], body).await.problem(428, "precondition-required");
        for stale in ["\"2\"", "\"0\"", "\"x\"", "W/\"99-ab\"", "\"\""] {
            let answer = api.send(method.clone(), path, &[("if-match", stale)], body).await;
            answer.problem(412, "stale");
            assert_eq!(answer.header("etag"), "\"1\"");
        }
        let malformed = api.send(method, path, &[("if-match", "1")], body).await;
        malformed.problem(400, "bad-parameter");
    }

    let changed = api.send(Method::PUT, &path, &[("if-match", &etag)], Some(&body)).await;
    changed.expect(200);
    assert_ne!(changed.header("etag"), etag);
    api.send(Method::PUT, &path, &[("if-match", &etag)], Some(&body)).await.problem(412, "stale");
    let either = format!("\"1\", {}", changed.header("etag"));
    api.send(Method::DELETE, &path, &[("if-match", &either)], None).await.expect(204);
}

#[tokio::test]
async fn what_the_caller_has_is_not_sent_again() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let id = service(&api, "acme", "s", "2121").await;
    let path = format!("/v1/tenants/acme/services/{id}");
    let etag = api.get(&path).await.header("etag").to_owned();
    let same = api.send(Method::GET, &path, &[("if-none-match", &etag)], None).await;
    assert_eq!((same.status.as_u16(), same.bytes.len()), (304, 0));
    assert_eq!(same.header("etag"), etag);
    let other = api.send(Method::GET, &path, &[("if-none-match", "\"1\"")], None).await;
    other.expect(200);

    // Who uses it is part of the answer and no part of the version.
    let policy = json!({"name": "p", "protocols": {"ftp": {"services": [id]}}});
    create(&api, "acme", "alg-policies", &policy).await;
    let changed = api.send(Method::GET, &path, &[("if-none-match", &etag)], None).await;
    assert_eq!(changed.expect(200)["version"], 1);
    let patch = json!({"description": "x"});
    api.send(Method::PATCH, &path, &[("if-match", &etag)], Some(&patch)).await.expect(200);
}

#[tokio::test]
async fn of_many_at_once_one_change_wins() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let id = service(&api, "acme", "s", "1").await;
    let path = format!("/v1/tenants/acme/services/{id}");
    let changes = (0..12).map(|number| {
        let (api, path) = (api.clone(), path.clone());
        tokio::spawn(async move {
            let patch = json!({"description": format!("change {number}")});
            api.send(Method::PATCH, &path, &[("if-match", "\"1\"")], Some(&patch)).await
        })
    });
    let mut statuses = Vec::new();
    for change in changes.collect::<Vec<_>>() {
        statuses.push(change.await.unwrap().status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(statuses[1..].iter().all(|status| *status == 412), "{statuses:?}");
    assert_eq!(api.get(&path).await.expect(200)["version"], 2);
}
