//! How a master profile looks in bodies and answers.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::objects::Detail;
use crate::domain::object::Spec;
use crate::domain::profile::MasterProfileKind;
use crate::http::v1::objects::view::{Common, CommonInput, RefInput, RefView};

/// A master profile.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MasterProfile {
    #[serde(flatten)]
    common: Common,
    kind: MasterProfileKind,
    /// Its ALG policy; without one all five ALGs are on.
    #[schema(required = true)]
    alg_policy: Option<RefView>,
}

impl MasterProfile {
    /// The view of a master profile, if the object is one.
    pub(in crate::http) fn new(detail: &Detail) -> Option<Self> {
        match &detail.object.draft.spec {
            Spec::MasterProfile(profile) => Some(Self {
                common: Common::new(detail),
                kind: profile.kind(),
                alg_policy: profile.alg_policy.and_then(|id| RefView::of(detail, id)),
            }),
            Spec::Service(_) | Spec::AlgPolicy(_) | Spec::Appliance(_) => None,
        }
    }
}

/// A master profile to be.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct MasterProfileInput {
    #[schema(inline)]
    #[serde(flatten)]
    common: CommonInput,
    kind: MasterProfileKind,
    /// Its ALG policy; without one all five ALGs are on.
    alg_policy: Option<RefInput>,
}
