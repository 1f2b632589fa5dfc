//! What a gateway is to end.

use axum::http::Method;

use super::{Change, change};
use crate::push::live::obedient;
use crate::support::{Api, World, appliance};

/// One of each kind, on an appliance whose gateway does as it is told.
pub(super) async fn changes(world: &World, root: &Api) -> Vec<Change> {
    let manned = appliance(root, "acme", "manned").await;
    obedient(world, root, &manned).await;
    let kill = |what| {
        let template = format!("/v1/tenants/{{tenant}}/appliances/{{id}}/{what}/{{live}}");
        change(Method::DELETE, &template, format!("/v1/tenants/acme/appliances/{manned}/{what}/x"), None)
    };
    ["sessions", "pinholes"].map(kill).into()
}
