//! Edit, Read, Hide: what a role may do with one object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::input::{self, Code, Fields, Report};
use super::role::Role;

/// What a role may do with an object.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// The object does not exist for the role.
    Hide,
    /// The role sees the object.
    Read,
    /// The role sees and changes the object.
    Edit,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 3] = [Self::Hide, Self::Read, Self::Edit];

    /// The word that stands for the permission in the database and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hide => "hide",
            Self::Read => "read",
            Self::Edit => "edit",
        }
    }

    /// The permission that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == word)
    }

    /// Decodes a permission from JSON.
    pub fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        let permission = Self::parse(input::string(value, report)?);
        if permission.is_none() {
            report.error(Code::UnknownValue, "is to be \"edit\", \"read\" or \"hide\"");
        }
        permission
    }
}

/// What is set on one object; a role that is not in it has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(BTreeMap<Role, Permission>);

impl Grants {
    /// What is set for a role.
    #[must_use]
    pub fn set_for(&self, role: Role) -> Option<Permission> {
        self.0.get(&role).copied()
    }

    /// Sets a role's permission, or gives the role its default back.
    pub fn set(&mut self, role: Role, permission: Option<Permission>) {
        match permission {
            Some(permission) => self.0.insert(role, permission),
            None => self.0.remove(&role),
        };
    }

    /// The stored form: `{"<role>": "<permission>"}`.
    #[must_use]
    pub fn encode(&self) -> Value {
        self.0.iter().map(|(role, permission)| (role.to_string(), json!(permission))).collect()
    }

    /// Applies a change as `PUT .../permissions` takes it: `{"<role>": "<permission>" | null}`.
    pub fn decode_change(&self, value: &Value, report: &mut Report) -> Option<Self> {
        let mut changed = self.clone();
        let mut fields = Fields::open(value, report)?;
        for role in Role::ALL {
            let decoded = fields.optional(role.as_str(), report, |value, report| {
                if value.is_null() { Some(None) } else { Permission::decode(value, report).map(Some) }
            });
            if let Some(Some(permission)) = decoded {
                changed.set(role, permission);
            }
        }
        fields.finish(report);
        report.is_empty().then_some(changed)
    }

    /// Decodes the block that answers carry: `[{"role", "permission", "inherited"}]`. A role that is inherited or
    /// left out has its default.
    pub fn decode_block(value: &Value, report: &mut Report) -> Option<Self> {
        let mut grants = Self::default();
        let mut seen = Vec::new();
        input::array(value, Role::ALL.len(), report, |value, report| {
            let mut fields = Fields::open(value, report)?;
            let role = fields.required("role", report, decode_role);
            let permission = fields.required("permission", report, Permission::decode);
            let inherited = fields.or_default("inherited", report, input::boolean);
            fields.finish(report);
            let (role, permission, inherited) = (role?, permission?, inherited?);
            if seen.contains(&role) {
                report.error(Code::Repeated, "the role stands in the list twice");
                return None;
            }
            seen.push(role);
            grants.set(role, (!inherited).then_some(permission));
            Some(())
        })?;
        Some(grants)
    }
}

/// Decodes a role from JSON.
pub fn decode_role(value: &Value, report: &mut Report) -> Option<Role> {
    let role = Role::parse(input::string(value, report)?);
    if role.is_none() {
        let words = Role::ALL.map(Role::as_str).join(", ");
        report.error(Code::UnknownValue, format!("is to be one of {words}"));
    }
    role
}
