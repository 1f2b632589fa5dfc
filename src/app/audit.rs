//! Reading the audit, and checking that it is whole.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::scope::Scope;
use crate::access::matrix;
use crate::domain::audit::{AuditQuery, ChainHash, Entry, Flaw, Walk};
use crate::error::{Error, Result};
use crate::ids::TenantId;
use crate::store::tx::Finish;
use crate::store::{Store, audit as store};

/// The entries that are read at once when a chain is checked.
const CHAIN_PAGE: i64 = 1_000;
/// The most flaws of a chain that are named.
const MAX_FLAWS: usize = 100;

/// An entry as a caller may see it.
#[derive(Debug)]
pub struct Shown {
    /// The entry.
    pub entry: Entry,
    /// Who did it.
    pub actor: Value,
    /// What the thing was before, without references that the caller may not see.
    pub before: Value,
    /// What it was afterwards, without them.
    pub after: Value,
}

/// Some entries, the newest first.
#[derive(Debug)]
pub struct AuditPage {
    /// The entries.
    pub items: Vec<Shown>,
    /// Where to read on; `None` at the end.
    pub next: Option<i64>,
}

/// Reads entries of a tenant.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn list(mut scope: Scope, query: &AuditQuery) -> Result<AuditPage> {
    let permit = matrix::authorize_administer(scope.actor.role)?;
    let entries = store::list(&mut scope.tx, &permit, &scope.viewer, query).await?;
    let full = u32::try_from(entries.len()).is_ok_and(|read| read >= query.limit);
    let next = entries.last().filter(|last| full && last.seq > 1).map(|last| last.seq);
    let mut items = entries.into_iter().map(Shown::parse).collect::<Result<Vec<_>>>()?;
    let mut ids = BTreeSet::new();
    for shown in &items {
        collect_ids(&shown.before, &mut ids);
        collect_ids(&shown.after, &mut ids);
    }
    let hidden = store::hidden(&mut scope.tx, &scope.viewer, &ids).await?;
    scope.tx.finish(Finish::Commit).await?;
    for shown in &mut items {
        drop_hidden(&mut shown.before, &hidden);
        drop_hidden(&mut shown.after, &hidden);
    }
    Ok(AuditPage { items, next })
}

impl Shown {
    fn parse(entry: Entry) -> Result<Self> {
        let value = |raw: &Option<Box<RawValue>>| match raw {
            Some(raw) => serde_json::from_str(raw.get())
                .map_err(|error| Error::Internal(format!("an audit entry: {error}"))),
            None => Ok(Value::Null),
        };
        let (actor, before, after) = (value(&entry.actor)?, value(&entry.before)?, value(&entry.after)?);
        Ok(Self { actor, before, after, entry })
    }
}

fn id_of(value: &Value) -> Option<Uuid> {
    let text = value.as_str().or_else(|| value.get("id")?.as_str())?;
    (text.len() == uuid::fmt::Hyphenated::LENGTH).then(|| text.parse().ok()).flatten()
}

fn collect_ids(value: &Value, ids: &mut BTreeSet<Uuid>) {
    ids.extend(id_of(value));
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_ids(item, ids)),
        Value::Object(fields) => fields.values().for_each(|field| collect_ids(field, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Removes what names a hidden object from lists, and says nothing where it stood alone.
fn drop_hidden(value: &mut Value, hidden: &BTreeSet<Uuid>) {
    if hidden.is_empty() {
        return;
    }
    let names_hidden = |value: &Value| id_of(value).is_some_and(|id| hidden.contains(&id));
    match value {
        Value::Array(items) => {
            items.retain(|item| !names_hidden(item));
            items.iter_mut().for_each(|item| drop_hidden(item, hidden));
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                if names_hidden(field) {
                    *field = Value::Null;
                } else {
                    drop_hidden(field, hidden);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What was found in a tenant's chain.
#[derive(Debug)]
pub struct Verdict {
    /// The tenant.
    pub tenant: TenantId,
    /// How many entries were read.
    pub entries: u64,
    /// The end of the chain, to be compared with what was noted earlier, elsewhere.
    pub head: ChainHash,
    /// What is wrong: the first flaws.
    pub flaws: Vec<Flaw>,
}

/// Reads all chains, or one tenant's, and recomputes every hash.
///
/// # Errors
/// The database does not answer, or an entry does not even parse.
pub async fn verify(store: &Store, tenant: Option<TenantId>) -> Result<Vec<Verdict>> {
    let mut tx = store.system_tx().await?;
    let heads = store::heads(&mut tx, tenant).await?;
    let mut verdicts = Vec::new();
    for head in heads {
        let mut walk = Walk::default();
        let mut verdict = Verdict { tenant: head.tenant, entries: 0, head: head.hash, flaws: Vec::new() };
        loop {
            let entries = store::chain(&mut tx, head.tenant, walk.seq, CHAIN_PAGE).await?;
            // Whatever came after the heads were read is not missed in them.
            let entries: Vec<Entry> =
                entries.into_iter().filter(|entry| head.seq == 0 || entry.seq <= head.seq).collect();
            if entries.is_empty() {
                break;
            }
            for entry in &entries {
                verdict.entries += 1;
                verdict.flaws.extend(walk.step(entry));
            }
            verdict.flaws.truncate(MAX_FLAWS);
        }
        verdict.flaws.extend(walk.finish(head.seq, head.hash));
        verdicts.push(verdict);
    }
    tx.commit().await?;
    Ok(verdicts)
}
