//! The audit: complete, without secrets, for nobody to change, and without what is hidden.

mod chain;
mod kills;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::Method;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, PgConnection};

use crate::support::{Api, PASSWORD, World, appliance, create, service};

const AUDIT: &str = "/v1/tenants/acme/audit";

/// Operations that change nothing of a tenant's, and why. May only shrink.
const SILENT: [(&str, &str); 1] =
    [("post /v1/tenants/{tenant}/publications/preview", "shows what would be published")];

/// Tables whose changes are not audited, and why.
const UNAUDITED: [(&str, &str); 16] = [
    ("_sqlx_migrations", "the schema's own"),
    ("appliance_states", "what gateways report; what they are to run comes with the publication"),
    ("audit_entries", "the audit itself"),
    ("audit_heads", "the audit itself"),
    ("authorities", "the installation's, and no tenant's"),
    ("idempotency_keys", "answers that are kept for a day"),
    ("inquiries", "what replicas ask each other for some seconds; what is to end has an entry of its own"),
    ("login_failures", "counters for a quarter of an hour; failed sign-ins have entries of their own"),
    ("object_links", "follows from the object"),
    ("object_versions", "follows from the object"),
    ("publication_appliances", "stands in the publication's entry"),
    ("refresh_tokens", "stands in the session's entry"),
    ("replicas", "which controllers are there; no tenant's"),
    ("revisions", "follows from the publication"),
    ("sign_in_attempts", "for ten minutes; the sign-in that comes of one has an entry of its own"),
    ("signing_keys", "the installation's, and no tenant's"),
];

async fn entries(api: &Api, path: &str) -> Vec<Value> {
    api.get(path).await.expect(200)["items"].as_array().unwrap().clone()
}

async fn count(owner: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_entries").fetch_one(owner).await.unwrap()
}

#[tokio::test]
async fn every_table_is_audited_or_says_why_not() {
    let world = World::new().await;
    let mut owner = world.owner.connect().await.unwrap();
    let silent: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
           AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgfoid = 'audit_change'::regproc)
         ORDER BY c.relname",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    let known = UNAUDITED.map(|(table, _)| table);
    let unknown: Vec<&String> = silent.iter().filter(|table| !known.contains(&table.as_str())).collect();
    assert!(unknown.is_empty(), "tables whose changes leave no entry: {unknown:?}");
}

/// A request that changes something, with the method and the path as the OpenAPI document names it.
struct Change {
    method: Method,
    template: String,
    path: String,
    body: Option<Value>,
}

fn change(method: Method, template: &str, path: String, body: Option<Value>) -> Change {
    Change { method, template: template.to_owned(), path, body }
}

/// One of each kind of change, in an order in which each of them does something.
async fn changes(world: &World) -> Vec<Change> {
    let root = world.api("root");
    let mut changes = Vec::new();
    let fields = BTreeMap::from([
        ("alg-policies", json!({})),
        ("appliances", json!({})),
        ("master-profiles", json!({"kind": "basic"})),
        ("services", json!({"protocol": "tcp", "destination_port": "9999"})),
        ("sub-profiles", json!({"kind": "system"})),
    ]);
    for (plural, mut body) in fields {
        let collection = format!("/v1/tenants/{{tenant}}/{plural}");
        let template = format!("{collection}/{{id}}");
        body["name"] = json!("first");
        let id = create(&root, "acme", plural, &body).await;
        let list = format!("/v1/tenants/acme/{plural}");
        let path = format!("{list}/{id}");
        if plural != "appliances" {
            body["name"] = json!("copied");
            let source = create(&root, "provider", plural, &body).await;
            let path = format!("/v1/tenants/provider/{plural}/{source}/copy");
            let copied = Some(json!({"tenants": ["acme"]}));
            changes.push(change(Method::POST, &format!("{template}/copy"), path, copied));
        }
        body["name"] = json!("second");
        changes.push(change(Method::POST, &collection, list, Some(body.clone())));
        body["name"] = json!("renamed");
        changes.push(change(Method::PUT, &template, path.clone(), Some(body)));
        changes.push(change(Method::PATCH, &template, path.clone(), Some(json!({"description": "x"}))));
        let restored =
            (format!("{template}/versions/{{version}}/restore"), format!("{path}/versions/1/restore"));
        changes.push(change(Method::POST, &restored.0, restored.1, None));
        let cloned = (format!("{template}/clone"), format!("{path}/clone"));
        changes.push(change(Method::POST, &cloned.0, cloned.1, Some(json!({"name": "third"}))));
        let permissions = Some(json!({"enterprise_operator": "hide"}));
        let template_of_permissions = format!("{template}/permissions");
        changes.push(change(
            Method::PUT,
            &template_of_permissions,
            format!("{path}/permissions"),
            permissions,
        ));
        changes.push(change(Method::DELETE, &template, path, None));
    }
    let policy = create(&root, "acme", "alg-policies", &json!({"name": "p"})).await;
    create(&root, "acme", "master-profiles", &json!({"name": "mp", "kind": "basic"})).await;
    for action in ["attach", "detach"] {
        let template = format!("/v1/tenants/{{tenant}}/alg-policies/{{id}}/{action}");
        let path = format!("/v1/tenants/acme/alg-policies/{policy}/{action}");
        changes.push(change(Method::POST, &template, path, Some(json!({"profile": "name:mp"}))));
    }
    let edge = appliance(&root, "acme", "edge").await;
    let template = "/v1/tenants/{tenant}/appliances/{id}/join-token";
    changes.push(change(
        Method::POST,
        template,
        format!("/v1/tenants/acme/appliances/{edge}/join-token"),
        None,
    ));
    let template = "/v1/tenants/{tenant}/appliances/{id}/certificates";
    let path = format!("/v1/tenants/acme/appliances/{edge}/certificates");
    changes.push(change(Method::DELETE, template, path, None));
    changes.extend(kills::changes(world, &root).await);
    let order = json!({"appliances": [edge]});
    let all = "/v1/tenants/acme/publications";
    let running = root.post(all, &order).await.id();
    let template = "/v1/tenants/{tenant}/publications";
    let cancel = format!("{template}/{{id}}/cancel");
    changes.push(change(Method::POST, &cancel, format!("{all}/{running}/cancel"), None));
    changes.push(change(Method::POST, template, all.to_owned(), Some(order)));

    let template = "/v1/tenants/{tenant}/users";
    let user = json!({"username": "new", "password": PASSWORD, "role": "enterprise_operator"});
    changes.push(change(Method::POST, template, "/v1/tenants/acme/users".to_owned(), Some(user)));
    let accounts = "/v1/tenants/{tenant}/service-accounts";
    let account = Some(json!({"name": "backup", "role": "enterprise_operator"}));
    changes.push(change(Method::POST, accounts, "/v1/tenants/acme/service-accounts".to_owned(), account));
    for (kind, name) in [("users", "new"), ("service-accounts", "backup")] {
        let template = format!("/v1/tenants/{{tenant}}/{kind}/{{id}}");
        let path = format!("/v1/tenants/acme/{kind}/name:{name}");
        let off = Some(json!({"enabled": false}));
        changes.push(change(Method::PATCH, &template, path.clone(), off));
        changes.push(change(Method::DELETE, &template, path, None));
    }
    let signed_in = root.get("/v1/tenants/acme/sessions").await.expect(200);
    let session = signed_in["items"][0]["id"].as_str().unwrap();
    let template = "/v1/tenants/{tenant}/sessions/{id}";
    changes.push(change(Method::DELETE, template, format!("/v1/tenants/acme/sessions/{session}"), None));
    let new = Some(json!({"name": "fresh"}));
    changes.push(change(Method::POST, "/v1/tenants", "/v1/tenants".to_owned(), new));
    let (template, path) = ("/v1/tenants/{tenant}", "/v1/tenants/fresh");
    let renamed = Some(json!({"name": "fresh", "description": "x"}));
    changes.push(change(Method::PUT, template, path.to_owned(), renamed));
    changes.push(change(Method::PATCH, template, path.to_owned(), Some(json!({"description": "y"}))));
    for action in ["suspend", "resume"] {
        let template = format!("{template}/{action}");
        changes.push(change(Method::POST, &template, format!("{path}/{action}"), None));
    }
    let less = Some(json!({"defaults": {"service": {"enterprise_operator": "hide"}}}));
    let defaults = ("/v1/tenants/{tenant}/permission-defaults", "/v1/tenants/acme/permission-defaults");
    changes.push(change(Method::PUT, defaults.0, defaults.1.to_owned(), less));
    root.delete("/v1/tenants/fresh/master-profiles/name:Default-Basic-MP").await;
    changes.push(change(Method::DELETE, template, path.to_owned(), None));
    changes
}

#[tokio::test]
async fn every_operation_that_changes_something_leaves_an_entry() {
    let world = World::new().await;
    let root = world.api("root");
    let mut owner = world.owner.connect().await.unwrap();
    let mut covered = BTreeSet::new();
    for Change { method, template, path, body } in changes(&world).await {
        let operation = format!("{} {template}", method.as_str().to_lowercase());
        let before = count(&mut owner).await;
        let dry = root
            .send(method.clone(), &format!("{path}?dry_run=true"), &[("if-match", "*")], body.as_ref())
            .await;
        assert!(dry.status.is_success() || path.contains("fresh"), "{operation}: {:?}", dry.json());
        assert_eq!(count(&mut owner).await, before, "{operation}: a dry run left an entry");
        let answer = root.send(method, &path, &[("if-match", "*")], body.as_ref()).await;
        assert!(answer.status.is_success(), "{operation}: {:?}", answer.json());
        assert!(count(&mut owner).await > before, "{operation} left no entry");
        let request: String =
            sqlx::query_scalar("SELECT request_id FROM audit_entries ORDER BY at DESC LIMIT 1")
                .fetch_one(&mut owner)
                .await
                .unwrap();
        assert_eq!(request, answer.header("x-request-id"), "{operation}");
        covered.insert(operation);
    }
    let before = count(&mut owner).await;
    let fields = [("grant_type", "password"), ("username", "acme-admin"), ("password", PASSWORD)];
    world.anonymous().form("/v1/auth/token", &fields).await.expect(200);
    assert_eq!(count(&mut owner).await, before + 1);
    covered.insert("post /v1/auth/token".to_owned());

    let invited = json!({"username": "wilma", "invite": true, "role": "enterprise_operator"});
    let invited = root.post("/v1/tenants/acme/users", &invited).await.expect(201);
    let before = count(&mut owner).await;
    let accepted = json!({"invitation": invited["invitation"], "password": "correct horse"});
    world.anonymous().post("/v1/auth/invitations", &accepted).await.expect(204);
    assert!(count(&mut owner).await > before);
    covered.insert("post /v1/auth/invitations".to_owned());
    let before = count(&mut owner).await;
    let changed = json!({"current_password": PASSWORD, "new_password": "correct horse"});
    let operator = world.api("globex-operator");
    operator.send(Method::PUT, "/v1/auth/password", &[], Some(&changed)).await.expect(204);
    assert!(count(&mut owner).await > before);
    covered.insert("put /v1/auth/password".to_owned());

    let document: Value = serde_json::from_str(&pinhole::http::openapi_json()).unwrap();
    let mut missing = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|method| *method != "get") {
            let operation = format!("{method} {path}");
            if !covered.contains(&operation) && !SILENT.iter().any(|(silent, _)| *silent == operation) {
                missing.push(operation);
            }
        }
    }
    assert_eq!(missing, [""; 0], "operations that this test does not call");
    let verdicts = pinhole::app::audit::verify(&world.state.store, None).await.unwrap();
    assert!(verdicts.len() >= 3 && verdicts.iter().all(|verdict| verdict.flaws.is_empty()), "{verdicts:?}");
}

#[tokio::test]
async fn an_entry_says_who_what_when_and_from_where() {
    let world = World::new().await;
    let router = world.router.clone();
    let peer: SocketAddr = "192.0.2.9:4711".parse().unwrap();
    let router = router.layer(axum::Extension(ConnectInfo(peer)));
    let api = world.api("acme-admin").on(router);
    let id = service(&api, "acme", "s", "21").await;
    let path = format!("/v1/tenants/acme/services/{id}");
    api.patch(&path, &json!({"destination_port": "2121"})).await.expect(200);
    api.put(&format!("{path}/permissions"), &json!({"enterprise_operator": "hide"})).await.expect(200);
    let found = entries(&api, &format!("{AUDIT}?object={id}")).await;
    let actions: Vec<&str> = found.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["change_permissions", "update", "create"]);
    let update = &found[1];
    assert_eq!(update["object"], json!({"kind": "service", "id": id, "name": "s"}));
    assert_eq!(update["client"], "192.0.2.9");
    assert_eq!(update["actor"]["name"], "acme-admin");
    assert_eq!(update["actor"]["role"], "enterprise_administrator");
    assert_eq!(update["before"]["spec"]["destination_port"], "21");
    assert_eq!(update["after"]["spec"]["destination_port"], "2121");
    assert_eq!(found[2]["before"], Value::Null);

    let provider = world.api("root");
    provider.patch(&path, &json!({"description": "x"})).await.expect(200);
    assert_eq!(entries(&api, AUDIT).await[0]["actor"]["name"], "admin");
    assert_eq!(entries(&api, &format!("{AUDIT}?actor=ADMIN&q=update")).await.len(), 1);
    assert_eq!(entries(&api, &format!("{AUDIT}?to=2020-01-01T00:00:00Z")).await.len(), 0);
    assert_eq!(entries(&api, &format!("{AUDIT}?from=2020-01-01T00:00:00Z&q=%25")).await.len(), 0);
    for (user, status) in [("acme-operator", 403), ("root-operator", 403), ("globex-admin", 404)] {
        assert_eq!(world.api(user).get(AUDIT).await.status.as_u16(), status, "{user}");
    }
    for query in ["cursor=x", "cursor=-1", "per_page=0", "from=x", "page=1", "q=a&q=b"] {
        api.get(&format!("{AUDIT}?{query}")).await.problem(400, "bad-parameter");
    }
}

#[tokio::test]
async fn an_enterprise_sees_who_changed_its_permission_defaults() {
    let world = World::new().await;
    let path = "/v1/tenants/acme/permission-defaults";
    let less = json!({"defaults": {"service": {"enterprise_operator": "hide"}}});
    world.api("root").put(path, &less).await.expect(200);
    let newest = entries(&world.api("acme-admin"), AUDIT).await.remove(0);
    assert_eq!(newest["action"], "change_permission_defaults");
    assert_eq!(newest["actor"]["name"], "admin");
    assert_eq!(newest["after"]["own_defaults"]["service"]["enterprise_operator"], "hide");
    assert_eq!(entries(&world.api("globex-admin"), "/v1/tenants/globex/audit?q=defaults").await.len(), 0);
}

#[tokio::test]
async fn pages_and_lines_have_every_entry_once() {
    let world = World::new().await;
    let api = world.api("acme-admin");
    for index in 0..120 {
        service(&api, "acme", &format!("s{index}"), "21").await;
    }
    let mut paged = Vec::new();
    let mut path = format!("{AUDIT}?per_page=7");
    loop {
        let page = api.get(&path).await.expect(200);
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{AUDIT}?per_page=7&cursor={cursor}");
    }
    let lines = api.send(Method::GET, AUDIT, &[("accept", "application/x-ndjson")], None).await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> = String::from_utf8(lines.bytes)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, paged);
    assert!(lines.len() > 120);
    let places: BTreeSet<i64> = lines.iter().map(|line| line["seq"].as_i64().unwrap()).collect();
    assert_eq!(places.len(), lines.len());
    let refused = world.api("acme-operator");
    refused
        .send(Method::GET, AUDIT, &[("accept", "application/x-ndjson")], None)
        .await
        .problem(403, "forbidden");
}

#[tokio::test]
async fn what_is_hidden_is_not_in_the_audit_either() {
    let world = World::new().await;
    let (root, acme) = (world.api("root"), world.api("acme-admin"));
    let secret = service(&root, "acme", "secret", "2121").await;
    let policy = json!({"name": "p", "protocols": {"ftp": {"services": [secret]}}});
    create(&root, "acme", "alg-policies", &policy).await;
    let edge = appliance(&root, "acme", "hidden-edge").await;
    root.post("/v1/tenants/acme/publications", &json!({"appliances": [edge]})).await.expect(202);
    assert!(acme.get(AUDIT).await.bytes.windows(36).any(|bytes| bytes == secret.as_bytes()));
    for path in [format!("services/{secret}"), format!("appliances/{edge}")] {
        let hide = json!({"enterprise_administrator": "hide"});
        root.put(&format!("/v1/tenants/acme/{path}/permissions"), &hide).await.expect(200);
    }
    for path in [AUDIT.to_owned(), format!("{AUDIT}?object={secret}"), format!("{AUDIT}?q=secret")] {
        let text = String::from_utf8(acme.get(&path).await.bytes).unwrap();
        assert!(!text.contains(&secret) && !text.contains(&edge) && !text.contains("hidden-edge"), "{text}");
    }
    assert!(String::from_utf8(root.get(AUDIT).await.bytes).unwrap().contains(&secret));
    // Deleting it does not show it.
    root.delete("/v1/tenants/acme/alg-policies/name:p").await.expect(204);
    root.delete(&format!("/v1/tenants/acme/services/{secret}")).await.expect(204);
    let text = String::from_utf8(acme.get(AUDIT).await.bytes).unwrap();
    assert!(!text.contains(&secret), "{text}");
}

#[tokio::test]
async fn no_secret_is_in_the_audit() {
    let world = World::new().await;
    let root = world.api("root");
    changes(&world).await;
    let edge = appliance(&root, "acme", "edge-2").await;
    let joined = root.post(&format!("/v1/tenants/acme/appliances/{edge}/join-token"), &json!({})).await;
    let token = joined.expect(201)["token"].as_str().unwrap().to_owned();
    let mut owner = world.owner.connect().await.unwrap();
    let all: Vec<String> =
        sqlx::query_scalar("SELECT e::text FROM audit_entries e").fetch_all(&mut owner).await.unwrap();
    let hashes: Vec<String> = sqlx::query_scalar(
        "SELECT password_hash FROM users UNION ALL SELECT encode(token_hash, 'hex') FROM join_tokens",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert!(all.len() > 10 && hashes.len() > 3);
    for secret in hashes.iter().map(String::as_str).chain([PASSWORD, &token]) {
        assert!(all.iter().all(|entry| !entry.contains(secret)), "{secret}");
    }
    assert!(all.iter().any(|entry| entry.contains("password_hash") && entry.contains("(set)")));
}

#[tokio::test]
async fn sign_ins_that_fail_are_told_and_do_not_fill_the_audit() {
    let world = World::new().await;
    let mut owner = world.owner.connect().await.unwrap();
    for (username, tenant) in [("acme-admin", "acme"), ("nobody", "provider")] {
        let fields = [("grant_type", "password"), ("username", username), ("password", "a wrong password")];
        for _ in 0..25 {
            // Else it were slowed down after the first few.
            sqlx::query("DELETE FROM login_failures").execute(&mut owner).await.unwrap();
            world.anonymous().form("/v1/auth/token", &fields).await.problem(400, "grant-refused");
        }
        let path = format!("/v1/tenants/{tenant}/audit?q=sign_in_failed&per_page=100");
        let found = entries(&world.api("root"), &path).await;
        assert_eq!(found.len(), 20, "{username}");
        assert_eq!(found[0]["actor"], Value::Null);
        let name = (username == "acme-admin").then_some(username);
        assert_eq!(found[0]["object"]["name"], json!(name));
    }
}
