//! A controller for each test, on a clone of one prepared database.

mod cluster;
pub(crate) mod gateway;
pub(crate) mod publish;
pub(crate) mod snapshot;
mod world;

pub(crate) use self::world::{Answer, Api, PASSWORD, World};

use serde_json::{Value, json};

/// Creates a TCP service with a destination port and answers its id.
pub(crate) async fn service(api: &Api, tenant: &str, name: &str, port: &str) -> String {
    let body = json!({ "name": name, "protocol": "tcp", "destination_port": port });
    create(api, tenant, "services", &body).await
}

/// Creates an appliance with NAT settings and answers its id.
pub(crate) async fn appliance(api: &Api, tenant: &str, name: &str) -> String {
    let nat = json!({ "inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/24"],
                      "pool": ["203.0.113.1"] });
    create(api, tenant, "appliances", &json!({ "name": name, "nat": nat })).await
}

/// Creates an object and answers its id.
pub(crate) async fn create(api: &Api, tenant: &str, plural: &str, body: &Value) -> String {
    let answer = api.post(&format!("/v1/tenants/{tenant}/{plural}"), body).await;
    answer.expect(201);
    answer.id()
}

/// What a test expects of [`Answer::errors`].
pub(crate) fn errors(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect()
}
