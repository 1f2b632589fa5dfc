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
        (json!({"name": "mp", "kind": "standard"}), ("/kind", "unknown_value")),
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
