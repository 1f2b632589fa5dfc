//! Control streams between two TCP peers on a network that loses, repeats and reorders, on virtual time.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod arbiter;
mod dialogue;
mod law;
mod network;
mod opaque;
mod peer;
mod pipe;
mod random;
mod seeds;
mod segments;
