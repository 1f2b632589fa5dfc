//! Holds the repository to its own rules.

/// The engine is sans-IO: its manifest names no runtime and no I/O crate.
#[test]
fn the_engine_has_no_io_dependency() {
    let manifest = include_str!("../dataplane/Cargo.toml");
    for banned in ["tokio", "nix", "mio", "socket2", "rand"] {
        assert!(!manifest.contains(&format!("{banned}.workspace")), "dataplane depends on {banned}");
    }
}
