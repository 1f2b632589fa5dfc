//! Role x resource x action: the only place with policy.

use serde_json::{Map, Value};

use super::actor::Actor;
use super::permit::{Administer, AdministerTenants, Create, Edit, Permit, Read};
use crate::domain::kind::Kind;
use crate::domain::object::Object;
use crate::domain::permission::{Grants, Permission};
use crate::domain::role::Role;
use crate::error::{Error, Result};

/// What a role may do with an object of a kind on which nothing is set.
#[must_use]
pub fn default_permission(role: Role, kind: Kind) -> Permission {
    match (role, kind) {
        (
            Role::EnterpriseAdministrator | Role::ServiceProviderAdministrator,
            Kind::Service | Kind::AlgPolicy | Kind::SubProfile | Kind::MasterProfile | Kind::Appliance,
        ) => Permission::Edit,
        (
            Role::EnterpriseOperator | Role::ServiceProviderOperator,
            Kind::Service | Kind::AlgPolicy | Kind::SubProfile | Kind::MasterProfile | Kind::Appliance,
        ) => Permission::Read,
    }
}

/// What a role may do with an object.
#[must_use]
pub fn permission(role: Role, kind: Kind, grants: &Grants) -> Permission {
    grants.set_for(role).unwrap_or_else(|| default_permission(role, kind))
}

/// Whether at least one role could still change the object.
#[must_use]
pub fn keeps_an_editor(kind: Kind, grants: &Grants) -> bool {
    Role::ALL.into_iter().any(|role| permission(role, kind, grants) == Permission::Edit)
}

/// Whose eyes a query looks through: what it needs to leave out what is hidden.
#[derive(Debug, Clone)]
pub struct Viewer {
    role: Role,
    defaults: Value,
}

impl Viewer {
    /// The eyes of an actor.
    #[must_use]
    pub fn of(actor: &Actor) -> Self {
        let default = |kind: Kind| {
            let permission = default_permission(actor.role, kind);
            (kind.to_string(), Value::from(permission.as_str()))
        };
        let defaults: Map<String, Value> = Kind::ALL.into_iter().map(default).collect();
        Self { role: actor.role, defaults: Value::Object(defaults) }
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
}

/// Allows seeing an object that is not hidden.
///
/// # Errors
/// [`Error::NotFound`] when it is hidden.
pub fn authorize_read(role: Role, object: &Object) -> Result<Permit<Read>> {
    match permission(role, object.kind(), &object.grants) {
        Permission::Read | Permission::Edit => Ok(Permit::issue(object.id)),
        Permission::Hide => Err(Error::NotFound),
    }
}

/// Allows changing an object.
///
/// # Errors
/// [`Error::NotFound`] when it is hidden, [`Error::Forbidden`] when it can only be read.
pub fn authorize_edit(role: Role, object: &Object) -> Result<Permit<Edit>> {
    match permission(role, object.kind(), &object.grants) {
        Permission::Edit => Ok(Permit::issue(object.id)),
        Permission::Read => Err(Error::Forbidden("your role may read this object and not change it")),
        Permission::Hide => Err(Error::NotFound),
    }
}

/// Allows creating an object of a kind.
///
/// # Errors
/// [`Error::Forbidden`] when the role's default for the kind is not edit.
pub fn authorize_create(role: Role, kind: Kind) -> Result<Permit<Create>> {
    match default_permission(role, kind) {
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
