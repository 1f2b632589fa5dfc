//! `/services`: transport and ports under a name.

mod view;

use self::view::{Service, ServiceInput};
use super::objects::copying::copy_endpoint;
use super::objects::endpoints::object_endpoints;
use crate::domain::kind::Kind;

object_endpoints! {
    kind: Kind::Service,
    tag: "services",
    one: "a service",
    many: "services",
    view: Service,
    input: ServiceInput,
}

copy_endpoint! {
    kind: Kind::Service,
    tag: "services",
    one: "a service",
}
