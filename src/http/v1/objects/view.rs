//! The parts of an answer that all objects have.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::objects::{Detail, RolePermission, Warning, WarningCode};
use crate::app::publications::ConfigChange as Change;
use crate::app::versions::Save;
use crate::domain::kind::Kind;
use crate::domain::object::By;
use crate::domain::page::{ListQuery, Page};
use crate::domain::permission::Permission;
use crate::domain::role::Role;
use crate::domain::version::Version;
use crate::error::Named;
use crate::ids::ObjectId;

/// What every object has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ObjectFields)]
pub(in crate::http) struct Common {
    /// The id, which never changes.
    id: ObjectId,
    /// The name, unique per tenant and kind without regard to case.
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    name: String,
    /// Free text.
    #[schema(max_length = 1024)]
    description: String,
    /// In order.
    #[schema(max_items = 32)]
    tags: Vec<String>,
    /// How often it was saved.
    version: Version,
    created_at: DateTime<Utc>,
    /// `null` for what the installation made by itself.
    #[schema(required = true)]
    created_by: Option<By>,
    updated_at: DateTime<Utc>,
    #[schema(required = true)]
    updated_by: Option<By>,
    /// What each role may do with it.
    #[schema(min_items = 4, max_items = 4)]
    permissions: Vec<PermissionView>,
    /// What the caller may do with it.
    my_permission: Permission,
    /// Who refers to it, as far as the caller may see them: the first 100.
    used_by: Vec<NamedView>,
    /// How many refer to it, as far as the caller may see them.
    #[schema(minimum = 0)]
    used_by_total: i64,
    /// What is accepted and yet hardly meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<WarningView>,
}

/// What a role may do with an object.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolePermission)]
pub(in crate::http) struct PermissionView {
    role: Role,
    permission: Permission,
    /// Whether it is the role's default, nothing being set on the object.
    inherited: bool,
}

/// An object by kind, id and name.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ObjectReference)]
pub(in crate::http) struct NamedView {
    kind: Kind,
    id: ObjectId,
    name: String,
}

/// An object by id and name, where its kind goes without saying.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Reference)]
pub(in crate::http) struct RefView {
    id: ObjectId,
    name: String,
}

/// Something that is accepted and yet hardly meant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Warning)]
pub(in crate::http) struct WarningView {
    /// The field, as a JSON pointer into the answer.
    pointer: String,
    #[serde(rename = "type")]
    kind: WarningCode,
    detail: String,
}

/// A difference between two revisions, or two versions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConfigChange)]
pub(in crate::http) struct ChangeView {
    #[schema(example = "/algs/ftp/enabled")]
    path: String,
    /// `null` where there was nothing.
    before: Value,
    /// `null` where there is nothing any more.
    after: Value,
}

impl From<Change> for ChangeView {
    fn from(change: Change) -> Self {
        Self {
            path: change.path,
            before: change.before.unwrap_or_default(),
            after: change.after.unwrap_or_default(),
        }
    }
}

/// A save of an object.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ObjectVersion)]
pub(in crate::http) struct VersionView {
    /// The version that it made.
    version: Version,
    /// What the object was called then.
    name: String,
    saved_at: DateTime<Utc>,
    /// `null` for what the installation made by itself.
    #[schema(required = true)]
    saved_by: Option<By>,
}

impl From<Save> for VersionView {
    fn from(save: Save) -> Self {
        Self { version: save.version, name: save.name, saved_at: save.saved.at, saved_by: save.saved.by }
    }
}

/// What changed from one version to another.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VersionDifference)]
pub(in crate::http) struct DifferenceView {
    /// In the order of paths; references that are gone, or hidden from the caller, are left out.
    pub(in crate::http) changes: Vec<ChangeView>,
}

/// The name of a clone.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the use case, since it reports all errors"
)]
pub(in crate::http) struct CloneInput {
    /// Unique per tenant and kind without regard to case.
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    name: String,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct List<T> {
    items: Vec<T>,
    /// The page, counted from 1.
    page: u32,
    per_page: u32,
    /// How many there are on all pages, of those that the caller may see.
    #[schema(minimum = 0)]
    total: i64,
}

impl<T> List<T> {
    /// A page as an answer has it.
    pub(in crate::http) fn new(page: Page<T>, query: &ListQuery) -> Self {
        Self { items: page.items, page: query.page, per_page: query.per_page, total: page.total }
    }
}

impl Common {
    /// The common part of an object.
    pub(in crate::http) fn new(detail: &Detail) -> Self {
        let object = &detail.object;
        Self {
            id: object.id,
            name: object.draft.name.to_string(),
            description: object.draft.description.as_str().to_owned(),
            tags: object.draft.tags.iter().map(str::to_owned).collect(),
            version: object.version,
            created_at: object.created.at,
            created_by: object.created.by.clone(),
            updated_at: object.updated.at,
            updated_by: object.updated.by.clone(),
            permissions: permissions(detail),
            my_permission: detail.my_permission,
            used_by: detail.uses.by.iter().cloned().map(NamedView::from).collect(),
            used_by_total: detail.uses.total,
            warnings: detail.warnings.iter().map(WarningView::from).collect(),
        }
    }
}

/// The permission block of an object.
pub(in crate::http) fn permissions(detail: &Detail) -> Vec<PermissionView> {
    detail.permissions.iter().copied().map(PermissionView::from).collect()
}

impl From<RolePermission> for PermissionView {
    fn from(permission: RolePermission) -> Self {
        let RolePermission { role, permission, inherited } = permission;
        Self { role, permission, inherited }
    }
}

impl RefView {
    /// A reference to what is known by id and name.
    pub(in crate::http) fn new(id: ObjectId, name: String) -> Self {
        Self { id, name }
    }

    /// An object that another one refers to; `None` when the caller may not see it.
    pub(in crate::http) fn of(detail: &Detail, id: ObjectId) -> Option<Self> {
        detail.related.get(&id).map(|object| Self { id, name: object.draft.name.to_string() })
    }
}

impl From<Named> for NamedView {
    fn from(named: Named) -> Self {
        Self { kind: named.kind, id: named.id, name: named.name }
    }
}

impl From<&Warning> for WarningView {
    fn from(warning: &Warning) -> Self {
        Self { pointer: warning.pointer.clone(), kind: warning.code, detail: warning.detail.clone() }
    }
}

/// A change of permissions: roles that are left out keep theirs, `null` gives a role its default back.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct PermissionChange {
    service_provider_administrator: Option<Permission>,
    service_provider_operator: Option<Permission>,
    enterprise_administrator: Option<Permission>,
    enterprise_operator: Option<Permission>,
}

/// A permission of a role in a body.
#[derive(Debug, ToSchema)]
#[schema(as = RolePermissionInput)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct PermissionInput {
    role: Role,
    permission: Permission,
    /// Gives the role its default, whatever `permission` says.
    #[schema(nullable = false)]
    inherited: Option<bool>,
}

/// What every object's body can have. Fields that only answers have may be sent back and change nothing.
#[derive(Debug, ToSchema)]
#[schema(as = ObjectFieldsInput)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct CommonInput {
    /// Unique per tenant and kind without regard to case.
    #[schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    name: String,
    /// Free text.
    #[schema(nullable = false, max_length = 1024)]
    description: Option<String>,
    #[schema(nullable = false, max_items = 32)]
    tags: Option<Vec<String>>,
    /// Roles that are left out have their defaults; without the field, permissions stay as they are.
    #[schema(nullable = false)]
    permissions: Option<Vec<PermissionInput>>,
}

/// Another object: by id, by name as `name:example`, or as answers have it.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
#[schema(as = ReferenceInput)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) enum RefInput {
    /// An id, or `name:` and a name.
    Text(String),
    /// What an answer has; the id counts.
    Answered {
        /// The id.
        id: String,
    },
}
