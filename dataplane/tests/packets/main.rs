//! Packets beside plain TCP, UDP and ICMP: other transports, and fragments.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod bounds;
mod fragments;
mod law;
#[path = "../engine/network.rs"]
mod network;
mod other;
#[path = "../engine/packets.rs"]
#[expect(dead_code, reason = "not all of what the engine's tests need is needed here")]
mod packets;
mod reassembly;
mod receiver;
mod udp_lite;
mod world;
