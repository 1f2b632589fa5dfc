//! What RFCs require of translation, a test for each requirement.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod changes;
mod connection;
mod flood;
mod forwards;
mod modes;
mod mss;
#[path = "../engine/network.rs"]
mod network;
#[path = "../engine/packets.rs"]
#[expect(dead_code, reason = "not all of what the engine's tests need is needed here")]
mod packets;
mod rfc4787;
mod rfc5382;
mod rfc5961;
mod rfc6888;
mod rfc7422;
mod rfc7857;
mod world;
