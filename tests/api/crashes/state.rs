//! All that a database holds, compared to the byte or by what it means.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use crate::support::World;

const KEYS: &str = "idempotency_keys";

/// The rows of every table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State(BTreeMap<String, Vec<String>>);

impl State {
    /// The state of a world.
    pub(super) async fn of(world: &World) -> Self {
        let mut owner = world.owner.connect().await.unwrap();
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
        )
        .fetch_all(&mut owner)
        .await
        .unwrap();
        let all: Vec<String> =
            tables.iter().map(|table| format!("SELECT '{table}', to_jsonb(t) FROM {table} t")).collect();
        let rows: Vec<(String, Value)> =
            sqlx::query_as(AssertSqlSafe(all.join(" UNION ALL "))).fetch_all(&mut owner).await.unwrap();
        let mut state: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (table, row) in rows {
            state.entry(table).or_default().push(row.to_string());
        }
        state.values_mut().for_each(|rows| rows.sort());
        Self(state)
    }

    /// Without the answers that are kept with keys.
    pub(super) fn without_keys(&self) -> Self {
        Self(self.0.iter().filter(|(table, _)| *table != KEYS).map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    /// Whether it is the same but for ids, times and hashes.
    pub(super) fn means(&self, other: &Self) -> bool {
        self.meaning() == other.meaning()
    }

    fn meaning(&self) -> BTreeMap<String, Vec<String>> {
        let of = |rows: &Vec<String>| {
            let mut rows: Vec<String> =
                rows.iter().map(|row| meaning(serde_json::from_str(row).unwrap()).to_string()).collect();
            rows.sort();
            rows
        };
        self.0.iter().map(|(table, rows)| (table.clone(), of(rows))).collect()
    }

    /// The rows, by what they mean, that one has and the other has not.
    pub(super) fn difference(&self, other: &Self) -> String {
        let (mine, others) = (self.meaning(), other.meaning());
        let mut text = String::new();
        let none = Vec::new();
        for table in mine.keys().chain(others.keys()).collect::<std::collections::BTreeSet<_>>() {
            let (mine, others) = (mine.get(table).unwrap_or(&none), others.get(table).unwrap_or(&none));
            for row in mine.iter().filter(|row| !others.contains(row)) {
                writeln!(text, "+ {table} {row}").unwrap();
            }
            for row in others.iter().filter(|row| !mine.contains(row)) {
                writeln!(text, "- {table} {row}").unwrap();
            }
        }
        text
    }
}

/// A row without what differs from one run to the next.
fn meaning(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(if differs(&text) { "?".to_owned() } else { text }),
        Value::Array(values) => {
            let mut values: Vec<Value> = values.into_iter().map(meaning).collect();
            values.sort_by_key(Value::to_string);
            Value::Array(values)
        }
        // Which transaction it was is the database's own count.
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(name, _)| name != "changed_by")
            .map(|(name, value)| (name, meaning(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// Whether a text is an id, a time, bytes, or has one in it.
fn differs(text: &str) -> bool {
    let uuid = |part: &str| part.len() == 36 && part.parse::<uuid::Uuid>().is_ok();
    text.starts_with("\\x")
        || text.split(['/', '"', ' ']).any(uuid)
        || chrono::DateTime::parse_from_rfc3339(text).is_ok()
        || text.starts_with('"')
}
