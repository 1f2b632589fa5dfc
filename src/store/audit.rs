//! The audit. Its entries are written by triggers (migration 0030), so there is nothing here that adds one to a change;
//! only sign-ins that fail, and what gateways are to end, change nothing, and say so themselves.

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::objects::like_pattern;
use super::tx::{SystemTx, TenantTx};
use crate::access::matrix::Viewer;
use crate::access::permit::{Administer, Edit, Permit};
use crate::domain::audit::{AuditQuery, ChainHash, Entry};
use crate::domain::live::LiveId;
use crate::error::{Error, Result};
use crate::ids::{TenantId, UserId};

/// The most entries about failed sign-ins of one user, and of names that are no user's, in an hour.
const FAILED_SIGN_INS_PER_HOUR: i64 = 20;

const COLUMNS: &str =
    "e.tenant_id, e.seq, e.id, e.at, e.actor, e.client, e.request_id, e.action, e.kind, e.object_id,
     e.object_name, e.before, e.after, e.previous, e.hash";

/// The end of a tenant's chain, as it is remembered apart from the entries.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// The tenant.
    pub tenant: TenantId,
    /// The last entry's place; 0 when nothing is remembered.
    pub seq: i64,
    /// The last entry's hash.
    pub hash: ChainHash,
}

fn hash(row: &PgRow, column: &str) -> Result<ChainHash> {
    let bytes: Vec<u8> = row.try_get(column)?;
    ChainHash::from_stored(&bytes)
        .ok_or_else(|| Error::Internal(format!("an audit entry's {column} is none")))
}

fn entry(row: &PgRow) -> Result<Entry> {
    let raw = |column| -> Result<Option<Box<RawValue>>> {
        let value: Option<Json<Box<RawValue>>> = row.try_get(column)?;
        Ok(value.map(|value| value.0))
    };
    Ok(Entry {
        tenant: row.try_get("tenant_id")?,
        seq: row.try_get("seq")?,
        id: row.try_get("id")?,
        at: row.try_get("at")?,
        actor: raw("actor")?,
        client: row.try_get("client")?,
        request: row.try_get("request_id")?,
        action: row.try_get("action")?,
        kind: row.try_get("kind")?,
        object: row.try_get("object_id")?,
        object_name: row.try_get("object_name")?,
        before: raw("before")?,
        after: raw("after")?,
        previous: hash(row, "previous")?,
        hash: hash(row, "hash")?,
    })
}

/// Entries of the tenant, the newest first, without those about objects that the viewer may not see, or could not see
/// when they were deleted.
///
/// # Errors
/// The database does not answer.
pub async fn list(
    tx: &mut TenantTx,
    _: &Permit<Administer>,
    viewer: &Viewer,
    query: &AuditQuery,
) -> Result<Vec<Entry>> {
    let tenant = tx.tenant();
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM audit_entries e
         WHERE e.tenant_id = $1
           AND {VISIBLE}
           AND ($4::bigint IS NULL OR e.seq < $4)
           AND ($5::text IS NULL OR e.action ILIKE $5 OR e.kind ILIKE $5 OR e.object_name ILIKE $5
                OR e.actor ->> 'name' ILIKE $5)
           AND ($6::text IS NULL OR e.object_id::text = lower($6) OR lower(e.object_name) = lower($6))
           AND ($7::text IS NULL OR e.actor ->> 'id' = lower($7) OR lower(e.actor ->> 'name') = lower($7))
           AND ($8::timestamptz IS NULL OR e.at >= $8) AND ($9::timestamptz IS NULL OR e.at < $9)
         ORDER BY e.seq DESC LIMIT $10"
    )))
    .bind(tenant)
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .bind(query.cursor)
    .bind(query.search.as_deref().map(like_pattern))
    .bind(query.object.as_deref())
    .bind(query.actor.as_deref())
    .bind(query.from)
    .bind(query.to)
    .bind(i64::from(query.limit))
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(entry).collect()
}

/// Whether the viewer (`$2` role, `$3` its defaults) may see what the entry `e` is about. A thing without permissions
/// has no default either.
const VISIBLE: &str = "coalesce(
    coalesce((SELECT o.permissions FROM objects o WHERE o.id = e.object_id),
             (SELECT (d.before -> 'permissions')::jsonb FROM audit_entries d
              WHERE d.tenant_id = e.tenant_id AND d.object_id = e.object_id AND d.action = 'delete'
                AND d.before -> 'permissions' IS NOT NULL ORDER BY d.seq DESC LIMIT 1)) ->> $2,
    $3 ->> e.kind) IS DISTINCT FROM 'hide'";

/// Those of the ids that are objects which the viewer may not see, or could not see when they were deleted.
///
/// # Errors
/// The database does not answer.
pub async fn hidden(tx: &mut TenantTx, viewer: &Viewer, ids: &BTreeSet<Uuid>) -> Result<BTreeSet<Uuid>> {
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let tenant = tx.tenant();
    let hidden: Vec<Uuid> = sqlx::query_scalar(
        "SELECT o.id FROM objects o
         WHERE o.tenant_id = $1 AND o.id = ANY($4) AND coalesce(o.permissions ->> $2, $3 ->> o.kind) = 'hide'
         UNION
         SELECT d.object_id FROM audit_entries d
         WHERE d.tenant_id = $1 AND d.object_id = ANY($4) AND d.action = 'delete'
           AND coalesce(d.before -> 'permissions' ->> $2, $3 ->> d.kind) = 'hide'",
    )
    .bind(tenant)
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .bind(ids.iter().copied().collect::<Vec<_>>())
    .fetch_all(tx.connection())
    .await?;
    Ok(hidden.into_iter().collect())
}

/// Adds an entry about a sign-in that failed, unless there are many already. `None` is a name that is no user's.
///
/// # Errors
/// The database does not answer.
pub async fn failed_sign_in(tx: &mut SystemTx, user: Option<UserId>) -> Result<()> {
    sqlx::query("SELECT audit_failed_sign_in($1, $2)")
        .bind(user)
        .bind(FAILED_SIGN_INS_PER_HOUR)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// What a gateway is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// A session.
    Session,
    /// A pinhole.
    Pinhole,
}

/// Adds an entry that somebody has the gateway of an appliance end something.
///
/// # Errors
/// The database does not answer.
pub async fn kill(tx: &mut TenantTx, permit: &Permit<Edit>, kill: Kill, target: &LiveId) -> Result<()> {
    let action = match kill {
        Kill::Session => "kill_session",
        Kill::Pinhole => "close_pinhole",
    };
    sqlx::query("SELECT audit_kill($1, $2, $3)")
        .bind(permit.target())
        .bind(action)
        .bind(target.as_str())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The ends of all chains, or of one tenant's.
///
/// # Errors
/// The database does not answer.
pub async fn heads(tx: &mut SystemTx, tenant: Option<TenantId>) -> Result<Vec<Head>> {
    let rows = sqlx::query(
        "SELECT tenant_id, coalesce(h.seq, 0) AS seq, coalesce(h.hash, decode(repeat('00', 32), 'hex')) AS hash
         FROM (SELECT DISTINCT tenant_id FROM audit_entries) e FULL JOIN audit_heads h USING (tenant_id)
         WHERE $1::uuid IS NULL OR tenant_id = $1 ORDER BY tenant_id",
    )
    .bind(tenant)
    .fetch_all(tx.connection())
    .await?;
    let head = |row: &PgRow| {
        Ok(Head { tenant: row.try_get("tenant_id")?, seq: row.try_get("seq")?, hash: hash(row, "hash")? })
    };
    rows.iter().map(head).collect()
}

/// Entries of a tenant's chain after a place, in its order.
///
/// # Errors
/// The database does not answer.
pub async fn chain(tx: &mut SystemTx, tenant: TenantId, after: i64, limit: i64) -> Result<Vec<Entry>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM audit_entries e WHERE e.tenant_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3"
    )))
    .bind(tenant)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(entry).collect()
}
