//! ALG policies: defaults, services, overlaps, warnings.

use serde_json::{Value, json};

use crate::support::{World, create, errors, service};

const POLICIES: &str = "/v1/tenants/acme/alg-policies";

fn on() -> Value {
    json!({"enabled": true, "services": [], "options": {}})
}

#[tokio::test]
async fn a_policy_without_protocols_has_all_five_on() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let created = api.post(POLICIES, &json!({"name": "branch-alg"})).await;
    let body = created.expect(201);
    let all = json!({"ftp": on(), "ike_esp": on(), "pptp": on(), "sip": on(), "tftp": on()});
    assert_eq!(body["protocols"], all);
    assert!(body.get("warnings").is_none());

    let path = created.header("location");
    let patch = json!({"protocols": {"sip": {"enabled": false}}});
    let patched = api.patch(path, &patch).await.expect(200);
    assert_eq!(patched["protocols"]["sip"]["enabled"], false);
    assert_eq!(patched["protocols"]["ftp"]["enabled"], true);
    assert_eq!(patched["version"], 2);
    assert_eq!(api.patch(path, &patch).await.expect(200)["version"], 2);
    assert_eq!(api.put(path, &patched).await.expect(200), patched);
    // null takes a value away, and with it comes the default.
    let reset = json!({"protocols": {"sip": null}});
    assert_eq!(api.patch(path, &reset).await.expect(200)["protocols"], all);
}

#[tokio::test]
async fn services_are_taken_by_id_by_name_and_as_answered_and_come_in_one_order() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let a = service(&api, "acme", "a", "2121").await;
    let b = service(&api, "acme", "b", "2122").await;
    let c = service(&api, "acme", "c", "2123").await;
    let named = json!([{"id": a, "name": "a"}, {"id": b, "name": "b"}, {"id": c, "name": "c"}]);
    let services = json!([{"id": c, "name": "whatever"}, "name:B", a]);
    let created =
        api.post(POLICIES, &json!({"name": "p", "protocols": {"ftp": {"services": services}}})).await;
    assert_eq!(created.expect(201)["protocols"]["ftp"]["services"], named);
    let path = created.header("location");
    assert_eq!(api.put(path, &created.json()).await.expect(200), created.json());

    let shuffled = json!({"protocols": {"ftp": {"services": [b, c, a]}}});
    assert_eq!(api.patch(path, &shuffled).await.expect(200)["version"], 1);
    // The name of a service is looked up, not copied.
    api.patch(&format!("/v1/tenants/acme/services/{a}"), &json!({"name": "z"})).await.expect(200);
    assert_eq!(api.get(path).await.expect(200)["protocols"]["ftp"]["services"][0]["name"], "z");
}

#[tokio::test]
async fn what_is_wrong_in_a_policy_is_named_by_pointer() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let foreign = service(&world.api("globex-admin"), "globex", "s", "1").await;
    let own = service(&api, "acme", "own", "2121").await;
    let body = json!({"name": "p", "protocols": {
        "ftp": {"enabled": "yes", "services": [foreign, "name:nobody", 7, "x"]},
        "sip": {"services": [own, own], "options": {"strict": true}, "colour": 1},
        "http": {},
        "tftp": [],
    }});
    let expected = [
        ("/protocols/ftp/services/0", "no_such_object"),
        ("/protocols/ftp/services/1", "no_such_object"),
        ("/protocols/ftp/enabled", "wrong_type"),
        ("/protocols/ftp/services/2", "wrong_type"),
        ("/protocols/ftp/services/3", "format"),
        ("/protocols/sip/services/1", "repeated"),
        ("/protocols/sip/options/strict", "unknown_field"),
        ("/protocols/sip/colour", "unknown_field"),
        ("/protocols/tftp", "wrong_type"),
        ("/protocols/http", "unknown_field"),
    ];
    assert_eq!(api.post(POLICIES, &body).await.errors(), errors(&expected));
    let body = json!({"name": "p", "protocols": {"ftp": {"services": vec![own; 65]}}});
    assert_eq!(api.post(POLICIES, &body).await.errors(), errors(&[("/protocols/ftp/services", "length")]));
}

#[tokio::test]
async fn two_protocols_on_the_same_traffic_are_refused_naming_both() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let a = service(&api, "acme", "a", "2100-2200").await;
    let b = service(&api, "acme", "b", "2150").await;
    let own = service(&api, "acme", "own", "1723").await;
    let protocols = json!({"ftp": {"services": [a]}, "sip": {"services": [b]}});
    let answer = api.post(POLICIES, &json!({"name": "p", "protocols": protocols})).await;
    assert_eq!(answer.errors(), errors(&[("/protocols/sip/services/0", "overlap")]));
    let detail = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("FTP") && detail.contains("SIP"), "{detail}");

    let protocols = json!({"ftp": {"services": [own]}});
    let answer = api.post(POLICIES, &json!({"name": "p", "protocols": protocols})).await;
    assert_eq!(answer.errors(), errors(&[("/protocols/ftp/services/0", "overlap")]));
    assert!(answer.json()["errors"][0]["detail"].as_str().unwrap().contains("PPTP"));

    // With one of them off there is nothing to meet.
    let protocols = json!({"ftp": {"services": [a, own]}, "sip": {"services": [b], "enabled": false},
                           "pptp": {"enabled": false}});
    let created = api.post(POLICIES, &json!({"name": "p", "protocols": protocols})).await;
    created.expect(201);
    let enable = json!({"protocols": {"sip": {"enabled": true}}});
    let answer = api.patch(created.header("location"), &enable).await;
    assert_eq!(answer.errors(), errors(&[("/protocols/sip/services/0", "overlap")]));
}

#[tokio::test]
async fn a_service_that_can_never_match_is_saved_with_a_warning() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let tcp = service(&api, "acme", "tcp-only", "6969").await;
    let body = json!({"name": "p", "protocols": {"tftp": {"services": [tcp]}}});
    let created = api.post(POLICIES, &body).await;
    let warnings = created.expect(201)["warnings"].clone();
    assert_eq!(warnings[0]["pointer"], "/protocols/tftp/services/0");
    assert_eq!(warnings[0]["type"], "service_never_matches");
    assert_eq!(api.get(created.header("location")).await.expect(200)["warnings"], warnings);
    let same = api.put(created.header("location"), &created.json()).await.expect(200);
    assert_eq!(same["version"], 1);
}

#[tokio::test]
async fn attaching_and_detaching() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    let policy = create(&api, "acme", "alg-policies", &json!({"name": "p"})).await;
    let other = create(&api, "acme", "alg-policies", &json!({"name": "q"})).await;
    let profile = json!({"profile": "name:default-basic-mp"});

    let attached = api.post(&format!("{POLICIES}/{policy}/attach"), &profile).await.expect(200);
    assert_eq!(attached["alg_policy"], json!({"id": policy, "name": "p"}));
    assert_eq!(attached["version"], 2);
    let again = api.post(&format!("{POLICIES}/{policy}/attach"), &profile).await.expect(200);
    assert_eq!(again["version"], 2);
    let read = api.get(&format!("{POLICIES}/{policy}")).await.expect(200);
    assert_eq!(read["used_by"][0]["name"], "Default-Basic-MP");
    api.delete(&format!("{POLICIES}/{policy}")).await.problem(409, "in-use");

    // Detaching one that is not attached changes nothing; attaching another one replaces.
    let same = api.post(&format!("{POLICIES}/{other}/detach"), &profile).await.expect(200);
    assert_eq!(same["version"], 2);
    let replaced = api.post(&format!("{POLICIES}/{other}/attach"), &profile).await.expect(200);
    assert_eq!(replaced["alg_policy"]["name"], "q");
    let detached = api.post(&format!("{POLICIES}/{other}/detach"), &profile).await.expect(200);
    assert_eq!((&detached["alg_policy"], &detached["version"]), (&json!(null), &json!(4)));

    let path = format!("{POLICIES}/{policy}/attach");
    let answer = api.post(&path, &json!({"profile": "name:nobody"})).await;
    assert_eq!(answer.errors(), errors(&[("/profile", "no_such_object")]));
    let answer = api.post(&path, &json!({"profil": 1})).await;
    assert_eq!(answer.errors(), errors(&[("/profile", "required"), ("/profil", "unknown_field")]));
    let headers = [("if-match", "\"1\"")];
    let stale = api.send(axum::http::Method::POST, &path, &headers, Some(&profile)).await;
    stale.problem(412, "stale");
}
