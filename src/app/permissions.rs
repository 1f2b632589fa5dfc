//! The permissions of an object.

use serde_json::Value;

use super::objects::{self, Detail};
use super::scope::{Precondition, Scope};
use crate::access::matrix;
use crate::domain::input::{Code, Report};
use crate::domain::kind::Kind;
use crate::domain::object::Object;
use crate::domain::reference::ObjectRef;
use crate::error::{Error, Result};
use crate::store::objects as store;
use crate::store::tx::Finish;

/// The error of permissions that leave nobody who could change the object.
pub(super) const NO_EDITOR: (Code, &str) = (Code::Conflict, "at least one role is to keep \"edit\"");

/// Changes the permissions of an object; roles that the document does not name keep theirs.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::PreconditionRequired`], [`Error::Stale`],
/// [`Error::Invalid`].
pub async fn change(
    mut scope: Scope,
    kind: Kind,
    reference: &ObjectRef,
    precondition: &Precondition,
    document: &Value,
    finish: Finish,
) -> Result<Detail> {
    scope.tx.serialize_writes().await?;
    let saved = objects::find(&mut scope, kind, reference).await?;
    let permit = matrix::authorize_edit(&scope.viewer, &saved)?;
    precondition.check(saved.version)?;
    let mut report = Report::new();
    let changed = saved.grants.decode_change(document, &mut report);
    let Some(changed) = changed.filter(|_| report.is_empty()) else {
        return Err(Error::Invalid(report.into_errors()));
    };
    let Some(grants) = scope.viewer.settle(kind, changed) else {
        report.error(NO_EDITOR.0, NO_EDITOR.1);
        return Err(Error::Invalid(report.into_errors()));
    };
    if grants == saved.grants {
        return objects::answer(scope, saved, finish).await;
    }
    let updated = scope.stamp();
    let object = Object { grants, version: saved.version.next(), updated, ..saved };
    store::update(&mut scope.tx, &permit, &object).await?;
    objects::answer(scope, object, finish).await
}
