//! Appliances: the credentials of their gateways, and what those tell of their traffic.

use super::AppState;
use super::objects::find;
use super::scope::Scope;
use crate::access::matrix;
use crate::access::token::Secret;
use crate::domain::kind::Kind;
use crate::domain::reference::ObjectRef;
use crate::error::Result;
use crate::store::appliances as store;
use crate::store::tx::Finish;

pub use crate::push::{CounterReading, Counters, Event, EventKind, EventPage, Flow};

/// Where the command that is answered expects the token and keeps the last configuration.
const TOKEN_FILE: &str = "/etc/pinhole-gateway/token";
const STATE_DIR: &str = "/var/lib/pinhole-gateway";

/// What makes a gateway an appliance's. To be shown once.
#[derive(Debug)]
pub struct Joining {
    /// The gateway's credential; `None` when nothing was stored.
    pub token: Option<Secret>,
    /// The command that starts the gateway once the token is in its file.
    pub command: String,
}

/// Makes a credential for an appliance's gateway. The newest two of an appliance are good, so that one can replace
/// the other without an interruption.
///
/// # Errors
/// [`crate::error::Error::NotFound`], [`crate::error::Error::Forbidden`].
pub async fn join(
    state: &AppState,
    mut scope: Scope,
    appliance: &ObjectRef,
    finish: Finish,
) -> Result<Joining> {
    scope.tx.serialize_writes().await?;
    let appliance = find(&mut scope, Kind::Appliance, appliance).await?;
    let permit = matrix::authorize_administer(scope.actor.role)?;
    let token = Secret::generate();
    let stamp = scope.stamp();
    store::add_token(&mut scope.tx, &permit, appliance.id, token.hash(), &stamp).await?;
    scope.tx.finish(finish).await?;
    let url = &state.gateway_url;
    let command =
        format!("pinhole-gateway run --controller {url} --token-file {TOKEN_FILE} --state-dir {STATE_DIR}");
    Ok(Joining { token: (finish == Finish::Commit).then_some(token), command })
}

/// Reads the events of an appliance after a number, as far as this replica has heard of them.
///
/// # Errors
/// [`crate::error::Error::NotFound`].
pub async fn events(
    state: &AppState,
    mut scope: Scope,
    appliance: &ObjectRef,
    after: Option<u64>,
    limit: usize,
) -> Result<EventPage> {
    let appliance = find(&mut scope, Kind::Appliance, appliance).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(state.gateways.events(appliance.id, after, limit))
}

/// Reads the last counters of an appliance, if this replica has heard any.
///
/// # Errors
/// [`crate::error::Error::NotFound`].
pub async fn counters(
    state: &AppState,
    mut scope: Scope,
    appliance: &ObjectRef,
) -> Result<Option<CounterReading>> {
    let appliance = find(&mut scope, Kind::Appliance, appliance).await?;
    scope.tx.finish(Finish::Commit).await?;
    Ok(state.gateways.counters(appliance.id))
}
