//! Compares what gateways should run with what they run, for all streams of this replica at once.

use std::time::Duration;

use tokio::time::timeout;

use super::registry::Order;
use super::{Push, limits, took_too_long};
use crate::error::Result;
use crate::store::push::{self as store, Standing};

/// Activates for ever: when woken, and otherwise at each polling interval.
pub(super) async fn run(push: Push) {
    let mut told = false;
    loop {
        let activation = timeout(limits::DATABASE_TIMEOUT, activate(&push)).await;
        match activation.unwrap_or_else(|_| Err(took_too_long())) {
            Ok(()) => told = false,
            Err(error) if !told => {
                tracing::warn!(%error, "publications wait: the database does not answer");
                told = true;
            }
            Err(error) => tracing::debug!(%error, "publications still wait"),
        }
        // Whichever it is: what is to be done stands in the database.
        let _ = timeout(push.settings.poll_interval, push.wake.notified()).await;
    }
}

/// Brings the database and the streams to agree. Takes no input: what is to be done stands in the database.
///
/// The statements are transactions of their own: each is true by itself, and one that has to wait holds no locks
/// of the others.
async fn activate(push: &Push) -> Result<()> {
    let beats = push.registry.beats();
    let now = push.clock.now();
    let lease = lease(push.settings.poll_interval);
    if !beats.is_empty() {
        push.in_transaction(async |tx| store::beat(tx, &beats, lease).await).await?;
    }
    let expired = push.in_transaction(async |tx| store::expire(tx).await).await?;
    if expired > 0 {
        tracing::warn!(gateways = expired, "gateways of a controller that is gone count as unreachable");
    }
    push.in_transaction(async |tx| store::reflect_connections(tx, now).await).await?;
    push.in_transaction(async |tx| store::finish_publications(tx, now).await).await?;
    if beats.is_empty() {
        return Ok(());
    }
    let held: Vec<_> = beats.iter().map(|beat| beat.held).collect();
    let mut standings = push.in_transaction(async |tx| store::standings(tx, &held, now).await).await?;
    for held in held {
        let order = match standings.remove(&held.stream) {
            Some(Standing::Current(desired)) => Order::Serve(desired),
            Some(Standing::Replaced) => Order::Replaced,
            Some(Standing::Revoked) | None => Order::Revoked,
        };
        push.registry.order(held, order);
    }
    Ok(())
}

/// For how long this replica promises to be there after each activation.
pub(super) fn lease(poll_interval: Duration) -> Duration {
    poll_interval.saturating_mul(limits::LEASE_POLLS)
}
