//! Sign-ins, as a list.

use serde_json::{Value, json};

use crate::support::{Api, PASSWORD, World};

const SESSIONS: &str = "/v1/tenants/acme/sessions";

async fn sign_in(world: &World, username: &str) -> (Api, String) {
    let login = [("grant_type", "password"), ("username", username), ("password", PASSWORD)];
    let tokens = world.anonymous().form("/v1/auth/token", &login).await.expect(200);
    let text = |field: &str| tokens[field].as_str().unwrap().to_owned();
    (world.anonymous().with_token(&text("access_token")), text("refresh_token"))
}

fn users(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["user"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn everybody_sees_their_own_and_an_administrator_all_of_the_tenant() {
    let world = World::new().await;
    let (operator, refresh_token) = sign_in(&world, "acme-operator").await;
    let own = operator.get(SESSIONS).await.expect(200);
    assert_eq!((users(&own), &own["total"]), (vec!["acme-operator"; 2], &json!(2)));
    let current: Vec<bool> =
        own["items"].as_array().unwrap().iter().map(|item| item["current"] == true).collect();
    assert_eq!(current, [true, false]);
    let all = world.api("acme-admin").get(SESSIONS).await.expect(200);
    assert_eq!(users(&all), ["acme-operator", "acme-operator", "acme-admin"]);
    world.api("globex-admin").get(SESSIONS).await.problem(404, "not-found");
    assert_eq!(world.api("root").get(SESSIONS).await.expect(200)["total"], 3);
    assert_eq!(world.api("root-operator").get(SESSIONS).await.expect(200)["total"], 0);

    // An administrator ends another's, which ends all of its tokens.
    let path = format!("{SESSIONS}/{}", own["items"][0]["id"].as_str().unwrap());
    world.api("globex-admin").delete(&path).await.problem(404, "not-found");
    world.api("root-operator").delete(&path).await.problem(404, "not-found");
    let admins = format!("{SESSIONS}/{}", all["items"][2]["id"].as_str().unwrap());
    operator.delete(&admins).await.problem(404, "not-found");
    world.api("acme-admin").delete(&format!("{path}?dry_run=true")).await.expect(204);
    operator.get("/v1/auth/me").await.expect(200);
    world.api("acme-admin").delete(&path).await.expect(204);
    operator.get("/v1/auth/me").await.problem(401, "unauthenticated");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    world.anonymous().form("/v1/auth/token", &refresh).await.problem(400, "grant-refused");
    world.api("acme-admin").delete(&path).await.problem(404, "not-found");

    // And everybody can end their own.
    let rest = world.api("acme-operator").get(SESSIONS).await.expect(200);
    let path = format!("{SESSIONS}/{}", rest["items"][0]["id"].as_str().unwrap());
    world.api("acme-operator").delete(&path).await.expect(204);
    world.api("acme-operator").get("/v1/auth/me").await.problem(401, "unauthenticated");
}
