//! Services: a change of ports must not make the ALGs of a policy that listens on them meet.

use super::scope::Scope;
use crate::domain::input::{Code, FieldError, MAX_ERRORS};
use crate::domain::object::Spec;
use crate::domain::overlap::overlaps;
use crate::domain::reference::Ref;
use crate::domain::service::Service;
use crate::error::Result;
use crate::ids::ObjectId;
use crate::store::objects as store;

/// The errors that saving a service would bring about in the policies that listen on it.
pub(super) async fn check(scope: &mut Scope, id: ObjectId, service: &Service) -> Result<Vec<FieldError>> {
    let policies = store::policies_listening_on(&mut scope.tx, id).await?;
    let mut errors = Vec::new();
    for object in policies {
        let Spec::AlgPolicy(policy) = &object.draft.spec else { continue };
        let ids: Vec<ObjectId> = object.draft.spec.links().iter().map(|link| link.to).collect();
        let mut services = store::services_regardless(&mut scope.tx, &ids).await?;
        services.insert(id, service.clone());
        let visible = store::find(&mut scope.tx, &scope.viewer, object.kind(), &Ref::Id(object.id)).await?;
        let policy_name = match visible {
            Some(_) => format!("the policy \"{}\"", object.draft.name),
            None => "a policy".to_owned(),
        };
        for overlap in overlaps(policy, &services) {
            let detail = format!(
                "with these ports, {} and {} of {policy_name} would inspect the same traffic",
                overlap.other, overlap.protocol
            );
            let field = if service.destination_port.is_some() { "/destination_port" } else { "/source_port" };
            errors.push(FieldError { pointer: field.to_owned(), code: Code::Overlap, detail });
            if errors.len() >= MAX_ERRORS {
                return Ok(errors);
            }
        }
    }
    Ok(errors)
}
