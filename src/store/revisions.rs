//! Revisions: compiled configurations, which never change.

use std::collections::BTreeMap;

use sqlx::FromRow;
use sqlx::types::Json;

use super::objects::uuids;
use super::tx::TenantTx;
use crate::access::permit::{Administer, Permit};
use crate::clock::Timestamp;
use crate::domain::object::{By, Stamp};
use crate::domain::revision::{ConfigHash, Revision};
use crate::error::{Error, Result};
use crate::ids::{ObjectId, RevisionId};

const COLUMNS: &str = "r.id, r.appliance_id, r.config, r.hash, r.created_at, r.created_by";

#[derive(Debug, FromRow)]
struct RevisionRow {
    id: RevisionId,
    appliance_id: ObjectId,
    config: Vec<u8>,
    hash: Vec<u8>,
    created_at: Timestamp,
    created_by: Option<Json<By>>,
}

impl TryFrom<RevisionRow> for Revision {
    type Error = Error;

    fn try_from(row: RevisionRow) -> Result<Self> {
        let hash = ConfigHash::from_stored(&row.hash);
        Ok(Self {
            id: row.id,
            appliance: row.appliance_id,
            config: row.config,
            hash: hash
                .ok_or_else(|| Error::Internal(format!("the hash of the revision {} is none", row.id)))?,
            created: Stamp { at: row.created_at, by: row.created_by.map(|by| by.0) },
        })
    }
}

/// Finds a revision of the tenant.
///
/// # Errors
/// The database does not answer.
pub async fn find(tx: &mut TenantTx, id: RevisionId) -> Result<Option<Revision>> {
    let tenant = tx.tenant();
    let row: Option<RevisionRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM revisions r WHERE r.tenant_id = $1 AND r.id = $2"
    )))
    .bind(tenant)
    .bind(id)
    .fetch_optional(tx.connection())
    .await?;
    row.map(Revision::try_from).transpose()
}

/// The revisions that were published last, by appliance; appliances without one are left out.
///
/// # Errors
/// The database does not answer.
pub async fn published(tx: &mut TenantTx, appliances: &[ObjectId]) -> Result<BTreeMap<ObjectId, Revision>> {
    let tenant = tx.tenant();
    let rows: Vec<RevisionRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM appliance_states s JOIN revisions r ON r.id = s.desired_revision_id
         WHERE s.tenant_id = $1 AND s.appliance_id = ANY($2)"
    )))
    .bind(tenant)
    .bind(uuids(appliances))
    .fetch_all(tx.connection())
    .await?;
    let revisions = rows.into_iter().map(Revision::try_from);
    revisions.map(|revision| revision.map(|revision| (revision.appliance, revision))).collect()
}

/// The oldest revision of each appliance that has the given hash; appliances without one are left out.
///
/// # Errors
/// The database does not answer.
pub async fn with_hashes(
    tx: &mut TenantTx,
    wanted: &[(ObjectId, ConfigHash)],
) -> Result<BTreeMap<ObjectId, RevisionId>> {
    let appliances: Vec<ObjectId> = wanted.iter().map(|(appliance, _)| *appliance).collect();
    let hashes: Vec<&[u8]> = wanted.iter().map(|(_, hash)| hash.as_bytes()).collect();
    let tenant = tx.tenant();
    let rows: Vec<(ObjectId, RevisionId)> = sqlx::query_as(
        "SELECT DISTINCT ON (r.appliance_id) r.appliance_id, r.id
         FROM unnest($2::uuid[], $3::bytea[]) AS wanted (appliance_id, hash)
         JOIN revisions r ON r.appliance_id = wanted.appliance_id AND r.hash = wanted.hash
         WHERE r.tenant_id = $1
         ORDER BY r.appliance_id, r.created_at, r.id",
    )
    .bind(tenant)
    .bind(uuids(&appliances))
    .bind(hashes)
    .fetch_all(tx.connection())
    .await?;
    Ok(rows.into_iter().collect())
}

/// Adds revisions.
///
/// # Errors
/// The database does not answer.
pub async fn insert(
    tx: &mut TenantTx,
    _: &Permit<Administer>,
    revisions: &[Revision],
    created: &Stamp,
) -> Result<()> {
    if revisions.is_empty() {
        return Ok(());
    }
    let ids: Vec<uuid::Uuid> = revisions.iter().map(|revision| revision.id.as_uuid()).collect();
    let appliances: Vec<ObjectId> = revisions.iter().map(|revision| revision.appliance).collect();
    let configs: Vec<&[u8]> = revisions.iter().map(|revision| revision.config.as_slice()).collect();
    let hashes: Vec<&[u8]> = revisions.iter().map(|revision| revision.hash.as_bytes()).collect();
    let tenant = tx.tenant();
    sqlx::query(
        "INSERT INTO revisions (id, tenant_id, appliance_id, config, hash, created_at, created_by)
         SELECT new.id, $1, new.appliance_id, new.config, new.hash, $2, $3
         FROM unnest($4::uuid[], $5::uuid[], $6::bytea[], $7::bytea[]) AS new (id, appliance_id, config, hash)",
    )
    .bind(tenant)
    .bind(created.at)
    .bind(created.by.as_ref().map(Json))
    .bind(ids)
    .bind(uuids(&appliances))
    .bind(configs)
    .bind(hashes)
    .execute(tx.connection())
    .await?;
    Ok(())
}
