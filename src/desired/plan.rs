//! From what a tenant holds to what it is to hold.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::difference::{Difference, differences};
use super::document::{Desired, Item, Problem, export};
use crate::domain::input::Report;
use crate::domain::kind::Kind;
use crate::domain::name::Name;
use crate::domain::object::{Draft, places};
use crate::domain::permission::Grants;
use crate::domain::reference::{ObjectRef, Ref};
use crate::ids::ObjectId;

/// An object that there is, as the API answers it.
#[derive(Debug, Clone)]
pub struct Current {
    /// What it is.
    pub kind: Kind,
    /// The answer.
    pub answer: Value,
}

/// What is to happen to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
}

/// One request that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What is to happen.
    pub action: Action,
    /// To what kind of object.
    pub kind: Kind,
    /// To which.
    pub name: String,
    /// The id and the version of what there is.
    pub existing: Option<(String, i64)>,
    /// What will be different.
    pub differences: Vec<Difference>,
    /// What the API is to be sent.
    pub document: Value,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.action {
            Action::Create => '+',
            Action::Update => '~',
            Action::Delete => '-',
        };
        writeln!(f, "{sign} {} {}", self.kind.title(), self.name)?;
        self.differences.iter().try_for_each(|difference| writeln!(f, "    {difference}"))
    }
}

/// Everything that is to be done, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// How many objects are as they are to be.
    pub unchanged: usize,
}

/// What is deleted of what the files do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// Nothing.
    Keep,
    /// What is of a kind of which the files have a list.
    Listed,
}

/// Says what it takes.
///
/// # Errors
/// Everything that is wrong with the desired objects by the rules of the API, as far as they hold for one object.
pub fn plan(current: &[Current], desired: &Desired, prune: Prune) -> Result<Plan, Vec<Problem>> {
    let mut names = Names::default();
    let mut existing = BTreeMap::new();
    for object in current {
        let text = |field| object.answer.get(field).and_then(Value::as_str).unwrap_or_default();
        names.known.insert(text("id").to_owned(), text("name").to_owned());
        existing.insert((object.kind, text("name").to_lowercase()), object);
    }
    let mut plan = Plan::default();
    let mut problems = Vec::new();
    for item in &desired.items {
        let found = existing.remove(&(item.kind, item.name.key()));
        match step(&mut names, item, found) {
            Ok(Some(step)) => plan.steps.push(step),
            Ok(None) => plan.unchanged += 1,
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    // What refers goes before what is referred to.
    for ((kind, _), object) in existing.into_iter().rev() {
        if prune == Prune::Listed && desired.listed.contains(&kind) {
            plan.steps.push(Step {
                action: Action::Delete,
                kind,
                name: text(&object.answer, "name"),
                existing: identity(&object.answer),
                differences: Vec::new(),
                document: Value::Null,
            });
        }
    }
    Ok(plan)
}

fn text(answer: &Value, field: &str) -> String {
    answer.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn identity(answer: &Value) -> Option<(String, i64)> {
    Some((answer.get("id")?.as_str()?.to_owned(), answer.get("version")?.as_i64()?))
}

fn step(names: &mut Names, item: &Item, found: Option<&Current>) -> Result<Option<Step>, Vec<Problem>> {
    let (wanted, grants) = names.read(item.kind, &item.document, &item.place)?;
    let after = names.write(&wanted, grants.as_ref());
    let name = item.name.to_string();
    let step = |action, existing, before: &Value| Step {
        action,
        kind: item.kind,
        name: name.clone(),
        existing,
        differences: differences(before, &after),
        document: item.document.clone(),
    };
    let Some(found) = found else { return Ok(Some(step(Action::Create, None, &json!({})))) };
    let (saved, saved_grants) = names.read(item.kind, &export(item.kind, &found.answer), &item.place)?;
    let saved_grants = saved_grants.unwrap_or_default();
    let grants = grants.unwrap_or_else(|| saved_grants.clone());
    if saved == wanted && saved_grants == grants {
        return Ok(None);
    }
    let before = names.write(&saved, Some(&saved_grants));
    let after = names.write(&wanted, Some(&grants));
    let differences = differences(&before, &after);
    Ok(Some(Step { differences, ..step(Action::Update, identity(&found.answer), &before) }))
}

/// References by name, under ids that follow from the names: an object that is yet to be made has none of its own.
#[derive(Debug, Default)]
struct Names {
    /// The names of objects that there are, by id.
    known: BTreeMap<String, String>,
    /// The references that stand for names.
    stand_ins: BTreeMap<String, String>,
}

impl Names {
    fn read(
        &mut self,
        kind: Kind,
        document: &Value,
        place: &str,
    ) -> Result<(Draft, Option<Grants>), Vec<Problem>> {
        let mut document = document.clone();
        for reference in places(kind, &document) {
            let Some(value) = document.pointer_mut(&reference.pointer) else { continue };
            let name = match ObjectRef::from_json(value) {
                Some(Ref::Name(name)) => Some(name.to_string()),
                Some(Ref::Id(id)) => self.known.get(&id.to_string()).cloned(),
                None => None,
            };
            if let Some(name) = name {
                *value = Value::from(self.stand_in(reference.kind, &name));
            }
        }
        let mut report = Report::new();
        let decoded = Draft::decode(kind, &document, &mut report);
        match decoded {
            Some(decoded) if report.is_empty() => Ok(decoded),
            Some(_) | None => Err(report
                .into_errors()
                .into_iter()
                .map(|error| Problem { place: format!("{place}{}", error.pointer), detail: error.detail })
                .collect()),
        }
    }

    fn stand_in(&mut self, kind: Kind, name: &str) -> String {
        let key = Name::parse(name).map_or_else(|_| name.to_lowercase(), |name| name.key());
        let digest: [u8; 32] = Sha256::digest(format!("{kind}/{key}")).into();
        let (bytes, _) = digest.split_at(size_of::<Uuid>());
        let id = ObjectId::from(Uuid::from_slice(bytes).unwrap_or_default()).to_string();
        self.stand_ins.entry(id.clone()).or_insert_with(|| name.to_owned());
        id
    }

    /// A document for people, with every default.
    fn write(&self, draft: &Draft, grants: Option<&Grants>) -> Value {
        let mut document = draft.encode();
        let kind = draft.spec.kind();
        for reference in places(kind, &document) {
            let Some(value) = document.pointer_mut(&reference.pointer) else { continue };
            let name = value.as_str().and_then(|id| self.stand_ins.get(id));
            if let Some(name) = name {
                *value = Value::from(format!("name:{name}"));
            }
        }
        if let (Some(fields), Some(grants)) = (document.as_object_mut(), grants) {
            fields.insert("permissions".to_owned(), grants.encode());
        }
        document
    }
}
