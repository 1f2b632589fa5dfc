//! Profiles: what an appliance is given. A sub-profile holds policies; a master profile holds policies itself (basic) or
//! sub-profiles (standard).

use serde::Serialize;
use serde_json::{Value, json};

use super::alg_policy::decode_id;
use super::input::{self, Code, Fields, Report};
use crate::ids::ObjectId;

/// What a sub-profile is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubProfileKind {
    /// The system of the appliance: its ALGs.
    System,
}

/// A sub-profile of kind system: at most one ALG policy; without one all five ALGs are on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubProfile {
    /// Its ALG policy.
    pub alg_policy: Option<ObjectId>,
}

impl SubProfile {
    /// The profile's kind.
    #[must_use]
    pub fn kind(&self) -> SubProfileKind {
        SubProfileKind::System
    }

    /// Reads the fields that a sub-profile has besides those of every object.
    pub fn decode(fields: &mut Fields<'_>, report: &mut Report) -> Option<Self> {
        let kind = fields.required("kind", report, |value, report| {
            let system = input::string(value, report)? == "system";
            if !system {
                report.error(Code::UnknownValue, "is to be \"system\"");
            }
            system.then_some(SubProfileKind::System)
        });
        let alg_policy = fields.nullable("alg_policy", report, decode_id);
        kind?;
        Some(Self { alg_policy: alg_policy? })
    }

    /// The fields that [`SubProfile::decode`] reads.
    #[must_use]
    pub fn encode(&self) -> Value {
        json!({ "kind": self.kind(), "alg_policy": self.alg_policy })
    }
}

/// How a master profile is built. It is chosen once: the references of one kind have no place in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MasterProfileKind {
    /// It holds policies itself.
    Basic,
    /// It holds sub-profiles.
    Standard,
}

/// A master profile. Without a policy, its own or its sub-profile's, all five ALGs are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MasterProfile {
    /// Holds at most one ALG policy itself.
    Basic {
        /// Its ALG policy.
        alg_policy: Option<ObjectId>,
    },
    /// Holds at most one sub-profile of each kind.
    Standard {
        /// Its system sub-profile.
        system: Option<ObjectId>,
    },
}

impl Default for MasterProfile {
    /// Basic, without a policy.
    fn default() -> Self {
        Self::Basic { alg_policy: None }
    }
}

impl MasterProfile {
    /// The profile's kind.
    #[must_use]
    pub fn kind(&self) -> MasterProfileKind {
        match self {
            Self::Basic { .. } => MasterProfileKind::Basic,
            Self::Standard { .. } => MasterProfileKind::Standard,
        }
    }

    /// What it refers to, in its one place.
    #[must_use]
    pub fn target(&self) -> Option<ObjectId> {
        match self {
            Self::Basic { alg_policy: target } | Self::Standard { system: target } => *target,
        }
    }

    /// What it refers to, to be changed.
    pub fn target_mut(&mut self) -> &mut Option<ObjectId> {
        match self {
            Self::Basic { alg_policy: target } | Self::Standard { system: target } => target,
        }
    }

    /// Reads the fields that a master profile has besides those of every object.
    pub fn decode(fields: &mut Fields<'_>, report: &mut Report) -> Option<Self> {
        let kind = fields.required("kind", report, |value, report| match input::string(value, report)? {
            "basic" => Some(MasterProfileKind::Basic),
            "standard" => Some(MasterProfileKind::Standard),
            _ => {
                report.error(Code::UnknownValue, "is to be \"basic\" or \"standard\"");
                None
            }
        });
        match kind? {
            MasterProfileKind::Basic => {
                let alg_policy = fields.nullable("alg_policy", report, decode_id)?;
                Some(Self::Basic { alg_policy })
            }
            MasterProfileKind::Standard => {
                let system = fields.or_default("sub_profiles", report, |value, report| {
                    let mut fields = Fields::open(value, report)?;
                    let system = fields.nullable("system", report, decode_id);
                    fields.finish(report);
                    system
                })?;
                Some(Self::Standard { system })
            }
        }
    }

    /// The fields that [`MasterProfile::decode`] reads.
    #[must_use]
    pub fn encode(&self) -> Value {
        match self {
            Self::Basic { alg_policy } => json!({ "kind": self.kind(), "alg_policy": alg_policy }),
            Self::Standard { system } => json!({ "kind": self.kind(), "sub_profiles": { "system": system } }),
        }
    }
}
