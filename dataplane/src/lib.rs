//! Sans-IO NAT, stateful firewall and Application Layer Gateway engine.
//!
//! The engine is told bytes, time and randomness and never fetches them.

pub mod addr;
pub mod alg;
pub mod time;
pub mod tuple;
