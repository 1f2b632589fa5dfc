//! Creating, reading, changing and deleting objects of any kind.

use serde_json::Value;

use super::AppState;
use super::scope::{Precondition, Scope};
use super::{alg_policies, compilation, references, services};
use crate::access::matrix::{self, Viewer};
use crate::access::permit::{Create, Edit, Permit};
use crate::access::token::Claims;
use crate::domain::appliance::ApplianceState;
use crate::domain::input::{Code, FieldError, Report};
use crate::domain::kind::Kind;
use crate::domain::merge_patch::merge_patch;
use crate::domain::object::{Draft, Object, Spec};
use crate::domain::page::{ListQuery, Page};
use crate::domain::permission::{Grants, Permission};
use crate::domain::reference::{ObjectRef, Ref};
use crate::domain::role::Role;
use crate::domain::version::Version;
use crate::error::{Error, Result, Unauthenticated};
use crate::ids::{ObjectId, TenantId};
use crate::store::objects::{self as store, Found, Reading, Related, Uses};
use crate::store::tx::{Finish, Visit};
use crate::store::{appliances, publications};

/// An object with all that an answer says about it.
#[derive(Debug)]
pub struct Detail {
    /// The object, without the references that the caller may not see.
    pub object: Object,
    /// What the caller may do with it.
    pub my_permission: Permission,
    /// What each role may do with it.
    pub permissions: Vec<RolePermission>,
    /// The objects that it refers to.
    pub related: Related,
    /// Who refers to it.
    pub uses: Uses,
    /// What is accepted and yet hardly meant.
    pub warnings: Vec<Warning>,
    /// How it is, when it is an appliance.
    pub state: Option<ApplianceState>,
}

/// What a role may do with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolePermission {
    /// The role.
    pub role: Role,
    /// What it may do.
    pub permission: Permission,
    /// Whether it is the role's default, nothing being set on the object.
    pub inherited: bool,
}

/// Something that is accepted and yet hardly meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The field, as a JSON pointer into the answer.
    pub pointer: String,
    /// What kind of warning it is.
    pub code: WarningCode,
    /// What is odd, for people.
    pub detail: String,
}

/// The kinds of warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// A service on a protocol that never uses its transport.
    ServiceNeverMatches,
}

/// What a caller wants an object to be.
#[derive(Debug)]
pub enum Change {
    /// This.
    Replace(Value),
    /// What it is, with this merge patch applied.
    Merge(Value),
}

/// Creates an object.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Invalid`], [`Error::NameTaken`].
pub async fn create(mut scope: Scope, kind: Kind, mut document: Value, finish: Finish) -> Result<Detail> {
    let permit = matrix::authorize_create(&scope.viewer, kind)?;
    scope.tx.serialize_writes().await?;
    let mut report = Report::new();
    references::resolve(&mut scope, kind, &mut document, &mut report).await?;
    let (draft, grants) = decode(&scope.viewer, kind, &document, report)?;
    let object = add(&mut scope, &permit, draft, grants.unwrap_or_default(), &document, None).await?;
    answer(scope, object, finish).await
}

/// Adds an object that a document describes, a copy of another tenant's if that is given.
pub(super) async fn add(
    scope: &mut Scope,
    permit: &Permit<Create>,
    draft: Draft,
    grants: Grants,
    document: &Value,
    source: Option<ObjectId>,
) -> Result<Object> {
    let stamp = scope.stamp();
    let (id, version) = (ObjectId::generate(), Version::FIRST);
    let object = Object { id, draft, grants, version, created: stamp.clone(), updated: stamp };
    check(scope, &object, document).await?;
    match source {
        None => store::insert(&mut scope.tx, permit, &object).await?,
        Some(source) => store::insert_copy(&mut scope.tx, permit, &object, source).await?,
    }
    if object.kind() == Kind::Appliance {
        appliances::insert_state(&mut scope.tx, object.id).await?;
    }
    Ok(object)
}

/// Reads an object.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn read(
    state: &AppState,
    claims: &Claims,
    tenant: &Ref<TenantId>,
    kind: Kind,
    reference: &ObjectRef,
) -> Result<Detail> {
    let visit = Visit { claims, tenant, now: state.clock.now() };
    let Found { viewer, object, related, uses } =
        match store::read(&state.store, &visit, kind, reference).await? {
            Reading::Found(found) => *found,
            Reading::Nothing => return Err(Error::NotFound),
            Reading::Refused => return Err(Error::Unauthenticated(Unauthenticated::Ended)),
        };
    matrix::authorize_read(&viewer, &object)?;
    let how_it_is = match kind {
        Kind::Appliance => appliance_state(state, claims, tenant, &object).await?,
        Kind::Service | Kind::AlgPolicy | Kind::SubProfile | Kind::MasterProfile => None,
    };
    Ok(detail(&viewer, object, related, uses, how_it_is))
}

/// How an appliance is, which takes a compilation of all that it refers to.
async fn appliance_state(
    state: &AppState,
    claims: &Claims,
    tenant: &Ref<TenantId>,
    appliance: &Object,
) -> Result<Option<ApplianceState>> {
    let mut scope = state.scope(claims, tenant).await?;
    let mut states = compilation::states(&mut scope, std::slice::from_ref(appliance)).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(states.remove(&appliance.id))
}

/// Lists the objects of a kind.
///
/// # Errors
/// [`Error::Parameter`] when it filters by what the kind does not have.
pub async fn list(mut scope: Scope, kind: Kind, query: &ListQuery) -> Result<Page<Detail>> {
    if kind != Kind::Appliance && !query.labels.is_empty() {
        let (parameter, detail) = ("label".to_owned(), "there is no such parameter".to_owned());
        return Err(Error::Parameter { parameter, detail });
    }
    let page = store::list(&mut scope.tx, &scope.viewer, kind, query).await?;
    let items = details(&mut scope, page.items).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(Page { items, total: page.total })
}

/// Changes an object. A change that changes nothing makes no version.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::PreconditionRequired`], [`Error::Stale`],
/// [`Error::Invalid`], [`Error::NameTaken`].
pub async fn change(
    mut scope: Scope,
    kind: Kind,
    reference: &ObjectRef,
    precondition: &Precondition,
    change: Change,
    finish: Finish,
) -> Result<Detail> {
    scope.tx.serialize_writes().await?;
    let saved = find(&mut scope, kind, reference).await?;
    let permit = matrix::authorize_edit(&scope.viewer, &saved)?;
    precondition.check(saved.version)?;

    let visible = store::references(&mut scope.tx, &scope.viewer, &[&saved]).await?;
    let hidden = |id: ObjectId| !visible.contains_key(&id);
    let mut document = match change {
        Change::Replace(document) => document,
        Change::Merge(patch) => {
            let mut seen = saved.draft.clone();
            seen.spec.drop_hidden(&hidden);
            let mut document = seen.encode();
            merge_patch(&mut document, &patch);
            document
        }
    };
    let mut report = Report::new();
    references::resolve(&mut scope, kind, &mut document, &mut report).await?;
    let (mut draft, grants) = decode(&scope.viewer, kind, &document, report)?;
    draft.spec.keep_hidden(&saved.draft.spec, &hidden);
    let grants = grants.unwrap_or_else(|| saved.grants.clone());
    let object = save(&mut scope, &permit, saved, draft, grants, &document).await?;
    answer(scope, object, finish).await
}

/// Saves what a document says over what was saved before, if it is something else.
pub(super) async fn save(
    scope: &mut Scope,
    permit: &Permit<Edit>,
    saved: Object,
    draft: Draft,
    grants: Grants,
    document: &Value,
) -> Result<Object> {
    if draft == saved.draft && grants == saved.grants {
        return Ok(saved);
    }
    keep_kind(&draft.spec, &saved.draft.spec)?;
    let updated = scope.stamp();
    let object = Object { draft, grants, version: saved.version.next(), updated, ..saved };
    check(scope, &object, document).await?;
    store::update(&mut scope.tx, permit, &object).await?;
    Ok(object)
}

/// Deletes an object that nothing refers to.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::PreconditionRequired`], [`Error::Stale`],
/// [`Error::InUse`].
pub async fn delete(
    mut scope: Scope,
    kind: Kind,
    reference: &ObjectRef,
    precondition: &Precondition,
    finish: Finish,
) -> Result<()> {
    scope.tx.serialize_writes().await?;
    let object = find(&mut scope, kind, reference).await?;
    let permit = matrix::authorize_edit(&scope.viewer, &object)?;
    precondition.check(object.version)?;
    let mut uses = store::used_by(&mut scope.tx, &scope.viewer, &[object.id]).await?;
    match store::delete(&mut scope.tx, &permit).await {
        Ok(()) => {
            if kind == Kind::Appliance {
                // Its deliveries went with it, and with them what a publication may have waited for.
                publications::settle(&mut scope.tx, scope.now).await?;
                publications::announce(&mut scope.tx).await?;
            }
            scope.tx.finish(finish).await
        }
        Err(Error::InUse { .. }) => Err(Error::InUse { by: uses.remove(&object.id).unwrap_or_default().by }),
        Err(error) => Err(error),
    }
}

/// Finds an object that the caller may see.
pub(super) async fn find(scope: &mut Scope, kind: Kind, reference: &ObjectRef) -> Result<Object> {
    store::find(&mut scope.tx, &scope.viewer, kind, reference).await?.ok_or(Error::NotFound)
}

/// Ends the transaction with the answer that describes an object.
pub(super) async fn answer(mut scope: Scope, object: Object, finish: Finish) -> Result<Detail> {
    let mut details = details(&mut scope, vec![object]).await?;
    scope.tx.finish(finish).await?;
    details.pop().ok_or_else(|| Error::Internal("an answer without its object".to_owned()))
}

async fn details(scope: &mut Scope, objects: Vec<Object>) -> Result<Vec<Detail>> {
    let all: Vec<&Object> = objects.iter().collect();
    let related = store::references(&mut scope.tx, &scope.viewer, &all).await?;
    let ids: Vec<ObjectId> = objects.iter().map(|object| object.id).collect();
    let mut uses = store::used_by(&mut scope.tx, &scope.viewer, &ids).await?;
    let mut states = compilation::states(scope, &objects).await?;
    let detail = |object: Object| {
        let links = object.draft.spec.links();
        let related = links
            .iter()
            .filter_map(|link| related.get(&link.to).map(|target| (link.to, target.clone())))
            .collect();
        let (uses, state) = (uses.remove(&object.id).unwrap_or_default(), states.remove(&object.id));
        detail(&scope.viewer, object, related, uses, state)
    };
    Ok(objects.into_iter().map(detail).collect())
}

/// What is said of an object to a viewer who may see what `related` holds of what it refers to.
fn detail(
    viewer: &Viewer,
    mut object: Object,
    related: Related,
    uses: Uses,
    state: Option<ApplianceState>,
) -> Detail {
    object.draft.spec.drop_hidden(&|id| !related.contains_key(&id));
    Detail {
        my_permission: viewer.permission(viewer.role(), object.kind(), &object.grants),
        permissions: permissions(viewer, &object),
        warnings: alg_policies::warnings(&object.draft.spec, &related),
        uses,
        state,
        related,
        object,
    }
}

fn permissions(viewer: &Viewer, object: &Object) -> Vec<RolePermission> {
    let of = |role: Role| RolePermission {
        role,
        permission: viewer.permission(role, object.kind(), &object.grants),
        inherited: object.grants.set_for(role).is_none(),
    };
    Role::ALL.into_iter().map(of).collect()
}

fn decode(
    viewer: &Viewer,
    kind: Kind,
    document: &Value,
    mut report: Report,
) -> Result<(Draft, Option<Grants>)> {
    let mut decoded = Draft::decode(kind, document, &mut report);
    if let Some((_, grants @ Some(_))) = &mut decoded {
        *grants = grants.take().and_then(|grants| viewer.settle(kind, grants));
        if grants.is_none() {
            report.error_at("/permissions", super::permissions::NO_EDITOR.0, super::permissions::NO_EDITOR.1);
        }
    }
    match decoded {
        Some(decoded) if report.is_empty() => Ok(decoded),
        Some(_) | None => Err(Error::Invalid(report.into_errors())),
    }
}

/// Refuses to make a basic master profile a standard one, or the other way round: references that the caller may not
/// see would be lost.
fn keep_kind(spec: &Spec, saved: &Spec) -> Result<()> {
    match (spec, saved) {
        (Spec::MasterProfile(profile), Spec::MasterProfile(saved)) if profile.kind() != saved.kind() => {
            let detail = "the kind of a master profile cannot be changed; create another one".to_owned();
            Err(Error::field(FieldError { pointer: "/kind".to_owned(), code: Code::Conflict, detail }))
        }
        (
            Spec::Service(_)
            | Spec::AlgPolicy(_)
            | Spec::SubProfile(_)
            | Spec::MasterProfile(_)
            | Spec::Appliance(_),
            _,
        ) => Ok(()),
    }
}

/// Holds an object against the rules that span objects.
async fn check(scope: &mut Scope, object: &Object, document: &Value) -> Result<()> {
    let errors: Vec<FieldError> = match &object.draft.spec {
        Spec::Service(service) => services::check(scope, object.id, service).await?,
        Spec::AlgPolicy(policy) => alg_policies::check(scope, policy, document).await?,
        Spec::SubProfile(_) | Spec::MasterProfile(_) | Spec::Appliance(_) => Vec::new(),
    };
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}
