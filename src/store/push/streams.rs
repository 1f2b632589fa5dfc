//! Streams that begin and end, many at once.

use std::collections::HashMap;

use super::reflect::UNREACHABLE;
use super::{Beat, Held, millis, uuids};
use crate::clock::Timestamp;
use crate::domain::revision::Running;
use crate::error::Result;
use crate::ids::{ObjectId, ReplicaId, TenantId};
use crate::store::PUBLICATIONS_CHANNEL;
use crate::store::tx::SystemTx;

/// A stream that is about to be an appliance's only one.
#[derive(Debug, Clone)]
pub struct NewStream {
    /// Whose it is, and its id.
    pub held: Held,
    /// The tenant of the appliance.
    pub tenant: TenantId,
    /// Names the gateway's process.
    pub instance: String,
    /// The gateway's version.
    pub software_version: String,
    /// What it says it enforces.
    pub running: Option<Running>,
}

/// Makes each stream its appliance's only one; of several for one appliance, the last. A refusal by an earlier process
/// of the gateway is forgotten: a new one may be a newer version, or stand on a host that was put right. What waited
/// for the gateways is on its way again.
///
/// # Errors
/// The database does not answer.
pub async fn attach(
    tx: &mut SystemTx,
    replica: ReplicaId,
    streams: &[NewStream],
    now: Timestamp,
) -> Result<()> {
    // A statement may change a row once.
    let last: HashMap<ObjectId, &NewStream> =
        streams.iter().map(|stream| (stream.held.appliance, stream)).collect();
    let streams: Vec<&NewStream> = last.into_values().collect();
    let appliances = uuids(streams.iter().map(|stream| stream.held.appliance.as_uuid()));
    let running = |stream: &&NewStream| stream.running.map(|running| running.revision.as_uuid());
    let hash = |stream: &&NewStream| stream.running.map(|running| running.hash.as_bytes().to_vec());
    sqlx::query(
        // In the order in which publishing locks them. An appliance that was deleted meanwhile is left out, and no
        // reason to refuse the others.
        "INSERT INTO appliance_states AS s (appliance_id, tenant_id, stream_id, instance_id, software_version,
             running_revision_id, running_hash, connected, last_seen_at, replica_id)
         SELECT new.appliance_id, new.tenant_id, new.stream_id, new.instance_id, new.software_version,
                new.revision_id, new.hash, true, now(), $8
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::bytea[])
              AS new (appliance_id, tenant_id, stream_id, instance_id, software_version, revision_id, hash)
              JOIN objects o ON o.id = new.appliance_id
         ORDER BY new.appliance_id
         ON CONFLICT (appliance_id) DO UPDATE SET
             stream_id = excluded.stream_id, instance_id = excluded.instance_id,
             software_version = excluded.software_version, running_revision_id = excluded.running_revision_id,
             running_hash = excluded.running_hash, connected = true, last_seen_at = excluded.last_seen_at,
             replica_id = excluded.replica_id,
             -- Whoever holds the one before is to notice.
             changed_by = CASE WHEN s.stream_id IS NULL THEN s.changed_by ELSE excluded.changed_by END,
             rejected_version = CASE WHEN s.instance_id = excluded.instance_id THEN s.rejected_version END",
    )
    .bind(&appliances)
    .bind(uuids(streams.iter().map(|stream| stream.tenant.as_uuid())))
    .bind(uuids(streams.iter().map(|stream| stream.held.stream.as_uuid())))
    .bind(streams.iter().map(|stream| stream.instance.as_str()).collect::<Vec<_>>())
    .bind(streams.iter().map(|stream| stream.software_version.as_str()).collect::<Vec<_>>())
    .bind(streams.iter().map(running).collect::<Vec<_>>())
    .bind(streams.iter().map(hash).collect::<Vec<_>>())
    .bind(replica)
    .execute(tx.connection())
    .await?;
    let woken = sqlx::query(
        "UPDATE publication_appliances
         SET status = 'pending', reason = NULL, updated_at = $2, changed_by = pg_current_xact_id()
         WHERE appliance_id = ANY($1) AND status = 'unreachable'",
    )
    .bind(&appliances)
    .bind(now)
    .execute(tx.connection())
    .await?;
    announce(tx, woken.rows_affected()).await
}

/// Notes that streams have ended, with the last signs of life on them, where they are still their appliances' newest.
///
/// # Errors
/// The database does not answer.
pub async fn detach(tx: &mut SystemTx, ended: &[Beat], now: Timestamp) -> Result<()> {
    let waiting = sqlx::query(
        "WITH locked AS MATERIALIZED (
             SELECT s.appliance_id, ended.age_ms
             FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS ended (appliance_id, stream_id, age_ms)
                  JOIN appliance_states s ON s.appliance_id = ended.appliance_id AND s.stream_id = ended.stream_id
             ORDER BY s.appliance_id FOR UPDATE OF s),
         gone AS (
             UPDATE appliance_states s
             SET connected = false, stream_id = NULL, replica_id = NULL,
                 last_seen_at = now() - locked.age_ms * interval '1 ms'
             FROM locked WHERE s.appliance_id = locked.appliance_id
             RETURNING s.appliance_id)
         UPDATE publication_appliances p
         SET status = 'unreachable', reason = $4, updated_at = $5, changed_by = pg_current_xact_id()
         FROM gone WHERE p.appliance_id = gone.appliance_id AND p.status = 'pending'",
    )
    .bind(uuids(ended.iter().map(|beat| beat.held.appliance.as_uuid())))
    .bind(uuids(ended.iter().map(|beat| beat.held.stream.as_uuid())))
    .bind(ended.iter().map(|beat| millis(beat.age)).collect::<Vec<_>>())
    .bind(UNREACHABLE)
    .bind(now)
    .execute(tx.connection())
    .await?;
    announce(tx, waiting.rows_affected()).await
}

/// Tells whoever watches publications, once the transaction is committed, that there is news, if there is.
pub(super) async fn announce(tx: &mut SystemTx, changed: u64) -> Result<()> {
    if changed > 0 {
        sqlx::query("SELECT pg_notify($1, '')").bind(PUBLICATIONS_CHANNEL).execute(tx.connection()).await?;
    }
    Ok(())
}
