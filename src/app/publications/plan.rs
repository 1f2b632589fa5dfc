//! What an order comes to: which appliances, and what each is to run.

use std::collections::BTreeSet;

use crate::app::compilation;
use crate::app::scope::Scope;
use crate::compiler::{CompileError, Compiled};
use crate::domain::input::{Code, FieldError, MAX_ERRORS, Report};
use crate::domain::kind::Kind;
use crate::domain::object::Object;
use crate::domain::publication::{MAX_APPLIANCES, Order, Selection};
use crate::domain::reference::ObjectRef;
use crate::domain::revision::{ConfigHash, Revision};
use crate::error::{Error, Result};
use crate::ids::{ObjectId, RevisionId};
use crate::store::objects::{self, Which};
use crate::store::{appliances, revisions};

/// The most appliances that are compiled to find those that have changed.
const MAX_EXAMINED: usize = 20_000;
const APPLIANCES: &str = "/appliances";
const REVISION: &str = "/revision";

/// What an appliance is to run.
#[derive(Debug)]
pub(super) struct Plan {
    /// The appliance.
    pub(super) appliance: Object,
    /// The encoded configuration.
    pub(super) bytes: Vec<u8>,
    /// Its hash.
    pub(super) hash: ConfigHash,
    /// The revision that it was ordered by, if it was.
    pub(super) revision: Option<RevisionId>,
}

/// Plans an order: everything is as it has to be, or nothing is planned.
pub(super) async fn plan(scope: &mut Scope, order: &Order) -> Result<Vec<Plan>> {
    let selected = match &order.selection {
        Selection::AllChanged => return changed(scope, order.revision).await,
        Selection::Listed(references) => listed(scope, references).await?,
        Selection::Labelled(labels) => matching(scope, Which::Labelled(labels)).await?,
        Selection::Profiled(reference) => {
            let wanted = (Kind::MasterProfile, reference.clone());
            match objects::resolve(&mut scope.tx, &scope.viewer, &[wanted]).await?.as_slice() {
                [Some(profile)] => matching(scope, Which::Profiled(*profile)).await?,
                _ => {
                    let pointer = format!("{APPLIANCES}/master_profile");
                    return Err(invalid(&pointer, Code::NoSuchObject, "there is no such master profile"));
                }
            }
        }
    };
    match order.revision {
        Some(revision) => Ok(vec![earlier(scope, selected, revision).await?]),
        None => compiled(scope, selected).await,
    }
}

/// The appliances of a list, each once.
async fn listed(scope: &mut Scope, references: &[ObjectRef]) -> Result<Vec<Object>> {
    let wanted: Vec<(Kind, ObjectRef)> =
        references.iter().map(|reference| (Kind::Appliance, reference.clone())).collect();
    let found = objects::resolve(&mut scope.tx, &scope.viewer, &wanted).await?;
    let mut report = Report::new();
    let mut ids = BTreeSet::new();
    for (index, id) in found.into_iter().enumerate() {
        let pointer = format!("{APPLIANCES}/{index}");
        match id {
            None => report.error_at(&pointer, Code::NoSuchObject, "there is no such appliance"),
            Some(id) if !ids.insert(id) => {
                report.error_at(&pointer, Code::Repeated, "the appliance stands in the list twice");
            }
            Some(_) => {}
        }
    }
    if !report.is_empty() {
        return Err(Error::Invalid(report.into_errors()));
    }
    let ids: Vec<ObjectId> = ids.into_iter().collect();
    objects::appliances(&mut scope.tx, &scope.viewer, Which::Ids(&ids), MAX_APPLIANCES).await
}

/// The appliances that have something: at least one, and not too many.
async fn matching(scope: &mut Scope, which: Which<'_>) -> Result<Vec<Object>> {
    let found = objects::appliances(&mut scope.tx, &scope.viewer, which, MAX_APPLIANCES + 1).await?;
    match found.len() {
        0 => Err(invalid(APPLIANCES, Code::NoSuchObject, "there is no such appliance")),
        1..=MAX_APPLIANCES => Ok(found),
        _ => Err(too_many()),
    }
}

/// The appliances for which something has changed since the last publication; there may be none.
async fn changed(scope: &mut Scope, revision: Option<RevisionId>) -> Result<Vec<Plan>> {
    if revision.is_some() {
        return Err(invalid(
            REVISION,
            Code::Conflict,
            "an earlier revision is one appliance's; name that one",
        ));
    }
    let all = objects::appliances(&mut scope.tx, &scope.viewer, Which::All, MAX_EXAMINED + 1).await?;
    if all.len() > MAX_EXAMINED {
        return Err(too_many());
    }
    let ids: Vec<ObjectId> = all.iter().map(|object| object.id).collect();
    let mut stored = appliances::states(&mut scope.tx, &ids).await?;
    let outcomes = compilation::compile(scope, &all.iter().collect::<Vec<_>>()).await?;
    let has_changed = |object: &Object| {
        let state = stored.remove(&object.id).unwrap_or_default();
        outcomes.get(&object.id).is_some_and(|outcome| compilation::changed(outcome, &state))
    };
    let selected: Vec<Object> = all.into_iter().filter(has_changed).collect();
    if selected.len() > MAX_APPLIANCES {
        return Err(too_many());
    }
    compiled(scope, selected).await
}

/// What the objects say now that appliances are to run.
async fn compiled(scope: &mut Scope, selected: Vec<Object>) -> Result<Vec<Plan>> {
    let mut outcomes = compilation::compile(scope, &selected.iter().collect::<Vec<_>>()).await?;
    let (mut plans, mut errors) = (Vec::with_capacity(selected.len()), Vec::new());
    for appliance in selected {
        match outcomes.remove(&appliance.id) {
            Some(Ok(Compiled { bytes, hash, .. })) => {
                plans.push(Plan { appliance, bytes, hash, revision: None });
            }
            Some(Err(error @ CompileError::NatUnset)) => errors.push(FieldError {
                pointer: APPLIANCES.to_owned(),
                code: Code::Required,
                detail: format!("nothing can be published to \"{}\": {error}", appliance.draft.name),
            }),
            // Nobody else writes meanwhile, and what is referred to cannot be deleted.
            Some(Err(error @ CompileError::Missing { .. })) => {
                return Err(Error::Internal(format!("the appliance {}: {error}", appliance.id)));
            }
            None => return Err(Error::Internal(format!("{} was not compiled", appliance.id))),
        }
    }
    errors.truncate(MAX_ERRORS);
    if errors.is_empty() { Ok(plans) } else { Err(Error::Invalid(errors)) }
}

/// An earlier revision of one appliance, to be run again.
async fn earlier(scope: &mut Scope, selected: Vec<Object>, id: RevisionId) -> Result<Plan> {
    let [appliance]: [Object; 1] = selected.try_into().map_err(|_| {
        invalid(REVISION, Code::Conflict, "an earlier revision is one appliance's; more are selected")
    })?;
    match revisions::find(&mut scope.tx, id).await? {
        Some(Revision { appliance: of, config: bytes, hash, .. }) if of == appliance.id => {
            Ok(Plan { appliance, bytes, hash, revision: Some(id) })
        }
        Some(_) | None => Err(invalid(REVISION, Code::NoSuchObject, "the appliance has no such revision")),
    }
}

fn too_many() -> Error {
    let detail = format!("selects more than {MAX_APPLIANCES} appliances; publish to them in parts");
    invalid(APPLIANCES, Code::Length, detail)
}

fn invalid(pointer: &str, code: Code, detail: impl Into<String>) -> Error {
    Error::field(FieldError { pointer: pointer.to_owned(), code, detail: detail.into() })
}
