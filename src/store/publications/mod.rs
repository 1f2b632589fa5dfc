//! Publications. What an appliance is to run stands in `appliance_states`; a publication says who ordered it and what
//! became of it.

mod deliver;

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow};

use super::tx::{Mark, TenantTx};
use crate::access::matrix::Viewer;
use crate::access::permit::{Administer, Permit};
use crate::clock::Timestamp;
use crate::domain::object::{By, Stamp};
use crate::domain::page::{ListQuery, Page};
use crate::domain::publication::{Counts, Delivery, DeliveryStatus, Publication, PublicationState};
use crate::error::{Error, Result};
use crate::ids::{ObjectId, PublicationId, RevisionId};

pub use self::deliver::{Reverted, announce, deliver, forget, revert, settle};

/// The columns of [`PublicationRow`], of `publications p`; `$1` tenant, `$2` role, `$3` the role's defaults. Counts are
/// of what the viewer may see.
const COLUMNS: &str = "p.id, p.state, p.created_at, p.created_by, p.finished_at,
    counts.pending, counts.applied, counts.rejected, counts.unreachable";
const COUNTS: &str = "LATERAL (
    SELECT count(*) FILTER (WHERE d.status = 'pending') AS pending,
           count(*) FILTER (WHERE d.status = 'applied') AS applied,
           count(*) FILTER (WHERE d.status = 'rejected') AS rejected,
           count(*) FILTER (WHERE d.status = 'unreachable') AS unreachable
    FROM publication_appliances d JOIN objects o ON o.id = d.appliance_id
    WHERE d.publication_id = p.id AND coalesce(o.permissions ->> $2, $3 ->> o.kind) <> 'hide') counts";

#[derive(Debug, FromRow)]
struct PublicationRow {
    id: PublicationId,
    state: String,
    created_at: Timestamp,
    created_by: Option<Json<By>>,
    finished_at: Option<Timestamp>,
    pending: i64,
    applied: i64,
    rejected: i64,
    unreachable: i64,
}

impl TryFrom<PublicationRow> for Publication {
    type Error = Error;

    fn try_from(row: PublicationRow) -> Result<Self> {
        let state = PublicationState::parse(&row.state);
        Ok(Self {
            id: row.id,
            state: state.ok_or_else(|| Error::Internal(format!("the state of publication {}", row.id)))?,
            created: Stamp { at: row.created_at, by: row.created_by.map(|by| by.0) },
            finished: row.finished_at,
            counts: Counts {
                pending: row.pending,
                applied: row.applied,
                rejected: row.rejected,
                unreachable: row.unreachable,
            },
        })
    }
}

#[derive(Debug, FromRow)]
struct DeliveryRow {
    appliance_id: ObjectId,
    name: String,
    revision_id: RevisionId,
    status: String,
    reason: Option<String>,
    updated_at: Timestamp,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = Error;

    fn try_from(row: DeliveryRow) -> Result<Self> {
        let status = DeliveryStatus::parse(&row.status);
        Ok(Self {
            appliance: row.appliance_id,
            name: row.name,
            revision: row.revision_id,
            status: status.ok_or_else(|| Error::Internal(format!("the delivery status {:?}", row.status)))?,
            reason: row.reason,
            updated: row.updated_at,
        })
    }
}

/// Adds a publication without appliances: it has ended already, unless some are added.
///
/// # Errors
/// The database does not answer.
pub async fn insert(
    tx: &mut TenantTx,
    _: &Permit<Administer>,
    id: PublicationId,
    created: &Stamp,
) -> Result<()> {
    let tenant = tx.tenant();
    sqlx::query(
        "INSERT INTO publications (id, tenant_id, state, created_at, created_by, finished_at)
         VALUES ($1, $2, $3, $4, $5, $4)",
    )
    .bind(id)
    .bind(tenant)
    .bind(PublicationState::Succeeded.as_str())
    .bind(created.at)
    .bind(created.by.as_ref().map(Json))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Finds a publication of the tenant.
///
/// # Errors
/// The database does not answer.
pub async fn find(tx: &mut TenantTx, viewer: &Viewer, id: PublicationId) -> Result<Option<Publication>> {
    let tenant = tx.tenant();
    let row: Option<PublicationRow> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM publications p, {COUNTS} WHERE p.tenant_id = $1 AND p.id = $4"
    )))
    .bind(tenant)
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .bind(id)
    .fetch_optional(tx.connection())
    .await?;
    row.map(Publication::try_from).transpose()
}

/// Lists the publications of the tenant, the newest first.
///
/// # Errors
/// The database does not answer.
pub async fn list(tx: &mut TenantTx, viewer: &Viewer, query: &ListQuery) -> Result<Page<Publication>> {
    let tenant = tx.tenant();
    let total = sqlx::query_scalar("SELECT count(*) FROM publications WHERE tenant_id = $1")
        .bind(tenant)
        .fetch_one(tx.connection())
        .await?;
    let rows: Vec<PublicationRow> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS}
         FROM (SELECT * FROM publications WHERE tenant_id = $1
               ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $5) p, {COUNTS}
         ORDER BY p.created_at DESC, p.id DESC"
    )))
    .bind(tenant)
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .bind(i64::from(query.per_page))
    .bind(query.offset())
    .fetch_all(tx.connection())
    .await?;
    Ok(Page { items: rows.into_iter().map(Publication::try_from).collect::<Result<_>>()?, total })
}

/// The appliances of a publication that the viewer may see, by name.
///
/// # Errors
/// The database does not answer.
pub async fn deliveries(tx: &mut TenantTx, viewer: &Viewer, of: PublicationId) -> Result<Vec<Delivery>> {
    deliveries_since(tx, viewer, of, None).await
}

/// Those of them whose status was changed by transactions that were not over at a mark.
///
/// # Errors
/// The database does not answer.
pub async fn deliveries_since(
    tx: &mut TenantTx,
    viewer: &Viewer,
    of: PublicationId,
    since: Option<Mark>,
) -> Result<Vec<Delivery>> {
    let tenant = tx.tenant();
    let rows: Vec<DeliveryRow> = sqlx::query_as(
        "SELECT d.appliance_id, o.name, d.revision_id, d.status, d.reason, d.updated_at
         FROM publication_appliances d JOIN objects o ON o.id = d.appliance_id
         WHERE d.tenant_id = $1 AND d.publication_id = $4 AND d.changed_by >= $5::text::xid8
           AND coalesce(o.permissions ->> $2, $3 ->> o.kind) <> 'hide'
         ORDER BY o.name_key",
    )
    .bind(tenant)
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .bind(of)
    .bind(since.map_or_else(|| "0".to_owned(), |since| since.to_string()))
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Delivery::try_from).collect()
}
