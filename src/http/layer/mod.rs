//! What happens to every request and response.

pub(super) mod idempotency;
pub(super) mod origin;
pub(super) mod problem;
pub(super) mod rate;
pub(super) mod request_id;
pub(super) mod security;
