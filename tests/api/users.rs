//! Users.

use serde_json::json;

use crate::support::{PASSWORD, World, errors};

#[tokio::test]
async fn an_administrator_manages_users() {
    let world = World::new().await;
    let admin = world.api("acme-admin");
    let new = json!({"username": "Ann", "password": "correct horse", "role": "enterprise_operator", "email": "a@b.example"});
    let created = admin.post("/v1/tenants/acme/users", &new).await;
    let body = created.expect(201);
    assert_eq!((&body["username"], &body["role"]), (&json!("Ann"), &json!("enterprise_operator")));
    assert!(!String::from_utf8(created.bytes.clone()).unwrap().contains("password"));
    let list = admin.get("/v1/tenants/acme/users?q=an").await.expect(200);
    assert_eq!((&list["total"], &list["items"][0]), (&json!(1), &body));

    let login = [("grant_type", "password"), ("username", "ann"), ("password", "correct horse")];
    let tokens = world.anonymous().form("/v1/auth/token", &login).await.expect(200);
    let ann = world.anonymous().with_token(tokens["access_token"].as_str().unwrap());
    assert_eq!(ann.get("/v1/auth/me").await.expect(200)["username"], "Ann");
    ann.get("/v1/tenants/acme/users").await.problem(403, "forbidden");
    ann.post("/v1/tenants/acme/users", &new).await.problem(403, "forbidden");

    // Deleting a user ends what the user had.
    admin.delete(created.header("location")).await.expect(204);
    ann.get("/v1/auth/me").await.problem(401, "unauthenticated");
    world.anonymous().form("/v1/auth/token", &login).await.problem(400, "grant-refused");
    let refresh =
        [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    world.anonymous().form("/v1/auth/token", &refresh).await.problem(400, "grant-refused");
    admin.delete(created.header("location")).await.problem(404, "not-found");
}

#[tokio::test]
async fn what_a_user_cannot_be() {
    let world = World::new().await;
    let admin = world.api("acme-admin");
    let users = "/v1/tenants/acme/users";
    let body = json!({"username": "a b", "password": "short", "role": "service_provider_administrator", "email": "x"});
    let expected =
        [("/username", "format"), ("/password", "length"), ("/role", "conflict"), ("/email", "format")];
    assert_eq!(admin.post(users, &body).await.errors(), errors(&expected));
    let body = json!({"username": "carla", "password": "Carla-is-me", "role": "enterprise_operator"});
    assert_eq!(admin.post(users, &body).await.errors(), errors(&[("/password", "conflict")]));
    let taken = json!({"username": "ACME-operator", "password": PASSWORD, "role": "enterprise_operator"});
    admin.post(users, &taken).await.problem(409, "name-taken");
    let role = json!({"username": "r", "password": PASSWORD, "role": "enterprise_operator"});
    let answer = world.api("root").post("/v1/tenants/provider/users", &role).await;
    assert_eq!(answer.errors(), errors(&[("/role", "conflict")]));
}

#[tokio::test]
async fn the_last_administrator_of_the_provider_stays() {
    let world = World::new().await;
    let root = world.api("root");
    root.delete("/v1/tenants/provider/users/name:admin").await.problem(403, "forbidden");
    let second =
        json!({"username": "second", "password": PASSWORD, "role": "service_provider_administrator"});
    root.post("/v1/tenants/provider/users", &second).await.expect(201);
    root.delete("/v1/tenants/provider/users/name:admin").await.expect(204);
}
