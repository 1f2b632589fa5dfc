//! References in a request's body, to ids.

use serde_json::Value;

use super::scope::Scope;
use crate::domain::input::{Code, Report};
use crate::domain::kind::Kind;
use crate::domain::object::places;
use crate::domain::reference::ObjectRef;
use crate::error::Result;
use crate::store::objects;

/// Replaces each reference in a document by the id alone, and reports those that lead to nothing the caller can see.
/// What is no reference is left as it is, for the decoder to report.
pub(super) async fn resolve(
    scope: &mut Scope,
    kind: Kind,
    document: &mut Value,
    report: &mut Report,
) -> Result<()> {
    let (mut found, mut wanted) = (Vec::new(), Vec::new());
    for place in places(kind, document) {
        if let Some(reference) = document.pointer(&place.pointer).and_then(ObjectRef::from_json) {
            wanted.push((place.kind, reference));
            found.push(place);
        }
    }
    let ids = objects::resolve(&mut scope.tx, &scope.viewer, &wanted).await?;
    for (place, id) in found.iter().zip(ids) {
        match (document.pointer_mut(&place.pointer), id) {
            (Some(value), Some(id)) => *value = Value::from(id.to_string()),
            (_, None) => {
                let detail = format!("there is no such {}", place.kind.title());
                report.error_at(&place.pointer, Code::NoSuchObject, detail);
            }
            (None, Some(_)) => {}
        }
    }
    Ok(())
}
