//! A failing script with everything left out that it can fail without.

use crate::script::Script;

/// Leaves steps out, many at first, as long as the script still fails.
pub(crate) fn shortest(mut script: Script, mut fails: impl FnMut(&Script) -> bool) -> Script {
    let mut piece = script.steps.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        let before = script.steps.len();
        while at < script.steps.len() {
            let mut shorter = script.clone();
            shorter.steps.drain(at..(at + piece).min(script.steps.len()));
            if fails(&shorter) {
                script = shorter;
            } else {
                at += piece;
            }
        }
        if piece > 1 {
            piece = piece.div_ceil(2);
        } else if script.steps.len() == before {
            piece = 0;
        }
    }
    script
}

#[test]
fn only_what_is_needed_is_left() {
    use crate::random::Random;
    use crate::script::Step;
    let mut script = Script::random(&mut Random(1), 40);
    script.steps[7] = Step::Wait(7);
    script.steps[31] = Step::Wait(31);
    let has =
        |script: &Script, time| script.steps.iter().any(|step| matches!(step, Step::Wait(t) if *t == time));
    let short = shortest(script, |script| has(script, 7) && has(script, 31));
    assert_eq!(short.steps.len(), 2);
}
