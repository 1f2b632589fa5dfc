//! Appliances: where a gateway stands and what it is given.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::alg_policy::decode_id;
use super::input::{self, Code, Fields, Report, wrong_type};
use super::name::{MAX_NAME_CHARS, Name};
use super::nat::{self, NatSettings};
use crate::clock::Timestamp;
use crate::ids::{ObjectId, RevisionId};

/// The most characters of a site.
pub const MAX_SITE_CHARS: usize = 255;
/// The most labels of an appliance.
pub const MAX_LABELS: usize = 32;
/// The most characters of a label's value.
pub const MAX_LABEL_CHARS: usize = MAX_NAME_CHARS;

/// An appliance: a host that a gateway runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Appliance {
    /// Where it stands, for people.
    pub site: Site,
    /// What it is found by.
    pub labels: Labels,
    /// What it is given; without one all five ALGs are on.
    pub master_profile: Option<ObjectId>,
    /// Its interfaces and addresses. Until they are set, nothing can be published to it.
    pub nat: Option<NatSettings>,
}

impl Appliance {
    /// Reads the fields that an appliance has besides those of every object.
    pub fn decode(fields: &mut Fields<'_>, report: &mut Report) -> Option<Self> {
        let site = fields.or_default("site", report, Site::decode);
        let labels = fields.or_default("labels", report, Labels::decode);
        let master_profile = fields.nullable("master_profile", report, decode_id);
        let nat = fields.nullable("nat", report, nat::decode);
        // Answers say how the appliance is; no request can.
        fields.ignore(&["state"]);
        Some(Self { site: site?, labels: labels?, master_profile: master_profile?, nat: nat?.flatten() })
    }

    /// The fields that [`Appliance::decode`] reads.
    #[must_use]
    pub fn encode(&self) -> Value {
        json!({
            "site": self.site,
            "labels": self.labels,
            "master_profile": self.master_profile,
            "nat": nat::encode(self.nat.as_ref()),
        })
    }
}

/// Where an appliance stands: one line of text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Site(String);

impl Site {
    fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        line(value, MAX_SITE_CHARS, report).map(|text| Self(text.to_owned()))
    }

    /// The site as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An appliance's labels: values under keys that have the form of a [`Name`]; keys differ by case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// Decodes labels from JSON.
    pub fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        let Some(map) = value.as_object() else {
            return wrong_type(value, "an object", report);
        };
        if map.len() > MAX_LABELS {
            report.error(Code::Length, format!("has {} labels; at most {MAX_LABELS} are allowed", map.len()));
            return None;
        }
        let mut labels = BTreeMap::new();
        let mut complete = true;
        for (key, value) in map {
            if let Err((code, detail)) = Name::parse(key) {
                // The whole key may be long; its beginning finds it.
                let start: String = key.chars().take(MAX_NAME_CHARS).collect();
                report.within(start, |report| report.error(code, format!("the label's key {detail}")));
                complete = false;
                continue;
            }
            match report.within(key, |report| line(value, MAX_LABEL_CHARS, report)) {
                Some(text) => drop(labels.insert(key.clone(), text.to_owned())),
                None => complete = false,
            }
        }
        complete.then_some(Self(labels))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// Decodes a text of one line.
fn line<'a>(value: &'a Value, max_chars: usize, report: &mut Report) -> Option<&'a str> {
    let text = input::string(value, report)?;
    if text.chars().count() > max_chars {
        report.error(Code::Length, format!("is longer than {max_chars} characters"));
        return None;
    }
    if text.chars().any(char::is_control) {
        report.error(Code::Format, "contains a control character");
        return None;
    }
    Some(text)
}

/// How an appliance is, as the controller knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplianceState {
    /// Whether its gateway holds a control stream now.
    pub connected: bool,
    /// When its gateway was last heard of.
    pub last_seen: Option<Timestamp>,
    /// What its gateway says it enforces.
    pub running_revision: Option<RevisionId>,
    /// What was published to it last.
    pub published_revision: Option<RevisionId>,
    /// Whether publishing would give it something else than what was published last.
    pub changed_since_publish: bool,
    /// What went wrong last and was not put right since.
    pub last_error: Option<String>,
}

#[cfg(test)]
mod tests;
