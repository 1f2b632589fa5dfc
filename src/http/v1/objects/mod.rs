//! What the resources of all kinds have in common: how they are answered, and the endpoints themselves.

pub(super) mod copying;
pub(super) mod endpoints;
pub(super) mod respond;
pub(super) mod view;
