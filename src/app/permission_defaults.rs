//! The permission defaults of a tenant, per kind of object and role.

use serde_json::Value;

use super::objects::RolePermission;
use super::scope::{Precondition, Scope};
use crate::access::matrix::{self, DefaultsOf, Refusal};
use crate::domain::defaults::{Defaults, TenantDefaults};
use crate::domain::input::{Code, Fields, Report};
use crate::domain::kind::Kind;
use crate::domain::reference::Ref;
use crate::domain::role::Role;
use crate::domain::tenant::{Tenant, TenantKind};
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::store::tenants as store;
use crate::store::tx::Finish;

/// What each role may do with objects of each kind.
pub type Block = Vec<(Kind, Vec<RolePermission>)>;

/// The defaults that a tenant has.
#[derive(Debug)]
pub struct Effective {
    /// How often they were saved.
    pub version: Version,
    /// Those of its objects.
    pub own: Block,
    /// Those that a provider gives its enterprises.
    pub enterprises: Option<Block>,
}

/// Reads the defaults of a tenant.
///
/// # Errors
/// The database does not answer.
pub async fn read(scope: Scope) -> Result<Effective> {
    let effective = effective(&scope.tenant);
    scope.tx.finish(Finish::Commit).await?;
    Ok(effective)
}

/// Replaces the defaults of a tenant: what is left out is as its provider says, or built in.
///
/// # Errors
/// [`Error::Forbidden`], [`Error::PreconditionRequired`], [`Error::Stale`], [`Error::Invalid`].
pub async fn replace(
    mut scope: Scope,
    precondition: &Precondition,
    document: &Value,
    finish: Finish,
) -> Result<Effective> {
    let permit = matrix::authorize_administer(scope.actor.role)?;
    scope.tx.serialize_writes().await?;
    let mut tenant = store::find(&mut scope.tx, &Ref::Id(scope.tenant.id)).await?.ok_or(Error::NotFound)?;
    precondition.check(tenant.defaults.version)?;
    let defaults = decode(scope.actor.role, &tenant, document)?;
    if defaults != tenant.defaults {
        let defaults = TenantDefaults { version: tenant.defaults.version.next(), ..defaults };
        store::update_defaults(&mut scope.tx, &permit, &tenant, &defaults).await?;
        tenant.defaults = defaults;
    }
    scope.tx.finish(finish).await?;
    Ok(effective(&tenant))
}

fn decode(role: Role, tenant: &Tenant, document: &Value) -> Result<TenantDefaults> {
    let mut report = Report::new();
    let mut decoded = tenant.defaults.clone();
    if let Some(mut fields) = Fields::open(document, &mut report) {
        let own = fields.or_default("defaults", &mut report, Defaults::decode);
        take(role, tenant, DefaultsOf::Own, own, &mut decoded.own, &mut report);
        match tenant.kind {
            TenantKind::Provider => {
                let enterprises = fields.or_default("enterprises", &mut report, Defaults::decode);
                let of = DefaultsOf::Enterprises;
                take(role, tenant, of, enterprises, &mut decoded.enterprises, &mut report);
            }
            // They are the provider's to say.
            TenantKind::Enterprise => {}
        }
        fields.ignore(&["version"]);
        fields.finish(&mut report);
    }
    if report.is_empty() { Ok(decoded) } else { Err(Error::Invalid(report.into_errors())) }
}

fn take(
    role: Role,
    tenant: &Tenant,
    of: DefaultsOf,
    new: Option<Defaults>,
    place: &mut Defaults,
    report: &mut Report,
) {
    let field = match of {
        DefaultsOf::Own => "defaults",
        DefaultsOf::Enterprises => "enterprises",
    };
    let Some(new) = new else { return };
    match matrix::authorize_defaults(role, tenant, of, &new) {
        Ok(settled) => *place = settled,
        Err(refusals) => {
            for refusal in refusals {
                let (pointer, detail) = match refusal {
                    Refusal::NoEditor(kind) => {
                        (format!("/{field}/{kind}"), "at least one administrator is to keep \"edit\"")
                    }
                    Refusal::AboveOwn(kind, role) => {
                        (format!("/{field}/{kind}/{role}"), "is more than your own permission")
                    }
                };
                report.error_at(&pointer, Code::Conflict, detail);
            }
        }
    }
}

fn effective(tenant: &Tenant) -> Effective {
    let block = |of: DefaultsOf| {
        let of_kind = |kind: Kind| {
            let of_role = |role: Role| {
                let (permission, inherited) = matrix::effective_default(tenant, of, role, kind);
                RolePermission { role, permission, inherited }
            };
            (kind, Role::ALL.into_iter().map(of_role).collect())
        };
        Kind::ALL.into_iter().map(of_kind).collect()
    };
    Effective {
        version: tenant.defaults.version,
        own: block(DefaultsOf::Own),
        enterprises: (tenant.kind == TenantKind::Provider).then(|| block(DefaultsOf::Enterprises)),
    }
}
