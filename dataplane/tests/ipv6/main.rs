//! The firewall for IPv6, packet by packet.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod any;
mod change;
mod fragments;
mod ftp;
mod limits;
mod mss;
mod network;
mod openings;
mod packets;
mod rfc4890;
mod rfc6092;
mod tftp;
