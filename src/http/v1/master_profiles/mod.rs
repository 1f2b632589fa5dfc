//! `/master-profiles`: what an appliance is given.

mod view;

use self::view::{MasterProfile, MasterProfileInput};
use super::objects::copying::copy_endpoint;
use super::objects::endpoints::object_endpoints;
use crate::domain::kind::Kind;

pub(in crate::http) use self::view::MasterProfile as MasterProfileView;

object_endpoints! {
    kind: Kind::MasterProfile,
    tag: "master-profiles",
    one: "a master profile",
    many: "master profiles",
    view: MasterProfile,
    input: MasterProfileInput,
}

copy_endpoint! {
    kind: Kind::MasterProfile,
    tag: "master-profiles",
    one: "a master profile",
}
