//! What is fuzzed: functions of bytes that panic where something is wrong.
//!
//! `scripts/fuzz` runs them under libFuzzer, which looks for inputs that reach new code; the tests run them over the
//! inputs that are kept in `corpus`, and over a fixed number of variations of these.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a target says that something is wrong"
)]

mod apply;
mod capture;
mod ftp;
mod input;
pub mod mutate;
mod packet;
mod parse;
mod process;
mod settings;
mod world;

/// One thing that is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// Does something with bytes; panics where it should not have come to that.
    pub run: fn(&[u8]),
}

/// Everything that is fuzzed.
pub const TARGETS: [Target; 5] = [
    Target { name: "parse", run: parse::run },
    Target { name: "process", run: process::run },
    Target { name: "apply", run: apply::run },
    Target { name: "ftp", run: ftp::run },
    Target { name: "capture", run: capture::run },
];

/// Returns the target of a name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
