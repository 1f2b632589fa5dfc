//! How an appliance looks in bodies and answers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::objects::Detail;
use crate::domain::appliance::ApplianceState;
use crate::domain::object::Spec;
use crate::http::v1::appliances::nat_view::{Nat, NatInput};
use crate::http::v1::objects::view::{Common, CommonInput, RefInput, RefView};
use crate::ids::RevisionId;

/// An appliance: a host that a gateway runs on.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Appliance {
    #[serde(flatten)]
    common: Common,
    /// Where it stands, for people.
    #[schema(max_length = 255)]
    site: String,
    labels: BTreeMap<String, String>,
    /// What it is given; without one all five ALGs are on.
    #[schema(required = true)]
    master_profile: Option<RefView>,
    nat: Nat,
    state: State,
}

/// How an appliance is, as the controller knows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApplianceState)]
pub(in crate::http) struct State {
    /// Whether its gateway holds a control stream now.
    connected: bool,
    /// When its gateway was last heard of, up to half a minute behind while it is connected; `null` is never.
    #[schema(required = true)]
    last_seen: Option<DateTime<Utc>>,
    /// What its gateway says it enforces.
    #[schema(required = true)]
    running_revision: Option<RevisionId>,
    /// What was published to it last.
    #[schema(required = true)]
    published_revision: Option<RevisionId>,
    /// Whether publishing would give it something else than what was published last.
    changed_since_publish: bool,
    /// What went wrong last and was not put right since.
    #[schema(required = true)]
    last_error: Option<String>,
}

impl Appliance {
    /// The view of an appliance, if the object is one.
    pub(super) fn new(detail: &Detail) -> Option<Self> {
        match &detail.object.draft.spec {
            Spec::Appliance(appliance) => {
                let labels = appliance.labels.iter();
                Some(Self {
                    common: Common::new(detail),
                    site: appliance.site.as_str().to_owned(),
                    labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
                    master_profile: appliance.master_profile.and_then(|id| RefView::of(detail, id)),
                    nat: Nat::new(appliance.nat.as_ref()),
                    state: State::from(detail.state.clone().unwrap_or_default()),
                })
            }
            Spec::Service(_) | Spec::AlgPolicy(_) | Spec::SubProfile(_) | Spec::MasterProfile(_) => None,
        }
    }
}

impl From<ApplianceState> for State {
    fn from(state: ApplianceState) -> Self {
        Self {
            connected: state.connected,
            last_seen: state.last_seen,
            running_revision: state.running_revision,
            published_revision: state.published_revision,
            changed_since_publish: state.changed_since_publish,
            last_error: state.last_error,
        }
    }
}

/// An appliance to be.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct ApplianceInput {
    #[schema(inline)]
    #[serde(flatten)]
    common: CommonInput,
    /// Where it stands, for people: one line.
    #[schema(nullable = false, max_length = 255)]
    site: Option<String>,
    /// At most 32; keys have the form of names, values at most 63 characters.
    #[schema(nullable = false)]
    labels: Option<BTreeMap<String, String>>,
    /// What it is given; without one all five ALGs are on.
    master_profile: Option<RefInput>,
    /// Either all four lists have items, or it is left out until it is known.
    nat: Option<NatInput>,
}
