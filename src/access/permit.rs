//! Proof that an action is allowed. Only [`super::matrix`] makes these, and what changes the database takes one.

use crate::domain::kind::Kind;
use crate::ids::ObjectId;

/// What a permit allows, and on what.
pub trait Access {
    /// What it is allowed on.
    type Target: Copy;
}

/// Seeing an object.
#[derive(Debug, Clone, Copy)]
pub enum Read {}

/// Changing or deleting an object.
#[derive(Debug, Clone, Copy)]
pub enum Edit {}

/// Creating an object of a kind.
#[derive(Debug, Clone, Copy)]
pub enum Create {}

/// Administering the tenant that the request acts on: its users, its publications, its appliances' credentials.
#[derive(Debug, Clone, Copy)]
pub enum Administer {}

/// Administering the enterprises of the provider.
#[derive(Debug, Clone, Copy)]
pub enum AdministerTenants {}

impl Access for Read {
    type Target = ObjectId;
}
impl Access for Edit {
    type Target = ObjectId;
}
impl Access for Create {
    type Target = Kind;
}
impl Access for Administer {
    type Target = ();
}
impl Access for AdministerTenants {
    type Target = ();
}

/// Proof that `A` is allowed on a target.
#[derive(Debug)]
pub struct Permit<A: Access> {
    target: A::Target,
}

impl<A: Access> Permit<A> {
    pub(super) fn issue(target: A::Target) -> Self {
        Self { target }
    }

    /// What the action is allowed on.
    #[must_use]
    pub fn target(&self) -> A::Target {
        self.target
    }
}
