//! Edit, Read, Hide: on the object, in what refers to it, and in what it refers to.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{World, create, errors, service};

fn effective(block: &Value, role: &str) -> (String, bool) {
    let entry = block.as_array().unwrap().iter().find(|entry| entry["role"] == role).unwrap();
    (entry["permission"].as_str().unwrap().to_owned(), entry["inherited"].as_bool().unwrap())
}

#[tokio::test]
async fn defaults_are_inherited_until_set_and_again_when_reset() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let id = service(&api, "acme", "s", "1").await;
    let path = format!("/v1/tenants/acme/services/{id}/permissions");
    let block = api.get(&path).await.expect(200);
    for (role, permission) in [
        ("enterprise_administrator", "edit"),
        ("enterprise_operator", "read"),
        ("service_provider_administrator", "edit"),
        ("service_provider_operator", "read"),
    ] {
        assert_eq!(effective(&block, role), (permission.to_owned(), true));
    }
    let set =
        api.put(&path, &json!({"enterprise_operator": "edit", "service_provider_operator": "read"})).await;
    let set = set.expect(200);
    assert_eq!(effective(&set, "enterprise_operator"), ("edit".to_owned(), false));
    assert_eq!(effective(&set, "service_provider_operator"), ("read".to_owned(), false));
    assert_eq!(effective(&set, "enterprise_administrator"), ("edit".to_owned(), true));
    let object = api.get(&format!("/v1/tenants/acme/services/{id}")).await.expect(200);
    assert_eq!((&object["permissions"], &object["version"]), (&set, &json!(2)));
    let operator = world.api("acme-operator");
    let patched =
        operator.patch(&format!("/v1/tenants/acme/services/{id}"), &json!({"description": "mine"})).await;
    assert_eq!(patched.expect(200)["my_permission"], "edit");

    let reset = api.put(&path, &json!({"enterprise_operator": null})).await.expect(200);
    assert_eq!(effective(&reset, "enterprise_operator"), ("read".to_owned(), true));
    assert_eq!(effective(&reset, "service_provider_operator"), ("read".to_owned(), false));
}

#[tokio::test]
async fn permissions_also_come_with_the_object() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let hidden = json!([{"role": "enterprise_operator", "permission": "hide"}]);
    let body = json!({"name": "s", "protocol": "tcp", "destination_port": "1", "permissions": hidden});
    let created = api.post("/v1/tenants/acme/services", &body).await;
    assert_eq!(
        effective(&created.expect(201)["permissions"], "enterprise_operator"),
        ("hide".to_owned(), false)
    );
    let path = created.header("location");
    world.api("acme-operator").get(path).await.problem(404, "not-found");

    // Without the field they stay; the block of an answer can be sent back, changed.
    let without = json!({"name": "s", "protocol": "tcp", "destination_port": "2"});
    let kept = api.put(path, &without).await.expect(200);
    assert_eq!(effective(&kept["permissions"], "enterprise_operator"), ("hide".to_owned(), false));
    let mut changed = kept.clone();
    for entry in changed["permissions"].as_array_mut().unwrap() {
        entry["inherited"] = json!(true);
    }
    let inherited = api.put(path, &changed).await.expect(200);
    assert_eq!(effective(&inherited["permissions"], "enterprise_operator"), ("read".to_owned(), true));
}

#[tokio::test]
async fn at_least_one_role_keeps_edit() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let id = service(&api, "acme", "s", "1").await;
    let path = format!("/v1/tenants/acme/services/{id}/permissions");
    let nobody = json!({"enterprise_administrator": "read", "service_provider_administrator": "hide"});
    assert_eq!(api.put(&path, &nobody).await.errors(), errors(&[("", "conflict")]));
    let wrong = json!({"enterprise_administrator": "write", "enterprise_operator": 1, "boss": "edit"});
    let expected = [
        ("/enterprise_administrator", "unknown_value"),
        ("/enterprise_operator", "wrong_type"),
        ("/boss", "unknown_field"),
    ];
    assert_eq!(api.put(&path, &wrong).await.errors(), errors(&expected));
    let body = json!({"name": "t", "protocol": "tcp", "destination_port": "1", "permissions": [
        {"role": "enterprise_administrator", "permission": "hide"},
        {"role": "service_provider_administrator", "permission": "read"},
    ]});
    let answer = api.post("/v1/tenants/acme/services", &body).await;
    assert_eq!(answer.errors(), errors(&[("/permissions", "conflict")]));
    // Giving it to others and losing it oneself is allowed.
    let others = json!({"enterprise_administrator": "read"});
    api.put(&path, &others).await.expect(200);
    api.put(&path, &others).await.problem(403, "forbidden");
}

#[tokio::test]
async fn hidden_is_as_if_it_did_not_exist() {
    let world = World::new().await;
    let (api, operator) = (world.api("acme-admin"), world.api("acme-operator"));
    let id = service(&api, "acme", "secret", "2121").await;
    let visible = service(&api, "acme", "visible", "2122").await;
    let policy = json!({"name": "p", "protocols": {"ftp": {"services": [id, visible]}}});
    let policy = create(&api, "acme", "alg-policies", &policy).await;
    let hide = json!({"enterprise_operator": "hide"});
    api.put(&format!("/v1/tenants/acme/services/{id}/permissions"), &hide).await.expect(200);

    let list = operator.get("/v1/tenants/acme/services").await.expect(200);
    assert_eq!((&list["total"], &list["items"][0]["name"]), (&json!(1), &json!("visible")));
    assert_eq!(operator.get("/v1/tenants/acme/services?q=secret").await.expect(200)["total"], 0);
    operator.get("/v1/tenants/acme/services/name:secret").await.problem(404, "not-found");
    let seen = operator.get(&format!("/v1/tenants/acme/alg-policies/{policy}")).await.expect(200);
    assert_eq!(seen["protocols"]["ftp"]["services"], json!([{"id": visible, "name": "visible"}]));

    // The answers to all methods are those for an id that never was, but for request id and path.
    let absent = uuid::Uuid::now_v7().to_string();
    for (method, suffix) in [
        (Method::GET, ""),
        (Method::PUT, ""),
        (Method::PATCH, ""),
        (Method::DELETE, ""),
        (Method::GET, "/permissions"),
        (Method::PUT, "/permissions"),
    ] {
        let body = (method != Method::GET && method != Method::DELETE).then(|| json!({}));
        let mut answers = Vec::new();
        for target in [&id, &absent] {
            let path = format!("/v1/tenants/acme/services/{target}{suffix}");
            let answer = operator.send(method.clone(), &path, &[("if-match", "\"1\"")], body.as_ref()).await;
            let request_id = answer.header("x-request-id").to_owned();
            let text = String::from_utf8(answer.bytes.clone()).unwrap();
            let headers: Vec<String> = answer
                .headers
                .iter()
                .filter(|(name, _)| *name != "x-request-id")
                .map(|(name, value)| format!("{name}: {value:?}"))
                .collect();
            answers.push((
                answer.status,
                headers,
                text.replace(&request_id, "ID").replace(target.as_str(), "TARGET"),
            ));
        }
        assert_eq!(answers[0].0.as_u16(), 404, "{method} {suffix}");
        assert_eq!(answers[0], answers[1], "{method} {suffix}");
    }
}

#[tokio::test]
async fn a_reference_that_the_caller_cannot_see_survives_the_callers_update() {
    let world = World::new().await;
    let (api, operator) = (world.api("acme-admin"), world.api("acme-operator"));
    let hidden = service(&api, "acme", "hidden", "2121").await;
    let own = service(&api, "acme", "own", "2122").await;
    let body = json!({"name": "p", "protocols": {"ftp": {"services": [hidden, own]}},
                      "permissions": [{"role": "enterprise_operator", "permission": "edit"}]});
    let policy = create(&api, "acme", "alg-policies", &body).await;
    let path = format!("/v1/tenants/acme/alg-policies/{policy}");
    let hide = json!({"enterprise_operator": "hide"});
    api.put(&format!("/v1/tenants/acme/services/{hidden}/permissions"), &hide).await.expect(200);

    let seen = operator.get(&path).await.expect(200);
    assert_eq!(operator.put(&path, &seen).await.expect(200)["version"], 1);
    let patch = json!({"protocols": {"ftp": {"services": []}}});
    let emptied = operator.patch(&path, &patch).await.expect(200);
    assert_eq!(emptied["protocols"]["ftp"]["services"], json!([]));
    let kept = api.get(&path).await.expect(200);
    assert_eq!(kept["protocols"]["ftp"]["services"], json!([{"id": hidden, "name": "hidden"}]));
    // Naming it is naming nothing.
    let patch = json!({"protocols": {"sip": {"services": [hidden]}}});
    let answer = operator.patch(&path, &patch).await;
    assert_eq!(answer.errors(), errors(&[("/protocols/sip/services/0", "no_such_object")]));
}

#[tokio::test]
async fn a_hidden_policy_stays_attached_and_who_uses_an_object_is_told_only_as_far_as_visible() {
    let world = World::new().await;
    let (api, operator) = (world.api("acme-admin"), world.api("acme-operator"));
    let used = service(&api, "acme", "used", "2121").await;
    let body = json!({"name": "p", "protocols": {"ftp": {"services": [used]}},
                      "permissions": [{"role": "enterprise_operator", "permission": "hide"}]});
    let policy = create(&api, "acme", "alg-policies", &body).await;
    let profile = json!({"name": "mp", "kind": "basic", "alg_policy": policy,
                         "permissions": [{"role": "enterprise_operator", "permission": "edit"}]});
    let profile = create(&api, "acme", "master-profiles", &profile).await;
    let path = format!("/v1/tenants/acme/master-profiles/{profile}");

    let seen = operator.get(&path).await.expect(200);
    assert_eq!(seen["alg_policy"], json!(null));
    let renamed = operator.patch(&path, &json!({"name": "mp2", "alg_policy": null})).await.expect(200);
    assert_eq!(renamed["alg_policy"], json!(null));
    assert_eq!(api.get(&path).await.expect(200)["alg_policy"]["name"], "p");

    let service_path = format!("/v1/tenants/acme/services/{used}");
    let seen = operator.get(&service_path).await.expect(200);
    assert_eq!((&seen["used_by"], &seen["used_by_total"]), (&json!([]), &json!(0)));
    let edit = json!({"enterprise_operator": "edit"});
    api.put(&format!("{service_path}/permissions"), &edit).await.expect(200);
    let refused = operator.delete(&service_path).await.problem(409, "in-use");
    assert!(refused.get("used_by").is_none(), "{refused}");
    operator
        .post(&format!("/v1/tenants/acme/alg-policies/{policy}/attach"), &json!({"profile": profile}))
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn attaching_takes_edit_on_the_profile_and_read_on_the_policy() {
    let world = World::new().await;
    let (api, operator) = (world.api("acme-admin"), world.api("acme-operator"));
    let policy = create(&api, "acme", "alg-policies", &json!({"name": "p"})).await;
    let path = format!("/v1/tenants/acme/alg-policies/{policy}/attach");
    let profile = json!({"profile": "name:Default-Basic-MP"});
    operator.post(&path, &profile).await.problem(403, "forbidden");
    let edit = json!({"enterprise_operator": "edit"});
    api.put("/v1/tenants/acme/master-profiles/name:Default-Basic-MP/permissions", &edit).await.expect(200);
    operator.post(&path, &profile).await.expect(200);
}
