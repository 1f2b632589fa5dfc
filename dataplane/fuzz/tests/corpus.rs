//! Every target over the inputs that are kept, and over a fixed number of variations of them.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;

use pinhole_fuzz::mutate::Mutator;
use pinhole_fuzz::{TARGETS, Target};

/// Variations of each target; `PINHOLE_FUZZ_RUNS` asks for more or fewer.
const RUNS: u64 = 3_000;
/// The longest input.
const MOST: usize = 1_024;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Says which input failed.
struct Named<'a>(&'a Target, &'a [u8]);

#[expect(clippy::print_stdout, reason = "the test harness shows it with the failure")]
impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{} fails for {:?}", self.0.name, self.1);
        }
    }
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let kept = corpus(target);
    assert!(!kept.is_empty(), "{name} has no corpus");
    for input in &kept {
        let _named = Named(target, input);
        (target.run)(input);
    }
    let mut mutator = Mutator::new(number("PINHOLE_SEED").unwrap_or(1));
    for _ in 0..number("PINHOLE_FUZZ_RUNS").unwrap_or(RUNS) {
        let input = mutator.vary(&kept, MOST);
        let _named = Named(target, &input);
        (target.run)(&input);
    }
}

#[test]
fn parse() {
    run("parse");
}

#[test]
fn process() {
    run("process");
}

#[test]
fn apply() {
    run("apply");
}

#[test]
fn ftp() {
    run("ftp");
}

#[test]
fn capture() {
    run("capture");
}
