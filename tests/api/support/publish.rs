//! Publishing in the tenant `acme`.

use serde_json::{Value, json};

use super::{Answer, Api, appliance, create};

pub(crate) const PUBLICATIONS: &str = "/v1/tenants/acme/publications";

/// Publishes to appliances, however they are selected.
pub(crate) async fn publish(api: &Api, appliances: Value) -> Answer {
    let answer = api.post(PUBLICATIONS, &json!({"appliances": appliances})).await;
    answer.expect(202);
    answer
}

/// How an appliance is.
pub(crate) async fn state(api: &Api, appliance: &str) -> Value {
    api.get(&format!("/v1/tenants/acme/appliances/{appliance}")).await.expect(200)["state"].clone()
}

/// An appliance whose profile has a policy: its id, and the path of the policy.
pub(crate) async fn with_policy(api: &Api) -> (String, String) {
    let policy = create(api, "acme", "alg-policies", &json!({"name": "branch-alg"})).await;
    let profile = json!({"name": "mp", "kind": "basic", "alg_policy": policy});
    create(api, "acme", "master-profiles", &profile).await;
    let appliance = appliance(api, "acme", "edge-1").await;
    let path = format!("/v1/tenants/acme/appliances/{appliance}");
    api.patch(&path, &json!({"master_profile": "name:mp"})).await.expect(200);
    (appliance, format!("/v1/tenants/acme/alg-policies/{policy}"))
}
