//! How a master profile looks in bodies and answers.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::objects::Detail;
use crate::domain::object::Spec;
use crate::domain::profile::{self, MasterProfileKind};
use crate::http::v1::objects::view::{Common, CommonInput, RefInput, RefView};

/// A master profile: basic with `alg_policy`, or standard with `sub_profiles`.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MasterProfile {
    #[serde(flatten)]
    common: Common,
    kind: MasterProfileKind,
    /// Of a basic one: its ALG policy; without one all five ALGs are on.
    #[serde(skip_serializing_if = "Option::is_none")]
    alg_policy: Option<Option<RefView>>,
    /// Of a standard one: its sub-profiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sub_profiles: Option<SubProfiles>,
}

/// The sub-profiles of a standard master profile.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SubProfiles {
    /// The one of kind system; without it all five ALGs are on.
    #[schema(required = true)]
    system: Option<RefView>,
}

impl MasterProfile {
    /// The view of a master profile, if the object is one.
    pub(in crate::http) fn new(detail: &Detail) -> Option<Self> {
        let reference = |id: Option<_>| id.and_then(|id| RefView::of(detail, id));
        match &detail.object.draft.spec {
            Spec::MasterProfile(profile) => {
                let (alg_policy, sub_profiles) = match profile {
                    profile::MasterProfile::Basic { alg_policy } => (Some(reference(*alg_policy)), None),
                    profile::MasterProfile::Standard { system } => {
                        (None, Some(SubProfiles { system: reference(*system) }))
                    }
                };
                let (common, kind) = (Common::new(detail), profile.kind());
                Some(Self { common, kind, alg_policy, sub_profiles })
            }
            Spec::Service(_) | Spec::AlgPolicy(_) | Spec::SubProfile(_) | Spec::Appliance(_) => None,
        }
    }
}

/// A master profile to be: basic with `alg_policy`, or standard with `sub_profiles`. The kind cannot be changed later.
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
    /// Of a basic one: its ALG policy; without one all five ALGs are on.
    alg_policy: Option<RefInput>,
    /// Of a standard one: its sub-profiles.
    #[schema(nullable = false)]
    sub_profiles: Option<SubProfilesInput>,
}

/// The sub-profiles of a standard master profile to be.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the schema of a body; the decoder stands in the domain, since it reports all errors"
)]
pub(in crate::http) struct SubProfilesInput {
    /// The one of kind system; without it all five ALGs are on.
    system: Option<RefInput>,
}
