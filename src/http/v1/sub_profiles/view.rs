//! How a sub-profile looks in bodies and answers.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::objects::Detail;
use crate::domain::object::Spec;
use crate::domain::profile::SubProfileKind;
use crate::http::v1::objects::view::{Common, CommonInput, RefInput, RefView};

/// A sub-profile.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SubProfile {
    #[serde(flatten)]
    common: Common,
    kind: SubProfileKind,
    /// Its ALG policy; without one all five ALGs are on.
    #[schema(required = true)]
    alg_policy: Option<RefView>,
}

impl SubProfile {
    /// The view of a sub-profile, if the object is one.
    pub(in crate::http) fn new(detail: &Detail) -> Option<Self> {
        match &detail.object.draft.spec {
            Spec::SubProfile(profile) => Some(Self {
                common: Common::new(detail),
                kind: profile.kind(),
                alg_policy: profile.alg_policy.and_then(|id| RefView::of(detail, id)),
            }),
            Spec::Service(_) | Spec::AlgPolicy(_) | Spec::MasterProfile(_) | Spec::Appliance(_) => None,
        }
    }
}

/// A sub-profile to be.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct SubProfileInput {
    #[schema(inline)]
    #[serde(flatten)]
    common: CommonInput,
    kind: SubProfileKind,
    /// Its ALG policy; without one all five ALGs are on.
    alg_policy: Option<RefInput>,
}
