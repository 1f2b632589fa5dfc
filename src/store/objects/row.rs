//! A row of `objects`, parsed like any other input.

use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;

use crate::clock::Timestamp;
use crate::domain::input::Report;
use crate::domain::kind::Kind;
use crate::domain::object::{By, Draft, Object, Stamp};
use crate::domain::permission::Grants;
use crate::domain::version::Version;
use crate::error::{Error, Result};
use crate::ids::ObjectId;

#[derive(Debug, FromRow)]
pub(super) struct ObjectRow {
    id: ObjectId,
    kind: String,
    name: String,
    description: String,
    tags: Vec<String>,
    spec: Value,
    permissions: Value,
    version: i64,
    created_at: Timestamp,
    created_by: Option<Json<By>>,
    updated_at: Timestamp,
    updated_by: Option<Json<By>>,
}

impl TryFrom<ObjectRow> for Object {
    type Error = Error;

    fn try_from(row: ObjectRow) -> Result<Self> {
        let broken =
            |what: &str| Error::Internal(format!("the stored object {} does not parse: {what}", row.id));
        let kind = Kind::parse(&row.kind).ok_or_else(|| broken("kind"))?;
        let mut document = row.spec;
        if let Some(fields) = document.as_object_mut() {
            fields.insert("name".to_owned(), row.name.into());
            fields.insert("description".to_owned(), row.description.into());
            fields.insert("tags".to_owned(), row.tags.into());
        }
        let mut report = Report::new();
        let draft = Draft::decode(kind, &document, &mut report);
        let grants = Grants::default().decode_change(&row.permissions, &mut report);
        let errors = report.into_errors();
        let (Some((draft, _)), Some(grants), []) = (draft, grants, errors.as_slice()) else {
            return Err(broken(&format!("{errors:?}")));
        };
        Ok(Self {
            id: row.id,
            draft,
            grants,
            version: Version::new(row.version).ok_or_else(|| broken("version"))?,
            created: Stamp { at: row.created_at, by: row.created_by.map(|by| by.0) },
            updated: Stamp { at: row.updated_at, by: row.updated_by.map(|by| by.0) },
        })
    }
}
