//! `/alg-policies`: which protocols' ALGs are on, and what they listen on.

mod attachment;
mod view;

use self::view::{AlgPolicy, AlgPolicyInput};
use super::objects::copying::copy_endpoint;
use super::objects::endpoints::object_endpoints;
use crate::domain::kind::Kind;

pub(in crate::http) use self::attachment::routes as attachment_routes;

object_endpoints! {
    kind: Kind::AlgPolicy,
    tag: "alg-policies",
    one: "an ALG policy",
    many: "ALG policies",
    view: AlgPolicy,
    input: AlgPolicyInput,
}

copy_endpoint! {
    kind: Kind::AlgPolicy,
    tag: "alg-policies",
    one: "an ALG policy",
}
