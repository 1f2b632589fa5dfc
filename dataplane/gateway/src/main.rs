//! The `pinhole-gateway` daemon.

fn main() {}
