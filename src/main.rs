//! The `pinhole` program.

fn main() {}
