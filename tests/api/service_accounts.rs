//! Programs that act as users.

use serde_json::{Value, json};

use crate::support::{Answer, World, errors};

const ACCOUNTS: &str = "/v1/tenants/acme/service-accounts";

async fn grant(world: &World, id: &str, secret: &str) -> Answer {
    let fields = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    world.anonymous().form("/v1/auth/token", &fields).await
}

async fn created(world: &World, role: &str) -> (String, String, String) {
    let answer = world.api("acme-admin").post(ACCOUNTS, &json!({"name": "Backup", "role": role})).await;
    let body = answer.expect(201);
    assert_eq!(answer.header("cache-control"), "no-store");
    let text = |field: &str| body[field].as_str().unwrap().to_owned();
    (answer.header("location").to_owned(), text("client_id"), text("client_secret"))
}

#[tokio::test]
async fn a_program_signs_in_with_what_was_shown_once() {
    let world = World::new().await;
    let (path, id, secret) = created(&world, "enterprise_operator").await;
    let answer = grant(&world, &id, &secret).await;
    let tokens = answer.expect(200);
    assert_eq!((&tokens["expires_in"], &tokens["refresh_token"]), (&json!(900), &Value::Null));
    let program = world.anonymous().with_token(tokens["access_token"].as_str().unwrap());
    let me = program.get("/v1/auth/me").await.expect(200);
    assert_eq!((&me["username"], &me["role"]), (&json!("Backup"), &json!("enterprise_operator")));
    program.get("/v1/tenants/acme/services").await.expect(200);
    program
        .post(ACCOUNTS, &json!({"name": "x", "role": "enterprise_operator"}))
        .await
        .problem(403, "forbidden");
    let change = json!({"current_password": secret, "new_password": "correct horse"});
    program
        .send(axum::http::Method::PUT, "/v1/auth/password", &[], Some(&change))
        .await
        .problem(403, "forbidden");

    // It is kept by its hash and not answered again, and is no user who could sign in with a password.
    let admin = world.api("acme-admin");
    for read in [admin.get(&path).await, admin.get(ACCOUNTS).await] {
        read.expect(200);
        assert!(!String::from_utf8(read.bytes).unwrap().contains("secret"));
    }
    assert_eq!(admin.get("/v1/tenants/acme/users?q=backup").await.expect(200)["total"], 0);
    let login = [("grant_type", "password"), ("username", "Backup"), ("password", secret.as_str())];
    world.anonymous().form("/v1/auth/token", &login).await.problem(400, "grant-refused");

    let forged = secret.replacen(&secret[..1], if secret.starts_with('a') { "b" } else { "a" }, 1);
    let mut details = Vec::new();
    for (id, secret) in [(id.as_str(), forged.as_str()), ("nobody", &secret), (&path, &secret), (&id, "")] {
        let problem = grant(&world, id, secret).await.problem(400, "grant-refused");
        assert_eq!(problem["error"], "invalid_client");
        details.push(problem["detail"].clone());
    }
    details.dedup();
    assert_eq!(details.len(), 1);
}

#[tokio::test]
async fn disabling_or_deleting_one_ends_its_tokens() {
    let world = World::new().await;
    let admin = world.api("acme-admin");
    let (path, id, secret) = created(&world, "enterprise_operator").await;
    let program = async || {
        let tokens = grant(&world, &id, &secret).await.expect(200);
        world.anonymous().with_token(tokens["access_token"].as_str().unwrap())
    };
    let before = program().await;
    admin.patch(&format!("{path}?dry_run=true"), &json!({"enabled": false})).await.expect(200);
    before.get("/v1/auth/me").await.expect(200);
    let disabled = admin.patch(&path, &json!({"enabled": false})).await.expect(200);
    assert_eq!((&disabled["enabled"], &disabled["version"]), (&json!(false), &json!(2)));
    before.get("/v1/auth/me").await.problem(401, "unauthenticated");
    grant(&world, &id, &secret).await.problem(400, "grant-refused");
    admin.patch(&path, &json!({"enabled": true, "role": "enterprise_administrator"})).await.expect(200);
    before.get("/v1/auth/me").await.problem(401, "unauthenticated");
    let again = program().await;
    assert_eq!(again.get("/v1/auth/me").await.expect(200)["role"], "enterprise_administrator");
    admin.delete(&path).await.expect(204);
    again.get("/v1/auth/me").await.problem(401, "unauthenticated");
    grant(&world, &id, &secret).await.problem(400, "grant-refused");
}

#[tokio::test]
async fn names_are_the_tenants_own() {
    let world = World::new().await;
    created(&world, "enterprise_operator").await;
    let admin = world.api("acme-admin");
    let again = json!({"name": "BACKUP", "role": "enterprise_operator"});
    admin.post(ACCOUNTS, &again).await.problem(409, "name-taken");
    world.api("globex-admin").post("/v1/tenants/globex/service-accounts", &again).await.expect(201);
    let user = json!({"name": "acme-operator", "role": "enterprise_operator"});
    admin.post(ACCOUNTS, &user).await.expect(201);
    let wrong = json!({"name": "a b", "role": "service_provider_operator", "email": "a@b.example"});
    let expected = [("/name", "format"), ("/role", "conflict"), ("/email", "unknown_field")];
    assert_eq!(admin.post(ACCOUNTS, &wrong).await.errors(), errors(&expected));
    let new = json!({"name": "x", "role": "enterprise_operator"});
    let dry = admin.post(&format!("{ACCOUNTS}?dry_run=true"), &new).await.expect(200);
    assert_eq!(dry["client_secret"], json!(null));
}

#[tokio::test]
async fn a_suspended_enterprises_programs_do_not_get_in() {
    let world = World::new().await;
    let (_, id, secret) = created(&world, "enterprise_operator").await;
    let tokens = grant(&world, &id, &secret).await.expect(200);
    let program = world.anonymous().with_token(tokens["access_token"].as_str().unwrap());
    let root = world.api("root");
    root.post("/v1/tenants/acme/suspend", &json!({})).await.expect(200);
    grant(&world, &id, &secret).await.problem(400, "grant-refused");
    program.get("/v1/tenants/acme/services").await.problem(401, "unauthenticated");
    root.post("/v1/tenants/acme/resume", &json!({})).await.expect(200);
    program.get("/v1/tenants/acme/services").await.expect(200);
}
