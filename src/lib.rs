//! The Pinhole controller: administrators save Application Layer Gateway policies over REST, publish them, and
//! the gateways on the appliances are given what to enforce.
//!
//! Layers, each naming only what stands below it: [`http`] (shapes), [`app`] (use cases), [`store`] (Postgres),
//! [`compiler`] (objects to what a gateway enforces), [`access`] (who may do what), [`domain`] (values and rules).

pub mod access;
pub mod app;
pub mod clock;
pub mod compiler;
pub mod desired;
pub mod domain;
pub mod error;
pub mod http;
pub mod ids;
pub mod import;
pub mod oidc;
pub mod origin;
pub mod push;
pub mod store;
pub mod telemetry;
pub mod tls;
