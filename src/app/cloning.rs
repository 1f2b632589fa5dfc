//! Objects made from others of the tenant.

use serde_json::Value;

use super::objects::{self, Detail};
use super::scope::Scope;
use crate::access::matrix;
use crate::domain::input::{Fields, Report};
use crate::domain::kind::Kind;
use crate::domain::name::Name;
use crate::domain::reference::ObjectRef;
use crate::error::{Error, Result};
use crate::store::objects as store;
use crate::store::tx::Finish;

/// Makes an object that says what another one says, under another name: without the references that the caller may not
/// see, and with the permissions of the other roles. The caller's own role has its default, so that it can edit what it
/// made.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`], [`Error::NameTaken`].
pub async fn clone(
    mut scope: Scope,
    kind: Kind,
    reference: &ObjectRef,
    document: &Value,
    finish: Finish,
) -> Result<Detail> {
    scope.tx.serialize_writes().await?;
    let source = objects::find(&mut scope, kind, reference).await?;
    let permit = matrix::authorize_create(&scope.viewer, kind)?;
    let mut draft = source.draft.clone();
    draft.name = name(document)?;
    let visible = store::references(&mut scope.tx, &scope.viewer, &[&source]).await?;
    draft.spec.drop_hidden(&|id| !visible.contains_key(&id));
    let mut grants = source.grants;
    grants.set(scope.actor.role, None);
    // The caller's role edits by default, or there would be no permit.
    let grants = scope.viewer.settle(kind, grants).unwrap_or_default();
    let document = draft.encode();
    let clone = objects::add(&mut scope, &permit, draft, grants, &document, None).await?;
    objects::answer(scope, clone, finish).await
}

/// Reads `{ "name": "..." }`.
fn name(document: &Value) -> Result<Name> {
    let mut report = Report::new();
    let name = Fields::open(document, &mut report).and_then(|mut fields| {
        let name = fields.required("name", &mut report, Name::decode);
        fields.finish(&mut report);
        name
    });
    name.filter(|_| report.is_empty()).ok_or_else(|| Error::Invalid(report.into_errors()))
}
