//! A target under libFuzzer: `PINHOLE_TARGET` names it, the arguments are libFuzzer's. Built by scripts/fuzz, as without
//! its instrumentation libFuzzer would be blind.
#![no_main]

use std::sync::OnceLock;

use pinhole_fuzz::Target;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    static TARGET: OnceLock<Target> = OnceLock::new();
    let named = || {
        let name = std::env::var("PINHOLE_TARGET").unwrap_or_default();
        pinhole_fuzz::target(&name).unwrap_or_else(|| panic!("PINHOLE_TARGET is no target's name: {name:?}"))
    };
    (TARGET.get_or_init(named).run)(input);
});
