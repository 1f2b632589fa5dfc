//! Desired state: what files say a tenant is to hold, what it takes to get there, and files from what there is. Pure; whoever
//! uses it reads the files and talks to the API.

mod difference;
mod document;
mod plan;

pub use self::difference::{Difference, differences};
pub use self::document::{Desired, Item, Problem, export, key_of};
pub use self::plan::{Action, Current, Plan, Prune, Step, plan};

#[cfg(test)]
mod tests;
