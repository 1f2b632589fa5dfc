//! Tenants.

use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;

use super::error::violates;
use super::tx::{SystemTx, TenantTx};
use crate::access::matrix::Viewer;
use crate::access::permit::{Administer, AdministerTenants, Permit};
use crate::clock::Timestamp;
use crate::domain::defaults::{Defaults, TenantDefaults};
use crate::domain::input::Report;
use crate::domain::kind::Kind;
use crate::domain::name::Name;
use crate::domain::object::{By, Stamp};
use crate::domain::page::{ListQuery, Page, Sort};
use crate::domain::reference::Ref;
use crate::domain::tenant::{Tenant, TenantDraft, TenantKind, TenantState};
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::TenantId;

/// The columns of [`TenantRow`], of a table or alias `t`.
pub(super) const COLUMNS: &str = "t.id AS tenant_id, t.parent_id, t.name, t.description, t.own_defaults, t.enterprise_defaults, \
     t.defaults_version, t.suspended_at, t.version, t.created_at, t.created_by, t.updated_at, t.updated_by";

/// The most names of one sort that an answer has of what a tenant holds.
const MAX_NAMES: i32 = 100;

const NAME_TAKEN: &str = "tenants_name_taken";

#[derive(Debug, FromRow)]
pub(super) struct TenantRow {
    tenant_id: TenantId,
    parent_id: Option<TenantId>,
    name: String,
    description: String,
    own_defaults: Value,
    enterprise_defaults: Value,
    defaults_version: i64,
    suspended_at: Option<Timestamp>,
    version: i64,
    created_at: Timestamp,
    created_by: Option<Json<By>>,
    updated_at: Timestamp,
    updated_by: Option<Json<By>>,
}

impl TryFrom<TenantRow> for Tenant {
    type Error = Error;

    fn try_from(row: TenantRow) -> Result<Self> {
        let document = serde_json::json!({ "name": row.name, "description": row.description });
        let mut report = Report::new();
        let draft = TenantDraft::decode(&document, &mut report);
        let own = Defaults::decode(&row.own_defaults, &mut report);
        let enterprises = Defaults::decode(&row.enterprise_defaults, &mut report);
        let broken = || Error::Internal(format!("the stored tenant {} does not parse", row.tenant_id));
        Ok(Self {
            id: row.tenant_id,
            kind: if row.parent_id.is_none() { TenantKind::Provider } else { TenantKind::Enterprise },
            draft: draft.ok_or_else(broken)?,
            defaults: TenantDefaults {
                own: own.ok_or_else(broken)?,
                enterprises: enterprises.ok_or_else(broken)?,
                version: Version::new(row.defaults_version).ok_or_else(broken)?,
            },
            suspended_at: row.suspended_at,
            version: Version::new(row.version).ok_or_else(broken)?,
            created: Stamp { at: row.created_at, by: row.created_by.map(|by| by.0) },
            updated: Stamp { at: row.updated_at, by: row.updated_by.map(|by| by.0) },
        })
    }
}

/// Finds a tenant among those that the transaction sees.
///
/// # Errors
/// The database does not answer.
pub async fn find(tx: &mut TenantTx, reference: &Ref<TenantId>) -> Result<Option<Tenant>> {
    let (id, name) = reference.split();
    let row: Option<TenantRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM tenants t WHERE t.id = $1 OR t.name_key = $2"
    )))
    .bind(id)
    .bind(name)
    .fetch_optional(tx.connection())
    .await?;
    row.map(Tenant::try_from).transpose()
}

/// Lists the tenants that the transaction sees.
///
/// # Errors
/// The database does not answer.
pub async fn list(tx: &mut TenantTx, query: &ListQuery, state: Option<TenantState>) -> Result<Page<Tenant>> {
    let order = match query.sort {
        Sort::Name => "t.name_key",
        Sort::NameDescending => "t.name_key DESC",
        Sort::Updated => "t.updated_at, t.name_key",
        Sort::UpdatedDescending => "t.updated_at DESC, t.name_key",
    };
    let search = "($1::text IS NULL OR t.name ILIKE $1 OR t.description ILIKE $1)
                  AND ($2::boolean IS NULL OR (t.suspended_at IS NOT NULL) = $2)";
    let suspended = state.map(|state| state == TenantState::Suspended);
    let pattern = query.search.as_deref().map(super::objects::like_pattern);
    let total =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM tenants t WHERE {search}")))
            .bind(&pattern)
            .bind(suspended)
            .fetch_one(tx.connection())
            .await?;
    let rows: Vec<TenantRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM tenants t WHERE {search} ORDER BY {order} LIMIT $3 OFFSET $4"
    )))
    .bind(&pattern)
    .bind(suspended)
    .bind(i64::from(query.per_page))
    .bind(query.offset())
    .fetch_all(tx.connection())
    .await?;
    Ok(Page { items: rows.into_iter().map(Tenant::try_from).collect::<Result<_>>()?, total })
}

/// The enterprises that the transaction sees, by name, and no more than `limit`.
///
/// # Errors
/// The database does not answer.
pub async fn enterprises(tx: &mut TenantTx, limit: usize) -> Result<Vec<Tenant>> {
    let rows: Vec<TenantRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM tenants t WHERE t.parent_id IS NOT NULL ORDER BY t.name_key LIMIT $1"
    )))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(tx.connection())
    .await?;
    rows.into_iter().map(Tenant::try_from).collect()
}

/// Adds an enterprise of the provider that the transaction is at home in.
///
/// # Errors
/// [`Error::NameTaken`], or the database does not answer.
pub async fn insert(tx: &mut TenantTx, _: &Permit<AdministerTenants>, tenant: &Tenant) -> Result<()> {
    let parent = tx.tenant();
    sqlx::query(
        "INSERT INTO tenants (id, parent_id, name, description, version, created_at, created_by, updated_at, updated_by,
                              enterprise_defaults)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tenant.id)
    .bind(parent)
    .bind(tenant.draft.name.as_str())
    .bind(tenant.draft.description.as_str())
    .bind(tenant.version.number())
    .bind(tenant.created.at)
    .bind(tenant.created.by.as_ref().map(Json))
    .bind(tenant.updated.at)
    .bind(tenant.updated.by.as_ref().map(Json))
    .bind(tenant.defaults.enterprises.encode())
    .execute(tx.connection())
    .await
    .map_err(|error| taken(error, &tenant.draft.name))?;
    Ok(())
}

/// Saves new permission defaults of the tenant. What a provider says for its enterprises is written on each of them.
///
/// # Errors
/// The database does not answer.
pub async fn update_defaults(
    tx: &mut TenantTx,
    _: &Permit<Administer>,
    tenant: &Tenant,
    defaults: &TenantDefaults,
) -> Result<()> {
    sqlx::query("UPDATE tenants SET own_defaults = $2, defaults_version = $3 WHERE id = $1")
        .bind(tenant.id)
        .bind(defaults.own.encode())
        .bind(defaults.version.number())
        .execute(tx.connection())
        .await?;
    if tenant.kind == TenantKind::Provider && defaults.enterprises != tenant.defaults.enterprises {
        sqlx::query("UPDATE tenants SET enterprise_defaults = $2 WHERE id = $1 OR parent_id = $1")
            .bind(tenant.id)
            .bind(defaults.enterprises.encode())
            .execute(tx.connection())
            .await?;
    }
    Ok(())
}

/// Saves a new version of a tenant over the one before it.
///
/// # Errors
/// [`Error::NameTaken`], or the database does not answer.
pub async fn update(tx: &mut TenantTx, _: &Permit<AdministerTenants>, tenant: &Tenant) -> Result<()> {
    sqlx::query(
        "UPDATE tenants SET name = $2, description = $3, version = $4, updated_at = $5, updated_by = $6,
                            suspended_at = $7
         WHERE id = $1",
    )
    .bind(tenant.id)
    .bind(tenant.draft.name.as_str())
    .bind(tenant.draft.description.as_str())
    .bind(tenant.version.number())
    .bind(tenant.updated.at)
    .bind(tenant.updated.by.as_ref().map(Json))
    .bind(tenant.suspended_at)
    .execute(tx.connection())
    .await
    .map_err(|error| taken(error, &tenant.draft.name))?;
    Ok(())
}

/// Things of one sort that a tenant holds.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Held {
    /// What they are, as paths name them.
    pub sort: String,
    /// How many there are.
    pub total: i64,
    /// The first of their names.
    pub names: Vec<String>,
}

/// What a tenant holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Its objects, as far as the viewer may see them, and its users, by sort.
    pub held: Vec<Held>,
    /// How often something was published in it.
    pub publications: i64,
}

/// What the tenant holds.
///
/// # Errors
/// The database does not answer.
pub async fn contents(tx: &mut TenantTx, _: &Permit<AdministerTenants>, viewer: &Viewer) -> Result<Contents> {
    let tenant = tx.tenant();
    let mut held: Vec<Held> = sqlx::query_as(
        "SELECT o.kind AS sort, count(*) AS total, (array_agg(o.name ORDER BY o.name_key))[1:$4] AS names
         FROM objects o
         WHERE o.tenant_id = $1 AND coalesce(o.permissions ->> $2, $3 ->> o.kind) <> 'hide'
         GROUP BY o.kind
         UNION ALL
         SELECT 'users', count(*), (array_agg(username ORDER BY username_key))[1:$4]
         FROM users WHERE tenant_id = $1 HAVING count(*) > 0",
    )
    .bind(tenant)
    .bind(viewer.role().as_str())
    .bind(viewer.defaults())
    .bind(MAX_NAMES)
    .fetch_all(tx.connection())
    .await?;
    for held in &mut held {
        if let Some(kind) = Kind::parse(&held.sort) {
            kind.plural().clone_into(&mut held.sort);
        }
    }
    held.sort_by(|one, other| one.sort.cmp(&other.sort));
    let publications = sqlx::query_scalar("SELECT count(*) FROM publications WHERE tenant_id = $1")
        .bind(tenant)
        .fetch_one(tx.connection())
        .await?;
    Ok(Contents { held, publications })
}

/// Removes all objects and publications of the tenant, hidden ones too.
///
/// # Errors
/// The database does not answer.
pub async fn remove_contents(tx: &mut TenantTx, _: &Permit<AdministerTenants>) -> Result<()> {
    let tenant = tx.tenant();
    for statement in [
        "DELETE FROM object_links WHERE tenant_id = $1",
        "DELETE FROM publications WHERE tenant_id = $1",
        "DELETE FROM objects WHERE tenant_id = $1",
    ] {
        sqlx::query(statement).bind(tenant).execute(tx.connection()).await?;
    }
    Ok(())
}

/// Removes a tenant without objects, and its users with it.
///
/// # Errors
/// [`Error::TenantNotEmpty`], or the database does not answer.
pub async fn delete(tx: &mut TenantTx, _: &Permit<AdministerTenants>, tenant: TenantId) -> Result<()> {
    let outcome =
        sqlx::query("DELETE FROM tenants WHERE id = $1").bind(tenant).execute(tx.connection()).await;
    match outcome {
        Ok(_) => Ok(()),
        Err(error) if error.as_database_error().is_some_and(|error| error.is_foreign_key_violation()) => {
            Err(Error::TenantNotEmpty)
        }
        Err(error) => Err(error.into()),
    }
}

fn taken(error: sqlx::Error, name: &Name) -> Error {
    if violates(&error, NAME_TAKEN) { Error::NameTaken { name: name.to_string() } } else { error.into() }
}

/// The provider, if the installation has one yet.
///
/// # Errors
/// The database does not answer.
pub async fn provider(tx: &mut SystemTx) -> Result<Option<TenantId>> {
    Ok(sqlx::query_scalar("SELECT id FROM tenants WHERE parent_id IS NULL")
        .fetch_optional(tx.connection())
        .await?)
}

/// Adds the provider.
///
/// # Errors
/// The database does not answer.
pub async fn insert_provider(tx: &mut SystemTx, id: TenantId, name: &Name, now: Timestamp) -> Result<()> {
    sqlx::query("INSERT INTO tenants (id, name, created_at, updated_at) VALUES ($1, $2, $3, $3)")
        .bind(id)
        .bind(name.as_str())
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(())
}
