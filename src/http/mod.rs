//! HTTP: extract, call [`crate::app`], view. Errors become problem documents here and nowhere else.

mod docs;
mod etag;
mod extract;
mod gate;
mod health;
mod layer;
mod openapi;
mod problem;
mod router;
mod v1;

pub use self::gate::Gate;
pub use self::openapi::openapi_json;
pub use self::router::router;
