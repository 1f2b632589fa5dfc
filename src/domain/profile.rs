//! Profiles: what an appliance is given.

use serde::Serialize;
use serde_json::{Value, json};

use super::alg_policy::decode_id;
use super::input::{self, Code, Fields, Report};
use crate::ids::ObjectId;

/// How a master profile is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MasterProfileKind {
    /// It holds policies itself.
    Basic,
}

/// A master profile of kind basic: at most one ALG policy; without one all five ALGs are on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MasterProfile {
    /// Its ALG policy.
    pub alg_policy: Option<ObjectId>,
}

impl MasterProfile {
    /// The profile's kind.
    #[must_use]
    pub fn kind(&self) -> MasterProfileKind {
        MasterProfileKind::Basic
    }

    /// Reads the fields that a master profile has besides those of every object.
    pub fn decode(fields: &mut Fields<'_>, report: &mut Report) -> Option<Self> {
        let kind = fields.required("kind", report, |value, report| {
            let basic = input::string(value, report)? == "basic";
            if !basic {
                report.error(Code::UnknownValue, "is to be \"basic\"");
            }
            basic.then_some(MasterProfileKind::Basic)
        });
        let alg_policy = fields.nullable("alg_policy", report, decode_id);
        kind?;
        Some(Self { alg_policy: alg_policy? })
    }

    /// The fields that [`MasterProfile::decode`] reads.
    #[must_use]
    pub fn encode(&self) -> Value {
        json!({ "kind": self.kind(), "alg_policy": self.alg_policy })
    }
}
