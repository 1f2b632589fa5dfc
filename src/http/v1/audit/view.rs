//! How the audit looks.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::audit::{AuditPage, Shown};

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct EntryView {
    id: Uuid,
    /// Its place in the tenant's chain, counted from 1. Places of entries that the caller may not see are left out.
    #[schema(minimum = 1)]
    seq: i64,
    at: DateTime<Utc>,
    /// Who did it; `null` is the installation itself, or somebody who was not signed in.
    #[schema(required = true, value_type = Option<AuditActor>)]
    actor: Value,
    /// The address that the request came from.
    #[schema(required = true)]
    client: Option<String>,
    /// The request, as its answer and the log name it.
    #[schema(required = true)]
    request_id: Option<String>,
    /// What was done.
    #[schema(example = "update")]
    action: String,
    /// What it was done to.
    object: AuditObject,
    /// What that was before, without secrets.
    #[schema(required = true, value_type = Option<serde_json::Map<String, Value>>)]
    before: Value,
    /// What it was afterwards, without secrets.
    #[schema(required = true, value_type = Option<serde_json::Map<String, Value>>)]
    after: Value,
    /// SHA-256 over the hash of the entry before it and this entry, in hexadecimal.
    #[schema(min_length = 64, max_length = 64)]
    hash: String,
}

/// Who did something.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the schema of what the audit has as JSON")]
pub(super) struct AuditActor {
    id: Uuid,
    name: String,
    role: String,
}

/// What something was done to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditObject {
    #[schema(example = "alg_policy")]
    kind: String,
    #[schema(required = true)]
    id: Option<Uuid>,
    /// What it was called then.
    #[schema(required = true)]
    name: Option<String>,
}

/// Some entries, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub(super) struct PageView {
    items: Vec<EntryView>,
    /// The `cursor` to read on with; `null` at the end.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

impl From<Shown> for EntryView {
    fn from(shown: Shown) -> Self {
        let Shown { entry, actor, before, after } = shown;
        Self {
            id: entry.id,
            seq: entry.seq,
            at: entry.at,
            actor,
            client: entry.client,
            request_id: entry.request,
            action: entry.action,
            object: AuditObject { kind: entry.kind, id: entry.object, name: entry.object_name },
            before,
            after,
            hash: entry.hash.to_string(),
        }
    }
}

impl From<AuditPage> for PageView {
    fn from(page: AuditPage) -> Self {
        let items = page.items.into_iter().map(EntryView::from).collect();
        Self { items, next_cursor: page.next.map(|place| place.to_string()) }
    }
}
