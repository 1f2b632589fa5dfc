//! The provider's objects, copied to its enterprises with what they refer to.
//!
//! Each enterprise is a transaction of its own: all of what belongs together is copied there, or nothing. An object that
//! came from the same one is updated, whatever it is called by now; a name that anything else has is left to it, and the
//! copy fails. New copies have the permissions of what they are copied from; those of older ones stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::AppState;
use super::objects;
use super::scope::Scope;
use crate::access::matrix;
use crate::access::token::Claims;
use crate::domain::input::{self, Code, Fields, Report};
use crate::domain::kind::Kind;
use crate::domain::object::Object;
use crate::domain::reference::{ObjectRef, Ref};
use crate::domain::tenant::{Tenant, TenantKind};
use crate::error::{Error, Result};
use crate::ids::{ObjectId, TenantId};
use crate::store::tx::Finish;
use crate::store::{objects as store, tenants};

/// The most enterprises that one call copies to.
pub const MAX_TENANTS: usize = 2_000;

/// What selects all enterprises.
const ALL: &str = "all_enterprises";
const TENANTS: &str = "/tenants";

/// What became of a copy to one enterprise.
#[derive(Debug)]
pub struct Copied {
    /// The enterprise.
    pub tenant: Tenant,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The object is new there.
    Created(ObjectId),
    /// The object, or something that it refers to, was another version there.
    Updated(ObjectId),
    /// All was there already.
    Unchanged(ObjectId),
    /// Nothing was changed there.
    Failed(Failure, String),
}

/// Why an object was not copied to an enterprise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Something else has the name.
    NameTaken,
    /// The caller may not create or change it there.
    NotAllowed,
    /// It contradicts what the enterprise has.
    Conflict,
    /// The enterprise is gone.
    Gone,
    /// The database did not answer; it can be tried again.
    Unavailable,
}

/// Copies an object of the provider to enterprises, with what it refers to, and says what became of it in each.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`].
pub async fn copy(
    state: &AppState,
    claims: &Claims,
    mut scope: Scope,
    kind: Kind,
    reference: &ObjectRef,
    document: &Value,
    finish: Finish,
) -> Result<Vec<Copied>> {
    let object = objects::find(&mut scope, kind, reference).await?;
    if scope.tenant.kind != TenantKind::Provider {
        return Err(Error::Forbidden("only the provider's objects are copied to enterprises"));
    }
    matrix::authorize_tenants(scope.actor.role)?;
    let root = object.id;
    let sources = closure(&mut scope, object).await?;
    let targets = targets(&mut scope, document).await?;
    scope.tx.finish(Finish::Rollback).await?;

    let mut copied = Vec::with_capacity(targets.len());
    for tenant in targets {
        let outcome = match copy_to(state, claims, tenant.id, &sources, root, finish).await {
            Ok(outcome) => outcome,
            Err(error) => failure(error)?,
        };
        copied.push(Copied { tenant, outcome });
    }
    Ok(copied)
}

/// The object and all that it refers to, directly or not, as far as the caller may see it; what is referred to first.
async fn closure(scope: &mut Scope, root: Object) -> Result<Vec<Object>> {
    let mut found = BTreeMap::from([(root.id, root)]);
    let mut frontier: Vec<ObjectId> = found.keys().copied().collect();
    while !frontier.is_empty() {
        let of: Vec<&Object> = frontier.iter().filter_map(|id| found.get(id)).collect();
        let related = store::references(&mut scope.tx, &scope.viewer, &of).await?;
        frontier = related.keys().copied().filter(|id| !found.contains_key(id)).collect();
        found.extend(related);
    }
    let mut sources: Vec<Object> = found.into_values().collect();
    // Kinds are in the order in which they refer to each other.
    sources.sort_by_cached_key(|object| (object.kind(), object.draft.name.key()));
    Ok(sources)
}

/// The enterprises that a document selects, by name.
async fn targets(scope: &mut Scope, document: &Value) -> Result<Vec<Tenant>> {
    let mut report = Report::new();
    let selection = Fields::open(document, &mut report).and_then(|mut fields| {
        let selection = fields.required("tenants", &mut report, decode_selection);
        fields.finish(&mut report);
        selection
    });
    let Some(selection) = selection.filter(|_| report.is_empty()) else {
        return Err(Error::Invalid(report.into_errors()));
    };
    let Some(references) = selection else {
        let all = tenants::enterprises(&mut scope.tx, MAX_TENANTS + 1).await?;
        if all.len() > MAX_TENANTS {
            let detail = format!("are more than {MAX_TENANTS} enterprises; name them in parts");
            report.error_at(TENANTS, Code::Length, detail);
            return Err(Error::Invalid(report.into_errors()));
        }
        return Ok(all);
    };
    let (mut seen, mut found) = (BTreeSet::new(), Vec::with_capacity(references.len()));
    for (index, reference) in references.iter().enumerate() {
        let pointer = format!("{TENANTS}/{index}");
        match tenants::find(&mut scope.tx, reference).await? {
            None => report.error_at(&pointer, Code::NoSuchObject, "there is no such tenant"),
            Some(tenant) if tenant.kind == TenantKind::Provider => {
                report.error_at(&pointer, Code::Conflict, "is the provider, which has it");
            }
            Some(tenant) if !seen.insert(tenant.id) => {
                report.error_at(&pointer, Code::Repeated, "the tenant stands in the list twice");
            }
            Some(tenant) => found.push(tenant),
        }
    }
    found.sort_by_cached_key(|tenant| tenant.draft.name.key());
    if report.is_empty() { Ok(found) } else { Err(Error::Invalid(report.into_errors())) }
}

/// Reads a list of tenants, or `None` inside for all of them.
fn decode_selection(value: &Value, report: &mut Report) -> Option<Option<Vec<Ref<TenantId>>>> {
    match value {
        Value::String(word) if word == ALL => Some(None),
        Value::String(_) => {
            report.error(Code::UnknownValue, format!("is to be a list of tenants, or \"{ALL}\""));
            None
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            let references = input::array(value, MAX_TENANTS, report, |value, report| {
                let reference = Ref::parse_bare(input::string(value, report)?);
                if reference.is_none() {
                    report.error(Code::Format, "is to be the id or the name of a tenant");
                }
                reference
            })?;
            if references.is_empty() {
                report.error(Code::Length, "is empty");
                return None;
            }
            Some(Some(references))
        }
    }
}

/// Copies everything to one enterprise, or nothing.
async fn copy_to(
    state: &AppState,
    claims: &Claims,
    tenant: TenantId,
    sources: &[Object],
    root: ObjectId,
    finish: Finish,
) -> Result<Outcome> {
    let mut scope = match state.scope(claims, &Ref::Id(tenant)).await {
        Err(Error::NotFound) => {
            return Ok(Outcome::Failed(Failure::Gone, "the enterprise was deleted meanwhile".to_owned()));
        }
        scope => scope?,
    };
    scope.tx.serialize_writes().await?;
    let ids: Vec<ObjectId> = sources.iter().map(|source| source.id).collect();
    let mut there = store::copies_regardless(&mut scope.tx, &ids).await?;
    let (mut copies, mut created, mut changed) = (BTreeMap::new(), BTreeSet::new(), false);
    for source in sources {
        let mut draft = source.draft.clone();
        draft.spec.replace_links(&|id| copies.get(&id).copied());
        let document = draft.encode();
        let copy = match there.remove(&source.id) {
            Some(copy) if copy.draft == draft => copy.id,
            Some(copy) => {
                changed = true;
                let permit = matrix::authorize_edit(&scope.viewer, &copy)?;
                let grants = copy.grants.clone();
                objects::save(&mut scope, &permit, copy, draft, grants, &document).await?.id
            }
            None => {
                created.insert(source.id);
                let permit = matrix::authorize_create(&scope.viewer, source.kind())?;
                let grants = scope.viewer.settle(source.kind(), source.grants.clone());
                let grants = grants.ok_or(Error::Forbidden("nobody could change the copy"))?;
                let origin = Some(source.id);
                objects::add(&mut scope, &permit, draft, grants, &document, origin).await?.id
            }
        };
        copies.insert(source.id, copy);
    }
    scope.tx.finish_part(finish).await?;
    let copy = copies.get(&root).copied();
    let copy = copy.ok_or_else(|| Error::Internal("a copy without its object".to_owned()))?;
    Ok(if created.contains(&root) {
        Outcome::Created(copy)
    } else if changed || !created.is_empty() {
        Outcome::Updated(copy)
    } else {
        Outcome::Unchanged(copy)
    })
}

/// What a failure in one enterprise is in the report; what is no enterprise's own ends the call.
fn failure(error: Error) -> Result<Outcome> {
    let (failure, detail) = match error {
        Error::NameTaken { name } => {
            (Failure::NameTaken, format!("something else is called \"{name}\" there"))
        }
        Error::Forbidden(detail) => (Failure::NotAllowed, detail.to_owned()),
        // A copy that is hidden from the caller.
        Error::NotFound => (Failure::NotAllowed, "your role may not change the copy there".to_owned()),
        Error::Invalid(errors) => {
            let details: Vec<String> = errors.into_iter().map(|error| error.detail).collect();
            (Failure::Conflict, details.join("; "))
        }
        Error::Unavailable(text) => {
            tracing::warn!(error = %text, "an object was not copied to an enterprise");
            (Failure::Unavailable, "the database did not answer; try again".to_owned())
        }
        error @ (Error::Parameter { .. }
        | Error::Unauthenticated(_)
        | Error::Grant(_)
        | Error::SignIn(_)
        | Error::IssuerUnavailable(_)
        | Error::InUse { .. }
        | Error::TenantNotEmpty
        | Error::PublicationEnded
        | Error::KeyInUse
        | Error::Throttled { .. }
        | Error::PreconditionRequired
        | Error::Stale { .. }
        | Error::Appliance(_)
        | Error::TooMany
        | Error::Internal(_)) => return Err(error),
    };
    Ok(Outcome::Failed(failure, detail))
}
