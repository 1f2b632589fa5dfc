//! Compares what gateways should run with what they run. Two tasks: one follows what has changed, for the streams that
//! it has changed for; the other looks at everything now and then, which also finds what the first one missed.

use std::time::Duration;

use tokio::time::timeout;

use super::registry::Order;
use super::{Core, limits, took_too_long};
use crate::error::{Error, Result};
use crate::store::push::{self as store, Held, Standing};
use crate::store::tx::Mark;

/// Follows what appliances are to run, for ever.
pub(super) async fn follow(core: Core) {
    let mut since = None;
    loop {
        core.signals.wait_for_deliveries().await;
        let followed = timeout(limits::DATABASE_TIMEOUT, look_at_changes(&core, &mut since)).await;
        if let Err(error) = followed.unwrap_or_else(|_| Err(took_too_long())) {
            tracing::debug!(%error, "what appliances are to run is found out later");
        }
    }
}

/// Looks at everything, for ever: when woken, and otherwise at each polling interval.
pub(super) async fn sweep(core: Core) {
    let mut told = false;
    loop {
        let swept = timeout(limits::DATABASE_TIMEOUT, look_at_everything(&core)).await;
        match swept.unwrap_or_else(|_| Err(took_too_long())) {
            Ok(()) => told = false,
            Err(error) if !told => {
                tracing::warn!(%error, "publications wait: the database does not answer");
                told = true;
            }
            Err(error) => tracing::debug!(%error, "publications still wait"),
        }
        // Whichever it is: what is to be done stands in the database.
        let _ = timeout(core.settings.poll_interval, core.signals.wait_for_everything()).await;
    }
}

/// Orders what has changed since a mark, and moves the mark.
async fn look_at_changes(core: &Core, since: &mut Option<Mark>) -> Result<()> {
    let mark = core.transaction(async |tx| tx.mark().await).await?;
    let held = match *since {
        Some(since) => {
            let changed = core.transaction(async |tx| store::changed(tx, since).await).await?;
            core.registry.look_at(&changed)
        }
        None => core.registry.look(),
    };
    order(core, &held).await?;
    *since = Some(mark);
    let now = core.clock.now();
    core.transaction(async |tx| store::reflect_connections(tx, now).await).await
}

/// Brings the database and the streams to agree. Takes no input: what is to be done stands in the database.
///
/// The statements are transactions of their own: each is true by itself, and one that has to wait holds no locks
/// of the others.
async fn look_at_everything(core: &Core) -> Result<()> {
    let now = core.clock.now();
    let lease = lease(core.settings.poll_interval);
    core.transaction(async |tx| store::renew(tx, core.replica, lease).await).await?;
    let lost = order(core, &core.registry.look()).await?;
    let beats = core.registry.beats(&lost);
    for beats in beats.chunks(limits::MAX_BATCH) {
        core.transaction(async |tx| store::beat(tx, core.replica, beats).await).await?;
        core.registry.beats_written(beats);
    }
    let ended = core.registry.ended();
    for ended in ended.chunks(limits::MAX_BATCH) {
        core.transaction(async |tx| store::detach(tx, ended, now).await).await?;
    }
    core.registry.ended_written(ended.len());
    let expired = core.transaction(async |tx| store::expire(tx).await).await?;
    core.transaction(async |tx| store::expire_inquiries(tx).await).await?;
    if expired > 0 {
        tracing::warn!(gateways = expired, "gateways of a controller that is gone count as unreachable");
    }
    core.transaction(async |tx| store::reflect_connections(tx, now).await).await?;
    core.transaction(async |tx| store::finish_publications(tx, now).await).await
}

/// Tells streams what the database says of them, and returns those that another replica has said are gone.
async fn order(core: &Core, held: &[Held]) -> Result<Vec<Held>, Error> {
    let now = core.clock.now();
    let mut lost = Vec::new();
    for held in held.chunks(limits::MAX_BATCH) {
        let mut standings = core.transaction(async |tx| store::standings(tx, held, now).await).await?;
        for held in held {
            let order = match standings.remove(&held.stream) {
                Some(Standing::Current(desired)) => Order::Serve(desired),
                Some(Standing::Lost(desired)) => {
                    lost.push(*held);
                    Order::Serve(desired)
                }
                Some(Standing::Replaced) => Order::Replaced,
                Some(Standing::Revoked) | None => Order::Revoked,
            };
            core.registry.order(*held, order);
        }
    }
    Ok(lost)
}

/// For how long this replica promises to be there after each look at everything.
pub(super) fn lease(poll_interval: Duration) -> Duration {
    poll_interval.saturating_mul(limits::LEASE_POLLS).max(limits::LEAST_LEASE)
}
