//! What gateways tell, what they are asked, and what they are to end.

use std::fmt::Write as _;

use axum::http::Method;

use super::{Covered, ROLES};
use crate::support::World;

/// What a gateway tells is read by whoever may read its appliance.
pub(super) async fn traffic_lines(world: &World, covered: &mut Covered) -> String {
    let mut lines = "events and counters (appliance)\n".to_owned();
    for (user, role) in ROLES {
        let api = world.api(user);
        write!(lines, "  {role:32}").unwrap();
        for permission in ["edit", "read", "hide"] {
            write!(lines, " {permission}").unwrap();
            for what in ["events", "counters"] {
                let template = format!("/v1/tenants/{{tenant}}/appliances/{{id}}/{what}");
                let path = format!("/v1/tenants/acme/appliances/name:{role}-{permission}/{what}");
                let (status, _) = covered.call(&api, Method::GET, &template, &path, None).await;
                write!(lines, " {status}").unwrap();
            }
        }
        lines.push('\n');
    }
    lines
}

/// Whoever may read the appliance may ask, and whoever may edit it may end: 409 is said to them, as no gateway is there.
pub(super) async fn live_lines(world: &World, covered: &mut Covered) -> String {
    let mut lines = "sessions, pinholes, mappings, end a session, close a pinhole (appliance)\n".to_owned();
    for (user, role) in ROLES {
        let api = world.api(user);
        write!(lines, "  {role:32}").unwrap();
        for permission in ["edit", "read", "hide"] {
            write!(lines, " {permission}").unwrap();
            for (method, what, id) in [
                (Method::GET, "sessions", ""),
                (Method::GET, "pinholes", ""),
                (Method::GET, "mappings", ""),
                (Method::DELETE, "sessions", "/x"),
                (Method::DELETE, "pinholes", "/x"),
            ] {
                let live = if id.is_empty() { "" } else { "/{live}" };
                let template = format!("/v1/tenants/{{tenant}}/appliances/{{id}}/{what}{live}");
                let path = format!("/v1/tenants/acme/appliances/name:{role}-{permission}/{what}{id}");
                let (status, _) = covered.call(&api, method, &template, &path, None).await;
                write!(lines, " {status}").unwrap();
            }
        }
        lines.push('\n');
    }
    lines
}
