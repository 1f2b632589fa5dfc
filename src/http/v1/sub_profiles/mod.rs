//! `/sub-profiles`: what a standard master profile is made of.

mod view;

use self::view::{SubProfile, SubProfileInput};
use super::objects::copying::copy_endpoint;
use super::objects::endpoints::object_endpoints;
use crate::domain::kind::Kind;

pub(in crate::http) use self::view::SubProfile as SubProfileView;

object_endpoints! {
    kind: Kind::SubProfile,
    tag: "sub-profiles",
    one: "a sub-profile",
    many: "sub-profiles",
    view: SubProfile,
    input: SubProfileInput,
}

copy_endpoint! {
    kind: Kind::SubProfile,
    tag: "sub-profiles",
    one: "a sub-profile",
}
