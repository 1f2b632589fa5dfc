//! What a publication would change, appliance by appliance.

use serde_json::Value;

use super::decode;
use super::plan::{Plan, plan};
use crate::access::matrix;
use crate::app::compilation;
use crate::app::scope::Scope;
use crate::compiler::{Change, changes, describe};
use crate::error::Result;
use crate::ids::ObjectId;
use crate::store::revisions;
use crate::store::tx::Finish;

/// What a publication would change on one appliance.
#[derive(Debug)]
pub struct Previewed {
    /// The appliance.
    pub appliance: ObjectId,
    /// The appliance's name.
    pub name: String,
    /// The differences from what was published last, in the order of paths, without those that name a policy or a
    /// service that is hidden from the caller.
    pub changes: Vec<Change>,
}

/// Compiles an order and compares, and stores nothing.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Invalid`].
pub async fn preview(mut scope: Scope, document: &Value) -> Result<Vec<Previewed>> {
    matrix::authorize_administer(scope.actor.role)?;
    // What is compared is what one moment's objects say.
    scope.tx.serialize_writes().await?;
    let plans = plan(&mut scope, &decode(document)?).await?;
    let hidden = compilation::hidden(&mut scope).await?;
    let ids: Vec<ObjectId> = plans.iter().map(|plan| plan.appliance.id).collect();
    let published = revisions::published(&mut scope.tx, &ids).await?;
    scope.tx.finish(Finish::Rollback).await?;
    let preview = |plan: Plan| {
        let appliance = plan.appliance.id;
        let before = match published.get(&appliance) {
            Some(revision) => describe(&compilation::open(appliance, &revision.config)?, &hidden),
            None => Default::default(),
        };
        let after = describe(&compilation::open(appliance, &plan.bytes)?, &hidden);
        let name = plan.appliance.draft.name.to_string();
        Ok(Previewed { appliance, name, changes: changes(&before, &after) })
    };
    plans.into_iter().map(preview).collect()
}
