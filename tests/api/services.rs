//! Services from creation to deletion.

use serde_json::json;

use crate::support::{World, create, errors, service};

#[tokio::test]
async fn the_life_of_a_service() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let services = format!("/v1/tenants/{}/services", world.tenant("acme"));
    let new = json!({
        "name": "SASE_ABB_Ser", "protocol": "tcp", "destination_port": "30,20-22", "tags": ["voice", "branch"],
    });
    let created = api.post(&services, &new).await;
    let body = created.expect(201);
    assert_eq!(body["destination_port"], "20-22,30");
    assert_eq!(body["source_port"], json!(null));
    assert_eq!(body["description"], "");
    assert_eq!(body["tags"], json!(["branch", "voice"]));
    assert_eq!(body["version"], 1);
    assert_eq!(body["created_by"]["name"], "acme-admin");
    assert_eq!(body["created_at"], body["updated_at"]);
    assert_eq!(body["my_permission"], "edit");
    assert_eq!(body["used_by"], json!([]));
    assert_eq!(created.header("location"), format!("{services}/{}", created.id()));
    let path = created.header("location");

    let read = api.get(path).await;
    assert_eq!(read.expect(200), body);
    assert_eq!(read.header("etag"), created.header("etag"));

    // What a GET answered changes nothing and makes no version.
    let replaced = api.put(path, &body).await;
    assert_eq!(replaced.expect(200), body);
    assert_eq!(api.put(path, &new).await.expect(200), body);

    let patched =
        api.patch(path, &json!({"description": "x", "tags": null, "source_port": "1"})).await.expect(200);
    assert_eq!(patched["version"], 2);
    assert_eq!(patched["tags"], json!([]));
    assert_eq!(patched["source_port"], "1");
    assert_eq!(patched["destination_port"], "20-22,30");
    assert_eq!(patched["created_at"], body["created_at"]);
    assert_ne!(patched["updated_at"], body["updated_at"]);

    // A PUT gives what it leaves out its default.
    let minimal = json!({"name": "renamed", "protocol": "udp", "source_port": "7"});
    let replaced = api.put(path, &minimal).await.expect(200);
    assert_eq!((&replaced["version"], &replaced["description"]), (&json!(3), &json!("")));
    assert_eq!(replaced["destination_port"], json!(null));
    assert_eq!(api.get(&format!("{services}/name:RENAMED")).await.expect(200), replaced);

    api.delete(path).await.expect(204);
    api.get(path).await.problem(404, "not-found");
    api.delete(path).await.problem(404, "not-found");
    api.get(&format!("{services}/name:renamed")).await.problem(404, "not-found");
}

#[tokio::test]
async fn every_error_of_a_body_is_named_at_once() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let body = json!({
        "name": "-", "description": 1, "tags": ["a", "a"], "protocol": "icmp", "source_port": "0",
        "destination_port": "20-10", "colour": "red",
    });
    let expected = [
        ("/name", "format"),
        ("/description", "wrong_type"),
        ("/tags/1", "repeated"),
        ("/protocol", "unknown_value"),
        ("/source_port", "range"),
        ("/destination_port", "range"),
        ("/colour", "unknown_field"),
    ];
    assert_eq!(api.post("/v1/tenants/acme/services", &body).await.errors(), errors(&expected));
    assert_eq!(api.get("/v1/tenants/acme/services").await.expect(200)["total"], 0);
}

#[tokio::test]
async fn ports_and_names_that_are_none() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    for (port, code) in [
        (json!("0"), "range"),
        (json!("65536"), "range"),
        (json!("10-5"), "range"),
        (json!("http"), "format"),
        (json!(""), "format"),
        (json!(21), "wrong_type"),
        (json!(vec!["1"; 65].join(",")), "length"),
    ] {
        let body = json!({"name": "s", "protocol": "tcp", "destination_port": port});
        let answer = api.post("/v1/tenants/acme/services", &body).await;
        assert_eq!(answer.errors(), errors(&[("/destination_port", code)]), "{port}");
    }
    for (name, code) in [
        (json!(""), "length"),
        (json!("a".repeat(64)), "length"),
        (json!("a b"), "format"),
        (json!(null), "wrong_type"),
    ] {
        let body = json!({"name": name, "protocol": "tcp", "destination_port": "1"});
        let answer = api.post("/v1/tenants/acme/services", &body).await;
        assert_eq!(answer.errors(), errors(&[("/name", code)]), "{name}");
    }
    let neither = json!({"name": "s", "protocol": "tcp"});
    let answer = api.post("/v1/tenants/acme/services", &neither).await;
    assert_eq!(answer.errors(), errors(&[("/destination_port", "required")]));
    let answer = api.post("/v1/tenants/acme/services", &json!([])).await;
    assert_eq!(answer.errors(), errors(&[("", "wrong_type")]));
}

#[tokio::test]
async fn a_name_is_taken_per_tenant_and_kind_without_regard_to_case() {
    let world = World::new().await;
    let (acme, globex) = (world.api("acme-admin"), world.api("globex-admin"));
    service(&acme, "acme", "Ftp-Alt", "2121").await;
    let again = json!({"name": "ftp-ALT", "protocol": "tcp", "destination_port": "1"});
    acme.post("/v1/tenants/acme/services", &again).await.problem(409, "name-taken");
    globex.post("/v1/tenants/globex/services", &again).await.expect(201);
    create(&acme, "acme", "alg-policies", &json!({"name": "ftp-alt"})).await;

    let other = service(&acme, "acme", "other", "1").await;
    let rename = json!({"name": "FTP-alt"});
    acme.patch(&format!("/v1/tenants/acme/services/{other}"), &rename).await.problem(409, "name-taken");
    // A change of case of an object's own name is no clash.
    let path = "/v1/tenants/acme/services/name:ftp-alt";
    assert_eq!(acme.patch(path, &rename).await.expect(200)["name"], "FTP-alt");
}

#[tokio::test]
async fn a_service_in_use_stays_and_says_who_uses_it() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let id = service(&api, "acme", "s", "2121").await;
    let policy = json!({"name": "p", "protocols": {"ftp": {"services": [id]}}});
    let policy = create(&api, "acme", "alg-policies", &policy).await;
    let path = format!("/v1/tenants/acme/services/{id}");

    let used_by = json!([{"kind": "alg_policy", "id": policy, "name": "p"}]);
    assert_eq!(api.get(&path).await.expect(200)["used_by"], used_by);
    assert_eq!(api.delete(&path).await.problem(409, "in-use")["used_by"], used_by);

    api.delete(&format!("/v1/tenants/acme/alg-policies/{policy}")).await.expect(204);
    assert_eq!(api.get(&path).await.expect(200)["used_by_total"], 0);
    api.delete(&path).await.expect(204);
}

#[tokio::test]
async fn new_ports_must_not_make_two_algs_of_a_policy_meet() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let (a, b) = (service(&api, "acme", "a", "2121").await, service(&api, "acme", "b", "5061").await);
    let protocols = json!({"ftp": {"services": [a]}, "sip": {"services": [b]}});
    create(&api, "acme", "alg-policies", &json!({"name": "p", "protocols": protocols})).await;

    let path = format!("/v1/tenants/acme/services/{b}");
    let answer = api.patch(&path, &json!({"destination_port": "2100-2200"})).await;
    assert_eq!(answer.errors(), errors(&[("/destination_port", "overlap")]));
    let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("FTP") && detail.contains("SIP") && detail.contains("\"p\""), "{detail}");
    assert_eq!(api.get(&path).await.expect(200)["version"], 1);
    api.patch(&path, &json!({"destination_port": "2200-2300"})).await.expect(200);
}

#[tokio::test]
async fn a_dry_run_answers_and_stores_nothing() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let new = json!({"name": "s", "protocol": "tcp", "destination_port": "1"});
    let would = api.post("/v1/tenants/acme/services?dry_run=true", &new).await;
    assert_eq!(would.expect(200)["name"], "s");
    assert!(!would.headers.contains_key("location"));
    assert_eq!(api.get("/v1/tenants/acme/services").await.expect(200)["total"], 0);

    let id = service(&api, "acme", "s", "1").await;
    let path = format!("/v1/tenants/acme/services/{id}");
    let dry = format!("{path}?dry_run=true");
    assert_eq!(api.patch(&dry, &json!({"description": "x"})).await.expect(200)["version"], 2);
    api.put(&dry, &json!({"name": "s", "protocol": "tcp"})).await.problem(422, "invalid-fields");
    api.delete(&dry).await.expect(204);
    assert_eq!(api.get(&path).await.expect(200)["version"], 1);
    api.delete(&format!("{path}?dry_run=maybe")).await.problem(400, "bad-parameter");
    api.delete(&format!("{path}?dryrun=true")).await.problem(400, "bad-parameter");
}
