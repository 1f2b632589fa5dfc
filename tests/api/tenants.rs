//! Tenants.

use axum::http::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use crate::support::publish::publish;
use crate::support::{PASSWORD, World, appliance, create, errors, service};

#[tokio::test]
async fn the_life_of_an_enterprise() {
    let world = World::new().await;
    let root = world.api("root");
    let created = root.post("/v1/tenants", &json!({"name": "Initech"})).await;
    let body = created.expect(201);
    assert_eq!((&body["kind"], &body["version"]), (&json!("enterprise"), &json!(1)));
    let path = created.header("location");
    assert_eq!(root.get(path).await.expect(200), body);
    assert_eq!(root.get("/v1/tenants/initech").await.expect(200), body);
    assert_eq!(root.get("/v1/tenants/name:INITECH").await.expect(200), body);
    assert_eq!(root.put(path, &body).await.expect(200), body);
    let patched = root.patch(path, &json!({"description": "x"})).await.expect(200);
    assert_eq!(patched["version"], 2);
    root.post("/v1/tenants", &json!({"name": "iniTech"})).await.problem(409, "name-taken");

    let policy = create(&root, "initech", "alg-policies", &json!({"name": "p"})).await;
    root.delete(path).await.problem(409, "tenant-not-empty");
    root.delete(&format!("{path}/alg-policies/{policy}")).await.expect(204);
    root.delete(path).await.expect(204);
    root.get(path).await.problem(404, "not-found");
    root.get("/v1/tenants/initech/services").await.problem(404, "not-found");
}

#[tokio::test]
async fn what_a_tenant_cannot_be() {
    let world = World::new().await;
    let root = world.api("root");
    let answer = root.post("/v1/tenants", &json!({"name": "", "parent": "x", "description": false})).await;
    let expected = [("/name", "length"), ("/description", "wrong_type"), ("/parent", "unknown_field")];
    assert_eq!(answer.errors(), errors(&expected));
    root.delete("/v1/tenants/provider").await.problem(403, "forbidden");
    for user in ["root-operator", "acme-admin", "acme-operator"] {
        world.api(user).post("/v1/tenants", &json!({"name": "x"})).await.problem(403, "forbidden");
    }
}

#[tokio::test]
async fn the_provider_sees_all_and_an_enterprise_itself() {
    let world = World::new().await;
    let names = |list: serde_json::Value| {
        let items = list["items"].as_array().unwrap().clone();
        let names: Vec<String> = items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(list["total"], names.len());
        names
    };
    for user in ["root", "root-operator"] {
        let list = world.api(user).get("/v1/tenants").await.expect(200);
        assert_eq!(names(list), ["acme", "globex", "provider"]);
    }
    for user in ["acme-admin", "acme-operator"] {
        let list = world.api(user).get("/v1/tenants").await.expect(200);
        assert_eq!(names(list), ["acme"]);
        assert_eq!(world.api(user).get("/v1/tenants?q=glob").await.expect(200)["total"], 0);
    }
}

#[tokio::test]
async fn users_of_a_suspended_enterprise_can_do_nothing_until_it_is_resumed() {
    let world = World::new().await;
    let (root, api, anonymous) = (world.api("root"), world.api("acme-admin"), world.anonymous());
    let grant = [("grant_type", "password"), ("username", "acme-admin"), ("password", PASSWORD)];
    let tokens = anonymous.form("/v1/auth/token", &grant).await.expect(200);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let edge = appliance(&api, "acme", "edge").await;
    publish(&api, json!([edge])).await;

    let dry = root.post("/v1/tenants/acme/suspend?dry_run=true", &json!({})).await.expect(200);
    assert_eq!(dry["state"], "suspended");
    api.get("/v1/tenants/acme").await.expect(200);
    let suspended = root.post("/v1/tenants/acme/suspend", &json!({})).await.expect(200);
    assert_eq!((&suspended["state"], &suspended["version"]), (&json!("suspended"), &json!(2)));
    for user in ["acme-admin", "acme-operator"] {
        world.api(user).get("/v1/auth/me").await.problem(401, "unauthenticated");
        world.api(user).get("/v1/tenants/acme/services").await.problem(401, "unauthenticated");
    }
    anonymous.form("/v1/auth/token", &grant).await.problem(400, "grant-refused");
    anonymous.form("/v1/auth/token", &refresh).await.problem(400, "grant-refused");
    world.api("globex-admin").get("/v1/auth/me").await.expect(200);

    // The provider goes on with it, and what its gateways are to run stays.
    let path = format!("/v1/tenants/acme/appliances/{edge}");
    assert!(root.get(&path).await.expect(200)["state"]["published_revision"].is_string());
    assert_eq!(root.get("/v1/tenants?state=suspended").await.expect(200)["items"][0]["name"], "acme");
    assert_eq!(root.get("/v1/tenants?state=active").await.expect(200)["total"], 2);
    let again = root.post("/v1/tenants/acme/suspend", &json!({})).await.expect(200);
    assert_eq!(again, suspended);
    let stale = [("if-match", "\"1\"")];
    root.send(Method::POST, "/v1/tenants/acme/resume", &stale, None).await.problem(412, "stale");

    let resumed = root.post("/v1/tenants/acme/resume", &json!({})).await.expect(200);
    assert_eq!((&resumed["state"], &resumed["suspended_at"]), (&json!("active"), &json!(null)));
    api.get("/v1/tenants/acme").await.expect(200);
    anonymous.form("/v1/auth/token", &refresh).await.expect(200);
}

#[tokio::test]
async fn the_provider_is_neither_suspended_nor_by_an_enterprise() {
    let world = World::new().await;
    for action in ["suspend", "resume"] {
        let of = |tenant: &str| format!("/v1/tenants/{tenant}/{action}");
        world.api("root").post(&of("provider"), &json!({})).await.problem(403, "forbidden");
        world.api("acme-admin").post(&of("acme"), &json!({})).await.problem(403, "forbidden");
        world.api("acme-admin").post(&of("globex"), &json!({})).await.problem(404, "not-found");
    }
    let root = world.api("root");
    for query in ["state=x", "state=active&state=active", "tag=x"] {
        root.get(&format!("/v1/tenants?{query}")).await.problem(400, "bad-parameter");
    }
    root.delete("/v1/tenants/acme?cascade=maybe").await.problem(400, "bad-parameter");
    root.delete("/v1/tenants/provider?cascade=true").await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_cascade_says_what_goes_and_takes_it_along() {
    let world = World::new().await;
    let (root, api) = (world.api("root"), world.api("acme-admin"));
    let id = service(&api, "acme", "s", "2121").await;
    let policy = json!({"name": "p", "protocols": {"ftp": {"services": [id]}}});
    create(&api, "acme", "alg-policies", &policy).await;
    let hidden = json!([{"role": "service_provider_administrator", "permission": "hide"}]);
    let secret = json!({"name": "secret", "protocol": "tcp", "destination_port": "1", "permissions": hidden});
    create(&api, "acme", "services", &secret).await;
    let edge = appliance(&api, "acme", "edge").await;
    let path = format!("/v1/tenants/acme/appliances/{edge}");
    api.post(&format!("{path}/join-token"), &json!({})).await.expect(201);
    publish(&api, json!([edge])).await;
    root.delete("/v1/tenants/acme").await.problem(409, "tenant-not-empty");

    let preview = root.delete("/v1/tenants/acme?cascade=true&dry_run=true").await.expect(200);
    let contents = json!([
        {"kind": "alg-policies", "total": 1, "names": ["p"]},
        {"kind": "appliances", "total": 1, "names": ["edge"]},
        {"kind": "master-profiles", "total": 1, "names": ["Default-Basic-MP"]},
        {"kind": "services", "total": 1, "names": ["s"]},
        {"kind": "users", "total": 2, "names": ["acme-admin", "acme-operator"]},
    ]);
    assert_eq!((&preview["contents"], &preview["publications"]), (&contents, &json!(1)));
    assert_eq!(api.get("/v1/tenants/acme/services").await.expect(200)["total"], 2);
    let headers = [("if-match", "\"9\"")];
    let stale = root.send(Method::DELETE, "/v1/tenants/acme?cascade=true", &headers, None).await;
    stale.problem(412, "stale");

    let removed = root.delete("/v1/tenants/acme?cascade=true").await.expect(200);
    assert_eq!(removed, preview);
    root.get("/v1/tenants/acme").await.problem(404, "not-found");
    api.get("/v1/auth/me").await.problem(401, "unauthenticated");
    // Nothing of it is left, and nothing of another went.
    let mut owner = world.owner.connect().await.unwrap();
    for table in [
        "objects",
        "object_links",
        "object_versions",
        "users",
        "sessions",
        "publications",
        "revisions",
        "appliance_states",
        "join_tokens",
        "gateway_certificates",
    ] {
        let count = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{}'", world.tenant("acme"));
        let left: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut owner).await.unwrap();
        assert_eq!(left, 0, "{table}");
    }
    world.api("globex-admin").get("/v1/tenants/globex/master-profiles").await.expect(200);
}
