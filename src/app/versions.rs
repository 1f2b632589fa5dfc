//! What objects said before: looked at, compared, said again.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::objects::{self, Detail};
use super::scope::{Precondition, Scope};
use crate::access::matrix;
use crate::access::permit::{Permit, Read};
use crate::compiler::{Change, changes};
use crate::domain::input::{Code, FieldError, MAX_ERRORS};
use crate::domain::kind::Kind;
use crate::domain::object::{Object, Spec, places};
use crate::domain::page::{ListQuery, Page};
use crate::domain::reference::ObjectRef;
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::ObjectId;
use crate::store::objects::{self as store, Related};
use crate::store::tx::Finish;

pub use crate::store::objects::Save;

/// Lists the versions of an object, the newest first.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list(
    mut scope: Scope,
    kind: Kind,
    reference: &ObjectRef,
    query: &ListQuery,
) -> Result<Page<Save>> {
    let (_, permit) = find(&mut scope, kind, reference).await?;
    let page = store::versions(&mut scope.tx, &permit, query).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(page)
}

/// Reads an object as it was saved: with the references that are still there, and that the caller may see. Who uses it,
/// and what the caller may do with it, is as it is now.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn read(mut scope: Scope, kind: Kind, reference: &ObjectRef, version: Version) -> Result<Detail> {
    let (object, permit) = find(&mut scope, kind, reference).await?;
    let mine = scope.viewer.permission(scope.actor.role, kind, &object.grants);
    let saved = saved(&mut scope, &permit, version).await?;
    let detail = objects::answer(scope, saved, Finish::Commit).await?;
    Ok(Detail { my_permission: mine, ..detail })
}

/// What changed from one version of an object to another, in the order of paths, without the references that are gone
/// or that the caller may not see.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn difference(
    mut scope: Scope,
    kind: Kind,
    reference: &ObjectRef,
    from: Version,
    to: Version,
) -> Result<Vec<Change>> {
    let (_, permit) = find(&mut scope, kind, reference).await?;
    let (before, after) = (saved(&mut scope, &permit, from).await?, saved(&mut scope, &permit, to).await?);
    let visible = store::references(&mut scope.tx, &scope.viewer, &[&before, &after]).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(changes(&describe(before, &visible), &describe(after, &visible)))
}

/// Saves again what an object said before, as its newest version. Permissions stay as they are, and so do references
/// that the caller may not see.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::PreconditionRequired`], [`Error::Stale`], [`Error::NameTaken`],
/// [`Error::Invalid`] when what it referred to is gone.
pub async fn restore(
    mut scope: Scope,
    kind: Kind,
    reference: &ObjectRef,
    version: Version,
    precondition: &Precondition,
    finish: Finish,
) -> Result<Detail> {
    scope.tx.serialize_writes().await?;
    let (object, permit) = find(&mut scope, kind, reference).await?;
    let earlier = saved(&mut scope, &permit, version).await?;
    let permit = matrix::authorize_edit(&scope.viewer, &object)?;
    precondition.check(object.version)?;

    let visible = store::references(&mut scope.tx, &scope.viewer, &[&object, &earlier]).await?;
    let hidden = |id: ObjectId| !visible.contains_key(&id);
    let unseen: Vec<ObjectId> =
        earlier.draft.spec.links().iter().map(|link| link.to).filter(|id| hidden(*id)).collect();
    let there = store::existing(&mut scope.tx, &unseen).await?;
    let gone: Vec<FieldError> = earlier
        .draft
        .spec
        .links()
        .iter()
        .filter(|link| unseen.contains(&link.to) && !there.contains(&link.to))
        .map(|link| FieldError {
            pointer: pointer(&earlier.draft.spec, link.slot),
            code: Code::NoSuchObject,
            detail: format!("version {version} refers to {}, which is gone", link.to),
        })
        .take(MAX_ERRORS)
        .collect();
    if !gone.is_empty() {
        return Err(Error::Invalid(gone));
    }
    let mut draft = earlier.draft;
    draft.spec.drop_hidden(&hidden);
    let document = draft.encode();
    draft.spec.keep_hidden(&object.draft.spec, &hidden);
    let grants = object.grants.clone();
    let object = objects::save(&mut scope, &permit, object, draft, grants, &document).await?;
    objects::answer(scope, object, finish).await
}

async fn find(scope: &mut Scope, kind: Kind, reference: &ObjectRef) -> Result<(Object, Permit<Read>)> {
    let object = objects::find(scope, kind, reference).await?;
    let permit = matrix::authorize_read(&scope.viewer, &object)?;
    Ok((object, permit))
}

async fn saved(scope: &mut Scope, of: &Permit<Read>, version: Version) -> Result<Object> {
    store::version(&mut scope.tx, of, version).await?.ok_or(Error::NotFound)
}

/// Where the references of a slot stand in a document.
fn pointer(spec: &Spec, slot: &str) -> String {
    match spec {
        Spec::AlgPolicy(_) => format!("/protocols/{slot}/services"),
        Spec::MasterProfile(_) if slot == "system" => "/sub_profiles/system".to_owned(),
        Spec::Service(_) | Spec::SubProfile(_) | Spec::MasterProfile(_) | Spec::Appliance(_) => {
            format!("/{slot}")
        }
    }
}

/// The values of a version by path. What it refers to stands there by id and name.
fn describe(mut object: Object, visible: &Related) -> BTreeMap<String, Value> {
    object.draft.spec.drop_hidden(&|id| !visible.contains_key(&id));
    let mut document = object.draft.encode();
    let referring: Vec<String> =
        places(object.kind(), &document).into_iter().map(|place| place.pointer).collect();
    if let Some(fields) = document.as_object_mut() {
        fields.insert("permissions".to_owned(), object.grants.encode());
    }
    let mut values = BTreeMap::new();
    flatten(String::new(), document, &mut values);
    for pointer in referring {
        match (values.get_mut(&pointer), pointer.rsplit_once('/')) {
            (Some(value), _) => name(value, visible),
            (None, Some((list, index))) => {
                let item = values.get_mut(list).and_then(Value::as_array_mut);
                let index = index.parse::<usize>().ok();
                if let Some(value) = item.zip(index).and_then(|(items, index)| items.get_mut(index)) {
                    name(value, visible);
                }
            }
            (None, None) => {}
        }
    }
    values
}

/// Puts the name beside an id.
fn name(value: &mut Value, visible: &Related) {
    let id = value.as_str().and_then(|text| text.parse::<ObjectId>().ok());
    if let Some(target) = id.and_then(|id| visible.get(&id)) {
        *value = json!({ "id": target.id, "name": target.draft.name });
    }
}

fn flatten(path: String, value: Value, values: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                flatten(format!("{path}/{name}"), value, values);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            values.insert(path, value);
        }
    }
}
