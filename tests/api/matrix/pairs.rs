//! Actions that take two things: a policy and a profile, an object and a tenant.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::http::Method;
use serde_json::json;
use sqlx::ConnectOptions as _;

use super::{Covered, ROLES, kinds};
use crate::support::{World, create};

/// Attaching takes two objects: every pair of permissions, to a basic master profile and to a sub-profile.
pub(super) async fn attach_lines(world: &World, covered: &mut Covered) -> String {
    let mut lines = "attach and detach (policy, profile): a master profile, a sub-profile\n".to_owned();
    let mut profiles = BTreeMap::new();
    for plural in ["master-profiles", "sub-profiles"] {
        let mut owner = world.owner.connect().await.unwrap();
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT name, id::text FROM objects WHERE kind = $1 AND name <> 'Default-Basic-MP'",
        )
        .bind(plural.replace("-profiles", "_profile"))
        .fetch_all(&mut owner)
        .await
        .unwrap();
        profiles.extend(rows.into_iter().map(|(name, id)| (format!("{plural}/{name}"), id)));
    }
    for (user, role) in ROLES {
        let api = world.api(user);
        for policy in ["edit", "read", "hide"] {
            for profile in ["edit", "read", "hide"] {
                let policy_name = format!("name:{role}-{policy}");
                write!(lines, "  {role:32} {policy:6} {profile:6}").unwrap();
                for (action, plural) in [
                    ("attach", "master-profiles"),
                    ("detach", "master-profiles"),
                    ("attach", "sub-profiles"),
                    ("detach", "sub-profiles"),
                ] {
                    let body = json!({"profile": profiles[&format!("{plural}/{role}-{profile}")]});
                    let template = format!("/v1/tenants/{{tenant}}/alg-policies/{{id}}/{action}");
                    let path = format!("/v1/tenants/acme/alg-policies/{policy_name}/{action}?dry_run=true");
                    let (status, _) = covered.call(&api, Method::POST, &template, &path, Some(&body)).await;
                    write!(lines, " {action} {status}").unwrap();
                }
                lines.push('\n');
            }
        }
    }
    lines
}

/// Copying takes the provider's administrator, and an object of the provider.
pub(super) async fn copy_lines(world: &World, covered: &mut Covered) -> String {
    let mut lines = "copy (the provider's object; an enterprise's)\n".to_owned();
    for (plural, fields) in kinds().into_iter().filter(|(plural, _)| *plural != "appliances") {
        for (user, role) in ROLES {
            write!(lines, "  {role:32} {plural:16}").unwrap();
            for permission in ["edit", "read", "hide"] {
                let name = format!("copied-{role}-{permission}");
                let mut body = fields.clone();
                body["name"] = json!(name);
                body["permissions"] = json!([{"role": role, "permission": permission}]);
                create(&world.api("root"), "provider", plural, &body).await;
                write!(lines, " {permission}").unwrap();
                for (tenant, name) in [("provider", name.clone()), ("acme", format!("{role}-{permission}"))] {
                    let template = format!("/v1/tenants/{{tenant}}/{plural}/{{id}}/copy");
                    let path = format!("/v1/tenants/{tenant}/{plural}/name:{name}/copy?dry_run=true");
                    let body = json!({"tenants": ["globex"]});
                    let api = world.api(user);
                    let (status, _) = covered.call(&api, Method::POST, &template, &path, Some(&body)).await;
                    write!(lines, " {status}").unwrap();
                }
            }
            lines.push('\n');
        }
    }
    lines
}
