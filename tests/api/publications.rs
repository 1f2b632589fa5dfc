//! Publications: what is frozen, and what becomes of it.

use axum::http::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgListener;

use crate::support::gateway::{Reply, reply};
use crate::support::publish::{PUBLICATIONS, publish, state, with_policy};
use crate::support::{World, appliance, create, errors};

#[tokio::test]
async fn publishing_freezes_what_the_objects_say() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let (edge, policy) = with_policy(&api).await;
    let mut listener =
        PgListener::connect_with(&sqlx::PgPool::connect_lazy_with(world.owner.clone())).await.unwrap();
    listener.listen("pinhole_push").await.unwrap();

    let first = publish(&api, json!([edge])).await;
    let body = first.json();
    let path = format!("/v1/tenants/{}/publications/{}", world.tenant("acme"), first.id());
    assert_eq!(first.header("location"), path);
    assert_eq!((&body["state"], &body["finished_at"]), (&json!("running"), &json!(null)));
    assert_eq!(body["counts"], json!({"pending": 1, "applied": 0, "rejected": 0, "unreachable": 0}));
    assert_eq!(body["created_by"]["name"], "acme-admin");
    let delivery = &body["appliances"][0];
    assert_eq!((&delivery["id"], &delivery["name"]), (&json!(edge), &json!("edge-1")));
    assert_eq!((&delivery["status"], &delivery["reason"]), (&json!("pending"), &json!(null)));
    assert_eq!(listener.recv().await.unwrap().payload(), "");
    let read = api.get(&path).await;
    assert_eq!(read.expect(200), body);
    let same = api.send(Method::GET, &path, &[("if-none-match", read.header("etag"))], None).await;
    assert_eq!(same.status.as_u16(), 304);

    // The bytes are what the hash says, and a change of the policy does not reach them.
    let one = delivery["revision"].as_str().unwrap();
    let mut owner = world.owner.connect().await.unwrap();
    let frozen: (Vec<u8>, Vec<u8>) = sqlx::query_as("SELECT config, hash FROM revisions WHERE id = $1::uuid")
        .bind(one)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(Sha256::digest(&frozen.0).to_vec(), frozen.1);
    let published = state(&api, &edge).await;
    assert_eq!(
        (&published["published_revision"], &published["changed_since_publish"]),
        (&json!(one), &json!(false))
    );
    api.patch(&policy, &json!({"protocols": {"ftp": {"enabled": false}}})).await.expect(200);
    assert_eq!(state(&api, &edge).await["changed_since_publish"], true);

    let second = publish(&api, json!("all_changed")).await;
    let two = second.json()["appliances"][0]["revision"].clone();
    assert_ne!(two, json!(one));
    assert_eq!(state(&api, &edge).await["published_revision"], two);
    // The same content again is the same revision again, and still a delivery.
    api.patch(&policy, &json!({"protocols": {"ftp": {"enabled": true}}})).await.expect(200);
    let third = publish(&api, json!(["name:EDGE-1"])).await.json();
    assert_eq!(third["appliances"][0]["revision"], json!(one));
    assert_eq!(third["appliances"][0]["status"], "pending");
    let versions: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM publication_appliances ORDER BY version")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    assert_eq!(versions, [1, 2, 3]);
}

#[tokio::test]
async fn a_publication_runs_until_every_appliance_has_answered() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let (a, b) = (appliance(&api, "acme", "a").await, appliance(&api, "acme", "b").await);
    let both = publish(&api, json!([b, a])).await;
    let names: Vec<Value> =
        both.json()["appliances"].as_array().unwrap().iter().map(|d| d["name"].clone()).collect();
    assert_eq!(names, ["a", "b"]);
    reply(&world, &a, Reply::Applied).await;
    let path = both.header("location");
    assert_eq!(api.get(path).await.expect(200)["state"], "running");
    reply(&world, &b, Reply::Rejected("there is no interface out0")).await;
    let ended = api.get(path).await.expect(200);
    assert_eq!(ended["state"], "failed");
    assert_eq!(ended["counts"], json!({"pending": 0, "applied": 1, "rejected": 1, "unreachable": 0}));
    assert_eq!(ended["appliances"][1]["reason"], "there is no interface out0");
    assert_ne!(ended["finished_at"], json!(null));
    let failed = state(&api, &b).await;
    assert_eq!(
        (&failed["connected"], &failed["last_error"]),
        (&json!(true), &json!("there is no interface out0"))
    );
    api.post(&format!("{path}/cancel"), &json!({})).await.problem(409, "publication-ended");

    let again = publish(&api, json!([a, b])).await;
    reply(&world, &a, Reply::Applied).await;
    reply(&world, &b, Reply::Applied).await;
    assert_eq!(api.get(again.header("location")).await.expect(200)["state"], "succeeded");
    let list = api.get(&format!("{PUBLICATIONS}?per_page=1")).await.expect(200);
    assert_eq!((&list["total"], &list["items"][0]["id"]), (&json!(2), &json!(again.id())));
    assert_eq!(list["items"][0]["counts"]["applied"], 2);
    let second = api.get(&format!("{PUBLICATIONS}?per_page=1&page=2")).await.expect(200);
    assert_eq!(second["items"][0]["id"], json!(both.id()));
    api.get(&format!("{PUBLICATIONS}?q=x")).await.problem(400, "bad-parameter");
}

#[tokio::test]
async fn what_is_on_its_way_is_superseded() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let (a, b) = (appliance(&api, "acme", "a").await, appliance(&api, "acme", "b").await);
    let alone = publish(&api, json!([a])).await;
    let both = publish(&api, json!([a, b])).await;
    let mut owner = world.owner.connect().await.unwrap();
    sqlx::query("UPDATE publication_appliances SET status = 'unreachable' WHERE status = 'pending'")
        .execute(&mut owner)
        .await
        .unwrap();
    let last = publish(&api, json!([a])).await;

    let ended = api.get(alone.header("location")).await.expect(200);
    assert_eq!((&ended["state"], &ended["appliances"][0]["status"]), (&json!("failed"), &json!("rejected")));
    assert_eq!(ended["appliances"][0]["reason"], format!("superseded by publication {}", both.id()));
    let half = api.get(both.header("location")).await.expect(200);
    assert_eq!(half["state"], "running");
    assert_eq!(half["appliances"][0]["reason"], format!("superseded by publication {}", last.id()));
    assert_eq!(half["appliances"][1]["status"], "unreachable");
    reply(&world, &b, Reply::Applied).await;
    assert_eq!(api.get(both.header("location")).await.expect(200)["state"], "failed");
    assert_eq!(api.get(last.header("location")).await.expect(200)["state"], "running");
}

#[tokio::test]
async fn of_many_publications_at_once_one_is_the_newest() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let (a, b) = (appliance(&api, "acme", "a").await, appliance(&api, "acme", "b").await);
    let orders = (0..8).map(|number| {
        let (api, list) = (api.clone(), if number % 2 == 0 { json!([a, b]) } else { json!([b, a]) });
        tokio::spawn(async move { publish(&api, list).await.id() })
    });
    for order in orders.collect::<Vec<_>>() {
        order.await.unwrap();
    }
    let list = api.get(&format!("{PUBLICATIONS}?per_page=100")).await.expect(200);
    let states: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "failed").count(), 7, "{states:?}");
    assert_eq!(states.iter().filter(|state| **state == "running").count(), 1, "{states:?}");
    let mut owner = world.owner.connect().await.unwrap();
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT s.desired_version, max(d.version) FROM appliance_states s
         JOIN publication_appliances d ON d.appliance_id = s.appliance_id AND d.status = 'pending'
         GROUP BY s.appliance_id, s.desired_version",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(rows, [(8, 8), (8, 8)]);
}

#[tokio::test]
async fn appliances_are_selected_by_label_by_profile_and_by_change() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    for (name, region, tier) in [("a", "emea", "1"), ("b", "emea", "2"), ("c", "apac", "1")] {
        let id = appliance(&api, "acme", name).await;
        let labels = json!({"labels": {"region": region, "tier": tier}});
        api.patch(&format!("/v1/tenants/acme/appliances/{id}"), &labels).await.expect(200);
    }
    create(&api, "acme", "master-profiles", &json!({"name": "mp", "kind": "basic"})).await;
    api.patch("/v1/tenants/acme/appliances/name:c", &json!({"master_profile": "name:mp"})).await.expect(200);
    let selected = |selection: Value| {
        let api = api.clone();
        async move {
            let body = json!({"appliances": selection});
            let answer = api.post(&format!("{PUBLICATIONS}?dry_run=true"), &body).await.expect(200);
            let names = answer["appliances"].as_array().unwrap().iter();
            names.map(|delivery| delivery["name"].as_str().unwrap()).collect::<String>()
        }
    };
    assert_eq!(selected(json!({"labels": {"region": "emea"}})).await, "ab");
    assert_eq!(selected(json!({"labels": {"region": "emea", "tier": "1"}})).await, "a");
    assert_eq!(selected(json!({"master_profile": "name:MP"})).await, "c");
    assert_eq!(selected(json!("all_changed")).await, "abc");
    assert_eq!(api.get(PUBLICATIONS).await.expect(200)["total"], 0);

    publish(&api, json!(["name:b"])).await;
    assert_eq!(selected(json!("all_changed")).await, "ac");
    publish(&api, json!("all_changed")).await;
    let nothing = publish(&api, json!("all_changed")).await;
    assert_eq!((&nothing.json()["state"], &nothing.json()["appliances"]), (&json!("succeeded"), &json!([])));
    // A draft that nothing can be published to is no change; taking the settings away from one that runs is.
    create(&api, "acme", "appliances", &json!({"name": "d"})).await;
    assert_eq!(selected(json!("all_changed")).await, "");
    api.patch("/v1/tenants/acme/appliances/name:b", &json!({"nat": null})).await.expect(200);
    let answer = api.post(PUBLICATIONS, &json!({"appliances": "all_changed"})).await;
    assert_eq!(answer.errors(), errors(&[("/appliances", "required")]));
    assert!(answer.json()["errors"][0]["detail"].as_str().unwrap().contains("\"b\""));
}

#[tokio::test]
async fn an_order_that_cannot_be_filled_changes_nothing() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let own = appliance(&api, "acme", "own").await;
    let draft = create(&api, "acme", "appliances", &json!({"name": "draft"})).await;
    let globex = world.api("globex-admin");
    let foreign = appliance(&globex, "globex", "foreign").await;
    let path = "/v1/tenants/globex/publications";
    let published = globex.post(path, &json!({"appliances": [foreign]})).await.expect(202);
    let foreign_revision = published["appliances"][0]["revision"].clone();
    let profile = create(&globex, "globex", "master-profiles", &json!({"name": "mp", "kind": "basic"})).await;
    let hidden = appliance(&api, "acme", "hidden").await;
    let hide = json!({"enterprise_administrator": "hide"});
    api.put(&format!("/v1/tenants/acme/appliances/{hidden}/permissions"), &hide).await.expect(200);

    for (body, expected) in [
        (json!({"appliances": [own, foreign]}), ("/appliances/1", "no_such_object")),
        (json!({"appliances": [hidden]}), ("/appliances/0", "no_such_object")),
        (json!({"appliances": [own, "name:OWN"]}), ("/appliances/1", "repeated")),
        (json!({"appliances": [own, draft]}), ("/appliances", "required")),
        (json!({"appliances": {"labels": {"a": "b"}}}), ("/appliances", "no_such_object")),
        (
            json!({"appliances": {"master_profile": profile}}),
            ("/appliances/master_profile", "no_such_object"),
        ),
        (json!({"appliances": [own], "revision": foreign_revision}), ("/revision", "no_such_object")),
        (json!({"appliances": "all_changed", "revision": foreign_revision}), ("/revision", "conflict")),
        (json!({"appliances": "everything"}), ("/appliances", "unknown_value")),
    ] {
        for target in [PUBLICATIONS.to_owned(), format!("{PUBLICATIONS}/preview")] {
            let answer = api.post(&target, &body).await;
            assert_eq!(answer.errors(), errors(&[expected]), "{target} {body}");
        }
    }
    assert_eq!(api.get(PUBLICATIONS).await.expect(200)["total"], 0);
    assert_eq!(state(&api, &own).await["published_revision"], json!(null));
    // Whose it is not sees nothing of it.
    let id = published["id"].as_str().unwrap();
    for tenant in ["acme", "globex"] {
        for (method, suffix) in [(Method::GET, ""), (Method::POST, "/cancel")] {
            let path = format!("/v1/tenants/{tenant}/publications/{id}{suffix}");
            api.send(method, &path, &[], None).await.problem(404, "not-found");
        }
    }
    api.get(&format!("{PUBLICATIONS}/name:x")).await.problem(404, "not-found");
}
