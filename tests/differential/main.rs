//! The same packets through the engine and through the Linux kernel's NAT: what becomes of them is the same, or the
//! difference is listed with what makes ours right.
//!
//! Ports that were chosen are called by letters, as each may choose its own. Needs namespaces, as the tests of the
//! gateway do, and `nft`; where the kernel has no nf_tables the comparison is skipped with a message.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod differences;
mod engine;
mod kernel;
#[path = "../../dataplane/tests/engine/packets.rs"]
#[expect(dead_code, reason = "not all of what the engine's tests need is needed here")]
mod packets;
mod scenarios;
mod story;

use std::collections::BTreeSet;

use differences::DIFFERENCES;
use engine::Ours;
use kernel::Kernel;
use scenarios::SCENARIOS;
use story::{Path, Story};

#[test]
fn the_engine_does_what_the_kernel_does_but_for_the_listed_differences() {
    if let Err(reason) = Kernel::new() {
        println!("skipped: this kernel translates nothing: {reason:#}");
        return;
    }
    let (mut problems, mut compared, mut met) = (Vec::new(), 0, BTreeSet::new());
    for (name, tell) in SCENARIOS {
        let told = |path: Box<dyn Path>| {
            let mut story = Story::new(path);
            tell(&mut story);
            story.steps
        };
        let (ours, theirs) = (told(Box::new(Ours::new())), told(Box::new(Kernel::new().unwrap())));
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for ((step, ours), (_, theirs)) in ours.iter().zip(&theirs) {
            compared += 1;
            let place = format!("{name}: {step}");
            let listed = DIFFERENCES.iter().find(|difference| difference.place == place);
            match listed {
                None if ours == theirs => {}
                None => problems.push(format!("{place}\n     ours: {ours}\n  kernel's: {theirs}")),
                Some(listed) if ours == listed.ours && theirs == listed.theirs => {
                    met.insert(listed.place);
                }
                Some(_) => problems.push(format!(
                    "{place} is listed with other outcomes\n     ours: {ours}\n  kernel's: {theirs}"
                )),
            }
        }
    }
    let unmet = DIFFERENCES.iter().filter(|difference| !met.contains(difference.place));
    problems.extend(unmet.map(|difference| format!("{} is listed and does not happen", difference.place)));
    assert!(
        DIFFERENCES.iter().all(|difference| !difference.why.is_empty()),
        "each difference has its reason"
    );
    assert!(
        problems.is_empty(),
        "{compared} steps compared; {} differ\n{}",
        problems.len(),
        problems.join("\n")
    );
    assert!(compared > 50, "{compared}");
}
