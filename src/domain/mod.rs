//! Values and rules, pure: no clock, no database, no network.

pub mod alg_policy;
pub mod alg_protocol;
pub mod appliance;
pub mod flow;
pub mod input;
pub mod kind;
pub mod merge_patch;
pub mod name;
pub mod nat;
pub mod object;
pub mod overlap;
pub mod page;
pub mod password;
pub mod permission;
pub mod port;
pub mod profile;
pub mod publication;
pub mod reference;
pub mod revision;
pub mod role;
pub mod service;
pub mod tenant;
pub mod user;
pub mod version;
