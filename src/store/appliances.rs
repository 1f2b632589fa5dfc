//! What appliances run and should run, and how their gateways get in. The appliances themselves are objects.

use std::collections::BTreeMap;

use sqlx::FromRow;
use sqlx::types::Json;

use super::objects::uuids;
use super::tx::TenantTx;
use crate::access::permit::{Administer, Permit};
use crate::access::token::SecretHash;
use crate::clock::Timestamp;
use crate::domain::appliance::ApplianceState;
use crate::domain::object::Stamp;
use crate::domain::revision::ConfigHash;
use crate::error::{Error, Result};
use crate::ids::{ObjectId, RevisionId};

/// What is stored of an appliance's state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredState {
    /// The state, as far as it is stored: whether something has changed since is not.
    pub state: ApplianceState,
    /// The hash of the revision that was published last.
    pub published_hash: Option<ConfigHash>,
}

#[derive(Debug, FromRow)]
struct StateRow {
    appliance_id: ObjectId,
    connected: bool,
    last_seen_at: Option<Timestamp>,
    running_revision_id: Option<RevisionId>,
    desired_revision_id: Option<RevisionId>,
    desired_hash: Option<Vec<u8>>,
    last_error: Option<String>,
}

/// Adds the state of a new appliance: never seen, nothing published.
///
/// # Errors
/// The database does not answer.
pub async fn insert_state(tx: &mut TenantTx, appliance: ObjectId) -> Result<()> {
    let tenant = tx.tenant();
    sqlx::query("INSERT INTO appliance_states (appliance_id, tenant_id) VALUES ($1, $2)")
        .bind(appliance)
        .bind(tenant)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The states of appliances; those that have none yet are left out. A gateway counts as connected only as long as the
/// replica that holds its stream keeps its promise to be there.
///
/// # Errors
/// The database does not answer.
pub async fn states(tx: &mut TenantTx, appliances: &[ObjectId]) -> Result<BTreeMap<ObjectId, StoredState>> {
    let tenant = tx.tenant();
    let rows: Vec<StateRow> = sqlx::query_as(
        "SELECT s.appliance_id, s.last_seen_at, s.running_revision_id, s.desired_revision_id, r.hash AS desired_hash,
                s.last_error,
                s.connected AND EXISTS (SELECT FROM replicas h WHERE h.id = s.replica_id AND h.lease_until > now())
                AS connected
         FROM appliance_states s LEFT JOIN revisions r ON r.id = s.desired_revision_id
         WHERE s.tenant_id = $1 AND s.appliance_id = ANY($2)",
    )
    .bind(tenant)
    .bind(uuids(appliances))
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(|row| Ok((row.appliance_id, row.try_into()?))).collect()
}

impl TryFrom<StateRow> for StoredState {
    type Error = Error;

    fn try_from(row: StateRow) -> Result<Self> {
        let hash = row.desired_hash.as_deref().map(|bytes| {
            let broken = || Error::Internal(format!("a hash of the appliance {} is none", row.appliance_id));
            ConfigHash::from_stored(bytes).ok_or_else(broken)
        });
        Ok(Self {
            state: ApplianceState {
                connected: row.connected,
                last_seen: row.last_seen_at,
                running_revision: row.running_revision_id,
                published_revision: row.desired_revision_id,
                changed_since_publish: false,
                last_error: row.last_error,
            },
            published_hash: hash.transpose()?,
        })
    }
}

/// Adds a join token of an appliance, in place of those that were not used yet.
///
/// # Errors
/// The database does not answer.
pub async fn add_join_token(
    tx: &mut TenantTx,
    _: &Permit<Administer>,
    appliance: ObjectId,
    token: SecretHash,
    created: &Stamp,
    expires_at: Timestamp,
) -> Result<()> {
    let tenant = tx.tenant();
    sqlx::query("DELETE FROM join_tokens WHERE tenant_id = $1 AND appliance_id = $2")
        .bind(tenant)
        .bind(appliance)
        .execute(tx.connection())
        .await?;
    sqlx::query(
        "INSERT INTO join_tokens (token_hash, tenant_id, appliance_id, created_at, created_by, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(token.as_bytes())
    .bind(tenant)
    .bind(appliance)
    .bind(created.at)
    .bind(created.by.as_ref().map(Json))
    .bind(expires_at)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Revokes the certificates of an appliance's gateway, and the join tokens that could give it others.
///
/// # Errors
/// The database does not answer.
pub async fn revoke(tx: &mut TenantTx, _: &Permit<Administer>, appliance: ObjectId) -> Result<()> {
    let tenant = tx.tenant();
    for table in ["join_tokens", "gateway_certificates"] {
        let delete = format!("DELETE FROM {table} WHERE tenant_id = $1 AND appliance_id = $2");
        sqlx::query(sqlx::AssertSqlSafe(delete))
            .bind(tenant)
            .bind(appliance)
            .execute(tx.connection())
            .await?;
    }
    Ok(())
}
