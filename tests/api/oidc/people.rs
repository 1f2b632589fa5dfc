//! Who an issuer's people are here.

use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Row as _};

use super::{Scene, person};
use crate::support::{Answer, PASSWORD};

fn refused(answer: &Answer) -> Value {
    let mut problem = answer.problem(403, "sign-in-refused");
    problem["request_id"] = Value::Null;
    problem
}

#[tokio::test]
async fn each_of_the_four_roles_comes_from_what_the_issuer_says() {
    let scene = Scene::new().await;
    let acme = scene.world.tenant("acme").to_owned();
    let provider = scene.world.tenant("provider").to_owned();
    for (claims, tenant, role) in [
        (json!({"sub": "1", "groups": ["x", "root"]}), &provider, "service_provider_administrator"),
        (json!({"sub": "2", "groups": "noc"}), &provider, "service_provider_operator"),
        (json!({"sub": "3", "groups": ["admins"], "org": "ACME"}), &acme, "enterprise_administrator"),
        (json!({"sub": "4", "acme": {"roles": ["watch"]}}), &acme, "enterprise_operator"),
    ] {
        let me = scene.signed_in(claims).await.get("/v1/auth/me").await.expect(200);
        assert_eq!((&me["role"], &me["tenant"]["id"]), (&json!(role), &json!(tenant)));
    }
}

#[tokio::test]
async fn whoever_has_no_place_here_is_refused_and_learns_nothing() {
    let scene = Scene::new().await;
    let root = scene.world.api("root");
    scene.signed_in(json!({"sub": "off", "groups": ["admins"], "org": "acme"})).await;
    let users = "/v1/tenants/acme/users";
    let list = root.get(users).await.expect(200);
    let user =
        list["items"].as_array().unwrap().iter().find(|user| user["identity"]["subject"] == "off").unwrap();
    root.patch(&format!("{users}/{}", user["id"].as_str().unwrap()), &json!({"enabled": false}))
        .await
        .expect(200);
    root.send(axum::http::Method::POST, "/v1/tenants/globex/suspend", &[("if-match", "*")], None)
        .await
        .expect(200);
    let mut problems = Vec::new();
    for claims in [
        json!({"sub": "1"}),
        json!({"sub": "2", "groups": []}),
        json!({"sub": "3", "groups": ["admins"]}),
        json!({"sub": "4", "groups": ["admins"], "org": "nowhere"}),
        // Suspended, and the provider, which is no enterprise.
        json!({"sub": "5", "groups": ["admins"], "org": "globex"}),
        json!({"sub": "6", "groups": ["admins"], "org": "provider"}),
        json!({"sub": "off", "groups": ["admins"], "org": "acme"}),
        json!({"sub": "off", "groups": ["root"]}),
    ] {
        problems.push(refused(&scene.sign_in(claims).await));
    }
    problems.dedup();
    assert_eq!(problems.len(), 1, "the reasons can be told apart: {problems:?}");
    let found = root.get("/v1/tenants/provider/audit?q=sign_in_failed").await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 6);
    let found = root.get("/v1/tenants/acme/audit?q=sign_in_failed").await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 2, "{found}");
}

#[tokio::test]
async fn a_person_is_one_user_whose_role_is_what_the_issuer_says_now() {
    let scene = Scene::new().await;
    let root = scene.world.api("root");
    let acme = |groups: Value| {
        json!({"sub": "ann", "preferred_username": "ann@example.com", "groups": groups, "org": "acme",
                                      "email": "ann@example.com", "acme": {"roles": ["watch"]}})
    };
    let first = scene.signed_in(acme(json!(["admins"]))).await.get("/v1/auth/me").await.expect(200);
    assert_eq!(
        (&first["username"], &first["role"]),
        (&json!("ann-example.com"), &json!("enterprise_administrator"))
    );
    let path = format!("/v1/tenants/acme/users/{}", first["id"].as_str().unwrap());
    let user = root.get(&path).await.expect(200);
    assert_eq!(user["identity"], json!({"issuer": scene.issuer.url, "subject": "ann"}));
    assert_eq!((&user["email"], &user["version"]), (&json!("ann@example.com"), &json!(1)));

    let again = scene.signed_in(acme(json!(["admins"]))).await;
    assert_eq!(again.get("/v1/auth/me").await.expect(200)["id"], first["id"]);
    assert_eq!(root.get(&path).await.expect(200)["version"], 1, "nothing has changed");

    // Fewer rights count from the next sign-in on, also for those before.
    let less = scene.signed_in(acme(json!([]))).await;
    assert_eq!(less.get("/v1/auth/me").await.expect(200)["role"], "enterprise_operator");
    assert_eq!(again.get("/v1/auth/me").await.expect(200)["role"], "enterprise_operator");
    again.get("/v1/tenants/acme/users").await.problem(403, "forbidden");
    let audit = root
        .get(&format!("/v1/tenants/acme/audit?object={}", first["id"].as_str().unwrap()))
        .await
        .expect(200);
    let actions: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["update", "create"]);

    // No rights end what there is.
    let none = json!({"sub": "ann", "preferred_username": "ann@example.com"});
    refused(&scene.sign_in(none).await);
    less.get("/v1/auth/me").await.problem(401, "unauthenticated");
    root.get(&path).await.expect(200);
}

#[tokio::test]
async fn who_moves_to_another_tenant_is_another_user_there() {
    let scene = Scene::new().await;
    let root = scene.world.api("root");
    let of = |org: &str| json!({"sub": "ann", "preferred_username": "ann", "groups": ["admins"], "org": org});
    let before = scene.signed_in(of("acme")).await;
    let first = before.get("/v1/auth/me").await.expect(200);
    let after = scene.signed_in(of("globex")).await;
    let second = after.get("/v1/auth/me").await.expect(200);
    assert_eq!((&second["tenant"]["name"], &second["username"]), (&json!("globex"), &json!("ann")));
    assert_ne!(first["id"], second["id"]);
    before.get("/v1/auth/me").await.problem(401, "unauthenticated");
    let path = format!("/v1/tenants/acme/users/{}", first["id"].as_str().unwrap());
    root.get(&path).await.problem(404, "not-found");
    // What she was elsewhere is not in this tenant's audit.
    let audit = String::from_utf8(after.get("/v1/tenants/globex/audit").await.bytes).unwrap();
    assert!(
        !audit.contains(scene.world.tenant("acme")) && !audit.contains(first["id"].as_str().unwrap()),
        "{audit}"
    );
    assert!(
        String::from_utf8(root.get("/v1/tenants/acme/audit").await.bytes).unwrap().contains("\"delete\"")
    );
}

#[tokio::test]
async fn a_user_of_our_own_is_never_taken_over() {
    let scene = Scene::new().await;
    let root = scene.world.api("root");
    let own = root.get("/v1/tenants/acme/users/name:acme-admin").await.expect(200);
    let claims = json!({"sub": "x", "preferred_username": "ACME-admin", "groups": ["admins"], "org": "acme"});
    let me = scene.signed_in(claims.clone()).await.get("/v1/auth/me").await.expect(200);
    let name = me["username"].as_str().unwrap().to_owned();
    assert!(name.starts_with("ACME-admin-") && me["id"] != own["id"], "{me}");
    assert_eq!(root.get("/v1/tenants/acme/users/name:acme-admin").await.expect(200), own);
    assert_eq!(own["identity"], Value::Null);
    let fields = [("grant_type", "password"), ("username", "acme-admin"), ("password", PASSWORD)];
    scene.api.form("/v1/auth/token", &fields).await.expect(200);
    // Nor do two people of one name become one.
    let other = json!({"sub": "y", "preferred_username": "ACME-admin", "groups": ["admins"], "org": "acme"});
    let them = scene.signed_in(other).await.get("/v1/auth/me").await.expect(200);
    assert!(them["id"] != me["id"] && them["username"] != me["username"], "{them}");
    assert_eq!(scene.signed_in(claims).await.get("/v1/auth/me").await.expect(200)["username"], json!(name));
}

#[tokio::test]
async fn a_user_of_the_issuer_has_no_password_and_is_no_last_administrator() {
    let scene = Scene::new().await;
    let ann = scene.signed_in(person("ann", json!(["root"]))).await;
    for password in ["", PASSWORD] {
        let fields = [("grant_type", "password"), ("username", "ann"), ("password", password)];
        scene.api.form("/v1/auth/token", &fields).await.problem(400, "grant-refused");
    }
    let change = json!({"current_password": PASSWORD, "new_password": "correct horse"});
    ann.put("/v1/auth/password", &change).await.problem(403, "forbidden");
    let mut owner = scene.world.owner.connect().await.unwrap();
    let row =
        sqlx::query("SELECT password_hash, secret_hash, invitation_hash FROM users WHERE username = 'ann'")
            .fetch_one(&mut owner)
            .await
            .unwrap();
    assert!((0..3).all(|column| row.get::<Option<Vec<u8>>, _>(column).is_none()));
    // She administers, and is not what keeps an installation from being locked out.
    ann.delete("/v1/tenants/provider/users/name:admin").await.problem(403, "forbidden");
    scene.world.api("root").delete("/v1/tenants/provider/users/name:ann").await.expect(204);
    ann.get("/v1/auth/me").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn sign_ins_are_listed_ended_and_audited_as_all_are() {
    let scene = Scene::new().await;
    let root = scene.world.api("root");
    let ann = scene
        .signed_in(json!({"sub": "ann", "preferred_username": "ann", "groups": ["admins"], "org": "acme"}))
        .await;
    let own = ann.get("/v1/tenants/acme/sessions").await.expect(200);
    let own =
        own["items"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap().clone();
    assert_eq!(own["user"]["name"], "ann");
    let entries = root.get("/v1/tenants/acme/audit?q=sign_in").await.expect(200);
    assert_eq!(
        (&entries["items"][0]["action"], &entries["items"][0]["actor"]["name"]),
        (&json!("sign_in"), &json!("ann"))
    );
    let path = format!("/v1/tenants/acme/sessions/{}", own["id"].as_str().unwrap());
    root.delete(&path).await.expect(204);
    ann.get("/v1/auth/me").await.problem(401, "unauthenticated");
    let dump = String::from_utf8(root.get("/v1/tenants/acme/audit").await.bytes).unwrap();
    assert!(!dump.contains("the secret of the client"));
    let verdicts = pinhole::app::audit::verify(&scene.world.state.store, None).await.unwrap();
    assert!(verdicts.iter().all(|verdict| verdict.flaws.is_empty()), "{verdicts:?}");
}

#[tokio::test]
async fn two_first_sign_ins_at_once_make_one_user() {
    let scene = Scene::new().await;
    scene.issuer.says(person("ann", json!(["root"])));
    let one = scene.begin().await;
    let two = scene.begin().await;
    let (first, second) = tokio::join!(scene.back(&one), scene.back(&two));
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (303, 303));
    let users = scene.world.api("root").get("/v1/tenants/provider/users?q=ann").await.expect(200);
    assert_eq!(users["total"], 1);
}
