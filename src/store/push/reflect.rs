//! What follows from the state of appliances: any replica may do it, for all of them, at any time.
//!
//! Rows that another replica is about to change are left to it (SKIP LOCKED), so that replicas neither wait for
//! each other nor meet in a deadlock.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::tx::SystemTx;

/// What an administrator reads about an appliance that waits for its gateway.
const UNREACHABLE: &str = "the gateway is not connected; it is given the revision when it comes back";

/// Notes of gateways whose replica broke its promise that they are not connected; says how many there were.
///
/// # Errors
/// The database does not answer.
pub async fn expire(tx: &mut SystemTx) -> Result<u64> {
    let expired = sqlx::query(
        "UPDATE appliance_states SET connected = false
         WHERE appliance_id IN (SELECT appliance_id FROM appliance_states
                                WHERE connected AND (lease_until IS NULL OR lease_until < now())
                                FOR UPDATE SKIP LOCKED)",
    )
    .execute(tx.connection())
    .await?;
    Ok(expired.rows_affected())
}

/// Makes what publications wait for `pending` where a gateway is connected, and `unreachable` where none is.
///
/// # Errors
/// The database does not answer.
pub async fn reflect_connections(tx: &mut SystemTx, now: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE publication_appliances p
         SET status = changed.status, updated_at = $2,
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
    Ok(())
}

/// Ends the publications that wait for nothing any more. What is decided stays decided, so none of them can have
/// begun to wait again meanwhile.
///
/// # Errors
/// The database does not answer.
pub async fn finish_publications(tx: &mut SystemTx, now: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE publications p
         SET finished_at = $1,
             state = CASE WHEN EXISTS (SELECT FROM publication_appliances a
                                       WHERE a.publication_id = p.id AND a.status = 'rejected') THEN 'failed'
                          WHEN EXISTS (SELECT FROM publication_appliances a WHERE a.publication_id = p.id)
                          THEN 'succeeded'
                          -- All its appliances were deleted.
                          ELSE 'cancelled' END
         WHERE p.id IN (SELECT id FROM publications running
                        WHERE running.state = 'running'
                          AND NOT EXISTS (SELECT FROM publication_appliances a
                                          WHERE a.publication_id = running.id
                                            AND a.status IN ('pending', 'unreachable'))
                        FOR UPDATE SKIP LOCKED)",
    )
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}
