//! Master profiles.

use serde_json::json;

use crate::support::{World, create, errors};

const PROFILES: &str = "/v1/tenants/acme/master-profiles";

#[tokio::test]
async fn a_tenant_starts_with_one_without_a_policy() {
    let world = World::new().await;
    for (user, tenant) in [("acme-admin", "acme"), ("root", "provider")] {
        let list = world.api(user).get(&format!("/v1/tenants/{tenant}/master-profiles")).await.expect(200);
        assert_eq!(list["total"], 1);
        let profile = &list["items"][0];
        assert_eq!(profile["name"], "Default-Basic-MP");
        assert_eq!((&profile["kind"], &profile["alg_policy"]), (&json!("basic"), &json!(null)));
    }
}

#[tokio::test]
async fn the_life_of_a_profile() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let policy = create(&api, "acme", "alg-policies", &json!({"name": "p"})).await;
    let created = api.post(PROFILES, &json!({"name": "mp", "kind": "basic", "alg_policy": "name:p"})).await;
    let body = created.expect(201);
    assert_eq!(body["alg_policy"], json!({"id": policy, "name": "p"}));
    let path = created.header("location");
    assert_eq!(api.put(path, &body).await.expect(200), body);
    let cleared = api.patch(path, &json!({"alg_policy": null})).await.expect(200);
    assert_eq!((&cleared["alg_policy"], &cleared["version"]), (&json!(null), &json!(2)));
    api.delete(&format!("/v1/tenants/acme/alg-policies/{policy}")).await.expect(204);
    api.delete(path).await.expect(204);
}

#[tokio::test]
async fn what_is_wrong_in_a_profile_is_named_by_pointer() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    for (body, expected) in [
        (json!({"name": "mp"}), ("/kind", "required")),
        (json!({"name": "mp", "kind": "deluxe"}), ("/kind", "unknown_value")),
        (json!({"name": "mp", "kind": "standard", "alg_policy": null}), ("/alg_policy", "unknown_field")),
        (
            json!({"name": "mp", "kind": "standard", "sub_profiles": {"system": "name:none"}}),
            ("/sub_profiles/system", "no_such_object"),
        ),
        (
            json!({"name": "mp", "kind": "standard", "sub_profiles": {"sd_wan": null}}),
            ("/sub_profiles/sd_wan", "unknown_field"),
        ),
        (
            json!({"name": "mp", "kind": "basic", "alg_policy": "name:none"}),
            ("/alg_policy", "no_such_object"),
        ),
        (json!({"name": "mp", "kind": "basic", "alg_policy": []}), ("/alg_policy", "wrong_type")),
        (json!({"name": "mp", "kind": "basic", "sub_profiles": {}}), ("/sub_profiles", "unknown_field")),
    ] {
        assert_eq!(api.post(PROFILES, &body).await.errors(), errors(&[expected]));
    }
}

#[tokio::test]
async fn a_standard_profile_holds_sub_profiles() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let bare = api.post(PROFILES, &json!({"name": "bare", "kind": "standard"})).await.expect(201);
    assert_eq!(bare["sub_profiles"], json!({"system": null}));
    assert!(bare.get("alg_policy").is_none());
    let sub = create(&api, "acme", "sub-profiles", &json!({"name": "sub", "kind": "system"})).await;
    let body = json!({"name": "mp", "kind": "standard", "sub_profiles": {"system": "name:sub"}});
    let created = api.post(PROFILES, &body).await;
    let body = created.expect(201);
    assert_eq!(body["sub_profiles"], json!({"system": {"id": sub, "name": "sub"}}));
    let path = created.header("location");
    assert_eq!(api.put(path, &body).await.expect(200), body);
    let seen = api.get(&format!("/v1/tenants/acme/sub-profiles/{sub}")).await.expect(200);
    assert_eq!(seen["used_by"][0]["name"], "mp");
    api.delete(&format!("/v1/tenants/acme/sub-profiles/{sub}")).await.problem(409, "in-use");

    // A policy is not a sub-profile, and the kind is chosen once.
    create(&api, "acme", "alg-policies", &json!({"name": "p"})).await;
    let wrong = api.patch(path, &json!({"sub_profiles": {"system": "name:p"}})).await;
    assert_eq!(wrong.errors(), errors(&[("/sub_profiles/system", "no_such_object")]));
    let other = api.put(path, &json!({"name": "mp", "kind": "basic"})).await;
    assert_eq!(other.errors(), errors(&[("/kind", "conflict")]));
    let cleared = api.patch(path, &json!({"sub_profiles": {"system": null}})).await.expect(200);
    assert_eq!(cleared["sub_profiles"], json!({"system": null}));
}

#[tokio::test]
async fn a_hidden_sub_profile_stays_in_its_master() {
    let world = World::new().await;
    let (api, operator) = (world.api("acme-admin"), world.api("acme-operator"));
    let hide = json!([{"role": "enterprise_operator", "permission": "hide"}]);
    let sub = json!({"name": "sub", "kind": "system", "permissions": hide});
    let sub = create(&api, "acme", "sub-profiles", &sub).await;
    let edit = json!([{"role": "enterprise_operator", "permission": "edit"}]);
    let master =
        json!({"name": "mp", "kind": "standard", "sub_profiles": {"system": sub}, "permissions": edit});
    let path = format!("{PROFILES}/{}", create(&api, "acme", "master-profiles", &master).await);
    let seen = operator.get(&path).await.expect(200);
    assert_eq!(seen["sub_profiles"], json!({"system": null}));
    assert_eq!(operator.put(&path, &seen).await.expect(200)["version"], 1);
    operator.patch(&path, &json!({"description": "x"})).await.expect(200);
    assert_eq!(api.get(&path).await.expect(200)["sub_profiles"]["system"]["name"], "sub");
}
