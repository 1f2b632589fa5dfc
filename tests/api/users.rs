//! Users.

use serde_json::json;

use crate::support::{Answer, Api, PASSWORD, World, errors};

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
        [("/username", "format"), ("/role", "conflict"), ("/email", "format"), ("/password", "length")];
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

async fn sign_in(world: &World, username: &str, password: &str) -> Answer {
    let login = [("grant_type", "password"), ("username", username), ("password", password)];
    world.anonymous().form("/v1/auth/token", &login).await
}

#[tokio::test]
async fn who_is_invited_chooses_a_password_once() {
    let world = World::new().await;
    let admin = world.api("acme-admin");
    let invite = async |name: &str| {
        let new = json!({"username": name, "invite": true, "role": "enterprise_operator"});
        let answer = admin.post("/v1/tenants/acme/users", &new).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.expect(201);
        assert_ne!(body["invited_until"], json!(null));
        body["invitation"].as_str().unwrap().to_owned()
    };
    let accept = async |invitation: &str, password: &str| {
        let body = json!({"invitation": invitation, "password": password});
        world.anonymous().post("/v1/auth/invitations", &body).await
    };
    let invitation = invite("wilma").await;
    sign_in(&world, "wilma", "").await.problem(400, "grant-refused");
    for (password, code) in [("short", "length"), ("Password1", "conflict"), ("wilma-is-me", "conflict")] {
        assert_eq!(
            accept(&invitation, password).await.errors(),
            errors(&[("/password", code)]),
            "{password}"
        );
    }
    accept(&invitation, "correct horse").await.expect(204);
    let used = accept(&invitation, "another horse").await.errors();
    assert_eq!(used, errors(&[("/invitation", "no_such_object")]));
    assert_eq!(accept("nobody's", "correct horse").await.errors(), used);
    sign_in(&world, "wilma", "correct horse").await.expect(200);
    let wilma = admin.get("/v1/tenants/acme/users/name:wilma").await.expect(200);
    assert_eq!((&wilma["invited_until"], &wilma["invitation"]), (&json!(null), &json!(null)));

    let late = invite("fred").await;
    world.clock.advance(chrono::Duration::days(7));
    assert_eq!(accept(&late, "correct horse").await.errors(), used);
}

#[tokio::test]
async fn an_administrator_changes_users() {
    let world = World::new().await;
    let (admin, path) = (world.api("acme-admin"), "/v1/tenants/acme/users/name:acme-operator");
    let operator = world.api("acme-operator");
    let answer = admin.send(axum::http::Method::PATCH, path, &[], Some(&json!({}))).await;
    answer.problem(428, "precondition-required");
    let changed =
        admin.patch(path, &json!({"email": "op@acme.example", "role": "enterprise_administrator"})).await;
    let body = changed.expect(200);
    assert_eq!((&body["email"], &body["version"]), (&json!("op@acme.example"), &json!(2)));
    assert_eq!(operator.get("/v1/auth/me").await.expect(200)["role"], "enterprise_administrator");
    let stale = [("if-match", "\"1\"")];
    let answer = admin.send(axum::http::Method::PATCH, path, &stale, Some(&json!({"email": null}))).await;
    answer.problem(412, "stale");
    assert_eq!(
        admin.patch(path, &json!({"password": "correct horse"})).await.errors(),
        errors(&[("/password", "unknown_field")])
    );
    admin.patch(path, &json!({"username": "globex-admin"})).await.problem(409, "name-taken");

    admin.patch(path, &json!({"enabled": false})).await.expect(200);
    operator.get("/v1/auth/me").await.problem(401, "unauthenticated");
    let refused = sign_in(&world, "acme-operator", PASSWORD).await.problem(400, "grant-refused");
    let wrong = sign_in(&world, "acme-operator", "wrong").await.problem(400, "grant-refused");
    assert_eq!(refused["detail"], wrong["detail"]);
    admin.patch(path, &json!({"enabled": true})).await.expect(200);
    operator.get("/v1/auth/me").await.problem(401, "unauthenticated");
    sign_in(&world, "acme-operator", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let world = World::new().await;
    let (root, path) = (world.api("root"), "/v1/tenants/provider/users/name:admin");
    let second = json!({"username": "second", "invite": true, "role": "service_provider_administrator"});
    root.post("/v1/tenants/provider/users", &second).await.expect(201);
    let account = json!({"name": "program", "role": "service_provider_administrator"});
    root.post("/v1/tenants/provider/service-accounts", &account).await.expect(201);
    for change in [json!({"enabled": false}), json!({"role": "service_provider_operator"})] {
        root.patch(path, &change).await.problem(403, "forbidden");
    }
    root.delete(path).await.problem(403, "forbidden");
    root.patch(path, &json!({"email": "a@b.example"})).await.expect(200);
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it() {
    let world = World::new().await;
    let change = async |api: &Api, current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        api.send(axum::http::Method::PUT, "/v1/auth/password", &[], Some(&body)).await
    };
    let (api, other) =
        (world.api("acme-operator"), sign_in(&world, "acme-operator", PASSWORD).await.expect(200));
    let other = world.anonymous().with_token(other["access_token"].as_str().unwrap());
    assert_eq!(
        change(&api, "wrong", "correct horse").await.errors(),
        errors(&[("/current_password", "conflict")])
    );
    for (new, code) in [("short", "length"), ("qwertyuiop", "conflict"), ("I am acme-operator", "conflict")] {
        assert_eq!(change(&api, PASSWORD, new).await.errors(), errors(&[("/new_password", code)]), "{new}");
    }
    change(&api, PASSWORD, "correct horse").await.expect(204);
    api.get("/v1/auth/me").await.expect(200);
    other.get("/v1/auth/me").await.problem(401, "unauthenticated");
    sign_in(&world, "acme-operator", PASSWORD).await.problem(400, "grant-refused");
    sign_in(&world, "acme-operator", "correct horse").await.expect(200);
    change(&world.anonymous(), PASSWORD, "correct horse").await.problem(401, "unauthenticated");
}
