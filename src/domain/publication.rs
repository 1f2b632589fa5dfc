//! Publications: a push of revisions to appliances.

use serde::Serialize;
use serde_json::Value;

use super::appliance::Labels;
use super::input::{self, Code, Fields, Report, wrong_type};
use super::object::Stamp;
use super::reference::ObjectRef;
use crate::clock::Timestamp;
use crate::ids::{ObjectId, PublicationId, RevisionId};

/// The most appliances of one publication.
pub const MAX_APPLIANCES: usize = 10_000;
/// What stands for every appliance that something has changed for.
const ALL_CHANGED: &str = "all_changed";

/// How far a publication is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PublicationState {
    /// Some appliance has neither applied nor rejected its revision.
    Running,
    /// Every appliance has applied its revision.
    Succeeded,
    /// Every appliance has applied or rejected its revision, and at least one has rejected it.
    Failed,
    /// What was not delivered by then is not delivered any more.
    Cancelled,
}

impl PublicationState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The word that stands for the state in the database and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state that a word from the database stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What has become of one appliance's revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It is on its way.
    Pending,
    /// The gateway enforces it.
    Applied,
    /// The gateway refused it, or it will not be delivered any more; the reason says which.
    Rejected,
    /// The gateway is away; it is given the revision when it comes back.
    Unreachable,
}

impl DeliveryStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Applied, Self::Rejected, Self::Unreachable];

    /// The word that stands for the status in the database and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Applied => "applied",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
        }
    }

    /// The status that a word from the database stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// A publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Its id.
    pub id: PublicationId,
    /// How far it is.
    pub state: PublicationState,
    /// When and by whom it was ordered.
    pub created: Stamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// How many appliances have which status, of those that the reader may see.
    pub counts: Counts,
}

/// How many appliances of a publication have which status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Of [`DeliveryStatus::Pending`].
    pub pending: i64,
    /// Of [`DeliveryStatus::Applied`].
    pub applied: i64,
    /// Of [`DeliveryStatus::Rejected`].
    pub rejected: i64,
    /// Of [`DeliveryStatus::Unreachable`].
    pub unreachable: i64,
}

/// One appliance in a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The appliance.
    pub appliance: ObjectId,
    /// The appliance's name now.
    pub name: String,
    /// What it is given.
    pub revision: RevisionId,
    /// What has become of it.
    pub status: DeliveryStatus,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// When the status became what it is.
    pub updated: Timestamp,
}

/// What a caller wants published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// To which appliances.
    pub selection: Selection,
    /// An earlier revision instead of what the objects say now.
    pub revision: Option<RevisionId>,
}

/// Which appliances are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These.
    Listed(Vec<ObjectRef>),
    /// Those that have all these labels.
    Labelled(Labels),
    /// Those that have this master profile.
    Profiled(ObjectRef),
    /// Those for which something has changed since the last publication.
    AllChanged,
}

impl Order {
    /// Reads `{ "appliances": ..., "revision"?: "<id>" }`.
    pub fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        let mut fields = Fields::open(value, report)?;
        let selection = fields.required("appliances", report, Selection::decode);
        let revision = fields.nullable("revision", report, |value, report| {
            let id = input::string(value, report)?.parse().ok();
            if id.is_none() {
                report.error(Code::Format, "is to be the id of a revision");
            }
            id
        });
        fields.finish(report);
        Some(Self { selection: selection?, revision: revision? })
    }
}

impl Selection {
    fn decode(value: &Value, report: &mut Report) -> Option<Self> {
        match value {
            Value::Array(_) => listed(value, report),
            Value::Object(_) => {
                let mut fields = Fields::open(value, report)?;
                let labels = fields.optional("labels", report, decode_labels);
                let profile = fields.optional("master_profile", report, ObjectRef::decode);
                fields.finish(report);
                match (labels?, profile?) {
                    (Some(labels), None) => Some(Self::Labelled(labels)),
                    (None, Some(profile)) => Some(Self::Profiled(profile)),
                    (None, None) | (Some(_), Some(_)) => {
                        report.error(Code::Conflict, "is to have either \"labels\" or \"master_profile\"");
                        None
                    }
                }
            }
            Value::String(word) if word == ALL_CHANGED => Some(Self::AllChanged),
            Value::String(_) => {
                report.error(Code::UnknownValue, "the only word here is \"all_changed\"");
                None
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                wrong_type(value, "a list, an object or \"all_changed\"", report)
            }
        }
    }
}

fn listed(value: &Value, report: &mut Report) -> Option<Selection> {
    let listed = input::array(value, MAX_APPLIANCES, report, ObjectRef::decode)?;
    if listed.is_empty() {
        report.error(Code::Length, "names no appliance");
        return None;
    }
    Some(Selection::Listed(listed))
}

fn decode_labels(value: &Value, report: &mut Report) -> Option<Labels> {
    let labels = Labels::decode(value, report)?;
    // Every appliance has them: hardly meant, and "all_changed" says it better.
    if labels.is_empty() {
        report.error(Code::Length, "names no label");
        return None;
    }
    Some(labels)
}

#[cfg(test)]
mod tests;
