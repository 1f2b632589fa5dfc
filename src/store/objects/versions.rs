//! What objects said before. Who sees an object sees its history.

use sqlx::FromRow;
use sqlx::types::Json;

use super::row::ObjectRow;
use crate::access::permit::{Permit, Read};
use crate::clock::Timestamp;
use crate::domain::object::{By, Object, Stamp};
use crate::domain::page::{ListQuery, Page};
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::store::tx::TenantTx;

/// A save of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Save {
    /// The version that it made.
    pub version: Version,
    /// What the object was called then.
    pub name: String,
    /// When and by whom.
    pub saved: Stamp,
}

#[derive(Debug, FromRow)]
struct SaveRow {
    version: i64,
    name: String,
    saved_at: Timestamp,
    saved_by: Option<Json<By>>,
}

impl TryFrom<SaveRow> for Save {
    type Error = Error;

    fn try_from(row: SaveRow) -> Result<Self> {
        let version = Version::new(row.version);
        Ok(Self {
            version: version.ok_or_else(|| Error::Internal(format!("version {} is stored", row.version)))?,
            name: row.name,
            saved: Stamp { at: row.saved_at, by: row.saved_by.map(|by| by.0) },
        })
    }
}

/// Lists the versions of an object, the newest first.
///
/// # Errors
/// The database does not answer.
pub async fn versions(tx: &mut TenantTx, of: &Permit<Read>, query: &ListQuery) -> Result<Page<Save>> {
    let total = sqlx::query_scalar("SELECT count(*) FROM object_versions WHERE object_id = $1")
        .bind(of.target())
        .fetch_one(tx.connection())
        .await?;
    let rows: Vec<SaveRow> = sqlx::query_as(
        "SELECT version, name, saved_at, saved_by FROM object_versions WHERE object_id = $1
         ORDER BY version DESC LIMIT $2 OFFSET $3",
    )
    .bind(of.target())
    .bind(i64::from(query.per_page))
    .bind(query.offset())
    .fetch_all(tx.connection())
    .await?;
    Ok(Page { items: rows.into_iter().map(Save::try_from).collect::<Result<_>>()?, total })
}

/// An object as it was saved.
///
/// # Errors
/// The database does not answer.
pub async fn version(tx: &mut TenantTx, of: &Permit<Read>, version: Version) -> Result<Option<Object>> {
    let row: Option<ObjectRow> = sqlx::query_as(
        "SELECT o.id, o.kind, v.name, v.description, v.tags, v.spec, v.permissions, v.version, o.created_at, o.created_by,
                v.saved_at AS updated_at, v.saved_by AS updated_by
         FROM object_versions v JOIN objects o ON o.id = v.object_id
         WHERE v.object_id = $1 AND v.version = $2",
    )
    .bind(of.target())
    .bind(version.number())
    .fetch_optional(tx.connection())
    .await?;
    row.map(Object::try_from).transpose()
}
