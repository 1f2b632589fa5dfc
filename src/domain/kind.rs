//! The kinds of object that a tenant configures.

use std::fmt;

use serde::Serialize;

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A user-defined service.
    Service,
    /// An ALG policy.
    AlgPolicy,
    /// A sub-profile.
    SubProfile,
    /// A master profile.
    MasterProfile,
    /// An appliance.
    Appliance,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Service, Self::AlgPolicy, Self::SubProfile, Self::MasterProfile, Self::Appliance];

    /// The word that stands for the kind in the database and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::AlgPolicy => "alg_policy",
            Self::SubProfile => "sub_profile",
            Self::MasterProfile => "master_profile",
            Self::Appliance => "appliance",
        }
    }

    /// The collection's name in paths.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Service => "services",
            Self::AlgPolicy => "alg-policies",
            Self::SubProfile => "sub-profiles",
            Self::MasterProfile => "master-profiles",
            Self::Appliance => "appliances",
        }
    }

    /// What people call one of the kind.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::AlgPolicy => "ALG policy",
            Self::SubProfile => "sub-profile",
            Self::MasterProfile => "master profile",
            Self::Appliance => "appliance",
        }
    }

    /// The kinds of object that one of the kind refers to.
    #[must_use]
    pub fn refers_to(self) -> &'static [Self] {
        match self {
            Self::Service => &[],
            Self::AlgPolicy => &[Self::Service],
            Self::SubProfile => &[Self::AlgPolicy],
            Self::MasterProfile => &[Self::AlgPolicy, Self::SubProfile],
            Self::Appliance => &[Self::MasterProfile],
        }
    }

    /// The kind that a word from the database stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
