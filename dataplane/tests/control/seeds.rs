//! Which seeds a test of random runs tries, and what it says of the one that failed.

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// The one seed that `PINHOLE_SEED` asks for, or as many as the variable `how_many` says, or else `few`.
pub(crate) fn seeds(how_many: &str, few: u64) -> std::ops::Range<u64> {
    match number("PINHOLE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number(how_many).unwrap_or(few),
    }
}

/// Says which run failed.
pub(crate) struct Named(pub(crate) u64);

#[expect(clippy::print_stdout, reason = "the test harness shows it with the failure")]
impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("run it again with PINHOLE_SEED={}", self.0);
        }
    }
}
