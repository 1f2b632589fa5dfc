//! Which policy an appliance gets: by its master profile, or by the sub-profile that its master profile holds.

use std::collections::BTreeMap;

use super::CompileError;
use crate::domain::alg_policy::AlgPolicy;
use crate::domain::appliance::Appliance;
use crate::domain::kind::Kind;
use crate::domain::name::Name;
use crate::domain::object::{Object, Spec};
use crate::domain::profile::{MasterProfile, SubProfile};
use crate::domain::service::Service;
use crate::ids::ObjectId;

/// What appliances are compiled from, besides themselves: at least every object that they refer to, directly or not.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    profiles: BTreeMap<ObjectId, MasterProfile>,
    sub_profiles: BTreeMap<ObjectId, SubProfile>,
    policies: BTreeMap<ObjectId, (Name, AlgPolicy)>,
    services: BTreeMap<ObjectId, (Name, Service)>,
}

impl FromIterator<Object> for Inputs {
    fn from_iter<I: IntoIterator<Item = Object>>(objects: I) -> Self {
        let mut inputs = Self::default();
        for object in objects {
            let name = object.draft.name;
            match object.draft.spec {
                Spec::MasterProfile(profile) => drop(inputs.profiles.insert(object.id, profile)),
                Spec::SubProfile(profile) => drop(inputs.sub_profiles.insert(object.id, profile)),
                Spec::AlgPolicy(policy) => drop(inputs.policies.insert(object.id, (name, policy))),
                Spec::Service(service) => drop(inputs.services.insert(object.id, (name, service))),
                // Nothing refers to an appliance.
                Spec::Appliance(_) => {}
            }
        }
        inputs
    }
}

impl Inputs {
    /// A service by id.
    pub(super) fn service(&self, id: ObjectId) -> Result<(&Name, &Service), CompileError> {
        let found = self.services.get(&id).map(|(name, service)| (name, service));
        found.ok_or(CompileError::Missing { kind: Kind::Service, id })
    }
}

/// A policy that an appliance gets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolved<'a> {
    pub(super) id: ObjectId,
    pub(super) name: &'a Name,
    pub(super) policy: &'a AlgPolicy,
}

/// The policy of an appliance; `None` when it has no profile, or the profile no policy, or no sub-profile with one.
pub(super) fn policy_of<'a>(
    appliance: &Appliance,
    inputs: &'a Inputs,
) -> Result<Option<Resolved<'a>>, CompileError> {
    let Some(id) = appliance.master_profile else { return Ok(None) };
    let profile = inputs.profiles.get(&id).ok_or(CompileError::Missing { kind: Kind::MasterProfile, id })?;
    let policy = match profile {
        MasterProfile::Basic { alg_policy } => *alg_policy,
        MasterProfile::Standard { system: None } => None,
        MasterProfile::Standard { system: Some(id) } => {
            let missing = CompileError::Missing { kind: Kind::SubProfile, id: *id };
            inputs.sub_profiles.get(id).ok_or(missing)?.alg_policy
        }
    };
    let Some(id) = policy else { return Ok(None) };
    match inputs.policies.get(&id) {
        Some((name, policy)) => Ok(Some(Resolved { id, name, policy })),
        None => Err(CompileError::Missing { kind: Kind::AlgPolicy, id }),
    }
}
