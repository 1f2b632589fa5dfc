//! What RFCs require of translation, a test for each requirement.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod always;
mod changes;
mod connection;
mod flood;
mod forwards;
mod icmp;
mod modes;
mod mss;
#[path = "../engine/network.rs"]
mod network;
#[path = "../engine/packets.rs"]
#[expect(dead_code, reason = "not all of what the engine's tests need is needed here")]
mod packets;
mod records;
mod rfc4787;
mod rfc5382;
mod rfc5961;
mod rfc6887;
mod rfc6888;
mod rfc7422;
mod rfc7857;
mod timers;
#[path = "../../benches/engine/traffic.rs"]
#[expect(dead_code, reason = "the order of packets is the bench's own")]
mod traffic;
mod world;
