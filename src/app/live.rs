//! What the gateways of appliances do now, what they have told, and what they are to end.

use super::AppState;
use super::objects::find;
use super::scope::Scope;
use crate::access::matrix;
use crate::domain::kind::Kind;
use crate::domain::live::{Listing, LiveId};
use crate::domain::reference::ObjectRef;
use crate::error::{ApplianceFault, Error, Result};
use crate::push::live::{Answer, Question};
use crate::store::audit;
use crate::store::push::{self as store, Link};
use crate::store::tx::Finish;

pub use crate::push::live::{Announcement, Mapping, Page, Pinhole, Session, Side};
pub use crate::push::{CounterReading, Counters, Event, EventKind, EventPage, Flow, PortBlock};
pub use crate::store::audit::Kill;

/// Lists sessions.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Appliance`].
pub async fn sessions(
    state: &AppState,
    scope: Scope,
    appliance: &ObjectRef,
    listing: Listing,
) -> Result<Page<Session>> {
    let answer = ask(state, scope, appliance, Question::Sessions(listing)).await?;
    let Answer::Sessions(page) = answer else { return Err(astray()) };
    Ok(page)
}

/// Lists pinholes.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Appliance`].
pub async fn pinholes(
    state: &AppState,
    scope: Scope,
    appliance: &ObjectRef,
    listing: Listing,
) -> Result<Page<Pinhole>> {
    let answer = ask(state, scope, appliance, Question::Pinholes(listing)).await?;
    let Answer::Pinholes(page) = answer else { return Err(astray()) };
    Ok(page)
}

/// Lists mappings.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Appliance`].
pub async fn mappings(
    state: &AppState,
    scope: Scope,
    appliance: &ObjectRef,
    listing: Listing,
) -> Result<Page<Mapping>> {
    let answer = ask(state, scope, appliance, Question::Mappings(listing)).await?;
    let Answer::Mappings(page) = answer else { return Err(astray()) };
    Ok(page)
}

/// Reads the events of an appliance after a number: those that the replica has heard that its gateway is connected to,
/// or this one when it is connected to none.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Appliance`].
pub async fn events(
    state: &AppState,
    scope: Scope,
    appliance: &ObjectRef,
    after: Option<u64>,
    limit: usize,
) -> Result<EventPage> {
    let answer = ask(state, scope, appliance, Question::Events(after, limit)).await?;
    let Answer::Events(page) = answer else { return Err(astray()) };
    Ok(page)
}

/// Reads the last counters of an appliance, if any were heard; by whom is as with events.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Appliance`].
pub async fn counters(
    state: &AppState,
    scope: Scope,
    appliance: &ObjectRef,
) -> Result<Option<CounterReading>> {
    let answer = ask(state, scope, appliance, Question::Counters).await?;
    let Answer::Counters(reading) = answer else { return Err(astray()) };
    Ok(reading)
}

/// Asks about an appliance that the caller may see.
async fn ask(
    state: &AppState,
    mut scope: Scope,
    appliance: &ObjectRef,
    question: Question,
) -> Result<Answer> {
    let appliance = find(&mut scope, Kind::Appliance, appliance).await?;
    let tenant = scope.tenant.id;
    // The gateway is not waited for in a transaction.
    scope.tx.finish(Finish::Commit).await?;
    state.inquirer.ask(tenant, appliance.id, question).await
}

/// Has a gateway end something. That it is to do so is in the audit before it is told.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Appliance`].
pub async fn kill(
    state: &AppState,
    mut scope: Scope,
    appliance: &ObjectRef,
    kill: Kill,
    target: LiveId,
    finish: Finish,
) -> Result<()> {
    let appliance = find(&mut scope, Kind::Appliance, appliance).await?;
    let permit = matrix::authorize_edit(&scope.viewer, &appliance)?;
    if store::link(&mut scope.tx, appliance.id).await? == Link::Down {
        return Err(ApplianceFault::NotConnected.into());
    }
    audit::kill(&mut scope.tx, &permit, kill, &target).await?;
    let tenant = scope.tenant.id;
    scope.tx.finish(finish).await?;
    if finish == Finish::Rollback {
        return Ok(());
    }
    let question = match kill {
        Kill::Session => Question::EndSession(target),
        Kill::Pinhole => Question::ClosePinhole(target),
    };
    match state.inquirer.ask(tenant, appliance.id, question).await? {
        Answer::Ended => Ok(()),
        Answer::Absent => Err(Error::NotFound),
        Answer::Sessions(_)
        | Answer::Pinholes(_)
        | Answer::Mappings(_)
        | Answer::Events(_)
        | Answer::Counters(_) => Err(astray()),
    }
}

/// An answer to another question, which the reader of answers lets nobody give.
fn astray() -> Error {
    Error::Internal("an answer to another question".to_owned())
}
