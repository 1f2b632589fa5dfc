//! Ten thousand gateways.

fn main() {}
