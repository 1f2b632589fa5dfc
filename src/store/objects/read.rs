//! An object with all that an answer says about it, in one statement and so in one round trip: what a [`TenantTx`] is for
//! writes, this is for the read that clients do most. It runs in the same role and under the same row-level security.
//!
//! [`TenantTx`]: crate::store::tx::TenantTx

use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{FromRow as _, Row as _};

use super::relations::{MAX_USED_BY, Related, Uses};
use super::row::ObjectRow;
use crate::access::matrix::{self, Viewer};
use crate::domain::defaults::Defaults;
use crate::domain::input::Report;
use crate::domain::kind::Kind;
use crate::domain::object::Object;
use crate::domain::reference::{ObjectRef, Ref};
use crate::domain::tenant::TenantKind;
use crate::error::{Error, Named, Result};
use crate::ids::{ObjectId, TenantId};
use crate::store::Store;
use crate::store::error::known_role;
use crate::store::tx::Visit;

const READ: &str = "SELECT * FROM read_object($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

/// What became of a read.
#[derive(Debug)]
pub enum Reading {
    /// The user or the sign-in is no more, or the user's tenant is suspended.
    Refused,
    /// The caller sees no such tenant, or no such object in it.
    Nothing,
    /// There it is.
    Found(Box<Found>),
}

/// An object, and what the caller may see around it.
#[derive(Debug)]
pub struct Found {
    /// The caller's eyes.
    pub viewer: Viewer,
    /// The object.
    pub object: Object,
    /// What it refers to.
    pub related: Related,
    /// Who refers to it.
    pub uses: Uses,
}

/// Reads an object for whoever comes to a tenant.
///
/// # Errors
/// The database does not answer.
pub async fn read(store: &Store, visit: &Visit<'_>, kind: Kind, reference: &ObjectRef) -> Result<Reading> {
    let Visit { claims, tenant, now } = *visit;
    let (tenant, tenant_key) = tenant.split();
    let (object, object_key) = match reference {
        Ref::Id(id) => (Some(*id), None),
        Ref::Name(name) => (None, Some(name.key())),
    };
    let rows = sqlx::query(READ)
        .bind(claims.tenant)
        .bind(claims.sub)
        .bind(claims.sid)
        .bind(now)
        .bind(tenant)
        .bind(tenant_key)
        .bind(kind.as_str())
        .bind(object)
        .bind(object_key)
        .bind(matrix::built_in_table())
        .bind(MAX_USED_BY)
        .fetch_all(store.pool())
        .await?;
    let Some((caller, parts)) = rows.split_first() else { return Ok(Reading::Refused) };
    if caller.try_get::<Option<TenantId>, _>("tenant_id")?.is_none() {
        return Ok(Reading::Nothing);
    }
    let viewer = viewer(caller)?;
    found(viewer, parts).map(|found| found.map_or(Reading::Nothing, |found| Reading::Found(Box::new(found))))
}

/// The caller's eyes. What the statement took the role's defaults to be decided what it left out, so it has to be what
/// the matrix takes them to be.
fn viewer(caller: &PgRow) -> Result<Viewer> {
    let role = known_role(caller.try_get("role")?)?;
    let parent: Option<TenantId> = caller.try_get("parent_id")?;
    let kind = if parent.is_none() { TenantKind::Provider } else { TenantKind::Enterprise };
    let mut report = Report::new();
    let mut defaults = |column| -> Result<Defaults> {
        let stored: Value = caller.try_get(column)?;
        let defaults = Defaults::decode(&stored, &mut report);
        defaults.ok_or_else(|| Error::Internal(format!("a tenant's {column} do not parse")))
    };
    let viewer = Viewer::by_defaults(role, kind, defaults("own_defaults")?, defaults("enterprise_defaults")?);
    if caller.try_get::<Value, _>("defaults")? != *viewer.defaults() {
        return Err(Error::Internal("a statement and the matrix disagree on defaults".to_owned()));
    }
    Ok(viewer)
}

fn found(viewer: Viewer, parts: &[PgRow]) -> Result<Option<Found>> {
    let (mut found, mut related, mut uses, mut first) = (None, Related::new(), Vec::new(), Uses::default());
    for row in parts {
        // A part whose columns are empty leads to what the caller may not see.
        if row.try_get::<Option<ObjectId>, _>("id")?.is_none() {
            continue;
        }
        match row.try_get("part")? {
            "object" => found = Some(Object::try_from(ObjectRow::from_row(row)?)?),
            "reference" => {
                let object = Object::try_from(ObjectRow::from_row(row)?)?;
                related.insert(object.id, object);
            }
            "use" => uses.push(named(row)?),
            "first_use" => {
                first.by.push(named(row)?);
                first.total = row.try_get("total")?;
            }
            part => return Err(Error::Internal(format!("a read has a part {part}"))),
        }
    }
    let uses = if first.by.is_empty() { Uses::of_few(uses) } else { first };
    Ok(found.map(|object| Found { viewer, object, related, uses }))
}

fn named(row: &PgRow) -> Result<Named> {
    let kind = row.try_get("kind")?;
    let kind = Kind::parse(kind).ok_or_else(|| Error::Internal(format!("unknown kind {kind}")))?;
    Ok(Named { kind, id: row.try_get("id")?, name: row.try_get("name")? })
}
