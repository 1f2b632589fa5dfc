use proptest::prelude::*;

use super::Waiting;

#[derive(Clone, Copy, Debug)]
enum Act {
    Silent(u32),
    HalfOpen(u32, u32),
    Leave(u32),
}

proptest! {
    /// Against plain lists.
    #[test]
    fn the_oldest_comes_first(acts in prop::collection::vec(prop_oneof![
        (0_u32..12).prop_map(Act::Silent),
        (0_u32..12, 0_u32..3).prop_map(|(slot, owner)| Act::HalfOpen(slot, owner)),
        (0_u32..12).prop_map(Act::Leave),
    ], 0..200)) {
        let mut waiting = Waiting::new(12, 3);
        let mut model: Vec<(u32, Option<u32>)> = Vec::new();
        for act in acts {
            let (Act::Silent(slot) | Act::HalfOpen(slot, _) | Act::Leave(slot)) = act;
            model.retain(|(other, _)| *other != slot);
            match act {
                Act::Silent(slot) => {
                    waiting.enter_silent(slot);
                    model.push((slot, None));
                }
                Act::HalfOpen(slot, owner) => {
                    waiting.enter_half_open(slot, owner);
                    model.push((slot, Some(owner)));
                }
                Act::Leave(slot) => waiting.leave(slot),
            }
            let first = |wanted: &dyn Fn(Option<u32>) -> bool| {
                model.iter().find(|(_, owner)| wanted(*owner)).map(|(slot, _)| *slot)
            };
            prop_assert_eq!(waiting.oldest_silent(), first(&|owner| owner.is_none()));
            prop_assert_eq!(waiting.oldest_half_open(), first(&|owner| owner.is_some()));
            let half_open = model.iter().filter(|(_, owner)| owner.is_some()).count();
            prop_assert_eq!(waiting.half_open() as usize, half_open);
            for owner in 0..3 {
                prop_assert_eq!(waiting.oldest_of(owner), first(&|other| other == Some(owner)));
                let count = model.iter().filter(|(_, other)| *other == Some(owner)).count();
                prop_assert_eq!(waiting.half_open_of(owner) as usize, count);
            }
        }
    }
}
