//! What objects refer to and are referred to by.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::row::ObjectRow;
use super::{COLUMNS, uuids};
use crate::access::matrix::Viewer;
use crate::domain::kind::Kind;
use crate::domain::object::{Object, Spec};
use crate::domain::reference::{ObjectRef, Ref};
use crate::domain::service::Service;
use crate::error::{Error, Named, Result};
use crate::ids::ObjectId;
use crate::store::tx::TenantTx;

/// The most users of an object that an answer names.
pub(super) const MAX_USED_BY: i64 = 100;

/// The objects that some objects refer to, as far as the viewer may see them.
pub type Related = BTreeMap<ObjectId, Object>;

/// Who refers to an object, as far as the viewer may see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// The first of them by kind and name.
    pub by: Vec<Named>,
    /// How many there are.
    pub total: i64,
}

impl Uses {
    /// All of a few, in any order and repeated for each place where they refer to the object.
    pub(super) fn of_few(mut by: Vec<Named>) -> Self {
        by.sort_by_cached_key(|named| (named.kind.as_str(), named.name.to_lowercase(), named.id));
        by.dedup();
        Self { total: i64::try_from(by.len()).unwrap_or(i64::MAX), by }
    }
}

/// Finds the ids of objects by id or name; `None` for each that the viewer cannot see.
///
/// # Errors
/// The database does not answer.
pub async fn resolve(
    tx: &mut TenantTx,
    viewer: &Viewer,
    wanted: &[(Kind, ObjectRef)],
) -> Result<Vec<Option<ObjectId>>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let kinds: Vec<&str> = wanted.iter().map(|(kind, _)| kind.as_str()).collect();
    let (ids, names): (Vec<_>, Vec<_>) = wanted
        .iter()
        .map(|(_, reference)| match reference {
            Ref::Id(id) => (Some(id.as_uuid()), None),
            Ref::Name(name) => (None, Some(name.key())),
        })
        .unzip();
    let tenant = tx.tenant();
    Ok(sqlx::query_scalar(
        "SELECT o.id
         FROM unnest($2::text[], $3::uuid[], $4::text[]) WITH ORDINALITY AS wanted (kind, id, name_key, place)
         LEFT JOIN objects o
           ON o.tenant_id = $1 AND o.kind = wanted.kind AND (o.id = wanted.id OR o.name_key = wanted.name_key)
              AND coalesce(o.permissions ->> $5, $6 ->> o.kind) <> 'hide'
         ORDER BY wanted.place",
    )
    .bind(tenant)
    .bind(kinds)
    .bind(ids)
    .bind(names)
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .fetch_all(tx.connection())
    .await?)
}

/// The objects that the given ones refer to, without those that the viewer may not see.
///
/// # Errors
/// The database does not answer.
pub async fn references(tx: &mut TenantTx, viewer: &Viewer, of: &[&Object]) -> Result<Related> {
    let mut targets: Vec<ObjectId> =
        of.iter().flat_map(|object| object.draft.spec.links()).map(|link| link.to).collect();
    targets.sort_unstable();
    targets.dedup();
    if targets.is_empty() {
        return Ok(Related::new());
    }
    let rows: Vec<ObjectRow> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM objects o
         WHERE o.id = ANY($1) AND coalesce(o.permissions ->> $2, $3 ->> o.kind) <> 'hide'"
    )))
    .bind(uuids(&targets))
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .fetch_all(tx.connection())
    .await?;
    let objects = rows.into_iter().map(Object::try_from);
    objects.map(|object| object.map(|object| (object.id, object))).collect()
}

/// Who refers to the given objects, without those that the viewer may not see.
///
/// # Errors
/// The database does not answer.
pub async fn used_by(
    tx: &mut TenantTx,
    viewer: &Viewer,
    of: &[ObjectId],
) -> Result<BTreeMap<ObjectId, Uses>> {
    let rows: Vec<(ObjectId, ObjectId, String, String, i64)> = sqlx::query_as(
        r#"SELECT to_id, id, kind, name, total
         FROM (SELECT used.to_id, o.id, o.kind, o.name, count(*) OVER (PARTITION BY used.to_id) AS total,
                      row_number() OVER (PARTITION BY used.to_id
                                           ORDER BY o.kind COLLATE "C", o.name_key COLLATE "C") AS place
               FROM (SELECT DISTINCT to_id, from_id FROM object_links
                     WHERE tenant_id = $1 AND to_id = ANY($2)) used
               JOIN objects o ON o.id = used.from_id
               WHERE coalesce(o.permissions ->> $3, $4 ->> o.kind) <> 'hide') ranked
         WHERE place <= $5
         ORDER BY to_id, place"#,
    )
    .bind(tx.tenant())
    .bind(uuids(of))
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .bind(MAX_USED_BY)
    .fetch_all(tx.connection())
    .await?;
    let mut uses: BTreeMap<ObjectId, Uses> = BTreeMap::new();
    for (to, id, kind, name, total) in rows {
        let kind = Kind::parse(&kind).ok_or_else(|| Error::Internal(format!("unknown kind {kind}")))?;
        let entry = uses.entry(to).or_default();
        entry.by.push(Named { kind, id, name });
        entry.total = total;
    }
    Ok(uses)
}

/// Services by id, hidden ones too: the rule that no two ALGs inspect the same traffic knows no roles.
///
/// # Errors
/// The database does not answer.
pub async fn services_regardless(tx: &mut TenantTx, ids: &[ObjectId]) -> Result<BTreeMap<ObjectId, Service>> {
    let rows: Vec<ObjectRow> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM objects o WHERE o.id = ANY($1) AND o.kind = 'service'"
    )))
    .bind(uuids(ids))
    .fetch_all(tx.connection())
    .await?;
    let mut services = BTreeMap::new();
    for row in rows {
        let object = Object::try_from(row)?;
        if let Spec::Service(service) = object.draft.spec {
            services.insert(object.id, service);
        }
    }
    Ok(services)
}

/// Those of some ids that objects of the tenant have, hidden ones too.
///
/// # Errors
/// The database does not answer.
pub async fn existing(tx: &mut TenantTx, ids: &[ObjectId]) -> Result<Vec<ObjectId>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let tenant = tx.tenant();
    Ok(sqlx::query_scalar("SELECT id FROM objects WHERE tenant_id = $1 AND id = ANY($2)")
        .bind(tenant)
        .bind(uuids(ids))
        .fetch_all(tx.connection())
        .await?)
}

/// Every object that the given ones refer to, directly or not, hidden ones too: what appliances are compiled from.
///
/// # Errors
/// The database does not answer.
pub async fn reachable_regardless(tx: &mut TenantTx, from: &[ObjectId]) -> Result<Vec<Object>> {
    let tenant = tx.tenant();
    let rows: Vec<ObjectRow> = sqlx::query_as(AssertSqlSafe(format!(
        "WITH RECURSIVE reached (id) AS (
             SELECT to_id FROM object_links WHERE tenant_id = $1 AND from_id = ANY($2)
             UNION
             SELECT link.to_id FROM object_links link JOIN reached ON reached.id = link.from_id
             WHERE link.tenant_id = $1)
         SELECT {COLUMNS} FROM objects o WHERE o.tenant_id = $1 AND o.id IN (SELECT id FROM reached)"
    )))
    .bind(tenant)
    .bind(uuids(from))
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Object::try_from).collect()
}

/// The policies that listen on a service, hidden ones too, for the same reason.
///
/// # Errors
/// The database does not answer.
pub async fn policies_listening_on(tx: &mut TenantTx, service: ObjectId) -> Result<Vec<Object>> {
    let tenant = tx.tenant();
    let rows: Vec<ObjectRow> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM objects o
         WHERE o.kind = 'alg_policy'
           AND o.id IN (SELECT from_id FROM object_links WHERE tenant_id = $1 AND to_id = $2)
         ORDER BY o.name_key"
    )))
    .bind(tenant)
    .bind(service)
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Object::try_from).collect()
}
