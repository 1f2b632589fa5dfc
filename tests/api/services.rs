//! Services from creation to deletion.

use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn the_life_of_a_service() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let services = format!("/v1/tenants/{}/services", world.tenant("acme"));
    let created = api
        .post(&services, &json!({"name": "SASE_ABB_Ser", "protocol": "tcp", "destination_port": "30,20-22"}))
        .await;
    let body = created.expect(201);
    assert_eq!(body["destination_port"], "20-22,30");
    assert_eq!(created.header("location"), format!("{services}/{}", created.id()));
    let path = created.header("location");

    let read = api.get(path).await;
    assert_eq!(read.expect(200), body);
    assert_eq!(read.header("etag"), created.header("etag"));
    let replaced = api.put(path, &body).await;
    assert_eq!(replaced.expect(200), body);

    let patched = api.patch(path, &json!({"description": "x", "source_port": "1"})).await.expect(200);
    assert_eq!(patched["version"], 2);
    api.delete(path).await.expect(204);
    api.get(path).await.problem(404, "not-found");
}

#[tokio::test]
async fn every_error_of_a_body_is_named_at_once() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let body = json!({
        "name": "-", "description": 1, "tags": ["a", "a"], "protocol": "icmp", "source_port": "0",
        "destination_port": "20-10", "colour": "red",
    });
    let errors = api.post("/v1/tenants/acme/services", &body).await.errors();
    let expected = [
        ("/name", "format"),
        ("/description", "wrong_type"),
        ("/tags/1", "repeated"),
        ("/protocol", "unknown_value"),
        ("/source_port", "range"),
        ("/destination_port", "range"),
        ("/colour", "unknown_field"),
    ];
    assert_eq!(errors, expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
}
