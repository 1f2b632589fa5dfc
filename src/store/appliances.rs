//! What appliances run and should run, and the credentials of their gateways. The appliances themselves are objects.

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
use crate::ids::{GatewayTokenId, ObjectId, RevisionId};

/// Credentials of one appliance that are good at the same time: the one that its gateway has, and the one that is
/// about to replace it.
const LIVE_TOKENS: i64 = 2;

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
        "SELECT s.appliance_id, s.connected AND coalesce(s.lease_until > now(), false) AS connected, s.last_seen_at,
                s.running_revision_id, s.desired_revision_id, r.hash AS desired_hash, s.last_error
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

/// Adds a credential of an appliance's gateway and revokes all but the newest, [`LIVE_TOKENS`] in all staying good.
///
/// # Errors
/// The database does not answer.
pub async fn add_token(
    tx: &mut TenantTx,
    _: &Permit<Administer>,
    appliance: ObjectId,
    hash: SecretHash,
    created: &Stamp,
) -> Result<()> {
    let tenant = tx.tenant();
    sqlx::query(
        "INSERT INTO gateway_tokens (id, tenant_id, appliance_id, token_hash, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(GatewayTokenId::generate())
    .bind(tenant)
    .bind(appliance)
    .bind(hash.as_bytes())
    .bind(created.at)
    .bind(created.by.as_ref().map(Json))
    .execute(tx.connection())
    .await?;
    sqlx::query(
        "UPDATE gateway_tokens SET revoked_at = $3
         WHERE tenant_id = $1 AND appliance_id = $2 AND revoked_at IS NULL
           AND id NOT IN (SELECT id FROM gateway_tokens
                          WHERE tenant_id = $1 AND appliance_id = $2 AND revoked_at IS NULL
                          ORDER BY created_at DESC, id DESC LIMIT $4)",
    )
    .bind(tenant)
    .bind(appliance)
    .bind(created.at)
    .bind(LIVE_TOKENS)
    .execute(tx.connection())
    .await?;
    Ok(())
}
