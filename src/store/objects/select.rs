//! Appliances by what they have, and what a viewer may not see.

use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::row::ObjectRow;
use super::{COLUMNS, uuids};
use crate::access::matrix::Viewer;
use crate::domain::appliance::Labels;
use crate::domain::kind::Kind;
use crate::domain::object::Object;
use crate::error::{Error, Named, Result};
use crate::ids::ObjectId;
use crate::store::tx::TenantTx;

/// Which appliances are looked for.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// These.
    Ids(&'a [ObjectId]),
    /// Those that have all these labels.
    Labelled(&'a Labels),
    /// Those that have this master profile.
    Profiled(ObjectId),
    /// All.
    All,
}

/// Finds appliances that the viewer may see, by name, and no more than `limit`.
///
/// # Errors
/// The database does not answer.
pub async fn appliances(
    tx: &mut TenantTx,
    viewer: &Viewer,
    which: Which<'_>,
    limit: usize,
) -> Result<Vec<Object>> {
    let (ids, labels, profile) = match which {
        Which::Ids(ids) => (Some(uuids(ids)), None, None),
        Which::Labelled(labels) => (None, Some(Json(labels)), None),
        Which::Profiled(profile) => (None, None, Some(profile)),
        Which::All => (None, None, None),
    };
    let tenant = tx.tenant();
    let rows: Vec<ObjectRow> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM objects o
         WHERE o.tenant_id = $1 AND o.kind = $2 AND coalesce(o.permissions ->> $3, $4 ->> o.kind) <> 'hide'
           AND ($5::uuid[] IS NULL OR o.id = ANY($5))
           AND ($6::jsonb IS NULL OR o.spec -> 'labels' @> $6)
           AND ($7::uuid IS NULL OR EXISTS (SELECT FROM object_links link WHERE link.from_id = o.id AND link.to_id = $7))
         ORDER BY o.name_key LIMIT $8"
    )))
    .bind(tenant)
    .bind(Kind::Appliance.as_str())
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .bind(ids)
    .bind(labels)
    .bind(profile)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Object::try_from).collect()
}

/// The policies and services that the viewer may not see: what is to be left out where a compiled configuration
/// names them.
///
/// # Errors
/// The database does not answer.
pub async fn hidden(tx: &mut TenantTx, viewer: &Viewer) -> Result<Vec<Named>> {
    let tenant = tx.tenant();
    let rows: Vec<(ObjectId, String, String)> = sqlx::query_as(
        "SELECT o.id, o.kind, o.name FROM objects o
         WHERE o.tenant_id = $1 AND o.kind IN ('alg_policy', 'service')
           AND coalesce(o.permissions ->> $2, $3 ->> o.kind) = 'hide'",
    )
    .bind(tenant)
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .fetch_all(tx.connection())
    .await?;
    let named = |(id, kind, name): (ObjectId, String, String)| {
        let kind = Kind::parse(&kind).ok_or_else(|| Error::Internal(format!("unknown kind {kind}")))?;
        Ok(Named { kind, id, name })
    };
    rows.into_iter().map(named).collect()
}
