//! Role x resource x action: the only place with policy.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::actor::Actor;
use super::permit::{Administer, AdministerTenants, Create, Edit, Permit, Read};
use crate::domain::defaults::Defaults;
use crate::domain::kind::Kind;
use crate::domain::object::Object;
use crate::domain::permission::{Grants, Permission};
use crate::domain::role::Role;
use crate::domain::tenant::{Tenant, TenantKind};
use crate::error::{Error, Result};

/// What a role may do with an object of a kind on which nothing is set, where no tenant says otherwise.
#[must_use]
pub fn built_in(role: Role, kind: Kind) -> Permission {
    match kind {
        Kind::Service | Kind::AlgPolicy | Kind::SubProfile | Kind::MasterProfile | Kind::Appliance => {
            if role.administers() { Permission::Edit } else { Permission::Read }
        }
    }
}

/// [`built_in`] as a statement takes it: `{"<role>": {"<kind>": "<permission>"}}`.
#[must_use]
pub fn built_in_table() -> &'static Value {
    static TABLE: LazyLock<Value> = LazyLock::new(|| {
        let of = |role: Role| {
            let default = |kind: Kind| (kind.to_string(), Value::from(built_in(role, kind).as_str()));
            (role.to_string(), Kind::ALL.into_iter().map(default).collect::<Map<_, _>>().into())
        };
        Value::Object(Role::ALL.into_iter().map(of).collect())
    });
    &TABLE
}

/// Whose eyes look at the objects of a tenant: what tells what they may see and do, and what a query needs to leave out
/// what is hidden.
#[derive(Debug, Clone)]
pub struct Viewer {
    role: Role,
    /// What sets defaults, the first of them counting.
    layers: Vec<Defaults>,
    defaults: Value,
}

impl Viewer {
    /// The eyes of an actor on a tenant.
    #[must_use]
    pub fn of(actor: &Actor, tenant: &Tenant) -> Self {
        Self::new(actor.role, layers_on(tenant))
    }

    /// The eyes of a role on a tenant of a kind that has these defaults.
    #[must_use]
    pub fn by_defaults(role: Role, kind: TenantKind, own: Defaults, enterprises: Defaults) -> Self {
        Self::new(role, layers(kind, own, enterprises))
    }

    /// The eyes of the installation itself, which makes the first objects of a tenant.
    #[must_use]
    pub fn installation() -> Self {
        Self::new(Role::ServiceProviderAdministrator, Vec::new())
    }

    fn new(role: Role, layers: Vec<Defaults>) -> Self {
        let default = |kind: Kind| {
            let permission = default_in(&layers, role, kind);
            (kind.to_string(), Value::from(permission.as_str()))
        };
        let defaults: Map<String, Value> = Kind::ALL.into_iter().map(default).collect();
        Self { role, defaults: Value::Object(defaults), layers }
    }

    /// The role that looks.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The role's default permission for each kind of object.
    #[must_use]
    pub fn defaults(&self) -> &Value {
        &self.defaults
    }

    /// What a role may do with objects of a kind on which nothing is set.
    #[must_use]
    pub fn default_permission(&self, role: Role, kind: Kind) -> Permission {
        default_in(&self.layers, role, kind)
    }

    /// What a role may do with an object.
    #[must_use]
    pub fn permission(&self, role: Role, kind: Kind, grants: &Grants) -> Permission {
        grants.set_for(role).unwrap_or_else(|| self.default_permission(role, kind))
    }

    /// The permissions of an object such that somebody can change it whatever the defaults become: roles that inherit
    /// edit are written down when an administrator's permission is set and nobody else's is edit. `None` when there is
    /// no such role.
    #[must_use]
    pub fn settle(&self, kind: Kind, grants: Grants) -> Option<Grants> {
        let named = Role::ALL.into_iter().any(|role| grants.set_for(role) == Some(Permission::Edit));
        settle(grants, named, Role::ALL.into_iter(), |role| self.default_permission(role, kind))
    }
}

/// What sets a tenant's defaults, the first counting.
fn layers(kind: TenantKind, own: Defaults, enterprises: Defaults) -> Vec<Defaults> {
    match kind {
        TenantKind::Provider => vec![own],
        TenantKind::Enterprise => vec![own, enterprises],
    }
}

fn layers_on(tenant: &Tenant) -> Vec<Defaults> {
    layers(tenant.kind, tenant.defaults.own.clone(), tenant.defaults.enterprises.clone())
}

fn default_in(layers: &[Defaults], role: Role, kind: Kind) -> Permission {
    let set = layers.iter().find_map(|layer| layer.set_for(role, kind));
    set.unwrap_or_else(|| built_in(role, kind))
}

/// Writes down who inherits edit, unless an editor is named, or both administrators inherit: one of them always may
/// edit by default.
fn settle(
    mut grants: Grants,
    named: bool,
    roles: impl Iterator<Item = Role>,
    inherited: impl Fn(Role) -> Permission,
) -> Option<Grants> {
    let administrator_is_set =
        Role::ALL.into_iter().any(|role| role.administers() && grants.set_for(role).is_some());
    if named || !administrator_is_set {
        return Some(grants);
    }
    let heir = |role: &Role| grants.set_for(*role).is_none() && inherited(*role) == Permission::Edit;
    let heirs: Vec<Role> = roles.filter(heir).collect();
    if heirs.is_empty() {
        return None;
    }
    for role in heirs {
        grants.set(role, Some(Permission::Edit));
    }
    Some(grants)
}

/// Whose defaults are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultsOf {
    /// The tenant's own.
    Own,
    /// Those that the provider gives its enterprises.
    Enterprises,
}

/// What is wrong with new defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No administrator would keep edit.
    NoEditor(Kind),
    /// A role would get more than the caller has.
    AboveOwn(Kind, Role),
}

/// What a role may do with objects of a kind by a tenant's defaults, and whether someone else than the tenant says so.
#[must_use]
pub fn effective_default(tenant: &Tenant, of: DefaultsOf, role: Role, kind: Kind) -> (Permission, bool) {
    let layers = layers_of(tenant, of);
    let set = layers.first().and_then(|layer| layer.set_for(role, kind));
    (default_in(&layers, role, kind), set.is_none())
}

fn layers_of(tenant: &Tenant, of: DefaultsOf) -> Vec<Defaults> {
    match of {
        DefaultsOf::Own => layers_on(tenant),
        DefaultsOf::Enterprises => vec![tenant.defaults.enterprises.clone()],
    }
}

/// Allows new defaults of a tenant, written down such that an administrator keeps edit whatever its provider says later.
///
/// # Errors
/// All that is wrong with them.
pub fn authorize_defaults(
    role: Role,
    tenant: &Tenant,
    of: DefaultsOf,
    new: &Defaults,
) -> Result<Defaults, Vec<Refusal>> {
    let before = layers_of(tenant, of);
    let below = before.get(1..).unwrap_or_default();
    let (mut settled, mut refusals) = (new.clone(), Vec::new());
    for kind in Kind::ALL {
        let grants = new.of(kind);
        let administrators = || Role::ALL.into_iter().filter(|role| role.administers());
        let named = administrators().any(|role| grants.set_for(role) == Some(Permission::Edit));
        match settle(grants, named, administrators(), |role| default_in(below, role, kind)) {
            Some(grants) => settled.set(kind, grants),
            None => refusals.push(Refusal::NoEditor(kind)),
        }
        let own = default_in(&before, role, kind);
        for other in Role::ALL {
            let granted = new.set_for(other, kind).unwrap_or_else(|| default_in(below, other, kind));
            if granted > own && granted > default_in(&before, other, kind) {
                refusals.push(Refusal::AboveOwn(kind, other));
            }
        }
    }
    if refusals.is_empty() { Ok(settled) } else { Err(refusals) }
}

/// Allows seeing an object that is not hidden.
///
/// # Errors
/// [`Error::NotFound`] when it is hidden.
pub fn authorize_read(viewer: &Viewer, object: &Object) -> Result<Permit<Read>> {
    match viewer.permission(viewer.role, object.kind(), &object.grants) {
        Permission::Read | Permission::Edit => Ok(Permit::issue(object.id)),
        Permission::Hide => Err(Error::NotFound),
    }
}

/// Allows changing an object.
///
/// # Errors
/// [`Error::NotFound`] when it is hidden, [`Error::Forbidden`] when it can only be read.
pub fn authorize_edit(viewer: &Viewer, object: &Object) -> Result<Permit<Edit>> {
    match viewer.permission(viewer.role, object.kind(), &object.grants) {
        Permission::Edit => Ok(Permit::issue(object.id)),
        Permission::Read => Err(Error::Forbidden("your role may read this object and not change it")),
        Permission::Hide => Err(Error::NotFound),
    }
}

/// Allows creating an object of a kind.
///
/// # Errors
/// [`Error::Forbidden`] when the role's default for the kind is not edit.
pub fn authorize_create(viewer: &Viewer, kind: Kind) -> Result<Permit<Create>> {
    match viewer.default_permission(viewer.role, kind) {
        Permission::Edit => Ok(Permit::issue(kind)),
        Permission::Read | Permission::Hide => {
            Err(Error::Forbidden("your role may not create objects of this kind"))
        }
    }
}

/// Allows administering the tenant that the request acts on.
///
/// # Errors
/// [`Error::Forbidden`] when the role is no administrator's.
pub fn authorize_administer(role: Role) -> Result<Permit<Administer>> {
    match role {
        Role::EnterpriseAdministrator | Role::ServiceProviderAdministrator => Ok(Permit::issue(())),
        Role::EnterpriseOperator | Role::ServiceProviderOperator => {
            Err(Error::Forbidden("this takes an administrator"))
        }
    }
}

/// Allows creating, changing and deleting enterprises.
///
/// # Errors
/// [`Error::Forbidden`] when the role is not the provider's administrator's.
pub fn authorize_tenants(role: Role) -> Result<Permit<AdministerTenants>> {
    match role {
        Role::ServiceProviderAdministrator => Ok(Permit::issue(())),
        Role::EnterpriseAdministrator | Role::EnterpriseOperator | Role::ServiceProviderOperator => {
            Err(Error::Forbidden("this takes an administrator of the service provider"))
        }
    }
}
