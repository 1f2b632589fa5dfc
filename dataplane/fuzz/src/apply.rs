//! Configurations of all kinds, with packets between them.

use crate::input::Input;
use crate::settings;
use crate::world::World;

/// Steps of one input.
const MOST: usize = 200;

pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut world = World::new();
    for _ in 0..MOST {
        if input.is_empty() {
            break;
        }
        if input.byte() % 5 == 0 {
            let config = if input.bool() { settings::good(&mut input) } else { settings::any(&mut input) };
            world.apply(config);
        } else {
            world.step(&mut input);
        }
    }
    world.finish();
}
