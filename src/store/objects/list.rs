//! Pages of objects: searched, filtered and counted by Postgres, so that a count says nothing of what is hidden.

use sqlx::types::Json;
use sqlx::{FromRow, Postgres, QueryBuilder};

use super::row::ObjectRow;
use super::{COLUMNS, uuids};
use crate::access::matrix::Viewer;
use crate::domain::kind::Kind;
use crate::domain::object::Object;
use crate::domain::page::{ListQuery, Page, Sort};
use crate::error::Result;
use crate::ids::{ObjectId, TenantId};
use crate::store::tx::TenantTx;

/// The most objects that a search looks at one by one. When more can have the text, it looks at all of the kind, which
/// is no slower then.
const MAX_CANDIDATES: i32 = 1_000;

/// What is searched for.
#[derive(Debug, FromRow)]
struct Needle {
    /// In small letters.
    text: String,
    /// The objects that can have it; `None` when those are too many.
    candidates: Option<Vec<uuid::Uuid>>,
}

/// Whose objects, of what kind, seen by whom.
#[derive(Clone, Copy)]
struct Listed<'a> {
    tenant: TenantId,
    viewer: &'a Viewer,
    kind: Kind,
    query: &'a ListQuery,
}

/// Lists the objects of a kind that the viewer may see.
///
/// # Errors
/// The database does not answer.
pub async fn list(tx: &mut TenantTx, viewer: &Viewer, kind: Kind, query: &ListQuery) -> Result<Page<Object>> {
    let listed = Listed { tenant: tx.tenant(), viewer, kind, query };
    if query.search.is_some() || !query.tags.is_empty() || !query.labels.is_empty() {
        listed.found(tx).await
    } else {
        listed.all(tx).await
    }
}

impl Listed<'_> {
    fn order(&self) -> &'static str {
        match self.query.sort {
            Sort::Name => "o.name_key",
            Sort::NameDescending => "o.name_key DESC",
            Sort::Updated => "o.updated_at, o.name_key",
            Sort::UpdatedDescending => "o.updated_at DESC, o.name_key",
        }
    }

    /// All of the kind: counted and ordered by indexes.
    async fn all(self, tx: &mut TenantTx) -> Result<Page<Object>> {
        let mut count = QueryBuilder::new("SELECT count(*) FROM objects o WHERE ");
        self.push_visible(&mut count);
        let total = count.build_query_scalar().fetch_one(tx.connection()).await?;
        let mut page = QueryBuilder::new(format!("SELECT {COLUMNS} FROM objects o WHERE "));
        self.push_visible(&mut page);
        self.push_page(&mut page);
        let rows: Vec<ObjectRow> = page.build_query_as().fetch_all(tx.connection()).await?;
        Ok(Page { items: rows.into_iter().map(Object::try_from).collect::<Result<_>>()?, total })
    }

    /// Those that are looked for: each is looked at once, for the count and for the page.
    async fn found(self, tx: &mut TenantTx) -> Result<Page<Object>> {
        let needle = match &self.query.search {
            Some(text) => Some(self.needle(tx, text).await?),
            None => None,
        };
        let mut query = QueryBuilder::new(
            "WITH found AS MATERIALIZED (SELECT o.id, o.name_key, o.updated_at FROM objects o WHERE ",
        );
        self.push_visible(&mut query);
        self.push_wanted(&mut query, needle.as_ref());
        query.push(") SELECT (SELECT count(*) FROM found), ARRAY(SELECT o.id FROM found o");
        self.push_page(&mut query);
        query.push(")");
        let (total, ids): (i64, Vec<ObjectId>) = query.build_query_as().fetch_one(tx.connection()).await?;
        let mut page = QueryBuilder::new(format!("SELECT {COLUMNS} FROM objects o WHERE o.tenant_id = "));
        page.push_bind(self.tenant).push(" AND o.id = ANY(").push_bind(uuids(&ids)).push(") ORDER BY ");
        page.push(self.order());
        let rows: Vec<ObjectRow> = page.build_query_as().fetch_all(tx.connection()).await?;
        Ok(Page { items: rows.into_iter().map(Object::try_from).collect::<Result<_>>()?, total })
    }

    fn push_visible(&self, to: &mut QueryBuilder<Postgres>) {
        to.push("o.tenant_id = ").push_bind(self.tenant);
        to.push(" AND o.kind = ").push_bind(self.kind.as_str());
        // The default of the one kind as it is: looking it up for each row takes half of the time.
        let role = self.viewer.role();
        to.push(" AND coalesce(o.permissions ->> ").push_bind(role.as_str());
        to.push(", ").push_bind(self.viewer.default_permission(role, self.kind).as_str());
        to.push(") <> 'hide'");
    }

    /// A text in small letters, and the few objects that can have it: of the kind, or of those that it refers to.
    async fn needle(&self, tx: &mut TenantTx, text: &str) -> Result<Needle> {
        let kinds: Vec<&str> =
            self.kind.refers_to().iter().chain([&self.kind]).map(|kind| kind.as_str()).collect();
        let needle = sqlx::query_as(
            "SELECT low.text, search_candidates($2, low.text, $3) AS candidates FROM lower($1) low (text)",
        );
        Ok(needle.bind(text).bind(kinds).bind(MAX_CANDIDATES).fetch_one(tx.connection()).await?)
    }

    fn push_wanted(&self, to: &mut QueryBuilder<Postgres>, needle: Option<&Needle>) {
        if !self.query.tags.is_empty() {
            to.push(" AND o.tags @> ").push_bind(self.query.tags.clone());
        }
        if !self.query.labels.is_empty() {
            to.push(" AND o.spec -> 'labels' @> ").push_bind(Json(self.query.labels.clone()));
        }
        match needle {
            None => {}
            Some(Needle { text, candidates: Some(candidates) }) => {
                // That they have the text is looked at again: they were found past row-level security.
                to.push(" AND o.id IN (SELECT own.id FROM objects own WHERE own.tenant_id = ");
                to.push_bind(self.tenant).push(" AND own.id = ANY(").push_bind(candidates.clone());
                to.push(") AND strpos(own.search_key, ").push_bind(text.clone()).push(") > 0 UNION ALL ");
                self.push_referring(to, text);
                to.push(" AND target.id = ANY(").push_bind(candidates.clone()).push("))");
            }
            Some(Needle { text, candidates: None }) => {
                // Not LIKE, which would take escapes and is no faster.
                to.push(" AND (strpos(o.search_key, ").push_bind(text.clone()).push(") > 0 OR o.id IN (");
                self.push_referring(to, text);
                to.push("))");
            }
        }
    }

    /// Selects what refers to an object that has a text in its name, and that the viewer may see.
    fn push_referring(&self, to: &mut QueryBuilder<Postgres>, text: &str) {
        let referred: Vec<&str> = self.kind.refers_to().iter().map(|kind| kind.as_str()).collect();
        to.push("SELECT link.from_id FROM objects target");
        to.push(" JOIN object_links link ON link.tenant_id = target.tenant_id AND link.to_id = target.id");
        to.push(" WHERE target.tenant_id = ").push_bind(self.tenant);
        to.push(" AND target.kind = ANY(").push_bind(referred).push(")");
        to.push(" AND strpos(target.name_key, ").push_bind(text.to_owned()).push(") > 0");
        to.push(" AND coalesce(target.permissions ->> ").push_bind(self.viewer.role().as_str());
        to.push(", ").push_bind(self.viewer.defaults().clone());
        to.push(" ->> target.kind) <> 'hide'");
    }

    fn push_page(&self, to: &mut QueryBuilder<Postgres>) {
        to.push(" ORDER BY ").push(self.order());
        to.push(" LIMIT ").push_bind(i64::from(self.query.per_page));
        to.push(" OFFSET ").push_bind(self.query.offset());
    }
}
