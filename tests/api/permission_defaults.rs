//! What roles may do with objects on which nothing is set.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{World, create, errors, service};

const DEFAULTS: &str = "/v1/tenants/acme/permission-defaults";
const OF_PROVIDER: &str = "/v1/tenants/provider/permission-defaults";

fn of(block: &Value, role: &str) -> (String, bool) {
    let entry = block.as_array().unwrap().iter().find(|entry| entry["role"] == role).unwrap();
    (entry["permission"].as_str().unwrap().to_owned(), entry["inherited"].as_bool().unwrap())
}

#[tokio::test]
async fn they_are_built_in_until_someone_says_otherwise() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let body = api.get(DEFAULTS).await.expect(200);
    let kinds: Vec<&String> = body["defaults"].as_object().unwrap().keys().collect();
    assert_eq!(kinds, ["alg_policy", "appliance", "master_profile", "service", "sub_profile"]);
    for kind in kinds {
        let block = &body["defaults"][kind];
        assert_eq!(of(block, "enterprise_administrator"), ("edit".to_owned(), true));
        assert_eq!(of(block, "service_provider_operator"), ("read".to_owned(), true));
    }
    assert!(body.get("enterprises").is_none());
    // What a GET answered can be sent back.
    assert_eq!(api.put(DEFAULTS, &body).await.expect(200), body);
    let provider = world.api("root").get(OF_PROVIDER).await.expect(200);
    assert_eq!(provider["enterprises"], provider["defaults"]);
    api.send(Method::PUT, DEFAULTS, &[], Some(&json!({}))).await.problem(428, "precondition-required");
    world.api("acme-operator").put(DEFAULTS, &json!({})).await.problem(403, "forbidden");
    world.api("globex-admin").put(DEFAULTS, &json!({})).await.problem(404, "not-found");
}

#[tokio::test]
async fn a_hidden_kind_is_absent_everywhere_unless_an_object_says_otherwise() {
    let world = World::new().await;
    let (api, operator) = (world.api("acme-admin"), world.api("acme-operator"));
    let hidden = service(&api, "acme", "hidden", "2121").await;
    let shown = service(&api, "acme", "shown", "2122").await;
    let read = json!({"enterprise_operator": "read"});
    api.put(&format!("/v1/tenants/acme/services/{shown}/permissions"), &read).await.expect(200);
    let policy = json!({"name": "p", "protocols": {"ftp": {"services": [hidden, shown]}}});
    let policy = create(&api, "acme", "alg-policies", &policy).await;

    let hide = json!({"defaults": {"service": {"enterprise_operator": "hide"}}});
    let saved = api.put(DEFAULTS, &hide).await.expect(200);
    assert_eq!(of(&saved["defaults"]["service"], "enterprise_operator"), ("hide".to_owned(), false));
    assert_eq!(saved["version"], 2);
    let list = operator.get("/v1/tenants/acme/services").await.expect(200);
    assert_eq!((&list["total"], &list["items"][0]["id"]), (&json!(1), &json!(shown)));
    operator.get(&format!("/v1/tenants/acme/services/{hidden}")).await.problem(404, "not-found");
    let seen = operator.get(&format!("/v1/tenants/acme/alg-policies/{policy}")).await.expect(200);
    assert_eq!(seen["protocols"]["ftp"]["services"], json!([{"id": shown, "name": "shown"}]));
    let search = "/v1/tenants/acme/alg-policies?q=hidden";
    assert_eq!(operator.get(search).await.expect(200)["total"], 0);
    assert_eq!(api.get(search).await.expect(200)["total"], 1);
    let seen = api.get(&format!("/v1/tenants/acme/services/{hidden}")).await.expect(200);
    assert_eq!(of(&seen["permissions"], "enterprise_operator"), ("hide".to_owned(), true));
    // Another tenant's are as they were.
    service(&world.api("globex-admin"), "globex", "s", "1").await;
    let elsewhere = world.api("globex-operator").get("/v1/tenants/globex/services").await.expect(200);
    assert_eq!(elsewhere["total"], 1);
    // And back.
    api.put(DEFAULTS, &json!({})).await.expect(200);
    assert_eq!(operator.get("/v1/tenants/acme/services").await.expect(200)["total"], 2);
}

#[tokio::test]
async fn a_providers_apply_to_enterprises_that_set_none_also_to_new_ones() {
    let world = World::new().await;
    let (root, api) = (world.api("root"), world.api("acme-admin"));
    let own = json!({"defaults": {"service": {"enterprise_operator": "edit"}}});
    api.put(DEFAULTS, &own).await.expect(200);
    let body = json!({"enterprises": {"service": {"enterprise_operator": "hide"},
                                      "appliance": {"enterprise_administrator": "read"}}});
    let saved = root.put(OF_PROVIDER, &body).await.expect(200);
    assert_eq!(of(&saved["enterprises"]["service"], "enterprise_operator"), ("hide".to_owned(), false));
    assert_eq!(of(&saved["defaults"]["service"], "enterprise_operator"), ("read".to_owned(), true));
    // An administrator that is left by inheriting only is written down.
    let admin = of(&saved["enterprises"]["appliance"], "service_provider_administrator");
    assert_eq!(admin, ("edit".to_owned(), false));

    let acme = api.get(DEFAULTS).await.expect(200);
    assert_eq!(of(&acme["defaults"]["service"], "enterprise_operator"), ("edit".to_owned(), false));
    assert_eq!(of(&acme["defaults"]["appliance"], "enterprise_administrator"), ("read".to_owned(), true));
    let globex = world.api("globex-operator");
    assert_eq!(globex.get("/v1/tenants/globex/services").await.expect(200)["total"], 0);
    api.post("/v1/tenants/acme/appliances", &json!({"name": "a"})).await.problem(403, "forbidden");
    root.post("/v1/tenants", &json!({"name": "initech"})).await.expect(201);
    let new = root.get("/v1/tenants/initech/permission-defaults").await.expect(200);
    assert_eq!(of(&new["defaults"]["service"], "enterprise_operator"), ("hide".to_owned(), true));
}

#[tokio::test]
async fn nobody_gives_more_than_the_own_permission() {
    let world = World::new().await;
    let (root, api) = (world.api("root"), world.api("acme-admin"));
    let body = json!({"enterprises": {"service": {"enterprise_administrator": "read"}}});
    root.put(OF_PROVIDER, &body).await.expect(200);
    let raise = json!({"defaults": {"service": {"enterprise_administrator": "edit"}}});
    let expected = [("/defaults/service/enterprise_administrator", "conflict")];
    assert_eq!(api.put(DEFAULTS, &raise).await.errors(), errors(&expected));
    let raise = json!({"defaults": {"service": {"enterprise_operator": "edit"}}});
    let expected = [("/defaults/service/enterprise_operator", "conflict")];
    assert_eq!(api.put(DEFAULTS, &raise).await.errors(), errors(&expected));
    // Less is allowed, and so is what is there already.
    let lower = json!({"defaults": {"service": {"enterprise_operator": "hide", "service_provider_administrator": "edit"}}});
    api.put(DEFAULTS, &lower).await.expect(200);
    // The provider's administrator still has it, and may.
    let raise = json!({"defaults": {"service": {"enterprise_administrator": "edit"}}});
    root.put(DEFAULTS, &raise).await.expect(200);
}

#[tokio::test]
async fn an_administrator_keeps_edit_and_so_does_someone_on_every_object() {
    let world = World::new().await;
    let (root, api) = (world.api("root"), world.api("acme-admin"));
    let nobody = json!({"defaults": {"service": {"enterprise_administrator": "read", "service_provider_administrator": "read",
                                                 "enterprise_operator": "edit"}}});
    assert_eq!(api.put(DEFAULTS, &nobody).await.errors(), errors(&[("/defaults/service", "conflict")]));

    // The provider's administrator inherits edit on it and is its only editor, so that is written down.
    let id = service(&api, "acme", "s", "1").await;
    let path = format!("/v1/tenants/acme/services/{id}");
    let block = api.put(&format!("{path}/permissions"), &json!({"enterprise_administrator": "read"})).await;
    assert_eq!(of(&block.expect(200), "service_provider_administrator"), ("edit".to_owned(), false));
    let defaults = json!({"defaults": {"service": {"service_provider_administrator": "hide"}}});
    let saved = api.put(DEFAULTS, &defaults).await.expect(200);
    assert_eq!(of(&saved["defaults"]["service"], "enterprise_administrator"), ("edit".to_owned(), false));
    assert_eq!(root.get(&path).await.expect(200)["my_permission"], "edit");
    // Whatever the provider says, the tenant's administrator edits what is not set.
    let body = json!({"enterprises": {"service": {"enterprise_administrator": "read"}}});
    root.put(OF_PROVIDER, &body).await.expect(200);
    service(&api, "acme", "t", "2").await;
}

#[tokio::test]
async fn what_is_wrong_in_them_is_named_by_pointer() {
    let world = World::new().await;
    let body = json!({"defaults": {"service": {"enterprise_operator": "write", "boss": "edit"}, "alg_policy": 7,
                                   "users": {}, "appliance": [{"role": "x", "permission": "edit"}]},
                      "enterprises": {}});
    let expected = [
        ("/defaults/service/enterprise_operator", "unknown_value"),
        ("/defaults/service/boss", "unknown_field"),
        ("/defaults/alg_policy", "wrong_type"),
        ("/defaults/appliance/0/role", "unknown_value"),
        ("/defaults/users", "unknown_field"),
        ("/enterprises", "unknown_field"),
    ];
    assert_eq!(world.api("acme-admin").put(DEFAULTS, &body).await.errors(), errors(&expected));
    let stale = world.api("acme-admin");
    let answer = stale.send(Method::PUT, DEFAULTS, &[("if-match", "\"7\"")], Some(&json!({}))).await;
    answer.problem(412, "stale");
}
