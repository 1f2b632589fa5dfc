//! Which ALG inspects a flow, by what was published.

use serde_json::{Value, json};

use crate::support::publish::{publish, with_policy};
use crate::support::{World, appliance, service};

#[tokio::test]
async fn the_verdict_is_that_of_what_was_published() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let (edge, policy) = with_policy(&api).await;
    let ask = |user: &'static str, flow: &'static str| {
        let (api, path) =
            (world.api(user), format!("/v1/tenants/acme/appliances/{edge}/effective-alg?{flow}"));
        async move { api.get(&path).await.expect(200) }
    };
    let ftp = "protocol=tcp&destination_port=21";
    let unpublished = ask("acme-admin", ftp).await;
    assert_eq!((&unpublished["verdict"], &unpublished["revision"]), (&json!("unpublished"), &json!(null)));

    let alt = service(&api, "acme", "ftp-alt", "2121").await;
    let protocols = json!({"ftp": {"services": [alt]}, "sip": {"enabled": false}});
    let saved = api.patch(&policy, &json!({"protocols": protocols})).await.expect(200);
    assert_eq!(ask("acme-admin", ftp).await["verdict"], "unpublished");
    let revision = publish(&api, json!([edge])).await.json()["appliances"][0]["revision"].clone();
    let found = ask("acme-admin", ftp).await;
    assert_eq!(
        (&found["alg"], &found["verdict"], &found["service"]),
        (&json!("ftp"), &json!("well_known_port"), &json!(null))
    );
    assert_eq!(found["policy"], json!({"id": saved["id"], "name": "branch-alg"}));
    assert_eq!((&found["master_profile"]["name"], &found["revision"]), (&json!("mp"), &revision));

    let verdict =
        |answer: &Value| (answer["alg"].clone(), answer["verdict"].clone(), answer["service"].clone());
    for (flow, alg, word, service) in [
        ("protocol=tcp&destination_port=2121", json!("ftp"), "service", json!("ftp-alt")),
        ("protocol=udp&destination_port=2121&source_port=7", json!(null), "unclaimed", json!(null)),
        ("protocol=udp&destination_port=21", json!(null), "unclaimed", json!(null)),
        ("protocol=udp&destination_port=4500", json!("ike_esp"), "well_known_port", json!(null)),
        ("protocol=tcp&destination_port=5060", json!(null), "disabled", json!(null)),
    ] {
        assert_eq!(verdict(&ask("acme-admin", flow).await), (alg, json!(word), service), "{flow}");
    }
    assert_eq!(
        ask("acme-admin", "protocol=tcp&destination_port=5060").await["detail"],
        "SIP would inspect it, and is disabled by the policy \"branch-alg\""
    );

    // What is hidden is not named; what was saved since makes no difference but to who gives the policy.
    let hide = json!({"enterprise_operator": "hide"});
    api.put(&format!("/v1/tenants/acme/services/{alt}/permissions"), &hide).await.expect(200);
    api.put(&format!("{policy}/permissions"), &hide).await.expect(200);
    let seen = ask("acme-operator", "protocol=tcp&destination_port=2121").await;
    assert_eq!(verdict(&seen), (json!("ftp"), json!("service"), json!(null)));
    assert_eq!(
        (&seen["policy"], &seen["detail"]),
        (&json!(null), &json!("FTP inspects it: it matches a service"))
    );
    api.patch("/v1/tenants/acme/master-profiles/name:mp", &json!({"alg_policy": null})).await.expect(200);
    let found = ask("acme-admin", "protocol=tcp&destination_port=2121").await;
    assert_eq!((&found["alg"], &found["policy"]["name"]), (&json!("ftp"), &json!("branch-alg")));
    assert_eq!(found["master_profile"], json!(null));
}

#[tokio::test]
async fn a_question_that_does_not_parse_is_400_and_anothers_appliance_404() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let edge = appliance(&api, "acme", "edge").await;
    let path = format!("/v1/tenants/acme/appliances/{edge}/effective-alg");
    for query in
        ["", "?protocol=tcp", "?protocol=icmp&destination_port=1", "?protocol=tcp&destination_port=0&x=1"]
    {
        api.get(&format!("{path}{query}")).await.problem(400, "bad-parameter");
    }
    let flow = "protocol=tcp&destination_port=21";
    for tenant in ["acme", "globex"] {
        let path = format!("/v1/tenants/{tenant}/appliances/{edge}/effective-alg?{flow}");
        world.api("globex-admin").get(&path).await.problem(404, "not-found");
    }
}
