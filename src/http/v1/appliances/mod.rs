//! `/appliances`: where gateways stand, what they are given, and how they are.

mod export_view;
mod inspection;
mod joining;
mod live;
mod live_view;
mod nat_view;
mod traffic;
mod traffic_view;
mod view;

use self::view::{Appliance, ApplianceInput};
use super::objects::endpoints::object_endpoints;
use crate::domain::kind::Kind;

pub(in crate::http) use self::inspection::routes as inspection_routes;
pub(in crate::http) use self::joining::routes as joining_routes;
pub(in crate::http) use self::live::routes as live_routes;
pub(in crate::http) use self::traffic::routes as traffic_routes;

object_endpoints! {
    kind: Kind::Appliance,
    tag: "appliances",
    one: "an appliance",
    many: "appliances",
    view: Appliance,
    input: ApplianceInput,
}
