//! What services, policies, profiles and appliances have in common, and the closed set of what they are.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::alg_policy::AlgPolicy;
use super::alg_protocol::AlgProtocol;
use super::appliance::Appliance;
use super::input::{Fields, Report};
use super::kind::Kind;
use super::name::{Description, Name, Tags};
use super::permission::Grants;
use super::profile::{MasterProfile, SubProfile};
use super::service::Service;
use super::version::Version;
use crate::clock::Timestamp;
use crate::ids::{ObjectId, UserId};

/// Fields that answers carry and requests may repeat, so that what a GET answered can be sent back.
pub const READ_ONLY: [&str; 10] = [
    "id",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "used_by",
    "used_by_total",
    "my_permission",
    "warnings",
];

/// An object of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its id, which never changes.
    pub id: ObjectId,
    /// What its saved version says.
    pub draft: Draft,
    /// The permissions that are set on it.
    pub grants: Grants,
    /// How often it was saved.
    pub version: Version,
    /// When and by whom it was created.
    pub created: Stamp,
    /// When and by whom it was saved last.
    pub updated: Stamp,
}

impl Object {
    /// The object's kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.draft.spec.kind()
    }
}

/// What a save of an object says, without its permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its name.
    pub name: Name,
    /// Its description.
    pub description: Description,
    /// Its tags.
    pub tags: Tags,
    /// What is its kind's own.
    pub spec: Spec,
}

impl Draft {
    /// Reads a whole object, and the permissions if they are given. References are ids here.
    pub fn decode(kind: Kind, value: &Value, report: &mut Report) -> Option<(Self, Option<Grants>)> {
        let mut fields = Fields::open(value, report)?;
        let name = fields.required("name", report, Name::decode);
        let description = fields.or_default("description", report, Description::decode);
        let tags = fields.or_default("tags", report, Tags::decode);
        let grants = fields.optional("permissions", report, Grants::decode_block);
        let spec = Spec::decode(kind, &mut fields, report);
        fields.ignore(&READ_ONLY);
        fields.finish(report);
        let draft = Self { name: name?, description: description?, tags: tags?, spec: spec? };
        Some((draft, grants?))
    }

    /// The document that [`Draft::decode`] reads, every default said; the base of a merge patch.
    #[must_use]
    pub fn encode(&self) -> Value {
        let mut document = self.spec.encode();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("name".to_owned(), self.name.as_str().into());
            fields.insert("description".to_owned(), self.description.as_str().into());
            fields.insert("tags".to_owned(), self.tags.iter().collect());
        }
        document
    }
}

/// When and by whom something was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// When.
    pub at: Timestamp,
    /// By whom; `None` is the installation itself.
    pub by: Option<By>,
}

/// A user as history remembers it, also when the user is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct By {
    /// The user's id.
    pub id: UserId,
    /// The user's name then.
    pub name: String,
}

/// What is an object's kind's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// A service.
    Service(Service),
    /// An ALG policy.
    AlgPolicy(AlgPolicy),
    /// A sub-profile.
    SubProfile(SubProfile),
    /// A master profile.
    MasterProfile(MasterProfile),
    /// An appliance.
    Appliance(Appliance),
}

/// A reference from one object to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Where in the object it stands.
    pub slot: &'static str,
    /// What it refers to.
    pub to: ObjectId,
}

impl Spec {
    /// The kind that it is of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Service(_) => Kind::Service,
            Self::AlgPolicy(_) => Kind::AlgPolicy,
            Self::SubProfile(_) => Kind::SubProfile,
            Self::MasterProfile(_) => Kind::MasterProfile,
            Self::Appliance(_) => Kind::Appliance,
        }
    }

    /// Reads the fields of a kind.
    pub fn decode(kind: Kind, fields: &mut Fields<'_>, report: &mut Report) -> Option<Self> {
        match kind {
            Kind::Service => Service::decode(fields, report).map(Self::Service),
            Kind::AlgPolicy => AlgPolicy::decode(fields, report).map(Self::AlgPolicy),
            Kind::SubProfile => SubProfile::decode(fields, report).map(Self::SubProfile),
            Kind::MasterProfile => MasterProfile::decode(fields, report).map(Self::MasterProfile),
            Kind::Appliance => Appliance::decode(fields, report).map(Self::Appliance),
        }
    }

    /// The fields that [`Spec::decode`] reads; also the stored form.
    #[must_use]
    pub fn encode(&self) -> Value {
        match self {
            Self::Service(service) => service.encode(),
            Self::AlgPolicy(policy) => policy.encode(),
            Self::SubProfile(profile) => profile.encode(),
            Self::MasterProfile(profile) => profile.encode(),
            Self::Appliance(appliance) => appliance.encode(),
        }
    }

    /// Every object that it refers to.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        match self {
            Self::Service(_) => Vec::new(),
            Self::AlgPolicy(policy) => {
                let of = |(protocol, policy): (AlgProtocol, _)| links_of(protocol.as_str(), policy);
                policy
                    .protocols()
                    .map(|(protocol, policy)| (protocol, &policy.services))
                    .flat_map(of)
                    .collect()
            }
            Self::SubProfile(SubProfile { alg_policy })
            | Self::MasterProfile(MasterProfile::Basic { alg_policy }) => links_of("alg_policy", alg_policy),
            Self::MasterProfile(MasterProfile::Standard { system }) => links_of("system", system),
            Self::Appliance(appliance) => links_of("master_profile", &appliance.master_profile),
        }
    }

    /// Drops the references that `hidden` picks, as a caller sees it who may not see their targets.
    pub fn drop_hidden(&mut self, hidden: &dyn Fn(ObjectId) -> bool) {
        self.replace_links(&|id| (!hidden(id)).then_some(id));
    }

    /// Makes each reference one to something else, or drops it.
    pub fn replace_links(&mut self, replacement: &dyn Fn(ObjectId) -> Option<ObjectId>) {
        let replace = |target: &mut Option<ObjectId>| *target = target.and_then(replacement);
        match self {
            Self::Service(_) => {}
            Self::AlgPolicy(policy) => {
                for protocol in AlgProtocol::ALL {
                    let services = &mut policy.protocol_mut(protocol).services;
                    *services = services.iter().copied().filter_map(replacement).collect();
                }
            }
            Self::SubProfile(profile) => replace(&mut profile.alg_policy),
            Self::MasterProfile(profile) => replace(profile.target_mut()),
            Self::Appliance(appliance) => replace(&mut appliance.master_profile),
        }
    }

    /// Takes over from the saved version the references that `hidden` picks: who cannot see them cannot have
    /// meant to remove them. A reference that stands in the only place for one replaces a hidden one.
    pub fn keep_hidden(&mut self, saved: &Self, hidden: &dyn Fn(ObjectId) -> bool) {
        match (self, saved) {
            (Self::AlgPolicy(policy), Self::AlgPolicy(saved)) => {
                for (protocol, saved) in saved.protocols() {
                    let kept = saved.services.iter().copied().filter(|id| hidden(*id));
                    policy.protocol_mut(protocol).services.extend(kept);
                }
            }
            (Self::SubProfile(profile), Self::SubProfile(saved)) => {
                profile.alg_policy = profile.alg_policy.or(saved.alg_policy.filter(|id| hidden(*id)));
            }
            (Self::MasterProfile(profile), Self::MasterProfile(saved)) if profile.kind() == saved.kind() => {
                let target = profile.target_mut();
                *target = target.or(saved.target().filter(|id| hidden(*id)));
            }
            (Self::Appliance(appliance), Self::Appliance(saved)) => {
                let kept = saved.master_profile.filter(|id| hidden(*id));
                appliance.master_profile = appliance.master_profile.or(kept);
            }
            (
                Self::Service(_)
                | Self::AlgPolicy(_)
                | Self::SubProfile(_)
                | Self::MasterProfile(_)
                | Self::Appliance(_),
                _,
            ) => {}
        }
    }
}

fn links_of<'a>(slot: &'static str, to: impl IntoIterator<Item = &'a ObjectId>) -> Vec<Link> {
    to.into_iter().map(|to| Link { slot, to: *to }).collect()
}

/// A place in a document where an object is referred to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its JSON pointer.
    pub pointer: String,
    /// The kind of object that is referred to there.
    pub kind: Kind,
}

/// The places in a document of a kind where other objects are referred to, as far as the document has them.
#[must_use]
pub fn places(kind: Kind, document: &Value) -> Vec<Place> {
    match kind {
        Kind::Service => Vec::new(),
        Kind::AlgPolicy => AlgProtocol::ALL
            .into_iter()
            .flat_map(|protocol| {
                let list = format!("/protocols/{}/services", protocol.as_str());
                let length = document.pointer(&list).and_then(Value::as_array).map_or(0, Vec::len);
                (0..length)
                    .map(move |index| Place { pointer: format!("{list}/{index}"), kind: Kind::Service })
            })
            .collect(),
        Kind::SubProfile => vec![Place { pointer: "/alg_policy".to_owned(), kind: Kind::AlgPolicy }],
        Kind::MasterProfile => vec![
            Place { pointer: "/alg_policy".to_owned(), kind: Kind::AlgPolicy },
            Place { pointer: "/sub_profiles/system".to_owned(), kind: Kind::SubProfile },
        ],
        Kind::Appliance => vec![Place { pointer: "/master_profile".to_owned(), kind: Kind::MasterProfile }],
    }
}
