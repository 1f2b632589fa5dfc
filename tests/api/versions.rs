//! What objects said before, and objects made from others.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{World, appliance, create, errors, service};

const POLICIES: &str = "/v1/tenants/acme/alg-policies";

fn changes(answer: &Value) -> Vec<(&str, &Value, &Value)> {
    let items = answer["changes"].as_array().unwrap();
    items.iter().map(|item| (item["path"].as_str().unwrap(), &item["before"], &item["after"])).collect()
}

#[tokio::test]
async fn every_save_is_a_version_that_can_be_read_compared_and_restored() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let a = service(&api, "acme", "a", "2121").await;
    let body = json!({"name": "p", "tags": ["voice"], "protocols": {"ftp": {"services": [a]}}});
    let created = api.post(POLICIES, &body).await;
    let first = created.expect(201);
    let path = created.header("location").to_owned();
    let patch = json!({"name": "q", "description": "x", "tags": [],
                       "protocols": {"ftp": {"services": []}, "sip": {"enabled": false}}});
    api.patch(&path, &patch).await.expect(200);
    api.put(&format!("{path}/permissions"), &json!({"enterprise_operator": "edit"})).await.expect(200);

    let list = api.get(&format!("{path}/versions")).await.expect(200);
    let versions: Vec<i64> =
        list["items"].as_array().unwrap().iter().map(|item| item["version"].as_i64().unwrap()).collect();
    assert_eq!((versions, &list["total"]), (vec![3, 2, 1], &json!(3)));
    assert_eq!(list["items"][2]["name"], "p");
    assert_eq!(list["items"][2]["saved_by"]["name"], "acme-admin");
    let page = api.get(&format!("{path}/versions?page=2&per_page=2")).await.expect(200);
    assert_eq!((page["items"].as_array().unwrap().len(), &page["total"]), (1, &json!(3)));
    assert_eq!(api.get(&format!("{path}/versions/1")).await.expect(200), first);

    let diff = api.get(&format!("{path}/versions/3/diff?against=1")).await.expect(200);
    assert_eq!(
        changes(&diff),
        [
            ("/description", &json!(""), &json!("x")),
            ("/name", &json!("p"), &json!("q")),
            ("/permissions/enterprise_operator", &json!(null), &json!("edit")),
            ("/protocols/ftp/services", &json!([{"id": a, "name": "a"}]), &json!([])),
            ("/protocols/sip/enabled", &json!(true), &json!(false)),
            ("/tags", &json!(["voice"]), &json!([])),
        ]
    );
    let none = api.get(&format!("{path}/versions/2/diff?against=2")).await.expect(200);
    assert_eq!(none["changes"], json!([]));

    let restored =
        api.send(Method::POST, &format!("{path}/versions/1/restore"), &[("if-match", "\"3\"")], None).await;
    let restored = restored.expect(200);
    assert_eq!((&restored["version"], &restored["name"]), (&json!(4), &json!("p")));
    assert_eq!(restored["protocols"], first["protocols"]);
    // Permissions are not what an object says.
    assert_eq!(restored["permissions"][1]["permission"], "edit");
    let again =
        api.send(Method::POST, &format!("{path}/versions/1/restore"), &[("if-match", "*")], None).await;
    assert_eq!(again.expect(200)["version"], 4);
}

#[tokio::test]
async fn what_is_no_version_is_not_there() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let id = service(&api, "acme", "s", "1").await;
    let path = format!("/v1/tenants/acme/services/{id}/versions");
    for version in ["0", "2", "-1", "+1", "1.0", "x", "99999999999999999999"] {
        api.get(&format!("{path}/{version}")).await.problem(404, "not-found");
        api.get(&format!("{path}/{version}/diff?against=1")).await.problem(404, "not-found");
        let answer = api.get(&format!("{path}/1/diff?against={version}")).await;
        let (status, slug) = if version == "2" { (404, "not-found") } else { (400, "bad-parameter") };
        answer.problem(status, slug);
    }
    for query in ["", "?against=x", "?against=1&against=1", "?against=1&colour=red", "?against=0"] {
        api.get(&format!("{path}/1/diff{query}")).await.problem(400, "bad-parameter");
    }
    let restore = format!("{path}/1/restore");
    api.send(Method::POST, &restore, &[], None).await.problem(428, "precondition-required");
    api.send(Method::POST, &restore, &[("if-match", "\"7\"")], None).await.problem(412, "stale");
    for user in ["globex-admin", "globex-operator"] {
        world.api(user).get(&path).await.problem(404, "not-found");
    }
    world
        .api("acme-operator")
        .send(Method::POST, &restore, &[("if-match", "*")], None)
        .await
        .problem(403, "forbidden");
}

#[tokio::test]
async fn a_version_whose_references_are_gone_is_not_restored() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let gone = service(&api, "acme", "gone", "2121").await;
    let policy = json!({"name": "p", "protocols": {"ftp": {"services": [gone]}}});
    let path = format!("{POLICIES}/{}", create(&api, "acme", "alg-policies", &policy).await);
    api.patch(&path, &json!({"protocols": {"ftp": {"services": []}}})).await.expect(200);
    api.delete(&format!("/v1/tenants/acme/services/{gone}")).await.expect(204);
    // Read, it is without them; restored, it would not be what it was.
    let first = api.get(&format!("{path}/versions/1")).await.expect(200);
    assert_eq!(first["protocols"]["ftp"]["services"], json!([]));
    let answer =
        api.send(Method::POST, &format!("{path}/versions/1/restore"), &[("if-match", "*")], None).await;
    assert_eq!(answer.errors(), errors(&[("/protocols/ftp/services", "no_such_object")]));
    assert!(answer.json()["errors"][0]["detail"].as_str().unwrap().contains(&gone));
    assert_eq!(api.get(&path).await.expect(200)["version"], 2);
}

#[tokio::test]
async fn what_is_hidden_is_in_no_version_and_survives_a_restore() {
    let world = World::new().await;
    let (api, operator) = (world.api("acme-admin"), world.api("acme-operator"));
    let once = service(&api, "acme", "once", "2121").await;
    let now = service(&api, "acme", "now", "2122").await;
    let policy = json!({"name": "p", "protocols": {"ftp": {"services": [once]}},
                        "permissions": [{"role": "enterprise_operator", "permission": "edit"}]});
    let path = format!("{POLICIES}/{}", create(&api, "acme", "alg-policies", &policy).await);
    api.patch(&path, &json!({"description": "x", "protocols": {"ftp": {"services": [now]}}}))
        .await
        .expect(200);
    for id in [&once, &now] {
        let permissions = format!("/v1/tenants/acme/services/{id}/permissions");
        api.put(&permissions, &json!({"enterprise_operator": "hide"})).await.expect(200);
    }
    let seen = operator.get(&format!("{path}/versions/1")).await;
    assert_eq!(seen.expect(200)["protocols"]["ftp"]["services"], json!([]));
    assert!(!String::from_utf8_lossy(&seen.bytes).contains(&once));
    let diff = operator.get(&format!("{path}/versions/2/diff?against=1")).await.expect(200);
    assert_eq!(changes(&diff), [("/description", &json!(""), &json!("x"))]);
    // What the caller saw comes back; what it cannot see stays.
    let restored =
        operator.send(Method::POST, &format!("{path}/versions/1/restore"), &[("if-match", "*")], None).await;
    assert_eq!(restored.expect(200)["description"], "");
    let kept = api.get(&path).await.expect(200);
    assert_eq!(kept["protocols"]["ftp"]["services"], json!([{"id": now, "name": "now"}]));
}

#[tokio::test]
async fn a_hidden_objects_past_does_not_show_either() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let id = service(&api, "acme", "s", "1").await;
    let path = format!("/v1/tenants/acme/services/{id}");
    api.put(&format!("{path}/permissions"), &json!({"enterprise_operator": "hide"})).await.expect(200);
    let operator = world.api("acme-operator");
    for suffix in ["/versions", "/versions/1", "/versions/1/diff?against=1"] {
        operator.get(&format!("{path}{suffix}")).await.problem(404, "not-found");
    }
    for (suffix, body) in [("/versions/1/restore", None), ("/clone", Some(json!({"name": "x"})))] {
        let path = format!("{path}{suffix}");
        let answer = operator.send(Method::POST, &path, &[("if-match", "*")], body.as_ref());
        answer.await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn a_clone_says_the_same_under_another_name() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let a = service(&api, "acme", "a", "2121").await;
    let policy = json!({"name": "p", "description": "x", "tags": ["t"], "protocols": {"ftp": {"services": [a]}},
                        "permissions": [{"role": "enterprise_operator", "permission": "hide"}]});
    let path = format!("{POLICIES}/{}", create(&api, "acme", "alg-policies", &policy).await);
    let source = api.get(&path).await.expect(200);
    let dry = api.post(&format!("{path}/clone?dry_run=true"), &json!({"name": "q"})).await;
    assert_eq!(dry.expect(200)["name"], "q");
    let cloned = api.post(&format!("{path}/clone"), &json!({"name": "q"})).await;
    let body = cloned.expect(201);
    assert_ne!(body["id"], source["id"]);
    assert_eq!((&body["name"], &body["version"]), (&json!("q"), &json!(1)));
    for field in ["description", "tags", "protocols", "permissions"] {
        assert_eq!(body[field], source[field], "{field}");
    }
    assert_eq!(api.get(cloned.header("location")).await.expect(200), body);
    api.post(&format!("{path}/clone"), &json!({"name": "P"})).await.problem(409, "name-taken");
    let wrong = api.post(&format!("{path}/clone"), &json!({"name": "-", "tags": []})).await;
    assert_eq!(wrong.errors(), errors(&[("/name", "format"), ("/tags", "unknown_field")]));

    let edge = appliance(&api, "acme", "edge").await;
    let cloned =
        api.post(&format!("/v1/tenants/acme/appliances/{edge}/clone"), &json!({"name": "edge-2"})).await;
    let body = cloned.expect(201);
    assert_eq!((&body["nat"]["inside"], &body["state"]["last_seen"]), (&json!(["in0"]), &json!(null)));
}

#[tokio::test]
async fn who_may_only_read_an_object_edits_its_clone_and_nobody_gains_by_it() {
    let world = World::new().await;
    let (root, api) = (world.api("root"), world.api("acme-admin"));
    let hidden = json!([{"role": "enterprise_administrator", "permission": "hide"}]);
    let secret =
        json!({"name": "secret", "protocol": "tcp", "destination_port": "2121", "permissions": hidden});
    let secret = create(&root, "acme", "services", &secret).await;
    let read = json!([{"role": "enterprise_administrator", "permission": "read"},
                      {"role": "enterprise_operator", "permission": "hide"}]);
    let policy = json!({"name": "p", "protocols": {"ftp": {"services": [secret]}}, "permissions": read});
    let path = format!("{POLICIES}/{}", create(&root, "acme", "alg-policies", &policy).await);
    let body = api.post(&format!("{path}/clone"), &json!({"name": "q"})).await.expect(201);
    assert_eq!(
        (&body["my_permission"], &body["permissions"][1]["permission"]),
        (&json!("edit"), &json!("hide"))
    );
    let seen = root.get(&format!("{POLICIES}/name:q")).await.expect(200);
    assert_eq!(seen["protocols"]["ftp"]["services"], json!([]));
    world.api("acme-operator").get(&format!("{POLICIES}/name:q")).await.problem(404, "not-found");
}
