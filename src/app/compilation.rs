//! What saved objects compile to, appliance by appliance.

use std::collections::BTreeMap;

use pinhole_proto::v1::GatewayConfig;
use prost::Message as _;

use super::scope::Scope;
use crate::compiler::{self, CompileError, Compiled, Hidden, Inputs};
use crate::domain::appliance::{Appliance, ApplianceState};
use crate::domain::kind::Kind;
use crate::domain::object::{Object, Spec};
use crate::error::{Error, Result};
use crate::ids::ObjectId;
use crate::store::{appliances as store, objects};

/// Compiles appliances. What they refer to is read in one query, hidden objects too: what is published is what the
/// objects say, whoever may see them.
pub(super) async fn compile(
    scope: &mut Scope,
    appliances: &[&Object],
) -> Result<BTreeMap<ObjectId, Result<Compiled, CompileError>>> {
    let ids: Vec<ObjectId> = appliances.iter().map(|object| object.id).collect();
    let inputs: Inputs = objects::reachable_regardless(&mut scope.tx, &ids).await?.into_iter().collect();
    appliances.iter().map(|object| Ok((object.id, compiler::compile(appliance(object)?, &inputs)))).collect()
}

/// The states of the appliances among some objects.
///
/// Whether something has changed since the last publication is found by compiling again and comparing hashes, since
/// the change may be in any object that the appliance refers to. It costs one query and one compilation for each
/// appliance on the page, of which there are [`crate::domain::page::MAX_PER_PAGE`] at most; what is not on the page
/// is not compiled.
pub(super) async fn states(
    scope: &mut Scope,
    objects: &[Object],
) -> Result<BTreeMap<ObjectId, ApplianceState>> {
    let appliances: Vec<&Object> =
        objects.iter().filter(|object| matches!(object.draft.spec, Spec::Appliance(_))).collect();
    if appliances.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<ObjectId> = appliances.iter().map(|object| object.id).collect();
    let mut stored = store::states(&mut scope.tx, &ids).await?;
    let compiled = compile(scope, &appliances).await?;
    let state = |(id, outcome): (ObjectId, Result<Compiled, CompileError>)| {
        let stored = stored.remove(&id).unwrap_or_default();
        let changed = changed(&outcome, &stored);
        (id, ApplianceState { changed_since_publish: changed, ..stored.state })
    };
    Ok(compiled.into_iter().map(state).collect())
}

/// Whether publishing an appliance would give it something else than what was published last. An appliance that
/// never got anything and whose NAT settings are not set has nothing to be given.
pub(super) fn changed(outcome: &Result<Compiled, CompileError>, stored: &store::StoredState) -> bool {
    match outcome {
        Ok(compiled) => stored.published_hash != Some(compiled.hash),
        Err(CompileError::NatUnset) => stored.published_hash.is_some(),
        // Somebody saved the appliance and removed what it referred to while it was read.
        Err(CompileError::Missing { .. }) => true,
    }
}

/// The appliance that an object is.
pub(super) fn appliance(object: &Object) -> Result<&Appliance> {
    match &object.draft.spec {
        Spec::Appliance(appliance) => Ok(appliance),
        Spec::Service(_) | Spec::AlgPolicy(_) | Spec::SubProfile(_) | Spec::MasterProfile(_) => {
            Err(Error::Internal(format!("the object {} is no appliance", object.id)))
        }
    }
}

/// What is to be left out for the caller where a compiled configuration names it.
pub(super) async fn hidden(scope: &mut Scope) -> Result<Hidden> {
    let mut hidden = Hidden::default();
    for named in objects::hidden(&mut scope.tx, &scope.viewer).await? {
        match named.kind {
            Kind::AlgPolicy => drop(hidden.policies.insert(named.id.to_string())),
            Kind::Service => drop(hidden.services.insert(named.name)),
            Kind::SubProfile | Kind::MasterProfile | Kind::Appliance => {}
        }
    }
    Ok(hidden)
}

/// Decodes a configuration that was compiled for an appliance.
pub(super) fn open(appliance: ObjectId, bytes: &[u8]) -> Result<GatewayConfig> {
    GatewayConfig::decode(bytes)
        .map_err(|error| Error::Internal(format!("a revision of the appliance {appliance}: {error}")))
}
