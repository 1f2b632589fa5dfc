//! Which replica holds which streams, and whether it is still there.
//!
//! Replicas compare times of the database, since their own clocks may differ.

use std::time::Duration;

use super::{Held, millis, uuids};
use crate::domain::revision::Running;
use crate::error::Result;
use crate::ids::ReplicaId;
use crate::store::tx::SystemTx;

/// A sign of life of a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Beat {
    /// Its stream.
    pub held: Held,
    /// How long ago it was.
    pub age: Duration,
    /// What it says it enforces.
    pub running: Option<Running>,
}

/// Promises that a replica is there for `lease` from now on.
///
/// # Errors
/// The database does not answer.
pub async fn renew(tx: &mut SystemTx, replica: ReplicaId, lease: Duration) -> Result<()> {
    sqlx::query(
        "INSERT INTO replicas (id, lease_until) VALUES ($1, now() + $2 * interval '1 ms')
         ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until",
    )
    .bind(replica)
    .bind(millis(lease))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Notes of gateways whose replica broke its promise that they are not connected, and forgets such replicas; says how
/// many gateways there were. Rows that another replica is about to change are left to it.
///
/// # Errors
/// The database does not answer.
pub async fn expire(tx: &mut SystemTx) -> Result<u64> {
    let expired = sqlx::query(
        "UPDATE appliance_states SET connected = false, replica_id = NULL
         WHERE appliance_id IN (SELECT s.appliance_id FROM appliance_states s
                                WHERE s.connected
                                  AND NOT EXISTS (SELECT FROM replicas r
                                                  WHERE r.id = s.replica_id AND r.lease_until >= now())
                                FOR UPDATE OF s SKIP LOCKED)",
    )
    .execute(tx.connection())
    .await?;
    sqlx::query(
        "DELETE FROM replicas r
         WHERE r.lease_until < now()
           AND NOT EXISTS (SELECT FROM appliance_states s WHERE s.replica_id = r.id AND s.connected)",
    )
    .execute(tx.connection())
    .await?;
    Ok(expired.rows_affected())
}

/// Notes signs of life of streams that a replica holds.
///
/// # Errors
/// The database does not answer.
pub async fn beat(tx: &mut SystemTx, replica: ReplicaId, beats: &[Beat]) -> Result<()> {
    let running = |beat: &Beat| beat.running.map(|running| running.revision.as_uuid());
    let hash = |beat: &Beat| beat.running.map(|running| running.hash.as_bytes().to_vec());
    sqlx::query(
        // Locked in the order in which publishing locks them, so that neither waits for the other in a circle.
        "WITH locked AS MATERIALIZED (
             SELECT appliance_id FROM appliance_states
             WHERE appliance_id = ANY($1) ORDER BY appliance_id FOR UPDATE)
         UPDATE appliance_states s
         SET connected = true, replica_id = $6, last_seen_at = now() - beat.age_ms * interval '1 ms',
             running_revision_id = beat.revision_id, running_hash = beat.hash
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::bytea[])
              AS beat (appliance_id, stream_id, age_ms, revision_id, hash)
              JOIN locked ON locked.appliance_id = beat.appliance_id
         WHERE s.appliance_id = beat.appliance_id AND s.stream_id = beat.stream_id",
    )
    .bind(uuids(beats.iter().map(|beat| beat.held.appliance.as_uuid())))
    .bind(uuids(beats.iter().map(|beat| beat.held.stream.as_uuid())))
    .bind(beats.iter().map(|beat| millis(beat.age)).collect::<Vec<_>>())
    .bind(beats.iter().map(running).collect::<Vec<_>>())
    .bind(beats.iter().map(hash).collect::<Vec<_>>())
    .bind(replica)
    .execute(tx.connection())
    .await?;
    Ok(())
}
