//! Role x permission x action for every kind of object, and role x action for the rest, by really calling: the golden
//! file is the policy, and its difference is the review.

mod live;
mod pairs;
mod roleless;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use axum::http::Method;
use serde_json::{Value, json};

use self::live::{live_lines, traffic_lines};
use self::pairs::{attach_lines, copy_lines};
use self::roleless::WITHOUT_ROLES;
use crate::support::{Api, World, appliance, create, snapshot};

const ROLES: [(&str, &str); 4] = [
    ("acme-admin", "enterprise_administrator"),
    ("acme-operator", "enterprise_operator"),
    ("root", "service_provider_administrator"),
    ("root-operator", "service_provider_operator"),
];
const PERMISSIONS: [&str; 4] = ["(default)", "edit", "read", "hide"];

/// What was called, as the OpenAPI document names it.
#[derive(Default)]
struct Covered(BTreeSet<String>);

impl Covered {
    async fn call(
        &mut self,
        api: &Api,
        method: Method,
        template: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        self.0.insert(format!("{} {template}", method.as_str().to_lowercase()));
        let answer = api.send(method, path, &[("if-match", "*")], body).await;
        // Events are no JSON, and only their status is asked for.
        (answer.status.as_u16(), serde_json::from_slice(&answer.bytes).unwrap_or_default())
    }
}

fn kinds() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("alg-policies", json!({})),
        ("appliances", json!({})),
        ("master-profiles", json!({"kind": "basic"})),
        ("services", json!({"protocol": "tcp", "destination_port": "9999"})),
        ("sub-profiles", json!({"kind": "system"})),
    ])
}

/// An object with a permission set for one role, made by an administrator who can still make it.
async fn object(
    world: &World,
    plural: &str,
    fields: &Value,
    role: &str,
    permission: &str,
) -> (String, String) {
    let mut body = fields.clone();
    let name = format!("{role}-{permission}").replace(['(', ')'], "");
    body["name"] = json!(name);
    if permission != "(default)" {
        body["permissions"] = json!([{"role": role, "permission": permission}]);
    }
    (create(&world.api("root"), "acme", plural, &body).await, name)
}

#[tokio::test]
async fn who_may_do_what() {
    let world = World::new().await;
    let mut covered = Covered::default();
    let mut golden = String::new();
    for (plural, fields) in kinds() {
        writeln!(golden, "{plural}").unwrap();
        for (user, role) in ROLES {
            let api = world.api(user);
            let template = format!("/v1/tenants/{{tenant}}/{plural}");
            let list = format!("/v1/tenants/acme/{plural}");
            let mut new = fields.clone();
            new["name"] = json!("new");
            let dry = format!("{list}?dry_run=true");
            let (created, _) = covered.call(&api, Method::POST, &template, &dry, Some(&new)).await;
            writeln!(golden, "  {role:32} create {created}").unwrap();
            for permission in PERMISSIONS {
                let (id, name) = object(&world, plural, &fields, role, permission).await;
                let line = object_line(&mut covered, &api, plural, &fields, &id, &name).await;
                writeln!(golden, "  {role:32} {permission:10} {line}").unwrap();
            }
        }
    }
    golden += &attach_lines(&world, &mut covered).await;
    golden += &join_lines(&world, &mut covered).await;
    golden += &traffic_lines(&world, &mut covered).await;
    golden += &live_lines(&world, &mut covered).await;
    golden += &copy_lines(&world, &mut covered).await;
    golden += &publication_lines(&world, &mut covered).await;
    golden += &tenant_lines(&world, &mut covered).await;
    golden += &account_lines(&world, &mut covered).await;
    snapshot::compare("tests/snapshots/permission-matrix.txt", &golden);

    let document: Value = serde_json::from_str(&pinhole::http::openapi_json()).unwrap();
    let mut missing = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let operation = format!("{method} {path}");
            if !covered.0.contains(&operation) && !WITHOUT_ROLES.contains(&operation.as_str()) {
                missing.push(operation);
            }
        }
    }
    assert_eq!(missing, [""; 0], "operations that the permission matrix does not call");
}

async fn object_line(
    covered: &mut Covered,
    api: &Api,
    plural: &str,
    fields: &Value,
    id: &str,
    name: &str,
) -> String {
    let list_template = format!("/v1/tenants/{{tenant}}/{plural}");
    let template = format!("{list_template}/{{id}}");
    let permissions_template = format!("{template}/permissions");
    let versions = format!("{template}/versions");
    let version = format!("{versions}/{{version}}");
    let (diff, restore) = (format!("{version}/diff"), format!("{version}/restore"));
    let clone = format!("{template}/clone");
    let list = format!("/v1/tenants/acme/{plural}");
    let path = format!("{list}/{id}");
    let mut body = fields.clone();
    body["name"] = json!(name);
    body["description"] = json!("changed");

    let (_, listed) = covered.call(api, Method::GET, &list_template, &format!("{list}?q={name}"), None).await;
    let found = listed["items"].as_array().unwrap().iter().any(|item| item["id"] == id);
    let count = listed["total"].as_i64().unwrap();
    assert_eq!(count > 0, found, "a count that does not fit what is shown");
    let mut line = format!("list {} ", if found { "shown" } else { "absent" });
    for (word, method, template, suffix, body) in [
        ("get", Method::GET, &template, "", None),
        ("by-name", Method::GET, &template, "name", None),
        ("put", Method::PUT, &template, "?dry_run=true", Some(&body)),
        ("patch", Method::PATCH, &template, "?dry_run=true", Some(&body)),
        ("delete", Method::DELETE, &template, "?dry_run=true", None),
        ("get-permissions", Method::GET, &permissions_template, "/permissions", None),
        (
            "put-permissions",
            Method::PUT,
            &permissions_template,
            "/permissions?dry_run=true",
            Some(&json!({"service_provider_administrator": "edit"})),
        ),
        ("clone", Method::POST, &clone, "/clone?dry_run=true", Some(&json!({"name": "clone"}))),
        ("versions", Method::GET, &versions, "/versions", None),
        ("version", Method::GET, &version, "/versions/1", None),
        ("diff", Method::GET, &diff, "/versions/1/diff?against=1", None),
        ("restore", Method::POST, &restore, "/versions/1/restore?dry_run=true", None),
    ] {
        let path = if suffix == "name" { format!("{list}/name:{name}") } else { format!("{path}{suffix}") };
        let (status, answer) = covered.call(api, method, template, &path, body).await;
        write!(line, " {word} {status}").unwrap();
        if word == "get" && status == 200 {
            write!(line, " ({})", answer["my_permission"].as_str().unwrap()).unwrap();
        }
    }
    line
}

/// Joining and revoking take an administrator who sees the appliance; asking about a flow, anybody who does.
async fn join_lines(world: &World, covered: &mut Covered) -> String {
    let mut lines = "join, revoke and effective-alg (appliance)\n".to_owned();
    for (user, role) in ROLES {
        let api = world.api(user);
        write!(lines, "  {role:32}").unwrap();
        for permission in ["edit", "read", "hide"] {
            let template = "/v1/tenants/{tenant}/appliances/{id}/join-token";
            let path =
                format!("/v1/tenants/acme/appliances/name:{role}-{permission}/join-token?dry_run=true");
            let (status, _) = covered.call(&api, Method::POST, template, &path, None).await;
            write!(lines, " {permission} {status}").unwrap();
            let template = "/v1/tenants/{tenant}/appliances/{id}/certificates";
            let path =
                format!("/v1/tenants/acme/appliances/name:{role}-{permission}/certificates?dry_run=true");
            let (status, _) = covered.call(&api, Method::DELETE, template, &path, None).await;
            write!(lines, " {status}").unwrap();
            let template = "/v1/tenants/{tenant}/appliances/{id}/effective-alg";
            let flow = "effective-alg?protocol=tcp&destination_port=21";
            let path = format!("/v1/tenants/acme/appliances/name:{role}-{permission}/{flow}");
            let (status, _) = covered.call(&api, Method::GET, template, &path, None).await;
            write!(lines, " {status}").unwrap();
        }
        lines.push('\n');
    }
    lines
}

/// Publishing takes an administrator; reading about it, any role of the tenant.
async fn publication_lines(world: &World, covered: &mut Covered) -> String {
    let mut lines = String::new();
    for tenant in ["acme", "globex"] {
        writeln!(lines, "publications: {tenant}").unwrap();
        let root = world.api("root");
        let edge = appliance(&root, tenant, "published").await;
        let order = json!({"appliances": [edge]});
        let all = format!("/v1/tenants/{tenant}/publications");
        // The events of one that is over have an end.
        let over = format!("{all}/{}", root.post(&all, &order).await.id());
        root.send(Method::POST, &format!("{over}/cancel"), &[], None).await.expect(200);
        let one = root.post(&all, &order).await;
        let path = format!("{all}/{}", one.id());
        let template = "/v1/tenants/{tenant}/publications";
        for (user, role) in ROLES {
            let api = world.api(user);
            write!(lines, "  {role:32}").unwrap();
            for (word, method, suffix, path, body) in [
                ("list", Method::GET, "", all.clone(), None),
                ("publish", Method::POST, "", format!("{all}?dry_run=true"), Some(&order)),
                ("preview", Method::POST, "/preview", format!("{all}/preview"), Some(&order)),
                ("get", Method::GET, "/{id}", path.clone(), None),
                ("events", Method::GET, "/{id}/events", format!("{over}/events"), None),
                ("cancel", Method::POST, "/{id}/cancel", format!("{path}/cancel?dry_run=true"), None),
            ] {
                let template = format!("{template}{suffix}");
                let (status, _) = covered.call(&api, method, &template, &path, body).await;
                write!(lines, " {word} {status}").unwrap();
            }
            lines.push('\n');
        }
        root.delete(&format!("/v1/tenants/{tenant}/appliances/{edge}")).await.expect(204);
    }
    lines
}

/// Tenants and users know roles only: on the own tenant, and on another one.
async fn tenant_lines(world: &World, covered: &mut Covered) -> String {
    let mut lines = String::new();
    for (tenant, title) in [("acme", "tenants and users: acme"), ("globex", "tenants and users: globex")] {
        writeln!(lines, "{title}").unwrap();
        for (user, role) in ROLES {
            let api = world.api(user);
            let renamed = json!({"name": "renamed"});
            let new_user =
                json!({"username": "new", "password": "a long enough one", "role": "enterprise_operator"});
            let one = format!("/v1/tenants/{tenant}");
            let users = format!("{one}/users");
            let defaults = format!("{one}/permission-defaults");
            let defaults_template = "/v1/tenants/{tenant}/permission-defaults";
            let less = json!({"defaults": {"service": {"enterprise_operator": "hide"}}});
            let first = format!("{users}/name:{tenant}-operator?dry_run=true");
            write!(lines, "  {role:32}").unwrap();
            for (word, method, template, path, body) in [
                (
                    "create",
                    Method::POST,
                    "/v1/tenants",
                    "/v1/tenants?dry_run=true".to_owned(),
                    Some(&renamed),
                ),
                ("get", Method::GET, "/v1/tenants/{tenant}", one.clone(), None),
                ("put", Method::PUT, "/v1/tenants/{tenant}", format!("{one}?dry_run=true"), Some(&renamed)),
                (
                    "patch",
                    Method::PATCH,
                    "/v1/tenants/{tenant}",
                    format!("{one}?dry_run=true"),
                    Some(&renamed),
                ),
                (
                    "suspend",
                    Method::POST,
                    "/v1/tenants/{tenant}/suspend",
                    format!("{one}/suspend?dry_run=true"),
                    None,
                ),
                (
                    "resume",
                    Method::POST,
                    "/v1/tenants/{tenant}/resume",
                    format!("{one}/resume?dry_run=true"),
                    None,
                ),
                ("defaults", Method::GET, defaults_template, defaults.clone(), None),
                (
                    "put-defaults",
                    Method::PUT,
                    defaults_template,
                    format!("{defaults}?dry_run=true"),
                    Some(&less),
                ),
                ("audit", Method::GET, "/v1/tenants/{tenant}/audit", format!("{one}/audit"), None),
                ("users", Method::GET, "/v1/tenants/{tenant}/users", users.clone(), None),
                (
                    "new-user",
                    Method::POST,
                    "/v1/tenants/{tenant}/users",
                    format!("{users}?dry_run=true"),
                    Some(&new_user),
                ),
                ("delete-user", Method::DELETE, "/v1/tenants/{tenant}/users/{id}", first, None),
                ("delete", Method::DELETE, "/v1/tenants/{tenant}", format!("{one}?dry_run=true"), None),
                (
                    "cascade",
                    Method::DELETE,
                    "/v1/tenants/{tenant}",
                    format!("{one}?dry_run=true&cascade=true"),
                    None,
                ),
            ] {
                let (status, _) = covered.call(&api, method, template, &path, body).await;
                write!(lines, " {word} {status}").unwrap();
            }
            lines.push('\n');
        }
    }
    lines
}

/// What is only an administrator's: single users, service accounts; and what is everybody's own: sign-ins.
async fn account_lines(world: &World, covered: &mut Covered) -> String {
    let mut lines = String::new();
    for tenant in ["acme", "globex"] {
        writeln!(lines, "accounts and sessions: {tenant}").unwrap();
        let one = format!("/v1/tenants/{tenant}");
        let new = json!({"name": "program", "role": "enterprise_operator"});
        let accounts = format!("{one}/service-accounts");
        world.api("root").post(&accounts, &new).await.expect(201);
        let other = json!({"name": "other", "role": "enterprise_operator"});
        let program = format!("{accounts}/name:program");
        let user = format!("{one}/users/name:{tenant}-operator");
        let change = json!({"enabled": false});
        let sessions =
            world.api(&format!("{tenant}-admin")).get(&format!("{one}/sessions")).await.expect(200);
        let session = format!("{one}/sessions/{}?dry_run=true", sessions["items"][0]["id"].as_str().unwrap());
        for (caller, role) in ROLES {
            let api = world.api(caller);
            write!(lines, "  {role:32}").unwrap();
            for (word, method, template, path, body) in [
                ("get-user", Method::GET, "/users/{id}", user.clone(), None),
                ("patch-user", Method::PATCH, "/users/{id}", format!("{user}?dry_run=true"), Some(&change)),
                ("accounts", Method::GET, "/service-accounts", accounts.clone(), None),
                ("new", Method::POST, "/service-accounts", format!("{accounts}?dry_run=true"), Some(&other)),
                ("get", Method::GET, "/service-accounts/{id}", program.clone(), None),
                (
                    "patch",
                    Method::PATCH,
                    "/service-accounts/{id}",
                    format!("{program}?dry_run=true"),
                    Some(&change),
                ),
                ("delete", Method::DELETE, "/service-accounts/{id}", format!("{program}?dry_run=true"), None),
                ("sessions", Method::GET, "/sessions", format!("{one}/sessions"), None),
                ("end", Method::DELETE, "/sessions/{id}", session.clone(), None),
            ] {
                let template = format!("/v1/tenants/{{tenant}}{template}");
                let (status, _) = covered.call(&api, method, &template, &path, body).await;
                write!(lines, " {word} {status}").unwrap();
            }
            lines.push('\n');
        }
        world.api("root").delete(&program).await.expect(204);
    }
    lines
}
