//! Services, policies, profiles, appliances: one table, since what they have in common is nearly all that a database does
//! with them.

mod copies;
mod list;
mod read;
mod relations;
mod row;
mod select;
mod versions;

use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::error::violates;
use super::tx::TenantTx;
use crate::access::matrix::Viewer;
use crate::access::permit::{Create, Edit, Permit};
use crate::domain::kind::Kind;
use crate::domain::object::Object;
use crate::domain::reference::{ObjectRef, Ref};
use crate::error::{Error, Result};
use crate::ids::ObjectId;

pub use self::copies::copies_regardless;
pub use self::list::list;
pub use self::read::{Found, Reading, read};
pub use self::relations::{
    Related, Uses, existing, policies_listening_on, reachable_regardless, references, resolve,
    services_regardless, used_by,
};
use self::row::ObjectRow;
pub use self::select::{Which, appliances, hidden};
pub use self::versions::{Save, version, versions};

const NAME_TAKEN: &str = "objects_name_taken";
const IN_USE: &str = "object_links_in_use";

/// The columns of [`ObjectRow`], of a table or alias `o`.
const COLUMNS: &str = "o.id, o.kind, o.name, o.description, o.tags, o.spec, o.permissions, o.version, o.created_at, \
     o.created_by, o.updated_at, o.updated_by";

/// The pattern that finds a text anywhere, without regard to case, for ILIKE.
pub(super) fn like_pattern(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// Finds an object that the viewer may see.
///
/// # Errors
/// The database does not answer.
pub async fn find(
    tx: &mut TenantTx,
    viewer: &Viewer,
    kind: Kind,
    reference: &ObjectRef,
) -> Result<Option<Object>> {
    let (id, name) = match reference {
        Ref::Id(id) => (Some(*id), None),
        Ref::Name(name) => (None, Some(name.key())),
    };
    let tenant = tx.tenant();
    let row: Option<ObjectRow> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM objects o
         WHERE o.tenant_id = $1 AND o.kind = $2 AND (o.id = $3 OR o.name_key = $4)
           AND coalesce(o.permissions ->> $5, $6 ->> o.kind) <> 'hide'"
    )))
    .bind(tenant)
    .bind(kind.as_str())
    .bind(id)
    .bind(name)
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .fetch_optional(tx.connection())
    .await?;
    row.map(Object::try_from).transpose()
}

/// Adds an object.
///
/// # Errors
/// [`Error::NameTaken`], or the database does not answer.
pub async fn insert(tx: &mut TenantTx, permit: &Permit<Create>, object: &Object) -> Result<()> {
    insert_from(tx, permit, object, None).await
}

/// Adds an object that is a copy of another tenant's.
///
/// # Errors
/// [`Error::NameTaken`], or the database does not answer.
pub async fn insert_copy(
    tx: &mut TenantTx,
    permit: &Permit<Create>,
    object: &Object,
    source: ObjectId,
) -> Result<()> {
    insert_from(tx, permit, object, Some(source)).await
}

async fn insert_from(
    tx: &mut TenantTx,
    permit: &Permit<Create>,
    object: &Object,
    source: Option<ObjectId>,
) -> Result<()> {
    if permit.target() != object.kind() {
        return Err(Error::Internal("a permit for another kind".to_owned()));
    }
    let tenant = tx.tenant();
    sqlx::query(
        "INSERT INTO objects (id, tenant_id, kind, name, description, tags, spec, permissions, version, created_at,
                              created_by, updated_at, updated_by, source_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(object.id)
    .bind(tenant)
    .bind(object.kind().as_str())
    .bind(object.draft.name.as_str())
    .bind(object.draft.description.as_str())
    .bind(tags_of(object))
    .bind(object.draft.spec.encode())
    .bind(object.grants.encode())
    .bind(object.version.number())
    .bind(object.created.at)
    .bind(object.created.by.as_ref().map(Json))
    .bind(object.updated.at)
    .bind(object.updated.by.as_ref().map(Json))
    .bind(source)
    .execute(tx.connection())
    .await
    .map_err(|error| taken(error, object))?;
    insert_links(tx, object).await?;
    insert_version(tx, object).await
}

/// Saves a new version of an object over the one before it.
///
/// # Errors
/// [`Error::NameTaken`], or the database does not answer.
pub async fn update(tx: &mut TenantTx, permit: &Permit<Edit>, object: &Object) -> Result<()> {
    if permit.target() != object.id {
        return Err(Error::Internal("a permit for another object".to_owned()));
    }
    let updated = sqlx::query(
        "UPDATE objects SET name = $2, description = $3, tags = $4, spec = $5, permissions = $6, version = $7,
                            updated_at = $8, updated_by = $9
         WHERE id = $1 AND version = $7 - 1",
    )
    .bind(object.id)
    .bind(object.draft.name.as_str())
    .bind(object.draft.description.as_str())
    .bind(tags_of(object))
    .bind(object.draft.spec.encode())
    .bind(object.grants.encode())
    .bind(object.version.number())
    .bind(object.updated.at)
    .bind(object.updated.by.as_ref().map(Json))
    .execute(tx.connection())
    .await
    .map_err(|error| taken(error, object))?;
    if updated.rows_affected() != 1 {
        return Err(Error::Internal(format!("{:?} was saved without the tenant's write lock", object.id)));
    }
    sqlx::query("DELETE FROM object_links WHERE from_id = $1")
        .bind(object.id)
        .execute(tx.connection())
        .await?;
    insert_links(tx, object).await?;
    insert_version(tx, object).await
}

/// Removes an object that nothing refers to.
///
/// # Errors
/// [`Error::InUse`], or the database does not answer.
pub async fn delete(tx: &mut TenantTx, permit: &Permit<Edit>) -> Result<()> {
    let outcome =
        sqlx::query("DELETE FROM objects WHERE id = $1").bind(permit.target()).execute(tx.connection()).await;
    match outcome {
        Ok(_) => Ok(()),
        Err(error) if violates(&error, IN_USE) => Err(Error::InUse { by: Vec::new() }),
        Err(error) => Err(error.into()),
    }
}

async fn insert_links(tx: &mut TenantTx, object: &Object) -> Result<()> {
    let links = object.draft.spec.links();
    if links.is_empty() {
        return Ok(());
    }
    let slots: Vec<&str> = links.iter().map(|link| link.slot).collect();
    let targets: Vec<ObjectId> = links.iter().map(|link| link.to).collect();
    let tenant = tx.tenant();
    sqlx::query(
        "INSERT INTO object_links (tenant_id, from_id, slot, to_id)
         SELECT $1, $2, link.slot, link.to_id FROM unnest($3::text[], $4::uuid[]) AS link (slot, to_id)",
    )
    .bind(tenant)
    .bind(object.id)
    .bind(slots)
    .bind(uuids(&targets))
    .execute(tx.connection())
    .await?;
    Ok(())
}

async fn insert_version(tx: &mut TenantTx, object: &Object) -> Result<()> {
    let tenant = tx.tenant();
    sqlx::query(
        "INSERT INTO object_versions (tenant_id, object_id, version, name, description, tags, spec, permissions,
                                      saved_at, saved_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tenant)
    .bind(object.id)
    .bind(object.version.number())
    .bind(object.draft.name.as_str())
    .bind(object.draft.description.as_str())
    .bind(tags_of(object))
    .bind(object.draft.spec.encode())
    .bind(object.grants.encode())
    .bind(object.updated.at)
    .bind(object.updated.by.as_ref().map(Json))
    .execute(tx.connection())
    .await?;
    Ok(())
}

fn tags_of(object: &Object) -> Vec<&str> {
    object.draft.tags.iter().collect()
}

pub(super) fn uuids(ids: &[ObjectId]) -> Vec<uuid::Uuid> {
    ids.iter().map(|id| id.as_uuid()).collect()
}

fn taken(error: sqlx::Error, object: &Object) -> Error {
    if violates(&error, NAME_TAKEN) {
        Error::NameTaken { name: object.draft.name.to_string() }
    } else {
        error.into()
    }
}
