//! The provider's objects, copied to its enterprises.

use serde_json::{Value, json};

use crate::support::{Api, World, create, errors, service};

const PROVIDER: &str = "/v1/tenants/provider";

/// The outcome and the reason for each tenant, by name.
fn outcomes(report: &Value) -> Vec<(String, String, Value)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = report["items"].as_array().unwrap().iter();
    items
        .map(|item| (text(&item["tenant"]["name"]), text(&item["outcome"]), item["reason"].clone()))
        .collect()
}

fn all(outcome: &str) -> Vec<(String, String, Value)> {
    ["acme", "globex"].map(|tenant| (tenant.to_owned(), outcome.to_owned(), json!(null))).to_vec()
}

/// A master profile of the provider with all that one can refer to; answers the path of it.
async fn profile(root: &Api) -> String {
    let alt = service(root, "provider", "ftp-alt", "2121").await;
    let policy = json!({"name": "branch-alg", "protocols": {"ftp": {"services": [alt]}, "sip": {"enabled": false}},
                        "permissions": [{"role": "enterprise_administrator", "permission": "read"}]});
    create(root, "provider", "alg-policies", &policy).await;
    let sub = json!({"name": "sub", "kind": "system", "alg_policy": "name:branch-alg"});
    create(root, "provider", "sub-profiles", &sub).await;
    let master = json!({"name": "gold", "kind": "standard", "sub_profiles": {"system": "name:sub"}});
    format!("{PROVIDER}/master-profiles/{}", create(root, "provider", "master-profiles", &master).await)
}

#[tokio::test]
async fn an_object_is_copied_with_what_it_refers_to_and_again_only_as_far_as_it_changed() {
    let world = World::new().await;
    let (root, acme) = (world.api("root"), world.api("acme-admin"));
    let copy = format!("{}/copy", profile(&root).await);
    let everywhere = json!({"tenants": "all_enterprises"});
    let dry = root.post(&format!("{copy}?dry_run=true"), &everywhere).await.expect(200);
    assert_eq!(outcomes(&dry), all("created"));
    assert_eq!(acme.get("/v1/tenants/acme/services").await.expect(200)["total"], 0);

    let report = root.post(&copy, &everywhere).await.expect(200);
    assert_eq!(outcomes(&report), all("created"));
    let id = report["items"][0]["id"].as_str().unwrap();
    let gold = acme.get(&format!("/v1/tenants/acme/master-profiles/{id}")).await.expect(200);
    assert_eq!((&gold["name"], &gold["sub_profiles"]["system"]["name"]), (&json!("gold"), &json!("sub")));
    let policy = acme.get("/v1/tenants/acme/alg-policies/name:branch-alg").await.expect(200);
    assert_eq!(policy["protocols"]["ftp"]["services"][0]["name"], "ftp-alt");
    assert_eq!(
        (&policy["protocols"]["sip"]["enabled"], &policy["my_permission"]),
        (&json!(false), &json!("read"))
    );
    assert_eq!(policy["created_by"]["name"], "admin");
    assert_eq!(outcomes(&root.post(&copy, &everywhere).await.expect(200)), all("unchanged"));

    // A change two references away, and in one enterprise something that was renamed there.
    let renamed = json!({"name": "mine"});
    acme.patch("/v1/tenants/acme/services/name:ftp-alt", &renamed).await.expect(200);
    let change = json!({"destination_port": "2121,2122"});
    root.patch(&format!("{PROVIDER}/services/name:ftp-alt"), &change).await.expect(200);
    assert_eq!(outcomes(&root.post(&copy, &everywhere).await.expect(200)), all("updated"));
    let copied = acme.get("/v1/tenants/acme/services/name:ftp-alt").await.expect(200);
    assert_eq!((&copied["destination_port"], &copied["version"]), (&json!("2121,2122"), &json!(3)));
    assert_eq!(acme.get("/v1/tenants/acme/services").await.expect(200)["total"], 1);
}

#[tokio::test]
async fn a_copy_that_fails_changes_nothing_there_and_the_others_go_on() {
    let world = World::new().await;
    let (root, acme, globex) = (world.api("root"), world.api("acme-admin"), world.api("globex-admin"));
    let gold = profile(&root).await;
    create(&acme, "acme", "sub-profiles", &json!({"name": "SUB", "kind": "system"})).await;
    let body = json!({"tenants": ["globex", world.tenant("acme")]});
    let report = root.post(&format!("{gold}/copy"), &body).await.expect(200);
    assert_eq!(
        outcomes(&report),
        [
            ("acme".to_owned(), "failed".to_owned(), json!("name_taken")),
            ("globex".to_owned(), "created".to_owned(), json!(null)),
        ]
    );
    assert_eq!(report["items"][0]["id"], json!(null));
    for plural in ["services", "alg-policies"] {
        assert_eq!(acme.get(&format!("/v1/tenants/acme/{plural}")).await.expect(200)["total"], 0);
    }

    // What the enterprise itself has made of a copy may stand in the way.
    let own = json!({"name": "own", "protocols": {"pptp": {"services": [service(&globex, "globex", "x", "3000").await]},
                                                  "ftp": {"services": ["name:ftp-alt"]}}});
    create(&globex, "globex", "alg-policies", &own).await;
    root.patch(&format!("{PROVIDER}/services/name:ftp-alt"), &json!({"destination_port": "3000"}))
        .await
        .expect(200);
    let report = root.post(&format!("{gold}/copy"), &json!({"tenants": ["globex"]})).await.expect(200);
    assert_eq!(outcomes(&report), [("globex".to_owned(), "failed".to_owned(), json!("conflict"))]);

    // And so may its permissions.
    let hide = json!({"service_provider_administrator": "hide", "enterprise_administrator": "edit"});
    globex.put("/v1/tenants/globex/services/name:ftp-alt/permissions", &hide).await.expect(200);
    let report = root.post(&format!("{gold}/copy"), &json!({"tenants": ["globex"]})).await.expect(200);
    assert_eq!(report["items"][0]["outcome"], "failed");
    assert_eq!(globex.get("/v1/tenants/globex/services").await.expect(200)["total"], 2);
    let defaults = json!({"defaults": {"service": {"service_provider_administrator": "read"}}});
    acme.put("/v1/tenants/acme/permission-defaults", &defaults).await.expect(200);
    let path = format!("{PROVIDER}/services/name:ftp-alt/copy");
    let report = root.post(&path, &json!({"tenants": ["acme"]})).await.expect(200);
    assert_eq!(outcomes(&report), [("acme".to_owned(), "failed".to_owned(), json!("not_allowed"))]);
}

#[tokio::test]
async fn only_the_providers_administrator_copies_and_only_to_enterprises() {
    let world = World::new().await;
    let root = world.api("root");
    let own = service(&root, "provider", "s", "1").await;
    let path = format!("{PROVIDER}/services/{own}/copy");
    world.api("root-operator").post(&path, &json!({"tenants": ["acme"]})).await.problem(403, "forbidden");
    world.api("acme-admin").post(&path, &json!({"tenants": ["acme"]})).await.problem(404, "not-found");
    let theirs = service(&world.api("acme-admin"), "acme", "s", "1").await;
    for user in ["root", "acme-admin"] {
        let path = format!("/v1/tenants/acme/services/{theirs}/copy");
        world.api(user).post(&path, &json!({"tenants": ["globex"]})).await.problem(403, "forbidden");
    }
    for (body, expected) in [
        (json!({}), ("/tenants", "required")),
        (json!({"tenants": "acme"}), ("/tenants", "unknown_value")),
        (json!({"tenants": []}), ("/tenants", "length")),
        (json!({"tenants": vec!["acme"; 2001]}), ("/tenants", "length")),
        (json!({"tenants": {}}), ("/tenants", "wrong_type")),
        (json!({"tenants": ["acme", "nobody"]}), ("/tenants/1", "no_such_object")),
        (json!({"tenants": ["acme", "provider"]}), ("/tenants/1", "conflict")),
        (json!({"tenants": ["acme", world.tenant("acme")]}), ("/tenants/1", "repeated")),
        (json!({"tenants": ["acme", "-"]}), ("/tenants/1", "format")),
        (json!({"tenants": ["acme"], "force": true}), ("/force", "unknown_field")),
    ] {
        assert_eq!(root.post(&path, &body).await.errors(), errors(&[expected]));
    }
    assert_eq!(world.api("acme-admin").get("/v1/tenants/acme/services").await.expect(200)["total"], 1);
}
