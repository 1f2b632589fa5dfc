//! Publications: freezing what the objects say, and pushing it. A request only writes down what appliances are to run;
//! the reconciler sees to it that they do.

mod plan;
mod preview;
mod watch;

use serde_json::Value;

use self::plan::{Plan, plan};
use super::AppState;
use super::scope::Scope;
use crate::access::matrix;
use crate::access::permit::{Administer, Permit};
use crate::domain::input::Report;
use crate::domain::object::Stamp;
use crate::domain::page::{ListQuery, Page};
use crate::domain::publication::{Delivery, Order, Publication, PublicationState};
use crate::domain::revision::{ConfigHash, Revision};
use crate::error::{Error, Result};
use crate::ids::{ObjectId, PublicationId, RevisionId};
use crate::store::publications::Reverted;
use crate::store::tx::Finish;
use crate::store::{publications as store, revisions};

pub use self::preview::{Previewed, preview};
pub use self::watch::{Progress, Watch, places, watch};
pub use crate::compiler::Change as ConfigChange;

/// A publication with its appliances.
#[derive(Debug)]
pub struct Detail {
    /// The publication.
    pub publication: Publication,
    /// Its appliances, by name, of those that the caller may see.
    pub deliveries: Vec<Delivery>,
}

/// Publishes to appliances: makes their revisions, or takes those that are there already, and orders their delivery.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::Invalid`].
pub async fn publish(state: &AppState, mut scope: Scope, document: &Value, finish: Finish) -> Result<Detail> {
    let permit = matrix::authorize_administer(scope.actor.role)?;
    scope.tx.serialize_writes().await?;
    let plans = plan(&mut scope, &decode(document)?).await?;
    let stamp = scope.stamp();
    let ordered = freeze(&mut scope, &permit, plans, &stamp).await?;
    let id = PublicationId::generate();
    store::insert(&mut scope.tx, &permit, id, &stamp).await?;
    store::deliver(&mut scope.tx, &permit, id, &ordered, scope.now).await?;
    let detail = detail(&mut scope, id).await?;
    finish_and_wake(state, scope, finish).await?;
    Ok(detail)
}

/// Reads a publication.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn read(mut scope: Scope, id: PublicationId) -> Result<Detail> {
    let detail = detail(&mut scope, id).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(detail)
}

/// Lists the publications of the tenant, the newest first.
///
/// # Errors
/// The database does not answer.
pub async fn list(mut scope: Scope, query: &ListQuery) -> Result<Page<Publication>> {
    let page = store::list(&mut scope.tx, &scope.viewer, query).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(page)
}

/// Cancels what of a publication is not delivered yet. Cancelling one that is cancelled changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::PublicationEnded`].
pub async fn cancel(state: &AppState, mut scope: Scope, id: PublicationId, finish: Finish) -> Result<Detail> {
    scope.tx.serialize_writes().await?;
    let found = store::find(&mut scope.tx, &scope.viewer, id).await?.ok_or(Error::NotFound)?;
    let permit = matrix::authorize_administer(scope.actor.role)?;
    match found.state {
        PublicationState::Running => {
            let reason = format!("cancelled by {}", scope.actor.username);
            match store::revert(&mut scope.tx, &permit, id, &reason, scope.now).await? {
                Reverted::Cancelled => {}
                Reverted::NothingOpen => return Err(Error::PublicationEnded),
            }
        }
        PublicationState::Cancelled => {}
        PublicationState::Succeeded | PublicationState::Failed => return Err(Error::PublicationEnded),
    }
    let detail = detail(&mut scope, id).await?;
    finish_and_wake(state, scope, finish).await?;
    Ok(detail)
}

async fn detail(scope: &mut Scope, id: PublicationId) -> Result<Detail> {
    let publication = store::find(&mut scope.tx, &scope.viewer, id).await?.ok_or(Error::NotFound)?;
    let deliveries = store::deliveries(&mut scope.tx, &scope.viewer, id).await?;
    Ok(Detail { publication, deliveries })
}

/// Ends the transaction, which announces itself to other replicas, and wakes this one's reconciler.
async fn finish_and_wake(state: &AppState, scope: Scope, finish: Finish) -> Result<()> {
    scope.tx.finish(finish).await?;
    state.signals.deliveries();
    Ok(())
}

/// The revisions of planned configurations: the appliance's own with the same hash, or new ones.
async fn freeze(
    scope: &mut Scope,
    permit: &Permit<Administer>,
    plans: Vec<Plan>,
    stamp: &Stamp,
) -> Result<Vec<(ObjectId, RevisionId)>> {
    let wanted: Vec<(ObjectId, ConfigHash)> =
        plans.iter().map(|plan| (plan.appliance.id, plan.hash)).collect();
    let existing = revisions::with_hashes(&mut scope.tx, &wanted).await?;
    let (mut new, mut ordered) = (Vec::new(), Vec::with_capacity(plans.len()));
    for plan in plans {
        let appliance = plan.appliance.id;
        let id = match plan.revision.or_else(|| existing.get(&appliance).copied()) {
            Some(id) => id,
            None => {
                let id = RevisionId::generate();
                let (config, hash) = (plan.bytes, plan.hash);
                new.push(Revision { id, appliance, config, hash, created: stamp.clone() });
                id
            }
        };
        ordered.push((appliance, id));
    }
    revisions::insert(&mut scope.tx, permit, &new, stamp).await?;
    Ok(ordered)
}

fn decode(document: &Value) -> Result<Order> {
    let mut report = Report::new();
    let order = Order::decode(document, &mut report);
    order.filter(|_| report.is_empty()).ok_or_else(|| Error::Invalid(report.into_errors()))
}
