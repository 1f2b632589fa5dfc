//! The error table of the API's description, row by row.

use axum::http::Method;

use crate::support::{World, service};

const SERVICES: &str = "/v1/tenants/acme/services";
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[tokio::test]
async fn malformed_bodies_are_400() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    for body in ["", "{", "nonsense", "{\"name\": }", "\u{feff}{}", "{} {}", "[1,]", "'a'"] {
        let answer = api.raw(Method::POST, SERVICES, &JSON, body.into()).await;
        answer.problem(400, "malformed-body");
    }
    let not_utf8 = b"{\"name\": \"\xff\xfe\"}".to_vec();
    api.raw(Method::POST, SERVICES, &JSON, not_utf8).await.problem(400, "malformed-body");
}

#[tokio::test]
async fn a_body_of_more_than_a_mebibyte_is_413() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let body = |size: usize| {
        let empty = "{\"description\":\"\"}".len();
        format!("{{\"description\":\"{}\"}}", "x".repeat(size - empty)).into_bytes()
    };
    let mebibyte = 1024 * 1024;
    api.raw(Method::POST, SERVICES, &JSON, body(mebibyte)).await.problem(422, "invalid-fields");
    for size in [mebibyte + 1, 2 * mebibyte + 1, 5 * mebibyte] {
        api.raw(Method::POST, SERVICES, &JSON, body(size)).await.problem(413, "body-too-large");
    }
    let length = (5 * mebibyte).to_string();
    let headers = [JSON[0], ("content-length", length.as_str())];
    api.raw(Method::POST, SERVICES, &headers, Vec::new()).await.problem(413, "body-too-large");
}

#[tokio::test]
async fn another_media_type_is_415() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let body = b"{\"name\":\"s\",\"protocol\":\"tcp\",\"destination_port\":\"1\"}".to_vec();
    for media_type in
        ["text/plain", "application/xml", "application/x-www-form-urlencoded", "application/jsonx", ""]
    {
        let headers = [("content-type", media_type)];
        let answer = api.raw(Method::POST, SERVICES, &headers, body.clone()).await;
        answer.problem(415, "unsupported-media-type");
    }
    api.raw(Method::POST, SERVICES, &[], body.clone()).await.problem(415, "unsupported-media-type");
    let patch = [("content-type", "application/merge-patch+json"), ("if-match", "*")];
    let id = service(&api, "acme", "x", "1").await;
    let path = format!("{SERVICES}/{id}");
    api.raw(Method::PATCH, &path, &patch, b"{}".to_vec()).await.expect(200);
    api.raw(Method::PUT, &path, &patch, body.clone()).await.problem(415, "unsupported-media-type");
    let headers = [("content-type", "Application/JSON; charset=utf-8")];
    api.raw(Method::POST, SERVICES, &headers, body).await.expect(201);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_another_method_405() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    for path in [
        "/",
        "/v1",
        "/v2/tenants",
        "/v1/tenants/acme/unicorns",
        "/v1/tenants/acme/services/x",
        "/v1/tenants//services",
    ] {
        api.get(path).await.problem(404, "not-found");
    }
    let answer = api.send(Method::POST, "/v1/auth/me", &[], None).await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), "GET,HEAD");
    let head = api.send(Method::HEAD, SERVICES, &[], None).await;
    assert_eq!((head.status.as_u16(), head.bytes.len()), (200, 0));
}

#[tokio::test]
async fn a_defect_shows_nothing_of_the_inside() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let id = service(&api, "acme", "s", "1").await;
    use sqlx::{ConnectOptions as _, Executor as _};
    let mut owner = world.owner.connect().await.unwrap();
    owner
        .execute("UPDATE objects SET spec = '{\"protocol\": \"carrier pigeon\"}' WHERE kind = 'service'")
        .await
        .unwrap();
    let answer = api.get(&format!("{SERVICES}/{id}")).await;
    answer.problem(500, "internal");
    let text = String::from_utf8(answer.bytes).unwrap();
    assert!(!text.contains("pigeon") && !text.contains("spec") && !text.contains("protocol"), "{text}");
}

#[tokio::test]
async fn answers_cannot_be_used_for_what_they_are_not() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    for path in [SERVICES, "/v1/nothing", "/docs", "/openapi.json"] {
        let answer = api.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
    }
    let page = String::from_utf8(world.anonymous().get("/docs").await.bytes).unwrap();
    assert!(page.contains("create_services") && !page.contains("<script"));
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "the page needs something from elsewhere"
    );
    let style = world.anonymous().get("/docs/style.css").await;
    assert!(style.header("content-type").starts_with("text/css"));
    let document = world.anonymous().get("/openapi.json").await;
    assert_eq!(document.bytes, pinhole::http::openapi_json().into_bytes());
    // A request id of the caller's is not taken over.
    let given = [("x-request-id", "mine")];
    let answer = api.send(Method::GET, SERVICES, &given, None).await;
    assert_ne!(answer.header("x-request-id"), "mine");
}
