//! Objects that are copies of the provider's.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, FromRow, Row as _};

use super::row::ObjectRow;
use super::{COLUMNS, uuids};
use crate::domain::object::Object;
use crate::error::Result;
use crate::ids::ObjectId;
use crate::store::tx::TenantTx;

/// The tenant's copies of some objects, by what they are copies of, hidden ones too: what is hidden is not copied a second
/// time.
///
/// # Errors
/// The database does not answer.
pub async fn copies_regardless(tx: &mut TenantTx, of: &[ObjectId]) -> Result<BTreeMap<ObjectId, Object>> {
    let tenant = tx.tenant();
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT o.source_id, {COLUMNS} FROM objects o WHERE o.tenant_id = $1 AND o.source_id = ANY($2)"
    )))
    .bind(tenant)
    .bind(uuids(of))
    .fetch_all(tx.connection())
    .await?;
    let copy = |row: &sqlx::postgres::PgRow| {
        Ok((row.try_get("source_id")?, Object::try_from(ObjectRow::from_row(row)?)?))
    };
    rows.iter().map(copy).collect()
}
