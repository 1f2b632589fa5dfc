//! What a publication changes: what appliances are to run, and what becomes of the publications before it.
//!
//! Locks are taken in one order, so that requests and the reconciler do not wait for each other in a circle:
//! `appliance_states` by id, then `publication_appliances`, then `publications` by id. Whoever ends a publication
//! locks its row before looking at its appliances; otherwise two that each settle one of the last two appliances would
//! both see the other's as open, and the publication would run for ever.

use sqlx::PgConnection;

use crate::access::permit::{Administer, AdministerTenants, Permit};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::{ObjectId, PublicationId, RevisionId, TenantId};
use crate::store::objects::uuids;
use crate::store::tx::TenantTx;
use crate::store::{PUBLICATIONS_CHANNEL, PUSH_CHANNEL, TRUST_CHANNEL};

/// Gives appliances revisions to run, as a publication that was just added orders. What is still on its way to them
/// is superseded, and publications that have nothing else on its way end with that.
///
/// # Errors
/// The database does not answer.
pub async fn deliver(
    tx: &mut TenantTx,
    _: &Permit<Administer>,
    publication: PublicationId,
    revisions: &[(ObjectId, RevisionId)],
    now: Timestamp,
) -> Result<()> {
    let appliances: Vec<ObjectId> = revisions.iter().map(|(appliance, _)| *appliance).collect();
    let ids: Vec<uuid::Uuid> = revisions.iter().map(|(_, revision)| revision.as_uuid()).collect();
    let tenant = tx.tenant();
    lock(tx.connection(), tenant, &appliances).await?;
    let reason = format!("superseded by publication {publication}");
    sqlx::query(
        "UPDATE publication_appliances SET status = 'rejected', reason = $3, updated_at = $4,
                                           changed_by = pg_current_xact_id()
         WHERE tenant_id = $1 AND appliance_id = ANY($2) AND status IN ('pending', 'unreachable')",
    )
    .bind(tenant)
    .bind(uuids(&appliances))
    .bind(reason)
    .bind(now)
    .execute(tx.connection())
    .await?;
    sqlx::query(
        "WITH desired AS (
             UPDATE appliance_states s
             SET desired_revision_id = new.revision_id, desired_version = s.desired_version + 1,
                 changed_by = pg_current_xact_id()
             FROM unnest($2::uuid[], $3::uuid[]) AS new (appliance_id, revision_id)
             WHERE s.tenant_id = $1 AND s.appliance_id = new.appliance_id
             RETURNING s.appliance_id, s.desired_revision_id, s.desired_version)
         INSERT INTO publication_appliances (publication_id, tenant_id, appliance_id, revision_id, version, status,
                                             updated_at)
         SELECT $4, $1, appliance_id, desired_revision_id, desired_version, 'pending', $5 FROM desired",
    )
    .bind(tenant)
    .bind(uuids(&appliances))
    .bind(ids)
    .bind(publication)
    .bind(now)
    .execute(tx.connection())
    .await?;
    sqlx::query(
        "UPDATE publications SET state = 'running', finished_at = NULL
         WHERE id = $1 AND EXISTS (SELECT FROM publication_appliances WHERE publication_id = $1)",
    )
    .bind(publication)
    .execute(tx.connection())
    .await?;
    settle(tx, now).await?;
    notify(tx, PUSH_CHANNEL).await?;
    notify(tx, PUBLICATIONS_CHANNEL).await
}

/// What became of taking a publication back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reverted {
    /// It is cancelled.
    Cancelled,
    /// Nothing of it was on its way any more; nothing is changed.
    NothingOpen,
}

/// Takes back what of a publication is still on its way: rejects it with a reason, and gives the appliances to run
/// what they applied last, if the publication is the newest to them. They may have applied it in the meantime; then
/// they are given that earlier revision again.
///
/// # Errors
/// The database does not answer.
pub async fn revert(
    tx: &mut TenantTx,
    _: &Permit<Administer>,
    publication: PublicationId,
    reason: &str,
    now: Timestamp,
) -> Result<Reverted> {
    let tenant = tx.tenant();
    let open: Vec<ObjectId> = sqlx::query_scalar(
        "SELECT appliance_id FROM publication_appliances
         WHERE tenant_id = $1 AND publication_id = $2 AND status IN ('pending', 'unreachable')",
    )
    .bind(tenant)
    .bind(publication)
    .fetch_all(tx.connection())
    .await?;
    lock(tx.connection(), tenant, &open).await?;
    let withdrawn: i64 = sqlx::query_scalar(
        "WITH withdrawn AS (
             UPDATE publication_appliances SET status = 'rejected', reason = $3, updated_at = $4,
                                               changed_by = pg_current_xact_id()
             WHERE tenant_id = $1 AND publication_id = $2 AND status IN ('pending', 'unreachable')
             RETURNING appliance_id, version),
         reverted AS (
             UPDATE appliance_states s
             SET desired_version = s.desired_version + 1, changed_by = pg_current_xact_id(),
                 desired_revision_id = (SELECT d.revision_id FROM publication_appliances d
                                        WHERE d.appliance_id = s.appliance_id AND d.status = 'applied'
                                        ORDER BY d.version DESC LIMIT 1)
             FROM withdrawn
             WHERE s.tenant_id = $1 AND s.appliance_id = withdrawn.appliance_id
               AND s.desired_version = withdrawn.version)
         SELECT count(*) FROM withdrawn",
    )
    .bind(tenant)
    .bind(publication)
    .bind(reason)
    .bind(now)
    .fetch_one(tx.connection())
    .await?;
    // The gateways were faster: the publication has ended, or whoever wrote down the last answer is about to end it.
    if withdrawn == 0 {
        return Ok(Reverted::NothingOpen);
    }
    sqlx::query("UPDATE publications SET state = 'cancelled', finished_at = $2 WHERE id = $1")
        .bind(publication)
        .bind(now)
        .execute(tx.connection())
        .await?;
    notify(tx, PUSH_CHANNEL).await?;
    notify(tx, PUBLICATIONS_CHANNEL).await?;
    Ok(Reverted::Cancelled)
}

/// Ends the tenant's publications that have nothing on its way any more: failed where an appliance has rejected its
/// revision, cancelled where all appliances were deleted, succeeded otherwise.
///
/// # Errors
/// The database does not answer.
pub async fn settle(tx: &mut TenantTx, now: Timestamp) -> Result<()> {
    let tenant = tx.tenant();
    // A statement of its own: the next one then sees what others had done when they let go of the rows.
    sqlx::query("SELECT FROM publications WHERE tenant_id = $1 AND state = 'running' ORDER BY id FOR UPDATE")
        .bind(tenant)
        .execute(tx.connection())
        .await?;
    sqlx::query(
        "UPDATE publications p
         SET finished_at = $2,
             state = CASE WHEN totals.rejected > 0 THEN 'failed' WHEN totals.deliveries = 0 THEN 'cancelled'
                          ELSE 'succeeded' END
         FROM (SELECT r.id, count(d.publication_id) AS deliveries,
                      count(*) FILTER (WHERE d.status IN ('pending', 'unreachable')) AS open,
                      count(*) FILTER (WHERE d.status = 'rejected') AS rejected
               FROM publications r LEFT JOIN publication_appliances d ON d.publication_id = r.id
               WHERE r.tenant_id = $1 AND r.state = 'running'
               GROUP BY r.id) totals
         WHERE p.id = totals.id AND p.state = 'running' AND totals.open = 0",
    )
    .bind(tenant)
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Removes the tenant's publications to appliances that are all deleted: what is left when a tenant goes.
///
/// # Errors
/// The database does not answer.
pub async fn forget(tx: &mut TenantTx, _: &Permit<AdministerTenants>) -> Result<()> {
    let tenant = tx.tenant();
    sqlx::query(
        "DELETE FROM publications p WHERE p.tenant_id = $1
         AND NOT EXISTS (SELECT FROM publication_appliances d WHERE d.publication_id = p.id)",
    )
    .bind(tenant)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Tells all replicas, once the transaction is committed, to look at all their streams: certificates or appliances are
/// no more, and with them perhaps what a publication waited for.
///
/// # Errors
/// The database does not answer.
pub async fn announce(tx: &mut TenantTx) -> Result<()> {
    notify(tx, TRUST_CHANNEL).await?;
    notify(tx, PUBLICATIONS_CHANNEL).await
}

async fn notify(tx: &mut TenantTx, channel: &str) -> Result<()> {
    sqlx::query("SELECT pg_notify($1, '')").bind(channel).execute(tx.connection()).await?;
    Ok(())
}

/// Locks the states of appliances, those that have none getting one.
async fn lock(connection: &mut PgConnection, tenant: TenantId, appliances: &[ObjectId]) -> Result<()> {
    sqlx::query(
        "INSERT INTO appliance_states (appliance_id, tenant_id)
         SELECT missing.id, $1 FROM unnest($2::uuid[]) AS missing (id)
         ON CONFLICT (appliance_id) DO NOTHING",
    )
    .bind(tenant)
    .bind(uuids(appliances))
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "SELECT FROM appliance_states WHERE tenant_id = $1 AND appliance_id = ANY($2)
         ORDER BY appliance_id FOR UPDATE",
    )
    .bind(tenant)
    .bind(uuids(appliances))
    .execute(connection)
    .await?;
    Ok(())
}
