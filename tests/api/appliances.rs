//! Appliances, and the credentials of their gateways.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::ConnectOptions as _;

use crate::support::{World, create, errors};

const APPLIANCES: &str = "/v1/tenants/acme/appliances";

fn nat() -> Value {
    json!({"inside": ["in0"], "outside": ["out0"], "inside_prefixes": ["10.0.0.0/24"], "pool": ["203.0.113.1"]})
}

#[tokio::test]
async fn an_appliance_says_every_default() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let created = api.post(APPLIANCES, &json!({"name": "edge-1"})).await;
    let body = created.expect(201);
    let limits = json!({"ports_per_subscriber": null, "sessions_per_subscriber": null,
                        "new_sessions_per_second": null});
    let empty = json!({"inside": [], "outside": [], "inside_prefixes": [], "pool": [], "mode": "port_translation", "mapping": "endpoint_independent", "filtering": "address_and_port_dependent", "other_protocols": "refuse", "tcp_mss": null,
                       "port_block": null, "deterministic": null, "forwards": [], "exempt_destinations": [], "pcp": null, "export": [],
                       "limits": limits});
    assert_eq!((&body["site"], &body["labels"]), (&json!(""), &json!({})));
    assert_eq!((&body["master_profile"], &body["nat"]), (&json!(null), &empty));
    let state = json!({"connected": false, "last_seen": null, "running_revision": null, "published_revision": null,
                       "changed_since_publish": false, "last_error": null});
    assert_eq!(body["state"], state);
    let path = created.header("location");
    assert_eq!(api.get(path).await.expect(200), body);
    assert_eq!(api.put(path, &body).await.expect(200), body);

    // With NAT settings there is something to publish.
    let set = api.patch(path, &json!({"nat": nat()})).await.expect(200);
    let mut whole = empty.clone();
    whole.as_object_mut().unwrap().extend(nat().as_object().unwrap().clone());
    assert_eq!((&set["nat"], &set["version"]), (&whole, &json!(2)));
    assert_eq!(set["state"]["changed_since_publish"], true);
    assert_eq!(api.get(APPLIANCES).await.expect(200)["items"][0], set);
    let unset = api.patch(path, &json!({"nat": null})).await.expect(200);
    assert_eq!((&unset["nat"], &unset["version"]), (&empty, &json!(3)));
    api.delete(path).await.expect(204);
    api.get(path).await.problem(404, "not-found");
}

#[tokio::test]
async fn what_is_sent_comes_back_in_one_order_and_form() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let sent = json!({
        "name": "edge-1", "site": "Frankfurt, rack 7", "labels": {"region": "emea", "Tier": "1"},
        "master_profile": "name:default-basic-mp",
        "nat": {"inside": ["in1", "in0"], "outside": ["out0"], "inside_prefixes": ["10.1.0.0/16", "10.0.0.0/16"],
                "pool": ["203.0.113.16-203.0.113.31", "192.0.2.1-192.0.2.1"]},
    });
    let created = api.post(APPLIANCES, &sent).await;
    let body = created.expect(201);
    assert_eq!(body["labels"], json!({"Tier": "1", "region": "emea"}));
    assert_eq!(body["master_profile"]["name"], "Default-Basic-MP");
    assert_eq!(body["nat"]["inside"], json!(["in0", "in1"]));
    assert_eq!(body["nat"]["inside_prefixes"], json!(["10.0.0.0/16", "10.1.0.0/16"]));
    assert_eq!(body["nat"]["pool"], json!(["192.0.2.1", "203.0.113.16/28"]));
    assert_eq!(api.put(created.header("location"), &sent).await.expect(200)["version"], 1);
    assert_eq!(api.put(created.header("location"), &body).await.expect(200), body);
    let found = api.get(&format!("{APPLIANCES}?q=default-basic")).await.expect(200);
    assert_eq!(found["total"], 1);
}

#[tokio::test]
async fn what_is_wrong_in_an_appliance_is_named_by_pointer() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let foreign = create(
        &world.api("globex-admin"),
        "globex",
        "master-profiles",
        &json!({"name": "mp", "kind": "basic"}),
    )
    .await;
    let body = json!({
        "name": "edge 1", "site": 7, "labels": {"a b": "x", "ok": ["x"]}, "master_profile": foreign,
        "nat": {"inside": ["in0", "lo"], "outside": ["in0", "x".repeat(16)], "inside_prefixes": ["10.0.0.1/24", "10.0.0.0/8"],
                "pool": ["10.2.3.4", "203.0.113.9-203.0.113.1", "224.0.0.1", 9], "ports": "1-2"},
    });
    let expected = [
        ("/master_profile", "no_such_object"),
        ("/name", "format"),
        ("/site", "wrong_type"),
        ("/labels/a b", "format"),
        ("/labels/ok", "wrong_type"),
        ("/nat/pool/3", "wrong_type"),
        ("/nat/ports", "unknown_field"),
        ("/nat/inside/1", "format"),
        ("/nat/outside/1", "format"),
        ("/nat/outside/0", "conflict"),
        ("/nat/inside_prefixes/0", "format"),
    ];
    assert_eq!(api.post(APPLIANCES, &body).await.errors(), errors(&expected));
    let mut pool = nat();
    pool["pool"] =
        json!(["10.0.0.4", "203.0.113.9-203.0.113.1", "224.0.0.1", "192.0.2.0/30", "192.0.2.3", ""]);
    let body = json!({"name": "edge-1", "nat": pool});
    let expected = [
        ("/nat/pool/1", "format"),
        ("/nat/pool/5", "format"),
        ("/nat/pool/0", "conflict"),
        ("/nat/pool/2", "range"),
        ("/nat/pool/4", "conflict"),
    ];
    assert_eq!(api.post(APPLIANCES, &body).await.errors(), errors(&expected));
    for (nat, pointer, code) in [
        (json!({"inside": ["in0"]}), "/nat/outside", "required"),
        (json!("in0"), "/nat", "wrong_type"),
        (json!({"pool": vec!["192.0.2.1"; 5000]}), "/nat/pool", "length"),
    ] {
        let answer = api.post(APPLIANCES, &json!({"name": "edge-1", "nat": nat})).await;
        assert_eq!(answer.errors()[0], errors(&[(pointer, code)])[0], "{nat:.60}");
    }
    assert_eq!(api.get(APPLIANCES).await.expect(200)["total"], 0);
}

#[tokio::test]
async fn a_profile_that_an_appliance_has_stays_and_says_so() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let profile = create(&api, "acme", "master-profiles", &json!({"name": "mp", "kind": "basic"})).await;
    let appliance =
        create(&api, "acme", "appliances", &json!({"name": "e", "master_profile": profile})).await;
    let path = format!("/v1/tenants/acme/master-profiles/{profile}");
    let used_by = json!([{"kind": "appliance", "id": appliance, "name": "e"}]);
    assert_eq!(api.get(&path).await.expect(200)["used_by"], used_by);
    assert_eq!(api.delete(&path).await.problem(409, "in-use")["used_by"], used_by);

    // A hidden profile stays with the appliance that a caller saves without seeing it.
    let hide = json!({"enterprise_operator": "hide"});
    api.put(&format!("{path}/permissions"), &hide).await.expect(200);
    let edit = json!({"enterprise_operator": "edit"});
    api.put(&format!("{APPLIANCES}/{appliance}/permissions"), &edit).await.expect(200);
    let operator = world.api("acme-operator");
    let seen = operator.get(&format!("{APPLIANCES}/{appliance}")).await.expect(200);
    assert_eq!(seen["master_profile"], json!(null));
    let saved = operator.patch(&format!("{APPLIANCES}/{appliance}"), &json!({"site": "x"})).await;
    assert_eq!(saved.expect(200)["site"], "x");
    let kept = api.get(&format!("{APPLIANCES}/{appliance}")).await.expect(200);
    assert_eq!(kept["master_profile"]["name"], "mp");
    api.delete(&format!("{APPLIANCES}/{appliance}")).await.expect(204);
    api.delete(&path).await.expect(204);
}

#[tokio::test]
async fn a_join_token_is_shown_once_and_kept_by_hash() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let appliance = create(&api, "acme", "appliances", &json!({"name": "edge-1"})).await;
    let path = format!("{APPLIANCES}/name:EDGE-1/join-token");
    let dry = api.post(&format!("{path}?dry_run=true"), &json!({})).await.expect(200);
    assert_eq!(dry["token"], json!(null));

    let mut last = Vec::new();
    for _ in 0..2 {
        let answer = api.send(axum::http::Method::POST, &path, &[], None).await;
        let body = answer.expect(201);
        assert_eq!(answer.header("cache-control"), "no-store");
        let command = "pinhole-gateway run --controller https://127.0.0.1:7443 \
                       --join-token-file /etc/pinhole-gateway/join-token --state-dir /var/lib/pinhole-gateway";
        assert_eq!(body["command"], command);
        let expires_at: chrono::DateTime<chrono::Utc> = body["expires_at"].as_str().unwrap().parse().unwrap();
        let lifetime = expires_at - world.state.clock.now();
        assert!(lifetime.num_hours() == 23 && lifetime.num_minutes() == 24 * 60 - 1, "{lifetime}");
        last = Sha256::digest(body["token"].as_str().unwrap().as_bytes()).to_vec();
    }
    let mut owner = world.owner.connect().await.unwrap();
    let stored: Vec<(String, Vec<u8>, Value)> =
        sqlx::query_as("SELECT appliance_id::text, token_hash, created_by FROM join_tokens")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    // The newer one takes the older one's place.
    let [(id, hash, by)] = stored.as_slice() else { panic!("{stored:?}") };
    assert_eq!((id, hash, &by["name"]), (&appliance, &last, &json!("acme-admin")));
    // What an administrator may not do: another tenant's, one that is hidden, one that is not there.
    for elsewhere in ["globex", "acme"] {
        let path = format!("/v1/tenants/{elsewhere}/appliances/{appliance}/join-token");
        world.api("globex-admin").post(&path, &json!({})).await.problem(404, "not-found");
    }
    world.api("acme-operator").post(&path, &json!({})).await.problem(403, "forbidden");
    world
        .api("acme-operator")
        .delete(&format!("{APPLIANCES}/{appliance}/certificates"))
        .await
        .problem(403, "forbidden");
}

#[tokio::test]
async fn a_gateway_is_connected_as_long_as_a_replica_says_so() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let appliance = create(&api, "acme", "appliances", &json!({"name": "edge-1"})).await;
    let path = format!("{APPLIANCES}/{appliance}");
    let mut owner = world.owner.connect().await.unwrap();
    for (lease, connected) in [("now() + interval '1 minute'", true), ("now() - interval '1 ms'", false)] {
        let update = format!(
            "WITH replica AS (INSERT INTO replicas VALUES (gen_random_uuid(), {lease}) RETURNING id)
             UPDATE appliance_states SET connected = true, replica_id = replica.id FROM replica"
        );
        sqlx::query(sqlx::AssertSqlSafe(update)).execute(&mut owner).await.unwrap();
        assert_eq!(api.get(&path).await.expect(200)["state"]["connected"], connected, "{lease}");
    }
    sqlx::query("UPDATE appliance_states SET replica_id = NULL").execute(&mut owner).await.unwrap();
    assert_eq!(api.get(&path).await.expect(200)["state"]["connected"], false);
}

#[tokio::test]
async fn a_list_is_filtered_by_labels() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    for (name, labels) in [
        ("a", json!({"region": "emea", "tier": "1"})),
        ("b", json!({"region": "emea:west", "tier": "1"})),
        ("c", json!({"region": "emea"})),
    ] {
        create(&api, "acme", "appliances", &json!({"name": name, "labels": labels})).await;
    }
    for (query, expected) in [
        ("label=region:emea", vec!["a", "c"]),
        ("label=region:emea&label=tier:1", vec!["a"]),
        ("label=region:emea%3Awest", vec!["b"]),
        ("label=region:emea&q=c", vec!["c"]),
        ("label=region:", vec![]),
        ("label=Region:emea", vec![]),
    ] {
        let list = api.get(&format!("{APPLIANCES}?{query}")).await.expect(200);
        let names: Vec<&str> =
            list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
        assert_eq!((&list["total"], names), (&json!(expected.len()), expected), "{query}");
    }
    let many: Vec<String> = (0..11).map(|n| format!("label=k{n}:v")).collect();
    for query in ["label=region", "label=:x", "label=a:%00", "label=a:1&label=a:2", many.join("&").as_str()] {
        api.get(&format!("{APPLIANCES}?{query}")).await.problem(400, "bad-parameter");
    }
    api.get("/v1/tenants/acme/services?label=a:b").await.problem(400, "bad-parameter");
}
