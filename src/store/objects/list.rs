//! Pages of objects: searched, filtered and counted by Postgres, so that a count says nothing of what is hidden.

use sqlx::AssertSqlSafe;

use super::row::ObjectRow;
use super::{COLUMNS, like_pattern};
use crate::access::matrix::Viewer;
use crate::domain::kind::Kind;
use crate::domain::object::Object;
use crate::domain::page::{ListQuery, Page, Sort};
use crate::error::Result;
use crate::store::tx::TenantTx;

/// What is on the list: `$1` tenant, `$2` kind, `$3` role, `$4` the role's defaults, `$5` search, `$6` tags.
const FILTER: &str = "o.tenant_id = $1 AND o.kind = $2
    AND coalesce(o.permissions ->> $3, $4 ->> o.kind) <> 'hide'
    AND o.tags @> $6
    AND ($5::text IS NULL OR o.name ILIKE $5 OR o.description ILIKE $5
         OR EXISTS (SELECT FROM unnest(o.tags) tag WHERE tag ILIKE $5)
         OR EXISTS (SELECT FROM object_links link JOIN objects target ON target.id = link.to_id
                    WHERE link.from_id = o.id AND target.name ILIKE $5
                      AND coalesce(target.permissions ->> $3, $4 ->> target.kind) <> 'hide'))";

/// Lists the objects of a kind that the viewer may see.
///
/// # Errors
/// The database does not answer.
pub async fn list(tx: &mut TenantTx, viewer: &Viewer, kind: Kind, query: &ListQuery) -> Result<Page<Object>> {
    let order = match query.sort {
        Sort::Name => "o.name_key",
        Sort::NameDescending => "o.name_key DESC",
        Sort::Updated => "o.updated_at, o.name_key",
        Sort::UpdatedDescending => "o.updated_at DESC, o.name_key",
    };
    let tenant = tx.tenant();
    let pattern = query.search.as_deref().map(like_pattern);
    let total = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM objects o WHERE {FILTER}")))
        .bind(tenant)
        .bind(kind.as_str())
        .bind(viewer.role().as_str())
        .bind(viewer.defaults())
        .bind(&pattern)
        .bind(&query.tags)
        .fetch_one(tx.connection())
        .await?;
    let rows: Vec<ObjectRow> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM objects o WHERE {FILTER} ORDER BY {order} LIMIT $7 OFFSET $8"
    )))
    .bind(tenant)
    .bind(kind.as_str())
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .bind(&pattern)
    .bind(&query.tags)
    .bind(i64::from(query.per_page))
    .bind(query.offset())
    .fetch_all(tx.connection())
    .await?;
    Ok(Page { items: rows.into_iter().map(Object::try_from).collect::<Result<_>>()?, total })
}
