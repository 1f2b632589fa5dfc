//! What the gateway changes on its host: interfaces' ingress filters, kernel settings, routes. Every change is
//! written to a journal first, so that it can be undone whatever ends the process.

pub(crate) mod addresses;
pub(crate) mod command;
pub(crate) mod journal;
pub(crate) mod lock;
pub(crate) mod namespace;
pub(crate) mod plan;
pub(crate) mod setup;
pub(crate) mod sysctl;
pub(crate) mod traffic;
