//! A controller for each test, on a clone of one prepared database.

mod cluster;
mod world;

pub(crate) use self::world::{Answer, Api, World};
