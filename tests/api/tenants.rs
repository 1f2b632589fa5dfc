//! Tenants.

use serde_json::json;

use crate::support::{World, create, errors};

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
