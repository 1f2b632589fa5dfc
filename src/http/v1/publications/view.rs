//! How publications look in bodies and answers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::publications::{Detail, Previewed};
use crate::domain::object::By;
use crate::domain::publication::{self, DeliveryStatus, PublicationState};
use crate::http::v1::objects::view::{ChangeView, RefInput};
use crate::ids::{ObjectId, PublicationId, RevisionId};

/// A publication, without its appliances.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PublicationSummary {
    id: PublicationId,
    /// `succeeded` and `failed` once every appliance has applied or rejected its revision.
    state: PublicationState,
    created_at: DateTime<Utc>,
    /// `null` for what the installation made by itself.
    #[schema(required = true)]
    created_by: Option<By>,
    #[schema(required = true)]
    finished_at: Option<DateTime<Utc>>,
    counts: Counts,
}

/// How many appliances have which status, of those that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryCounts)]
pub(in crate::http) struct Counts {
    #[schema(minimum = 0)]
    pending: i64,
    #[schema(minimum = 0)]
    applied: i64,
    #[schema(minimum = 0)]
    rejected: i64,
    #[schema(minimum = 0)]
    unreachable: i64,
}

/// A publication.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Publication {
    #[serde(flatten)]
    summary: PublicationSummary,
    /// By name, those that the caller may see.
    appliances: Vec<Delivery>,
}

/// One appliance in a publication.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Delivery {
    /// The appliance.
    id: ObjectId,
    /// The appliance's name.
    name: String,
    /// What it is given.
    revision: RevisionId,
    /// An unreachable one is given its revision when it comes back.
    status: DeliveryStatus,
    /// Why it was rejected, in the gateway's words or the controller's.
    #[schema(required = true)]
    reason: Option<String>,
    /// When the status became what it is.
    updated_at: DateTime<Utc>,
}

impl From<publication::Publication> for PublicationSummary {
    fn from(publication: publication::Publication) -> Self {
        let counts = publication.counts;
        Self {
            id: publication.id,
            state: publication.state,
            created_at: publication.created.at,
            created_by: publication.created.by,
            finished_at: publication.finished,
            counts: Counts {
                pending: counts.pending,
                applied: counts.applied,
                rejected: counts.rejected,
                unreachable: counts.unreachable,
            },
        }
    }
}

impl From<Detail> for Publication {
    fn from(detail: Detail) -> Self {
        let appliances = detail.deliveries.into_iter().map(Delivery::from).collect();
        Self { summary: detail.publication.into(), appliances }
    }
}

impl From<publication::Delivery> for Delivery {
    fn from(delivery: publication::Delivery) -> Self {
        Self {
            id: delivery.appliance,
            name: delivery.name,
            revision: delivery.revision,
            status: delivery.status,
            reason: delivery.reason,
            updated_at: delivery.updated,
        }
    }
}

/// What a publication would change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublicationPreview)]
pub(in crate::http) struct Preview {
    /// By name.
    items: Vec<AppliancePreview>,
}

/// What a publication would change on one appliance.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct AppliancePreview {
    /// The appliance.
    id: ObjectId,
    /// The appliance's name.
    name: String,
    /// In the order of paths; what names a policy or a service that is hidden from the caller is left out.
    changes: Vec<ChangeView>,
    /// The changes as lines of text, for people.
    text: String,
}

impl From<Vec<Previewed>> for Preview {
    fn from(previewed: Vec<Previewed>) -> Self {
        Self { items: previewed.into_iter().map(AppliancePreview::from).collect() }
    }
}

impl From<Previewed> for AppliancePreview {
    fn from(previewed: Previewed) -> Self {
        let text = previewed.changes.iter().map(|change| format!("{}\n", change.line())).collect();
        let changes = previewed.changes.into_iter().map(ChangeView::from).collect();
        Self { id: previewed.appliance, name: previewed.name, changes, text }
    }
}

/// What to publish to which appliances.
#[derive(Debug, ToSchema)]
#[schema(as = PublicationInput)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct OrderInput {
    appliances: SelectionInput,
    /// An earlier revision of the one appliance that is selected, instead of what its objects say now.
    revision: Option<RevisionId>,
}

/// Which appliances are meant.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
#[schema(as = ApplianceSelection)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) enum SelectionInput {
    /// These, 1 to 10,000.
    Listed(Vec<RefInput>),
    /// Those that have all these labels.
    Labelled {
        /// At least one.
        labels: BTreeMap<String, String>,
    },
    /// Those that have this master profile.
    Profiled {
        /// The profile.
        master_profile: RefInput,
    },
    /// `all_changed`: those for which something has changed since the last publication.
    AllChanged(String),
}
