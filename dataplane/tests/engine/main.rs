//! The whole engine, packet by packet.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod batch;
mod ftp;
mod live;
mod network;
mod packets;
mod pptp;
mod tftp;
mod translation;
