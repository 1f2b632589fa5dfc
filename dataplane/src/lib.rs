//! Sans-IO NAT, stateful firewall and Application Layer Gateway engine.
//!
//! The [`engine::Engine`] is told bytes, time and randomness and never fetches them:
//! parse -> conntrack -> firewall -> nat -> alg -> emit.

pub mod addr;
pub mod alg;
pub mod config;
pub mod conntrack;
pub mod emit;
pub mod engine;
pub mod firewall;
pub mod fragment;
pub mod limits;
pub mod nat;
pub mod parse;
pub mod rate;
pub mod rng;
pub mod time;
pub mod tuple;
pub mod wire;
