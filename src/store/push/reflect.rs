//! What follows from the state of appliances: any replica may do it, for all of them, at any time.
//!
//! Rows that another replica is about to change are left to it (SKIP LOCKED), so that replicas neither wait for
//! each other nor meet in a deadlock.

use super::streams::announce;
use super::uuids;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::PublicationId;
use crate::store::tx::SystemTx;

/// What an administrator reads about an appliance that waits for its gateway.
pub(super) const UNREACHABLE: &str =
    "the gateway is not connected; it is given the revision when it comes back";

/// Makes what publications wait for `pending` where a gateway is connected, and `unreachable` where none is.
///
/// # Errors
/// The database does not answer.
pub async fn reflect_connections(tx: &mut SystemTx, now: Timestamp) -> Result<()> {
    let reflected = sqlx::query(
        "UPDATE publication_appliances p
         SET status = changed.status, updated_at = $2, changed_by = pg_current_xact_id(),
             reason = CASE changed.status WHEN 'unreachable' THEN $1 END
         FROM (SELECT open.publication_id, open.appliance_id,
                      CASE WHEN s.connected THEN 'pending' ELSE 'unreachable' END AS status
               FROM publication_appliances open JOIN appliance_states s ON s.appliance_id = open.appliance_id
               WHERE open.status IN ('pending', 'unreachable')
                 AND (open.status = 'pending') <> s.connected
               FOR UPDATE OF open SKIP LOCKED) changed
         WHERE p.publication_id = changed.publication_id AND p.appliance_id = changed.appliance_id",
    )
    .bind(UNREACHABLE)
    .bind(now)
    .execute(tx.connection())
    .await?;
    announce(tx, reflected.rows_affected()).await
}

/// Ends the publications that wait for nothing any more.
///
/// # Errors
/// The database does not answer.
pub async fn finish_publications(tx: &mut SystemTx, now: Timestamp) -> Result<()> {
    let running = sqlx::query_scalar("SELECT id FROM publications WHERE state = 'running'");
    let running: Vec<PublicationId> = running.fetch_all(tx.connection()).await?;
    if running.is_empty() { Ok(()) } else { finish(tx, &running, now).await }
}

/// Ends those of some publications that wait for nothing any more. What is decided stays decided, so none of them can
/// have begun to wait again meanwhile.
///
/// This is no part of a transaction that decides: of two that settle the last two appliances at once, neither would
/// see that the other one has.
///
/// # Errors
/// The database does not answer.
pub async fn finish(tx: &mut SystemTx, publications: &[PublicationId], now: Timestamp) -> Result<()> {
    let finished = sqlx::query(
        "UPDATE publications p
         SET finished_at = $1,
             state = CASE WHEN EXISTS (SELECT FROM publication_appliances a
                                       WHERE a.publication_id = p.id AND a.status = 'rejected') THEN 'failed'
                          WHEN EXISTS (SELECT FROM publication_appliances a WHERE a.publication_id = p.id)
                          THEN 'succeeded'
                          -- All its appliances were deleted.
                          ELSE 'cancelled' END
         WHERE p.id IN (SELECT id FROM publications running
                        WHERE running.id = ANY($2) AND running.state = 'running'
                          AND NOT EXISTS (SELECT FROM publication_appliances a
                                          WHERE a.publication_id = running.id
                                            AND a.status IN ('pending', 'unreachable'))
                        FOR UPDATE SKIP LOCKED)",
    )
    .bind(now)
    .bind(uuids(publications.iter().map(|publication| publication.as_uuid())))
    .execute(tx.connection())
    .await?;
    announce(tx, finished.rows_affected()).await
}
