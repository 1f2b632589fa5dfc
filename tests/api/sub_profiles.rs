//! Sub-profiles, and policies attached to them.

use serde_json::json;

use crate::support::publish::publish;
use crate::support::{World, appliance, create, errors};

const PROFILES: &str = "/v1/tenants/acme/sub-profiles";

#[tokio::test]
async fn the_life_of_a_sub_profile() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let policy = create(&api, "acme", "alg-policies", &json!({"name": "p"})).await;
    let created = api.post(PROFILES, &json!({"name": "sub", "kind": "system", "alg_policy": "name:p"})).await;
    let body = created.expect(201);
    assert_eq!((&body["kind"], &body["alg_policy"]), (&json!("system"), &json!({"id": policy, "name": "p"})));
    let path = created.header("location");
    assert_eq!(api.put(path, &body).await.expect(200), body);
    let used = api.get(&format!("/v1/tenants/acme/alg-policies/{policy}")).await.expect(200);
    assert_eq!(used["used_by"][0]["kind"], "sub_profile");
    assert_eq!(api.get(&format!("{PROFILES}?q=p")).await.expect(200)["total"], 1);
    api.patch(path, &json!({"alg_policy": null})).await.expect(200);
    api.delete(path).await.expect(204);
    api.get(path).await.problem(404, "not-found");
    for (body, expected) in [
        (json!({"name": "sub"}), ("/kind", "required")),
        (json!({"name": "sub", "kind": "basic"}), ("/kind", "unknown_value")),
        (json!({"name": "sub", "kind": "system", "alg_policy": "name:x"}), ("/alg_policy", "no_such_object")),
        (json!({"name": "sub", "kind": "system", "sub_profiles": {}}), ("/sub_profiles", "unknown_field")),
    ] {
        assert_eq!(api.post(PROFILES, &body).await.errors(), errors(&[expected]));
    }
}

#[tokio::test]
async fn a_policy_is_attached_to_either_kind_that_can_hold_one() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let policy = create(&api, "acme", "alg-policies", &json!({"name": "p"})).await;
    let sub = create(&api, "acme", "sub-profiles", &json!({"name": "one", "kind": "system"})).await;
    let (attach, detach) = (
        format!("/v1/tenants/acme/alg-policies/{policy}/attach"),
        format!("/v1/tenants/acme/alg-policies/{policy}/detach"),
    );
    let attached = api.post(&attach, &json!({"profile": "name:one"})).await.expect(200);
    assert_eq!((&attached["id"], &attached["alg_policy"]["name"]), (&json!(sub), &json!("p")));
    let detached = api.post(&detach, &json!({"profile": sub})).await.expect(200);
    assert_eq!((&detached["alg_policy"], &detached["version"]), (&json!(null), &json!(3)));

    let master = json!({"name": "one", "kind": "standard"});
    let master = create(&api, "acme", "master-profiles", &master).await;
    for profile in [json!("name:one"), json!(master)] {
        let answer = api.post(&attach, &json!({"profile": profile})).await;
        assert_eq!(answer.errors(), errors(&[("/profile", "conflict")]));
    }
    assert_eq!(api.post(&attach, &json!({"profile": sub})).await.expect(200)["version"], 4);
}

#[tokio::test]
async fn an_appliance_gets_the_policy_of_its_masters_sub_profile() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let policy = json!({"name": "p", "protocols": {"ftp": {"enabled": false}}});
    create(&api, "acme", "alg-policies", &policy).await;
    create(&api, "acme", "sub-profiles", &json!({"name": "s", "kind": "system", "alg_policy": "name:p"}))
        .await;
    let master = json!({"name": "m", "kind": "standard", "sub_profiles": {"system": "name:s"}});
    create(&api, "acme", "master-profiles", &master).await;
    let edge = appliance(&api, "acme", "edge").await;
    let path = format!("/v1/tenants/acme/appliances/{edge}");
    api.patch(&path, &json!({"master_profile": "name:m"})).await.expect(200);
    publish(&api, json!([edge])).await;
    let flow = format!("{path}/effective-alg?protocol=tcp&destination_port=21");
    let found = api.get(&flow).await.expect(200);
    assert_eq!((&found["verdict"], &found["policy"]["name"]), (&json!("disabled"), &json!("p")));
    assert_eq!(found["master_profile"]["name"], "m");

    // A change two references away is a change of the appliance.
    assert_eq!(api.get(&path).await.expect(200)["state"]["changed_since_publish"], false);
    api.patch("/v1/tenants/acme/sub-profiles/name:s", &json!({"alg_policy": null})).await.expect(200);
    assert_eq!(api.get(&path).await.expect(200)["state"]["changed_since_publish"], true);
    assert_eq!(api.get(&flow).await.expect(200)["master_profile"], json!(null));
}
