//! Packets of all kinds from both sides, and time.

use crate::input::Input;
use crate::settings;
use crate::world::World;

/// Steps of one input.
const MOST: usize = 400;

pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut world = World::new();
    world.hides = true;
    world.apply(settings::good(&mut input));
    for _ in 0..MOST {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.finish();
}
