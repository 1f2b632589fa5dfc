//! Publications that are taken back, repeated, previewed, or lose what they were for.

use axum::http::Method;
use serde_json::json;
use sqlx::ConnectOptions as _;

use crate::support::gateway::{Reply, reply};
use crate::support::publish::{PUBLICATIONS, publish, state, with_policy};
use crate::support::{World, appliance, errors, service};

#[tokio::test]
async fn an_earlier_revision_can_be_published_again() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let (edge, policy) = with_policy(&api).await;
    let other = appliance(&api, "acme", "edge-2").await;
    let first = publish(&api, json!([edge])).await.json()["appliances"][0]["revision"].clone();
    api.patch(&policy, &json!({"protocols": {"sip": {"enabled": false}}})).await.expect(200);
    publish(&api, json!([edge])).await;

    let order = json!({"appliances": [edge], "revision": first});
    let preview = api.post(&format!("{PUBLICATIONS}/preview"), &order).await.expect(200);
    assert_eq!(preview["items"][0]["text"], "~ /algs/sip/enabled = false -> true\n");
    let again = api.post(PUBLICATIONS, &order).await.expect(202);
    assert_eq!(again["appliances"][0]["revision"], first);
    let now = state(&api, &edge).await;
    assert_eq!((&now["published_revision"], &now["changed_since_publish"]), (&first, &json!(true)));
    for (appliances, code) in [(json!([other]), "no_such_object"), (json!([edge, other]), "conflict")] {
        let answer = api.post(PUBLICATIONS, &json!({"appliances": appliances, "revision": first})).await;
        assert_eq!(answer.errors(), errors(&[("/revision", code)]));
    }
}

#[tokio::test]
async fn cancelling_takes_back_what_is_not_delivered() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let (edge, policy) = with_policy(&api).await;
    let fresh = appliance(&api, "acme", "fresh").await;
    let first = publish(&api, json!([edge])).await.json()["appliances"][0]["revision"].clone();
    reply(&world, &edge, Reply::Applied).await;
    api.patch(&policy, &json!({"protocols": {"sip": {"enabled": false}}})).await.expect(200);
    let second = publish(&api, json!([edge, fresh])).await;
    assert_ne!(state(&api, &edge).await["published_revision"], first);

    let cancel = format!("{}/cancel", second.header("location"));
    world.api("acme-operator").post(&cancel, &json!({})).await.problem(403, "forbidden");
    let dry = api.send(Method::POST, &format!("{cancel}?dry_run=true"), &[], None).await.expect(200);
    assert_eq!(dry["state"], "cancelled");
    assert_eq!(api.get(second.header("location")).await.expect(200)["state"], "running");
    let cancelled = api.send(Method::POST, &cancel, &[], None).await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    for delivery in cancelled["appliances"].as_array().unwrap() {
        assert_eq!(
            (&delivery["status"], &delivery["reason"]),
            (&json!("rejected"), &json!("cancelled by acme-admin"))
        );
    }
    assert_eq!(state(&api, &edge).await["published_revision"], first);
    assert_eq!(state(&api, &fresh).await["published_revision"], json!(null));
    assert_eq!(api.send(Method::POST, &cancel, &[], None).await.expect(200), cancelled);
    let mut owner = world.owner.connect().await.unwrap();
    let version: i64 =
        sqlx::query_scalar("SELECT desired_version FROM appliance_states WHERE appliance_id = $1::uuid")
            .bind(&edge)
            .fetch_one(&mut owner)
            .await
            .unwrap();
    // A number of its own, so that a late answer to the cancelled one is not taken for one to what is desired now.
    assert_eq!(version, 3);
}

#[tokio::test]
async fn an_appliance_that_is_deleted_leaves_its_publications() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let (a, b) = (appliance(&api, "acme", "a").await, appliance(&api, "acme", "b").await);
    let both = publish(&api, json!([a, b])).await;
    reply(&world, &a, Reply::Applied).await;
    api.delete(&format!("/v1/tenants/acme/appliances/{b}")).await.expect(204);
    let ended = api.get(both.header("location")).await.expect(200);
    assert_eq!((&ended["state"], ended["appliances"].as_array().unwrap().len()), (&json!("succeeded"), 1));
    let alone = publish(&api, json!([a])).await;
    api.delete(&format!("/v1/tenants/acme/appliances/{a}")).await.expect(204);
    assert_eq!(api.get(alone.header("location")).await.expect(200)["state"], "cancelled");
    // What is left of them does not keep the tenant.
    world.api("root").delete("/v1/tenants/acme").await.expect(204);
}

#[tokio::test]
async fn a_preview_says_what_would_change_without_what_is_hidden() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let (edge, policy) = with_policy(&api).await;
    let preview = |user: &'static str| {
        let api = world.api(user);
        async move {
            let order = json!({"appliances": ["name:edge-1"]});
            api.post(&format!("{PUBLICATIONS}/preview"), &order).await.expect(200)["items"].clone()
        }
    };
    let fresh = preview("acme-admin").await;
    assert_eq!((&fresh[0]["id"], &fresh[0]["name"]), (&json!(edge), &json!("edge-1")));
    assert!(fresh[0]["text"].as_str().unwrap().contains("+ /nat/pool = [\"203.0.113.1\"]\n"));
    publish(&api, json!([edge])).await;
    assert_eq!(preview("acme-admin").await[0]["changes"], json!([]));

    let open = service(&api, "acme", "open", "2121").await;
    let secret = service(&api, "acme", "secret", "2122").await;
    let protocols = json!({"protocols": {"ftp": {"services": [open, secret]}, "sip": {"enabled": false}}});
    api.patch(&policy, &protocols).await.expect(200);
    let hide = json!({"service_provider_administrator": "hide"});
    api.put(&format!("/v1/tenants/acme/services/{secret}/permissions"), &hide).await.expect(200);
    let change = |name: &str, port: &str| {
        let after = json!({"protocol": "tcp", "source_port": null, "destination_port": port});
        json!({"path": format!("/algs/ftp/services/{name}"), "before": null, "after": after})
    };
    let sip = json!({"path": "/algs/sip/enabled", "before": true, "after": false});
    let changes = preview("acme-admin").await[0]["changes"].clone();
    assert_eq!(changes, json!([change("open", "2121"), change("secret", "2122"), sip]));
    let seen = preview("root").await;
    assert_eq!(seen[0]["changes"], json!([change("open", "2121"), sip]));
    assert!(!seen.to_string().contains("secret"));

    // What is published is what the objects say, also the hidden ones; and it stays hidden afterwards.
    world.api("root").post(PUBLICATIONS, &json!({"appliances": [edge]})).await.expect(202);
    assert_eq!(preview("acme-admin").await[0]["changes"], json!([]));
    api.put(&format!("{policy}/permissions"), &hide).await.expect(200);
    api.patch(&policy, &json!({"name": "renamed", "protocols": {"ftp": {"services": [open]}}}))
        .await
        .expect(200);
    assert_eq!(preview("root").await[0]["changes"], json!([]));
    assert_eq!(preview("acme-admin").await[0]["changes"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn a_hidden_appliance_is_not_in_the_publications_that_others_see() {
    let world = World::new().await;
    let (api, operator) = (world.api("acme-admin"), world.api("acme-operator"));
    let (a, b) = (appliance(&api, "acme", "a").await, appliance(&api, "acme", "b").await);
    let both = publish(&api, json!([a, b])).await;
    let hide = json!({"enterprise_operator": "hide"});
    api.put(&format!("/v1/tenants/acme/appliances/{b}/permissions"), &hide).await.expect(200);
    let seen = operator.get(both.header("location")).await.expect(200);
    assert_eq!((&seen["counts"]["pending"], seen["appliances"].as_array().unwrap().len()), (&json!(1), 1));
    let list = operator.get(PUBLICATIONS).await.expect(200);
    assert_eq!(list["items"][0]["counts"]["pending"], 1);
    for target in [PUBLICATIONS.to_owned(), format!("{PUBLICATIONS}/preview")] {
        operator.post(&target, &json!({"appliances": [a]})).await.problem(403, "forbidden");
        operator.post(&target, &json!({})).await.problem(403, "forbidden");
    }
}
