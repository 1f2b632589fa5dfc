//! Captures through the gateway: what `pinhole-gateway replay` writes, checked packet by packet.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod captures;
mod command;
mod frames;
#[path = "../../../tests/engine/packets.rs"]
#[expect(dead_code, reason = "not all of what the engine's tests need is needed here")]
mod packets;
mod verify;
